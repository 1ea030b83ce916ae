"""The leaves of a schema in strict mode: scalars, enums, and the choice between parts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from deepseek_jupyter.errors import SchemaError

from .restoring import ANY, Part, one_of, union, whole

__all__ = ["KINDS", "choice", "enumerated", "key", "scalar"]

_FORMATS = frozenset({"email", "hostname", "ipv4", "ipv6", "uuid"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# Lookaround, named groups and backreferences: a grammar cannot be made of them.
_HARD_PATTERN = re.compile(r"\(\?(?!:)|\\[1-9kpPbBAZz]")


def _is_string(value: object) -> bool:
    return isinstance(value, str)


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": _is_string,
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or _integral(v)),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def scalar(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The strict schema of a value of one type, with those of its limits that may stay."""
    kept: dict[str, Any] = {"type": kind}
    if kind == "string":
        if schema.get("format") in _FORMATS:
            kept["format"] = schema["format"]
        if "pattern" in schema and _plain_pattern(schema["pattern"]):
            kept["pattern"] = schema["pattern"]
    elif kind in ("integer", "number"):
        kept |= {w: schema[w] for w in _BOUNDS if KINDS["number"](schema.get(w))}
    return kept


def _plain_pattern(pattern: object) -> bool:
    try:
        return not _HARD_PATTERN.search(str(pattern)) and bool(re.compile(str(pattern)))
    except re.error:
        return False


def enumerated(values: Iterable[Any]) -> Part:
    """One part a type: strict mode wants each enum typed."""
    values = list(values)
    parts = []
    for kind in ("string", "integer", "number", "boolean", "null"):
        own = [v for v in values if _kind_of(v) == kind]
        if not own:
            continue
        schema: dict[str, Any] = {"type": kind}
        if kind in ("string", "integer", "number"):
            schema["enum"] = own
        elif kind == "boolean" and len(set(own)) == 1:
            schema["description"] = f"always {json.dumps(own[0])}"
        parts.append(one_of(schema, own))
    if others := [v for v in values if _kind_of(v) is None]:
        told = ", ".join(json.dumps(v, ensure_ascii=False) for v in others)
        parts.append(replace(ANY, schema={**ANY.schema, "description": f"One of {told}"}))
    return choice(parts)


def _kind_of(value: object) -> str | None:
    if value is None:
        return "null"
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number"}
    return kinds.get(type(value))


def choice(parts: list[Part]) -> Part:
    """One of several parts."""
    if not parts:
        raise SchemaError("The schema has an empty list of alternatives, which nothing can fit.")
    schemas: list[dict[str, Any]] = []
    for part in parts:
        plain = part.schema.keys() == {"anyOf"}
        for schema in part.schema["anyOf"] if plain else [part.schema]:
            if schema not in schemas:
                schemas.append(schema)
    return union(schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, parts)


def key(part: Part) -> Part:
    """Keys are strings in JSON, whatever the type says of them."""
    return part if part.schema.get("type") == "string" else whole({"type": "string"}, _is_string)


def _integral(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
