"""A JSON schema in the subset that strict mode takes, for those schemas that have such a form.

The subset, from api-docs.deepseek.com/guides/tool_calls and DeepSeek's own validator: a schema is
a type or an anyOf; objects have properties, all required, and no others; arrays have items;
strings keep pattern and five formats, numbers their bounds. The top is an object. A property that
may be left out becomes one that may be null, and `Strict.restore` leaves it out again. References
are written out. Any other keyword becomes words in the description: the model reads them, the
validation of the answer enforces them.

Mappings, tuples, values of any type and types that contain themselves have no such form:
`SchemaError` says so, and the answer is asked for in another way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.errors import SchemaError

WRAPPER = "value"  # the property that holds an answer which is no object itself

_FORMATS = frozenset({"email", "hostname", "ipv4", "ipv6", "uuid"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# Lookaround, named groups and backreferences: a grammar cannot be made of them.
_HARD_PATTERN = re.compile(r"\(\?(?!:)|\\[1-9kpPbBAZz]")
_MOST_PLACES = 1000  # with references written out a small schema can become a very large one
# Keywords that say something to programs only, or that the strict form says itself.
_SILENT = frozenset(
    (
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description"),
        *("discriminator", "type", "anyOf", "oneOf", "enum", "const", "$ref"),
        *("properties", "required", "additionalProperties", "items"),
        *("readOnly", "writeOnly", "deprecated"),
    )
)
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: type(v) is int or (isinstance(v, float) and v.is_integer()),
    "number": lambda v: type(v) in (int, float),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
_KIND_OF = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Strict:
    """`schema` goes to the model; `restore` turns its value into one of the original schema."""

    schema: dict[str, Any]
    restore: Callable[[Any], Any]


def strict(schema: Mapping[str, Any]) -> Strict:
    """`schema` in strict mode's subset. Raises `SchemaError` for what has no such form."""
    references = References(schema)
    made = _Rewriter(references).rewrite(schema)
    wrapped = made.get("type") != "object"

    def restore(value: Any) -> Any:
        if wrapped and isinstance(value, dict) and value.keys() == {WRAPPER}:
            value = value[WRAPPER]
        return _restored(schema, value, references)

    return Strict(_closed({WRAPPER: made}) if wrapped else made, restore)


class References:
    """What the places of one schema refer to."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def resolve(self, schema: Any) -> Any:
        """`schema` with what its ``$ref`` leads to; its own keywords win."""
        seen: set[str] = set()
        while isinstance(schema, Mapping) and "$ref" in schema:
            pointer = str(schema["$ref"])
            if pointer in seen:
                raise SchemaError(f"The schema's {pointer} is defined by itself alone.")
            seen.add(pointer)
            target, own = self._target(pointer), {w: v for w, v in schema.items() if w != "$ref"}
            schema = {**target, **own} if isinstance(target, Mapping) else target
        return schema

    def fits(self, schema: Any, value: Any, *, exactly: bool) -> bool:
        """Whether `value` has the structure of `schema`; limits and patterns are not looked at.

        If not `exactly`, null may stand for a property that may be left out.
        """
        schema = self.resolve(schema)
        if alternatives := _alternatives(schema):
            return any(self.fits(one, value, exactly=exactly) for one in alternatives)
        if "const" in schema or "enum" in schema:
            values = schema.get("enum", [schema.get("const")])
            return any(type(v) is type(value) and v == value for v in values)
        if isinstance(value, dict):
            properties = schema.get("properties") or {}
            required = schema.get("required") or ()
            return value.keys() <= properties.keys() >= set(required) <= value.keys() and all(
                (v is None and not exactly and name not in required)
                or self.fits(properties[name], v, exactly=exactly)
                for name, v in value.items()
            )
        if isinstance(value, list):
            items = schema.get("items")
            return bool(items) and all(self.fits(items, v, exactly=exactly) for v in value)
        return schema.get("type") in _KINDS and _KINDS[schema["type"]](value)

    def _target(self, pointer: str) -> Any:
        missing = f"The schema refers to {pointer}, which is not in it."
        if not pointer.startswith("#"):
            raise SchemaError(missing, "Put what it refers to under $defs.")
        place: Any = self._root
        for step in filter(None, pointer[1:].split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                place = place[int(step)] if isinstance(place, list) else place[step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaError(missing) from None
        return place


class _Rewriter:
    def __init__(self, references: References) -> None:
        self._references = references
        self._inside: list[str] = []  # the references that are being written out
        self._places = 0

    def rewrite(self, schema: Any) -> dict[str, Any]:
        """The strict form of one place, with its description."""
        self._places += 1
        if self._places > _MOST_PLACES:
            raise SchemaError("The schema is too large for strict mode.")
        pointer = str(schema["$ref"]) if isinstance(schema, Mapping) and "$ref" in schema else ""
        if pointer and (pointer in self._inside or pointer == "#"):
            raise SchemaError(f"The type {pointer.rpartition('/')[2]} contains itself.")
        schema = self._references.resolve(schema)
        if not isinstance(schema, Mapping):
            raise SchemaError("Strict mode has no schemas that are true, false or missing.")
        self._inside.append(pointer)
        made = self._bare(schema)
        self._inside.pop()
        return {**made, **_described(schema, made)}

    def _bare(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if "allOf" in schema:
            raise SchemaError("Strict mode has no allOf.")
        if alternatives := _alternatives(schema):
            return self._choice(alternatives)
        if "enum" in schema or "const" in schema:
            return _enumerated(schema.get("enum", [schema.get("const")]))
        kind = schema.get("type")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array" or (kind is None and "items" in schema):
            if "prefixItems" in schema:
                raise SchemaError("Strict mode has no tuples.")
            return {"type": "array", "items": self.rewrite(schema.get("items"))}
        if kind is None:
            raise SchemaError("Strict mode has no values of any type.")
        if kind not in _KINDS:
            raise SchemaError(f"The schema has a type {kind!r}, which is not one of JSON's.")
        return _scalar(kind, schema)

    def _choice(self, alternatives: list[Any]) -> dict[str, Any]:
        made: list[dict[str, Any]] = []
        for one in alternatives:
            part = self.rewrite(one)
            made += [p for p in part.get("anyOf", [part]) if p not in made]
        return made[0] if len(made) == 1 else {"anyOf": made}

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties")
        if not properties or schema.get("additionalProperties") or "patternProperties" in schema:
            raise SchemaError("Strict mode takes only objects whose properties are all named.")
        required = schema.get("required") or ()
        return _closed({n: self._property(p, n in required) for n, p in properties.items()})

    def _property(self, schema: Any, required: bool) -> dict[str, Any]:
        made = self.rewrite(schema)
        # A constant need not be left out, and identifies the alternative of a union.
        if required or "const" in schema or self._references.fits(schema, None, exactly=True):
            return made
        description = f"{made.pop('description', '')} (null: left out)".strip()
        parts = [*made.get("anyOf", [made]), {"type": "null"}]
        return {"anyOf": parts, "description": description}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object as strict mode wants it: all properties required, no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _alternatives(schema: Any) -> list[Any]:
    """What a value of `schema` may be one of: its anyOf, oneOf or types; [] if it is one thing."""
    for word in ("anyOf", "oneOf"):
        if word in schema:
            if not schema[word] or schema.keys() & {"type", "properties", "items"}:
                raise SchemaError(f"Strict mode takes {word} only with alternatives, alone.")
            return list(schema[word])
    kinds = schema.get("type")
    return [{**schema, "type": one} for one in kinds] if isinstance(kinds, list) else []


def _enumerated(values: list[Any]) -> dict[str, Any]:
    """Values of one type each: strict mode wants every enum typed, and has none of booleans."""
    if not values or any(type(value) not in _KIND_OF for value in values):
        raise SchemaError("Strict mode has no enum that is empty or holds arrays or objects.")
    made = []
    for kind in dict.fromkeys(_KIND_OF[type(value)] for value in values):
        own = [value for value in values if _KIND_OF[type(value)] == kind]
        made.append({"type": kind} | ({} if kind in ("boolean", "null") else {"enum": own}))
    return made[0] if len(made) == 1 else {"anyOf": made}


def _scalar(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value of one type, with those of its limits that strict mode takes."""
    kept: dict[str, Any] = {"type": kind}
    if kind == "string":
        if schema.get("format") in _FORMATS:
            kept["format"] = schema["format"]
        if "pattern" in schema and _plain_pattern(schema["pattern"]):
            kept["pattern"] = schema["pattern"]
    elif kind in ("integer", "number"):
        kept |= {w: schema[w] for w in _BOUNDS if _KINDS["number"](schema.get(w))}
    return kept


def _plain_pattern(pattern: object) -> bool:
    try:
        return not _HARD_PATTERN.search(str(pattern)) and bool(re.compile(str(pattern)))
    except re.error:
        return False


def _described(schema: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, str]:
    """The description, with what the strict form does not say."""
    notes = [
        f"{word}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for word, value in schema.items()
        if word not in _SILENT and word not in made and not (word == "default" and value is None)
    ]
    description = str(schema.get("description") or made.get("description") or "")
    text = f"{description} ({'; '.join(notes)})".strip() if notes else description
    return {"description": text} if text else {}


def _restored(schema: Any, value: Any, references: References) -> Any:
    """`value` without the nulls that stand for properties left out."""
    schema = references.resolve(schema)
    if alternatives := _alternatives(schema):
        for exactly in (True, False):
            for one in alternatives:
                if references.fits(one, value, exactly=exactly):
                    return _restored(one, value, references)
        return value
    if isinstance(value, list):
        items = schema.get("items")
        return [_restored(items, v, references) for v in value] if items else value
    properties = schema.get("properties") or {}
    if not isinstance(value, dict) or not value.keys() <= properties.keys():
        return value
    required = schema.get("required") or ()
    return {
        name: _restored(properties[name], v, references)
        for name, v in value.items()
        if v is not None
        or name in required
        or references.fits(properties[name], None, exactly=True)
    }
