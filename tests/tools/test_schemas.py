"""What may be given as a schema, and what an answer becomes by it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import subprocess
import sys
import typing
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from deepseek_jupyter.errors import InvalidResponseError, SchemaError, SchemaMismatchError
from deepseek_jupyter.tools.schemas import shape_of


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(gt=0)

    @field_validator("name")
    @classmethod
    def capital(cls, name: str) -> str:
        assert name[0].isupper(), "a name begins with a capital"
        return name


@dataclasses.dataclass
class Trip:
    to: City
    on: datetime.date
    notes: list[str] = dataclasses.field(default_factory=list)


class Leg(typing.TypedDict, total=False):
    km: typing.Required[float]
    by: Literal["rail", "road"]


class Route(typing.TypedDict):
    legs: list[Leg]
    last: Leg | None


class Point(typing.NamedTuple):
    x: int
    y: int = 0


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Strictly(BaseModel, strict=True):
    day: datetime.date


JSON_SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

GOOD: list[tuple[Any, Any, Any]] = [
    (City, {"name": "Ulm", "people": 5}, City(name="Ulm", people=5)),
    (
        Trip,
        {"to": {"name": "Ulm", "people": 5}, "on": "2024-02-29"},
        Trip(City(name="Ulm", people=5), datetime.date(2024, 2, 29)),
    ),
    (Leg, {"km": 3}, {"km": 3.0}),
    (Route, {"legs": [{"km": 1.5, "by": "rail"}], "last": None}, None),
    (Point, {"x": 1}, Point(1, 0)),
    (Point, [1, 2], Point(1, 2)),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
    ([City], [{"name": "Ulm", "people": 5}], [City(name="Ulm", people=5)]),
    (Mood, "bad", Mood.BAD),
    (Literal["a", 1], 1, 1),
    (int, 3, 3),
    (list[float], [1, 2.5], [1.0, 2.5]),
    (dict[str, Mood], {"x": "good"}, {"x": Mood.GOOD}),
    (City | Mood, "good", Mood.GOOD),
    (City | None, None, None),
    (Annotated[list[Leg], Field(min_length=1)], [{"km": 1}], [{"km": 1.0}]),
    (Strictly, {"day": "2024-01-01"}, Strictly(day=datetime.date(2024, 1, 1))),
    (JSON_SCHEMA, {"n": 4}, {"n": 4}),
]


@pytest.mark.parametrize(("wanted", "value", "typed"), GOOD, ids=lambda v: str(v)[:40])
def test_an_answer_becomes_the_type_that_was_asked_for(wanted, value, typed):
    shape = shape_of(wanted)
    assert shape.schema
    result = shape.validate(value)
    expected = value if typed is None and value is not None else typed
    assert result == expected
    assert type(result) is type(expected)


def test_a_shape_is_called_as_the_type_is():
    assert shape_of(City).name == "City"
    assert shape_of(list[City]).name == "CityList"
    assert shape_of(int).name == "Answer"
    assert shape_of({**JSON_SCHEMA, "title": "Ein Maß"}).name == "Ein_Ma_"
    assert shape_of(City).schema["description"] == "A city."


def test_a_named_tuple_asks_for_its_names():
    schema = shape_of(Point).schema
    assert set(schema["properties"]) == {"x", "y"}
    assert schema["required"] == ["x"]


@pytest.mark.parametrize(
    ("wanted", "value", "said"),
    [
        (City, {"name": "Ulm"}, "people: Field required"),
        (City, {"name": "ulm", "people": 1}, "begins with a capital"),
        (list[City], [{"name": "Ulm", "people": 1}, {"name": "Bonn", "people": 0}], "1.people"),
        (Trip, "Ulm", "object"),
        (JSON_SCHEMA, {"n": "x"}, "n: 'x' is not of type 'integer'"),
        (JSON_SCHEMA, {}, "'n' is a required property"),
    ],
)
def test_what_does_not_fit_is_told_by_place(wanted, value, said):
    with pytest.raises(SchemaMismatchError, match=said):
        shape_of(wanted).validate(value)
    assert issubclass(SchemaMismatchError, InvalidResponseError)


def test_many_problems_are_counted_not_listed():
    with pytest.raises(SchemaMismatchError, match="and 92 more"):
        shape_of(list[int]).validate(["x"] * 100)


NO_SCHEMA: list[Any] = [
    *(object, Any, 3, "City", print, {}, {"a": 1}, [], [1], [City, City], lambda: 1, open, ...),
    *({"type": "strin"}, {"type": "object", "properties": {"a": object()}}, type(sys)),
]


@pytest.mark.parametrize("wanted", NO_SCHEMA, ids=range(len(NO_SCHEMA)))
def test_what_is_no_schema_is_refused_at_once(wanted):
    with pytest.raises(SchemaError) as caught:
        shape_of(wanted)
    assert caught.value.what


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, deepseek_jupyter.tools.schemas, deepseek_jupyter.tools.strict\n"
        "import deepseek_jupyter.tools.functions\n"
        "heavy = {'pydantic', 'jsonschema', 'docstring_parser', 'typing_extensions'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
