"""Strict mode's subset: any schema gets into it, and every value gets back."""

from __future__ import annotations

import datetime
import json
import random
from typing import Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import JsonValue, TypeAdapter

from deepseek_jupyter.errors import SchemaError
from deepseek_jupyter.tools.schemas import schema_of
from deepseek_jupyter.tools.strict import strict
from tests.support.validator import complaint

from .models import Tree, Writer, a_model


def refusal(schema) -> str | None:
    """What DeepSeek's validator says against a strict function with these parameters."""
    function = {"name": "answer", "strict": True, "parameters": schema}
    return complaint(
        {
            "messages": [{"role": "user", "content": "Answer."}],
            "tools": [{"type": "function", "function": function}],
        }
    )


def of(part, **more):
    return {"type": "object", "properties": {"a": part}, "required": ["a"], **more}


@pytest.mark.parametrize("block", range(30))
def test_three_hundred_models_are_accepted_and_lose_nothing(block):
    seeds = range(10 * block, 10 * block + 10)
    for seed in seeds:
        rng = random.Random(seed)
        model, make = a_model(rng, 4)
        adapter = TypeAdapter(model)
        schema = schema_of(adapter, model)
        made = strict(schema)
        assert refusal(made.schema) is None, (seed, schema)
        Draft202012Validator.check_schema(made.schema)
        validator = Draft202012Validator(made.schema)
        for _ in range(3):
            value = make(rng)
            plain = adapter.dump_python(value, mode="json", by_alias=True)
            written = Writer(schema).top(plain)
            assert list(validator.iter_errors(written)) == [], (seed, written)
            restored = made.restore(json.loads(json.dumps(written)))
            assert restored == plain, (seed, schema, made.schema, written)
            assert repr(restored) == repr(plain), seed  # 1, 1.0 and True are equal


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 5),
        (list[int], [1, 2]),
        (dict[str, int], {"a": 1}),
        (Literal["a", "b"], "b"),
        (int | str, "7"),
        (tuple[int, str], [1, "a"]),
        (datetime.date, "2024-02-29"),
        (list[Tree], [{"value": 1, "left": None, "children": [], "by_name": {}}]),
        (JsonValue, {"a": [1, None, {"b": "c"}]}),
    ],
    ids=str,
)
def test_an_answer_that_is_no_object_is_wrapped_in_one(kind, value):
    schema = TypeAdapter(kind).json_schema()
    made = strict(schema)
    assert made.schema["type"] == "object"
    assert refusal(made.schema) is None
    assert made.restore(Writer(schema).top(value)) == value


def test_a_recursive_type_stays_recursive():
    made = strict(TypeAdapter(Tree).json_schema())
    text = json.dumps(made.schema)
    assert len(text) < 5000
    assert refusal(made.schema) is None
    deep = {"value": 0, "left": None, "children": [], "by_name": {}}
    for n in range(50):
        deep = {"value": n, "left": deep, "children": [deep] if n < 2 else [], "by_name": {}}
    written = Writer(TypeAdapter(Tree).json_schema()).top(deep)
    assert Draft202012Validator(made.schema).is_valid(written)
    assert made.restore(written) == deep


def test_what_strict_mode_cannot_say_stands_in_the_description():
    made = strict(
        of({"type": "string", "minLength": 3, "format": "date", "description": "A day.",
            "pattern": r"(?<=a)b", "default": "x", "examples": ["y"]})
    )  # fmt: skip
    part = made.schema["properties"]["a"]
    assert part.keys() == {"type", "description"}
    for said in ("A day.", "minLength: 3", "format: date", "(?<=a)b", "default: x", '["y"]'):
        assert said in part["description"]


def test_what_it_can_say_stays():
    kept = {"type": "string", "pattern": "^[a-z]+$", "format": "email"}
    assert strict(of(kept)).schema["properties"]["a"] == kept
    bounds = {"type": "number", "minimum": 0, "exclusiveMaximum": 9, "multipleOf": 3}
    assert strict(of(bounds)).schema["properties"]["a"] == bounds


def test_a_property_that_may_be_left_out_may_be_null_and_null_leaves_it_out():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "default": 3}}}
    made = strict(schema)
    assert made.schema["required"] == ["a"]
    assert made.schema["properties"]["a"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert made.restore({"a": None}) == {}
    assert made.restore({"a": 4}) == {"a": 4}


def test_null_stays_null_where_it_is_a_value():
    made = strict(
        {"type": "object", "properties": {"a": {"type": ["integer", "null"], "default": 3}}}
    )
    assert made.restore({"a": None}) == {"a": None}


def test_parts_of_an_all_of_are_joined():
    made = strict(
        {
            "$defs": {"Base": of({"type": "string"})},
            "allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"b": {"type": "integer"}}}],
            "required": ["b"],
        }
    )
    assert set(made.schema["properties"]) == {"a", "b"}
    assert refusal(made.schema) is None
    assert made.restore({"a": "x", "b": 1}) == {"a": "x", "b": 1}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (of({"$ref": "other.json"}), "other.json"),
        (of({"$ref": "#/$defs/Missing"}), "Missing"),
        ({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}, "contains itself"),
        ({"allOf": [{"$ref": "#"}]}, "contains itself"),
        (of({"allOf": [{"type": "string"}, {"type": "integer"}]}), "allOf"),
        (of({"enum": []}), "empty"),
        (of(False), "forbids"),
        (of({"type": "frame"}), "frame"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_the_reason(schema, why):
    with pytest.raises(SchemaError, match=why):
        strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "array"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}, "additionalProperties": False},
        of({}),
        of(True),
        of({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}),
        of({"type": "array", "prefixItems": [{"type": "string"}], "items": False, "minItems": 1}),
        of({"enum": ["a", 1, 2.5, None, True, {"x": 1}]}),
        of({"const": 3}),
        of({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}),
        of({"$ref": "#"}, required=[]),
        of({"oneOf": [{"type": "string"}, {"$ref": "#/definitions/N"}]},
           definitions={"N": of({"type": "integer"})}),
        {"properties": {"a": {"items": {"type": "string"}}}},
        of({"type": "object", "properties": {"$ref": {"type": "string"}}, "required": ["$ref"]}),
        of({"not": {"type": "string"}, "type": "integer"}),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_schemas_written_by_hand_are_accepted_too(schema):
    made = strict(schema)
    assert refusal(made.schema) is None
    Draft202012Validator.check_schema(made.schema)


def test_a_value_of_a_host_that_only_imitates_strict_mode_comes_back_as_it_is():
    made = strict({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]})
    plain = {"a": {"free": "form"}}
    assert made.restore(plain) is plain
    assert made.restore("no object") == "no object"
