"""Types and ranges are checked before anything is sent."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.messages import user
from deepseek_jupyter.protocol.parameters import STANDARD, check_parameters, parse_value
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.transport.providers import PROVIDERS

GOOD = {
    "temperature": [0, 2, 0.7],
    "top_p": [1, 0.01],
    "top_k": [0, 40],
    "min_p": [0, 1],
    "top_a": [0, 1],
    "frequency_penalty": [-2, 2],
    "presence_penalty": [-2, 2],
    "repetition_penalty": [0, 2],
    "seed": [0, -1, 2**40],
    "max_tokens": [1, 8192],
    "stop": [["a"], ["a"] * 16],
    "logit_bias": [{"1": -100}],
    "logprobs": [True, False],
    "top_logprobs": [0, 20],
    "response_format": [{"type": "json_object"}],
    "structured_outputs": [True, {"x": 1}],
    "tools": [[]],
    "tool_choice": ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}],
    "parallel_tool_calls": [True],
    "verbosity": ["low", "medium", "high"],
    "thinking": [{"type": "enabled"}],
    "reasoning_effort": ["high"],
    "reasoning": [{"enabled": True}],
    "user_id": ["", "a-B_9"],
    "n": [1],
    "enable_thinking": [True],
    "thinking_budget": [128, 32768],
    "chat_template_kwargs": [{"thinking": True}],
    "grammar": ["root ::= x"],
}
BAD = {
    "temperature": [-0.1, 2.1, "hot", True, float("nan")],
    "top_p": [0, 1.1],
    "top_k": [-1, 1.5],
    "min_p": [1.1],
    "top_a": [-1],
    "frequency_penalty": [-2.1],
    "presence_penalty": [3],
    "repetition_penalty": [-1],
    "seed": [1.5, "x", True],
    "max_tokens": [0, 1.5],
    "stop": ["", [], ["a"] * 17, [1], [""]],
    "logit_bias": [[], "x"],
    "logprobs": [1, "yes"],
    "top_logprobs": [21, -1],
    "response_format": ["json"],
    "structured_outputs": ["yes"],
    "tools": [{}],
    "tool_choice": ["maybe", 1],
    "parallel_tool_calls": ["yes"],
    "verbosity": ["loud"],
    "thinking": [True, "enabled"],
    "reasoning": [True],
    "user_id": ["a b", "x" * 513],
    "n": [2],
    "thinking_budget": [127],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in GOOD.items() for v in vs])
def test_a_value_in_range_passes_unchanged(name, value):
    assert check_parameters({name: value}, STANDARD, "x")[name] == value


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_a_value_out_of_range_is_refused_with_name_and_range(name, value):
    with pytest.raises(ParameterError) as refused:
        check_parameters({name: value}, STANDARD, "the provider")
    assert name in refused.value.what
    assert STANDARD[name].describe() in refused.value.what


def test_every_documented_parameter_is_tried_here():
    assert GOOD.keys() == STANDARD.keys()


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        ("deepseek", "max_tokens", 393_217),
        ("deepseek", "reasoning_effort", "medium"),
        ("siliconflow", "reasoning_effort", "low"),
        ("ollama", "reasoning_effort", "max"),
        ("deepseek", "top_k", 40),
        ("deepseek", "min_p", 0.1),
        ("ollama", "tool_choice", "auto"),
        ("openrouter", "thinking_budget", 1000),
    ],
)
def test_a_provider_s_own_limits_hold(provider, name, value):
    with pytest.raises(ParameterError, match=provider):
        check_parameters({name: value}, PROVIDERS[provider].dialect.rows, provider)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("temprature", "temperature"), ("max_token", "max_tokens"), ("topp", "top_p")],
)
def test_a_mistyped_name_brings_a_suggestion(name, hint):
    with pytest.raises(ParameterError) as refused:
        check_parameters({name: 1}, STANDARD, "x")
    assert f"Did you mean {hint}?" in refused.value.hint


def test_a_strange_name_brings_the_list():
    with pytest.raises(ParameterError) as refused:
        check_parameters({"zzz": 1}, PROVIDERS["deepseek"].dialect.rows, "deepseek")
    assert "temperature" in refused.value.hint
    assert "extra_body" in refused.value.hint


def test_max_completion_tokens_is_max_tokens():
    """DeepSeek would ignore the newer name silently."""
    assert check_parameters({"max_completion_tokens": 5}, STANDARD, "x") == {"max_tokens": 5}


def test_one_stop_text_becomes_a_list():
    assert check_parameters({"stop": "END"}, STANDARD, "x") == {"stop": ["END"]}


def test_top_logprobs_brings_logprobs_along():
    assert check_parameters({"top_logprobs": 0}, STANDARD, "x")["logprobs"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("0.5", 0.5), ("true", True), ("high", "high"), ('{"a": 1}', {"a": 1}), ("", "")],
)
def test_a_param_flag_is_json_where_it_is_json(text, value):
    assert parse_value(text) == value


numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")

# as a notebook has it -> name and value as sent
SCALARS = [
    ("max_tokens", numpy.int64(3), 3),
    ("max_tokens", numpy.arange(1, 3)[0], 1),
    ("max_tokens", pandas.Series([5])[0], 5),
    ("temperature", numpy.float32(0.5), 0.5),
    ("temperature", numpy.float64(0.5), 0.5),
    ("temperature", Decimal("0.5"), 0.5),
    ("temperature", Fraction(1, 2), 0.5),
    ("temperature", numpy.array(0.5), 0.5),
    ("top_k", numpy.int8(4), 4),
    ("logprobs", numpy.bool_(True), True),
    ("stop", ("a", "b"), ["a", "b"]),
    ("stop", numpy.array(["a", "b"]), ["a", "b"]),
    ("stop", pandas.Series(["a", "b"]), ["a", "b"]),
    ("verbosity", numpy.str_("low"), "low"),
    ("logit_bias", {50256: numpy.int64(-100)}, {"50256": -100}),
    ("response_format", {"type": "json_object"}, {"type": "json_object"}),
]


@pytest.mark.parametrize(("name", "given", "sent"), SCALARS)
def test_scalars_and_arrays_of_a_notebook_are_sent_as_json(name, given, sent):
    checked = check_parameters({name: given}, PROVIDERS["wcode"].dialect.rows, "wcode")
    assert checked == {name: sent}
    assert json.dumps(checked)


def test_none_is_not_set():
    rows = PROVIDERS["wcode"].dialect.rows
    assert check_parameters({"temperature": None, "stop": None}, rows, "wcode") == {}


@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0])
def test_bounds_are_those_that_the_pages_print(value):
    for provider in ("wcode", "openrouter"):
        rows = PROVIDERS[provider].dialect.rows
        assert check_parameters({"top_p": value}, rows, provider) == {"top_p": value}
    if not value:  # DeepSeek's excludes it
        with pytest.raises(ParameterError):
            check_parameters({"top_p": value}, PROVIDERS["deepseek"].dialect.rows, "deepseek")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"tools": [1]}, "function"),
        ({"tools": [{"type": "function", "function": {}}]}, "function"),
        ({"tool_choice": {"type": "function", "function": "f"}}, "function"),
        ({"response_format": {"type": "nonsense"}}, "json_object"),
        ({"logit_bias": {"a": 1}}, "-100 to 100"),
        ({"logit_bias": {"1": "x"}}, "-100 to 100"),
        ({"logit_bias": {"1": 101}}, "-100 to 100"),
        ({"logit_bias": "{50256:-100}"}, "Quote it"),
        ({"top_logprobs": 5, "logprobs": False}, "needs logprobs"),
        ({"top_kk": 5}, "top_k"),
        ({"stream": False}, "--no-stream"),
        ({"stream_options": {}}, "extra_body"),
        ({"messages": []}, "--system"),
        ({"enable_thinking": True}, "siliconflow"),
        ({"max_tokens": numpy.float64(1.5)}, "whole number"),
        ({"max_tokens": numpy.arange(3)}, "whole number"),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(values, told):
    with pytest.raises(ParameterError) as refused:
        check_parameters(values, PROVIDERS["wcode"].dialect.rows, "wcode")
    assert told in str(refused.value)


def test_who_takes_it_is_told_instead_of_another_name():
    with pytest.raises(ParameterError) as refused:
        check_parameters({"top_k": 3}, PROVIDERS["deepseek"].dialect.rows, "deepseek")
    assert "wcode, openrouter" in refused.value.hint
    assert "top_p" not in refused.value.hint


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False), ("None", None)])
def test_pythons_words_are_read_too(text, value):
    assert parse_value(text) is value


@pytest.mark.parametrize(
    "extra", [{"stream": False}, {"stream_options": None}, {"stream": None}], ids=str
)
def test_extra_fields_take_what_goes_with_them_along(extra):
    body = build(ChatRequest("m", [user("x")], extra=extra), PROVIDERS["vllm"].dialect).body
    assert "stream_options" not in body
