"""Random pydantic models with matching values, and a second writer of the strict form."""

from __future__ import annotations

import datetime
import decimal
import enum
import random
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, create_model

Make = Callable[[random.Random], Any]
WORDS = ["a", "zwei", "三", "", "x y", 'q"q', "null", "5", "[1]", "{}", "\u00e9\n", "😀"]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    TEXT = "text"
    NUMBER = 7


class Pair(typing.NamedTuple):
    left: int
    right: str = "r"


# Pydantic writes a NamedTuple as a list; its schema here is an object, and both are read.
AS_OBJECT = PlainSerializer(lambda pair: pair._asdict(), return_type=dict)


class Tree(BaseModel):
    """A recursive type."""

    value: int = Field(ge=-99)
    left: Tree | None = None
    children: list[Tree] = []
    by_name: dict[str, Tree] = {}


def _tree(rng: random.Random, depth: int = 2) -> Tree:
    if not depth:
        return Tree(value=rng.randint(-9, 9))
    return Tree(
        value=rng.randint(-9, 9),
        left=_tree(rng, depth - 1) if rng.random() < 0.5 else None,
        children=[_tree(rng, depth - 1) for _ in range(rng.randint(0, 2))],
        by_name={w: _tree(rng, 0) for w in rng.sample(WORDS, rng.randint(0, 2))},
    )


def _day(rng: random.Random) -> datetime.date:
    return datetime.date(2020, 1, 1) + datetime.timedelta(rng.randint(0, 2000))


LEAVES: list[tuple[Any, Make]] = [
    (int, lambda r: r.randint(-(10**12), 10**12)),
    (float, lambda r: r.choice([0.0, -1.5, 1e300, 1e-9, 3.0])),
    (bool, lambda r: r.random() < 0.5),
    (str, lambda r: r.choice(WORDS)),
    (Any, lambda r: r.choice([None, 1, "5", [1, {"a": None}], {"json": "1"}, True, 2.5])),
    (None, lambda r: None),
    (datetime.date, _day),
    (datetime.datetime, lambda r: datetime.datetime(2024, 1, r.randint(1, 28), 12, 30)),
    (datetime.time, lambda r: datetime.time(r.randint(0, 23), 5)),
    (datetime.timedelta, lambda r: datetime.timedelta(seconds=r.randint(0, 10**6))),
    (decimal.Decimal, lambda r: decimal.Decimal(r.randint(0, 999)) / 8),
    (uuid.UUID, lambda r: uuid.UUID(int=r.getrandbits(128))),
    (Colour, lambda r: r.choice(list(Colour))),
    (Level, lambda r: r.choice(list(Level))),
    (Mixed, lambda r: r.choice(list(Mixed))),
    (Literal["on", "off"], lambda r: r.choice(["on", "off"])),
    (Literal[1, "one", True, None], lambda r: r.choice([1, "one", True, None])),
    (Literal["only"], lambda r: "only"),
    (Annotated[Pair, AS_OBJECT], lambda r: Pair(r.randint(0, 9), r.choice(WORDS))),
    (Tree, _tree),
    (Annotated[int, Field(gt=0, le=100, multiple_of=5)], lambda r: 5 * r.randint(1, 20)),
    (Annotated[float, Field(ge=0, lt=1)], lambda r: r.random()),
    (Annotated[str, Field(min_length=2, max_length=5)], lambda r: "ab" * r.randint(1, 2)),
    (Annotated[str, Field(pattern=r"^[a-c]+\d$")], lambda r: "abc7"),
    (Annotated[list[int], Field(min_length=1, max_length=3)], lambda r: [r.randint(0, 9)]),
]


def a_type(rng: random.Random, depth: int) -> tuple[Any, Make]:
    """A type, and what makes values of it."""
    if depth == 0 or rng.random() < 0.35:
        return rng.choice(LEAVES)
    kind = rng.choice(list(_KINDS))
    return _KINDS[kind](rng, depth)


def _list(rng: random.Random, depth: int) -> tuple[Any, Make]:
    inner, make = a_type(rng, depth - 1)
    return list[inner], lambda r: [make(r) for _ in range(r.randint(0, 3))]


def _dict(rng: random.Random, depth: int) -> tuple[Any, Make]:
    inner, make = a_type(rng, depth - 1)
    key, keys = rng.choice([(str, WORDS), (int, range(50)), (Literal["on", "off"], ["on", "off"])])
    return dict[key, inner], lambda r: {k: make(r) for k in r.sample(list(keys), r.randint(0, 2))}


def _optional(rng: random.Random, depth: int) -> tuple[Any, Make]:
    inner, make = a_type(rng, depth - 1)
    return typing.Optional[inner], lambda r: None if r.random() < 0.4 else make(r)  # noqa: UP045


def _union(rng: random.Random, depth: int) -> tuple[Any, Make]:
    parts = [a_type(rng, depth - 1) for _ in range(rng.randint(2, 3))]
    return typing.Union[tuple(t for t, _ in parts)], lambda r: r.choice(parts)[1](r)  # noqa: UP007


def _tuple(rng: random.Random, depth: int) -> tuple[Any, Make]:
    parts = [a_type(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    return tuple[tuple(t for t, _ in parts)], lambda r: tuple(make(r) for _, make in parts)


def _set(rng: random.Random, depth: int) -> tuple[Any, Make]:
    return set[int], lambda r: {r.randint(0, 9) for _ in range(3)}


def _many(rng: random.Random, depth: int) -> tuple[Any, Make]:
    inner, make = a_type(rng, depth - 1)
    return tuple[inner, ...], lambda r: tuple(make(r) for _ in range(r.randint(0, 3)))


def _tagged(rng: random.Random, depth: int) -> tuple[Any, Make]:
    parts = []
    for tag in ("cat", "dog"):
        made, make = a_model(rng, depth - 1, kind=(Literal[tag], tag))
        parts.append((made, make))
    union = typing.Union[tuple(t for t, _ in parts)]  # noqa: UP007
    return Annotated[union, Field(discriminator="kind")], lambda r: r.choice(parts)[1](r)


def _empty(rng: random.Random, depth: int) -> tuple[Any, Make]:
    made = create_model("Nothing")
    return made, lambda r: made()


def _extra(rng: random.Random, depth: int) -> tuple[Any, Make]:
    made = create_model("Open", __config__=ConfigDict(extra="allow"), a=(int, ...))
    return made, lambda r: made(a=1, **{w: r.choice([1, None, [2]]) for w in r.sample("xyz", 2)})


def a_model(
    rng: random.Random, depth: int, kind: tuple[Any, str] | None = None
) -> tuple[Any, Make]:
    """A model class, and what makes instances."""
    fields: dict[str, Any] = {"kind": kind} if kind else {}
    makers: dict[str, Make] = {}
    aliases: dict[str, str] = {}
    for n in range(rng.randint(1, 4)):
        name = f"{rng.choice(['price', 'name_of', 'x', 'when'])}{n}"
        annotation, makers[name] = a_type(rng, depth - 1)
        how: dict[str, Any] = {}
        if rng.random() < 0.3:
            how["description"] = rng.choice(["What it costs.", "Der Name", 'with "quotes"'])
        if rng.random() < 0.2:
            how["alias"] = aliases[name] = rng.choice(["Price €", "some-name", "items", "é"]) + str(
                n
            )
        if rng.random() < 0.3:
            value = makers[name](rng)
            how["default_factory"] = lambda value=value: value
        elif rng.random() < 0.3 and annotation in (int, str, bool):
            how["default"] = makers[name](rng)
        if rng.random() < 0.1:
            how["title"] = "Another title"
        fields[name] = (annotation, Field(**how))
    config = ConfigDict(extra=rng.choice(["ignore", "forbid"]), populate_by_name=True)
    made = create_model(f"M{rng.randint(0, 10**6)}", __config__=config, **fields)

    def make(r: random.Random) -> Any:
        return made(**{aliases.get(n, n): m(r) for n, m in makers.items()})

    return made, make


def _model(rng: random.Random, depth: int) -> tuple[Any, Make]:
    return a_model(rng, depth)


_KINDS = {
    "list": _list,
    "dict": _dict,
    "optional": _optional,
    "union": _union,
    "tuple": _tuple,
    "set": _set,
    "many": _many,
    "model": _model,
    "tagged": _tagged,
    "empty": _empty,
    "extra": _extra,
}


class Writer:
    """Writes a value in the strict form, as a model held to the strict schema would."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = _closed(document)

    def top(self, value: Any) -> Any:
        written = self.write(self.document, value)
        return (
            written if isinstance(value, dict) and _is_object(self.document) else {"value": written}
        )

    def write(self, schema: Any, value: Any) -> Any:
        schema = self._deref(schema)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.write(self._alternative(schema[word], value), value)
        if isinstance(value, dict):
            return {
                name: self.write(part, value[name]) if name in value else self._left_out(part)
                for name, part in schema["properties"].items()
            }
        if isinstance(value, list):
            return [self.write(schema["items"], v) for v in value]
        return value

    def _left_out(self, part: Any) -> Any:
        """A constant is written; a value that may itself be null is its default."""
        if "const" in part:
            return part["const"]
        return self.write(part, part.get("default")) if self.valid(part, None) else None

    def valid(self, schema: Any, value: Any) -> bool:
        if isinstance(schema, Mapping) and "$defs" in self.document:
            schema = {**schema, "$defs": self.document["$defs"]}
        return Draft202012Validator(schema).is_valid(value)

    def _alternative(self, alternatives: list[Any], value: Any) -> Any:
        return next(a for a in alternatives if self.valid(a, value))

    def _deref(self, schema: Any) -> Any:
        while isinstance(schema, Mapping) and "$ref" in schema:
            schema = self.document["$defs"][schema["$ref"].rpartition("/")[2]]
        return schema


def _is_object(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema or "$ref" in schema


def _closed(schema: Any) -> Any:
    """Objects that say nothing about other properties have none: else any object fits them."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {word: _closed(value) for word, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
