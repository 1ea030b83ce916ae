"""Types and ranges are checked before anything is sent."""

from __future__ import annotations

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.parameters import STANDARD, check_parameters, parse_value
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
    "temperature": [-0.1, 2.1, "hot", True, float("nan"), None],
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
