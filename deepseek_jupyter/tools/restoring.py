"""The way back from the strict form: one `Part` for each place of a schema.

A part knows the strict schema of its place and how a value of it becomes one of the original
schema. What strict mode cannot say has a form of its own, chosen so that no two forms look alike:

    a mapping           {"entries": [{"key": ..., "value": ...}, ...]}
    a tuple             {"item_1": ..., "item_2": ...}
    any JSON value      {"json": "<its text>"}
    an empty object     {"empty": null}
    a property left out null
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ANY",
    "EMPTY",
    "Field",
    "Misfit",
    "Part",
    "array",
    "mapping",
    "obj",
    "one_of",
    "tuple_of",
    "union",
    "whole",
]

# (the value, whether null may stand for a property left out) -> the original value
Restore = Callable[[Any, bool], Any]


class Misfit(ValueError):
    """The value is not of this part: another alternative's, or the model's mistake."""


@dataclass(frozen=True, slots=True)
class Part:
    """A place's strict schema, and the way back. `nullable`: null is a value of the original."""

    schema: dict[str, Any]
    restore: Restore
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A property: what it holds, and whether the original schema asks for it."""

    part: Part
    required: bool

    @property
    def schema(self) -> dict[str, Any]:
        """The strict schema: one that may be left out may be null."""
        if self.required or self.part.nullable:
            return self.part.schema
        return nullable(self.part.schema)


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` or null; its description stays at the top, where it is read first."""
    described = {k: v for k, v in schema.items() if k == "description"}
    inner = {k: v for k, v in schema.items() if k != "description"}
    alternatives = inner["anyOf"] if inner.keys() == {"anyOf"} else [inner]
    return {"anyOf": [*alternatives, {"type": "null"}], **described}


def closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object as strict mode wants it: all properties required, no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def whole(schema: dict[str, Any], fits: Callable[[Any], bool]) -> Part:
    """A value that is itself in both forms."""

    def restore(value: Any, lenient: bool) -> Any:
        if not fits(value):
            raise Misfit
        return value

    return Part(schema, restore, nullable=fits(None))


def one_of(schema: dict[str, Any], values: Sequence[Any]) -> Part:
    """One of some values; 1, 1.0 and True are three."""
    known = {(type(v), v) for v in values}
    return whole(
        schema, lambda v: v is None or (isinstance(v, str | int | float) and (type(v), v) in known)
    )


def union(schema: dict[str, Any], parts: Sequence[Part]) -> Part:
    """The first of `parts` that the value is of; those that it is of to the letter come first."""

    def restore(value: Any, lenient: bool) -> Any:
        for how in (False, True) if lenient else (False,):
            for part in parts:
                try:
                    return part.restore(value, how)
                except Misfit:
                    continue
        raise Misfit

    return Part(schema, restore, nullable=any(part.nullable for part in parts))


def array(item: Part) -> Part:
    """A list of any length."""

    def restore(value: Any, lenient: bool) -> Any:
        if not isinstance(value, list):
            raise Misfit
        return [item.restore(v, lenient) for v in value]

    return Part({"type": "array", "items": item.schema}, restore)


def obj(fields: Mapping[str, Field], rest: tuple[str, Part] | None = None) -> Part:
    """An object with these properties; `rest` is the name and mapping of any others."""
    names = [*fields, *([rest[0]] if rest else [])]
    schemas = {name: field.schema for name, field in fields.items()}
    if rest:
        schemas[rest[0]] = rest[1].schema

    def restore(value: Any, lenient: bool) -> Any:
        if not isinstance(value, dict) or not _keys_fit(value, names, fields, lenient):
            raise Misfit
        restored = {}
        for name, field in fields.items():
            if name not in value or _left_out(value[name], field):
                if not lenient and name in value:
                    raise Misfit
                continue
            restored[name] = field.part.restore(value[name], lenient)
        if rest and rest[0] in value:
            restored |= rest[1].restore(value[rest[0]], lenient)
        return restored

    return Part(closed(schemas), restore)


def _keys_fit(
    value: Mapping[str, Any], names: Sequence[str], fields: Mapping[str, Field], lenient: bool
) -> bool:
    """All of them and no others; a host that only imitates strict mode may leave some out."""
    missing = [n for n in names if n not in value and not (n in fields and not fields[n].required)]
    return value.keys() <= set(names) and not missing and (lenient or len(value) == len(names))


def _left_out(value: Any, field: Field) -> bool:
    return value is None and not field.required and not field.part.nullable


def mapping(key: Part, value: Part) -> Part:
    """Any keys, the values alike."""
    entry = closed({"key": key.schema, "value": value.schema})
    schema = closed({"entries": {"type": "array", "items": entry}})

    def restore(given: Any, lenient: bool) -> Any:
        entries = given.get("entries") if isinstance(given, dict) and len(given) == 1 else None
        if not isinstance(entries, list):
            raise Misfit
        pairs = {}
        for item in entries:
            if not isinstance(item, dict) or item.keys() != {"key", "value"}:
                raise Misfit
            pairs[key.restore(item["key"], lenient)] = value.restore(item["value"], lenient)
        return pairs

    return Part(schema, restore)


def tuple_of(items: Sequence[Field], more: Part | None = None) -> Part:
    """A list with a kind for each place, and for all places after them."""
    names = [f"item_{n}" for n in range(1, len(items) + 1)]
    schemas = {name: field.schema for name, field in zip(names, items, strict=True)}
    if more:
        schemas["more"] = {"type": "array", "items": more.schema}

    def restore(value: Any, lenient: bool) -> Any:
        if not isinstance(value, dict) or value.keys() != schemas.keys():
            raise Misfit
        restored: list[Any] = []
        for name, field in zip(names, items, strict=True):
            if _left_out(value[name], field):
                return restored
            restored.append(field.part.restore(value[name], lenient))
        if more:
            restored += [more.restore(v, lenient) for v in value["more"]]
        return restored

    return Part(closed(schemas), restore)


def _any(value: Any, lenient: bool) -> Any:
    text = value.get("json") if isinstance(value, dict) and len(value) == 1 else None
    try:
        return json.loads(text) if isinstance(text, str) else _refuse()
    except ValueError:
        raise Misfit from None


def _refuse() -> Any:
    raise Misfit


def _empty(value: Any, lenient: bool) -> Any:
    return {} if value in ({"empty": None}, {}) else _refuse()


ANY = Part(
    closed({"json": {"type": "string", "description": "Any JSON value, written as JSON text."}}),
    _any,
)
EMPTY = Part(closed({"empty": {"type": "null"}}), _empty)
