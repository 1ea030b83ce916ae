"""Strict mode's subset: a schema with a form in it keeps every value, any other is refused."""

from __future__ import annotations

import datetime
import json
import random
from typing import Literal, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, TypeAdapter

from deepseek_jupyter.errors import SchemaError
from deepseek_jupyter.protocol.messages import ToolCall, user
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.tools.schemas import ask_for, shape_of
from deepseek_jupyter.tools.strict import strict
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.fuzzing import rounds
from tests.support.validator import complaint, refused
from tests.support.wires import bytes_of

from .models import Writer, a_model


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


def lose_nothing(seeds, depth=4) -> int:
    """Asks for random models, and reads what a model would answer; says how many were strict."""
    found = 0
    for seed in seeds:
        rng = random.Random(seed)
        model, make = a_model(rng, depth)
        shape = shape_of(model)
        asked = ask_for(shape, "strict function")
        request = ChatRequest("a-model", (user(f"Go.\n\n{asked.words}"),), asked.parameters)
        assert complaint(build(request, PROVIDERS["deepseek"].dialect).body) is None, seed
        for _ in range(3):
            plain = TypeAdapter(model).dump_python(make(rng), mode="json", by_alias=True)
            if asked.function:
                sent = asked.parameters["tools"][0]["function"]["parameters"]
                Draft202012Validator.check_schema(sent)
                written = Writer(shape.schema).top(plain)
                assert list(Draft202012Validator(sent).iter_errors(written)) == [], (seed, written)
                call = ToolCall("call_1", asked.function, json.dumps(written))
                read, typed = asked.read("", (call,))
            else:
                read, typed = asked.read(json.dumps(plain))
            assert isinstance(typed, model)
            assert (read, repr(read)) == (plain, repr(plain)), seed  # 1, 1.0 and True are equal
        found += bool(asked.function)
    return found


@pytest.mark.parametrize("block", range(rounds(30)))
def test_models_are_accepted_and_lose_nothing(block):
    """Those that strict mode cannot say are asked for in JSON mode."""
    lose_nothing(range(10 * block, 10 * block + 10))


def test_many_small_models_are_asked_for_strictly_and_lose_nothing():
    assert lose_nothing(range(rounds(100)), depth=2) > rounds(40)


def on_responses(seed: int) -> bool:
    """Asks for a random model by `text.format`, and reads the answer off the stream."""
    rng = random.Random(seed)
    model, make = a_model(rng, 3)
    shape, dialect = shape_of(model), PROVIDERS["deepseek"].speaking("responses").dialect
    asked = ask_for(shape, dialect.schema)
    request = ChatRequest("a-model", (user(f"Go.\n\n{asked.words}"),), asked.parameters)
    posted = json.loads(WIRES["responses"].build(request, dialect).payload)
    assert refused("responses", posted) is None, seed
    form, plain = (
        posted["text"]["format"],
        TypeAdapter(model).dump_python(make(rng), mode="json", by_alias=True),
    )
    strict = form["type"] == "json_schema"
    written = Writer(shape.schema).top(plain) if strict else plain
    if strict:
        assert list(Draft202012Validator(form["schema"]).iter_errors(written)) == [], seed
    stream = WIRES["responses"].stream(dialect)
    stream.feed(bytes_of("responses", json.dumps(written)))
    read, typed = asked.read(stream.completion.answer)
    assert isinstance(typed, model)
    assert (read, repr(read)) == (plain, repr(plain)), seed
    return strict


@pytest.mark.parametrize("block", range(rounds(10)))
def test_models_round_trip_on_responses(block):
    assert any(list(map(on_responses, range(10 * block, 10 * block + 10))))


class Address(BaseModel):
    """A place to live."""

    street: str
    city: str | None = None


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    name: str
    lives: int = Field(default=9, ge=1)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str
    lives: int | None = 1


class Size(NamedTuple):
    width: int
    height: int = 1


class Owner(BaseModel):
    home: Address
    work: Address | None = None
    born: datetime.date
    pets: list[Cat | Dog] = []
    mood: Literal["good", 3, None] = "good"
    size: Size


OWNER = {"home": {"street": "A", "city": None}, "born": "2020-02-29", "size": {"width": 2}}
PETS = [{"kind": "dog", "name": "Rex", "lives": None}, {"kind": "cat", "name": "Tom"}]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 5),
        (list[int], [1, 2]),
        (Literal["a", "b"], "b"),
        (int | str, "7"),
        (datetime.date, "2024-02-29"),
        (list[Address], [{"street": "A", "city": None}]),
        (Cat | Dog, PETS[0]),
        (Owner, {**OWNER, "work": None, "pets": PETS, "mood": 3}),
    ],
    ids=str,
)
def test_what_people_ask_for_is_asked_for_strictly(kind, value):
    shape = shape_of(kind)
    made = strict(shape.schema)
    assert made.schema["type"] == "object"
    assert refusal(made.schema) is None
    written = Writer(shape.schema).top(value)
    assert Draft202012Validator(made.schema).is_valid(written)
    assert made.restore(written) == value


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
    part = made.schema["properties"]["a"]
    assert part["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert "default: 3" in part["description"]
    assert made.restore({"a": None}) == {}
    assert made.restore({"a": 4}) == {"a": 4}


def test_null_stays_null_where_it_is_a_value():
    made = strict(
        {"type": "object", "properties": {"a": {"type": ["integer", "null"], "default": 3}}}
    )
    assert made.restore({"a": None}) == {"a": None}


def test_a_null_in_a_union_is_read_as_the_alternative_that_has_it():
    one = {"type": "object", "properties": {"a": {"type": "integer"}}}
    other = of({"type": ["integer", "null"]})
    made = strict({"type": "array", "items": {"anyOf": [one, other]}})
    assert made.restore({"value": [{"a": None}, {"a": 1}]}) == [{"a": None}, {"a": 1}]
    made = strict({"type": "array", "items": {"anyOf": [one, of({"type": "string"})]}})
    assert made.restore({"value": [{"a": None}, {"a": "x"}]}) == [{}, {"a": "x"}]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (of({"$ref": "other.json"}), "other.json"),
        (of({"$ref": "#/$defs/Missing"}), "Missing"),
        ({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}, "itself"),
        (of({"$ref": "#"}), "contains itself"),
        ({"allOf": [{"$ref": "#"}]}, "allOf"),
        (of({"enum": []}), "empty"),
        (of({"enum": ["a", {"x": 1}]}), "objects"),
        (of({"anyOf": []}), "only with alternatives"),
        (of({"type": "object", "properties": {}, "anyOf": [of({})]}), "alone"),
        (of(False), "false"),
        (of({"type": "frame"}), "frame"),
        ({"type": "object"}, "all named"),
        (of({}, additionalProperties=True), "all named"),
        (of({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}), "all named"),
        ({"type": "array"}, "missing"),
        (of({}), "any type"),
        (of({"not": {"type": "string"}}), "any type"),
        (of({"type": "array", "prefixItems": [{"type": "string"}]}), "tuples"),
    ],
    ids=str,
)
def test_what_has_no_strict_form_is_refused_with_the_reason(schema, why):
    with pytest.raises(SchemaError, match=why):
        strict(schema)


def test_references_that_would_fill_the_request_are_refused():
    defs = {
        f"N{n}": of({"type": "array", "items": {"$ref": f"#/$defs/N{n + 1}"}}) for n in range(9)
    }
    for n, one in enumerate(defs.values()):
        one["properties"] |= {f"more{k}": {"$ref": f"#/$defs/N{n + 1}"} for k in range(4)}
    defs["N9"] = {"type": "string"}
    with pytest.raises(SchemaError, match="too large"):
        strict({"$ref": "#/$defs/N0", "$defs": defs})


@pytest.mark.parametrize(
    "schema",
    [
        of({"enum": ["a", 1, 2.5, None, True]}),
        of({"const": 3}),
        of({"oneOf": [{"type": "string"}, {"$ref": "#/definitions/N"}]},
           definitions={"N": of({"type": "integer"})}),
        {"properties": {"a": {"items": {"type": "string"}}}},
        of({"type": "object", "properties": {"$ref": {"type": "string"}}, "required": ["$ref"]}),
        of({"not": {"type": "string"}, "type": "integer"}),
        of({"type": ["string", "null"], "enum": ["a", None]}),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_schemas_written_by_hand_are_accepted_too(schema):
    made = strict(schema)
    assert refusal(made.schema) is None
    Draft202012Validator.check_schema(made.schema)


def test_a_value_of_a_host_that_only_imitates_strict_mode_comes_back_as_it_is():
    made = strict(of(of({"type": "integer"})))
    for value in ({"a": {"free": "form"}}, {"b": 1}, "no object", [1]):
        assert made.restore(value) == value
