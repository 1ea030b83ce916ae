"""Asking for a shape in each provider's way, and reading what comes back."""

from __future__ import annotations

import json
import random
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from deepseek_jupyter.errors import SchemaMismatchError
from deepseek_jupyter.protocol.messages import ToolCall, user
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.tools.schemas import ask_for, example, pretty, repair_request, shape_of
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.growth import assert_linear
from tests.support.validator import complaint

from .models import Tree, a_model


class City(BaseModel):
    """A city."""

    name: str
    people: int
    nick: str = "none"


SHAPES = [City, list[City], Literal["red", "blue"], int]
NOT_STRICT = [dict[str, int], tuple[int, str], list[Any], Tree]


def request(asked, provider, **how) -> ChatRequest:
    model = provider.default_model or "a-model"
    return ChatRequest(model, (user(f"Go.\n\n{asked.words}"),), asked.parameters, **how)


@pytest.mark.parametrize("wanted", [*SHAPES, *NOT_STRICT], ids=str)
@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_takes_the_request(name, wanted):
    provider = PROVIDERS[name]
    asked = ask_for(shape_of(wanted), provider.dialect.schema)
    built = build(request(asked, provider), provider.dialect)
    if name == "deepseek" and wanted in NOT_STRICT:
        assert not built.beta
        assert complaint(built.body) is None
        assert built.body["response_format"] == {"type": "json_object"}
    elif name == "deepseek":
        assert built.beta, "strict functions are served under the beta base URL"
        assert complaint(built.body) is None
        assert built.body["thinking"] == {"type": "disabled"}
        assert "no forced tool choice" in built.notices[0] or "allows no" in built.notices[0]
    else:
        assert built.body["response_format"]["type"] in ("json_schema", "json_object")


def test_a_user_who_wants_thinking_keeps_it_and_the_function_is_offered():
    provider = PROVIDERS["deepseek"]
    asked = ask_for(shape_of(City), provider.dialect.schema)
    built = build(request(asked, provider, think=True), provider.dialect)
    assert built.body["tool_choice"] == "auto"
    assert complaint(built.body) is None


def test_json_mode_says_json_shows_the_schema_and_an_example():
    provider = PROVIDERS["siliconflow"]
    asked = ask_for(shape_of(list[City]), provider.dialect.schema)
    built = build(request(asked, provider), provider.dialect)
    text = built.body["messages"][0]["content"]
    assert "JSON" in text
    assert '"nick"' in text
    assert '{"value": [{"name": "text", "people": 1, "nick": "text"}]}' in text
    assert complaint({**built.body, "model": "x"}) is None


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}}, "no allOf"),
        (dict[str, int], "all named"),
        (tuple[int, str], "no tuples"),
        (Tree, "Tree contains itself"),
    ],
    ids=str,
)
@pytest.mark.parametrize("style", ["strict function", "strict json_schema"])
def test_a_schema_without_a_strict_form_goes_to_json_mode_and_the_user_reads_why(
    style, wanted, reason
):
    asked = ask_for(shape_of(wanted), style)
    assert asked.parameters["response_format"] == {"type": "json_object"}
    assert reason in asked.notice
    assert "JSON mode" in asked.notice


def test_parts_of_an_all_of_are_joined_in_the_example():
    schema = {
        "$defs": {"Base": {"properties": {"a": {"type": "string"}}, "required": ["a"]}},
        "allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"b": {"type": "integer"}}}],
    }
    assert example(schema) == {"a": "text", "b": 1}
    assert example({"allOf": [{"$ref": "#"}]}) is None


def test_with_tools_of_the_question_s_own_the_prompt_says_the_schema():
    asked = ask_for(shape_of(City), "strict function", tools=True)
    assert asked.parameters == {}
    assert '"people"' in asked.words


ULM = {"name": "Ulm", "people": 128_928}


def call(asked, value) -> tuple[ToolCall, ...]:
    return (ToolCall("call_1", asked.function, json.dumps(value)),)


def test_a_strict_function_s_arguments_are_the_answer():
    asked = ask_for(shape_of(City), "strict function")
    plain, typed = asked.read("", call(asked, {**ULM, "nick": None}))
    assert plain == ULM
    assert typed == City(**ULM)


def test_a_wrapped_value_is_unwrapped():
    asked = ask_for(shape_of(Literal["red", "blue"]), "strict function")
    assert asked.read("", call(asked, {"value": "red"})) == ("red", "red")


@pytest.mark.parametrize("style", ["strict function", "strict json_schema", "json_schema"])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ULM),
        f"```json\n{json.dumps(ULM)}\n```",
        f"Here you are: {json.dumps(ULM)} Anything else?",
        json.dumps({"value": ULM}),
        f"\n\n  {json.dumps({**ULM, 'nick': 'none'})}   ",
    ],
)
def test_an_answer_in_text_is_found(style, text):
    asked = ask_for(shape_of(City), style)
    assert asked.read(text)[1] == City(**ULM)


def test_a_bare_word_answers_an_enum():
    asked = ask_for(shape_of(Literal["red", "blue"]), "json mode")
    assert asked.read("red") == ("red", "red")
    assert asked.read('{"value": "red"}') == ("red", "red")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I cannot say.", "not JSON"),
        ("", "not JSON"),
        ('{"name": "Ulm"}', "people: Field required"),
        ('{"name": "Ulm", "people": "many"}', "people"),
    ],
)
def test_what_does_not_fit_is_told_so_that_the_model_can_repair_it(text, said):
    asked = ask_for(shape_of(City), "json mode")
    with pytest.raises(SchemaMismatchError, match=said) as caught:
        asked.read(text)
    assert said in repair_request(caught.value)
    assert "again" in repair_request(caught.value)


def test_json_for_people_keeps_their_letters():
    assert pretty({"größe": 1}) == '{\n  "größe": 1\n}'


@pytest.mark.parametrize("seed", range(100))
def test_an_example_fits_its_schema_patterns_apart(seed):
    schema = a_model(random.Random(seed), 3)[0].model_json_schema()
    assert Draft202012Validator(_without_patterns(schema)).is_valid(example(schema))


def _without_patterns(schema):
    if isinstance(schema, list):
        return [_without_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {word: _without_patterns(v) for word, v in schema.items() if word != "pattern"}


@pytest.mark.parametrize("piece", ["[", '{"a":', "[1, "])
def test_an_answer_that_opens_brackets_for_ever_is_a_mismatch(piece):
    """Small models fall into such loops; Python's parser gives up at some depth."""
    asked = ask_for(shape_of(int), "json mode")

    def read(count: int) -> None:
        with pytest.raises(SchemaMismatchError):
            asked.read(piece * count)

    assert_linear(read, 25_000)
