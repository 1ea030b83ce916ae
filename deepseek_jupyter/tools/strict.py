"""Any JSON schema in the subset that strict function calls allow, and the way back.

The subset, from api-docs.deepseek.com/guides/tool_calls and DeepSeek's own validator: a schema is
a type, an anyOf or a $ref; objects have properties, all required, and no others; arrays have
items; strings keep pattern and five formats, numbers their bounds. The top is an object. Any
other keyword becomes words in the description: the model reads them, the local validation after
`Strict.restore` enforces them. Recursive types stay recursive, through ``$defs``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deepseek_jupyter.errors import SchemaError

from .alternatives import written_out
from .restoring import (
    ANY,
    EMPTY,
    Field,
    Misfit,
    Part,
    array,
    closed,
    mapping,
    obj,
    one_of,
    tuple_of,
    union,
    whole,
)

__all__ = ["Strict", "strict"]

_FORMATS = frozenset({"email", "hostname", "ipv4", "ipv6", "uuid"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# Lookaround, named groups and backreferences: a grammar cannot be made of them.
_HARD_PATTERN = re.compile(r"\(\?(?!:)|\\[1-9kpPbBAZz]")

# Keywords that say something to programs only, or that the rewriting has used.
_SILENT = frozenset(
    (
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description"),
        *("discriminator", "type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"),
        *("properties", "required", "additionalProperties", "items", "prefixItems"),
        *("propertyNames", "readOnly", "writeOnly", "deprecated"),
    )
)


def _is_string(value: object) -> bool:
    return isinstance(value, str)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": _is_string,
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or _integral(v)),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


@dataclass(frozen=True, slots=True)
class Strict:
    """`schema` goes to the model; `restore` turns its value into one of the original schema.

    A value that is not of the strict form comes back as it is, for the validation to judge.
    """

    schema: dict[str, Any]
    _restore: Callable[[Any], Any]

    def restore(self, value: Any) -> Any:
        """The value in the original schema's form, properties left out where null stood for it."""
        try:
            return self._restore(value)
        except Misfit:
            return value


def strict(schema: Mapping[str, Any]) -> Strict:
    """`schema` in the strict subset. Raises `SchemaError` for what cannot be brought into it."""
    rewriter = _Rewriter(schema)
    top = rewriter.part(schema)
    if "$ref" in top.schema:  # a recursive type: its top is written out
        top = replace(top, schema={**rewriter.referred(top.schema), **_described(top.schema)})
    wrapped = top.schema.get("type") != "object"
    root = closed({"value": top.schema}) if wrapped else dict(top.schema)
    root = written_out(root, rewriter.definitions)

    def restore(value: Any) -> Any:
        if wrapped:
            if not isinstance(value, dict) or value.keys() != {"value"}:
                raise Misfit
            value = value["value"]
        return top.restore(value, True)

    return Strict(root, restore)


class _Rewriter:
    """Rewrites places of one document; what they refer to is rewritten once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._names: dict[str, str] = {}  # pointer -> name in $defs
        self._made: dict[str, Part] = {}

    def part(self, schema: Any, *, name: str = "") -> Part:
        """The part for `schema`, its descriptions and notes included."""
        if schema is False:
            raise SchemaError("The schema forbids every value (false).")
        if schema is True or not schema:
            return ANY
        schema = self._merged(schema)
        made = self._bare(schema)
        words = _words(schema, made.schema, name)
        return replace(made, schema={**made.schema, **words}) if words else made

    def referred(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The rewritten schema that a ``$ref`` of ours leads to."""
        return self._made[schema["$ref"].rpartition("/")[2]].schema

    @property
    def definitions(self) -> dict[str, Any]:
        """What was referred to, rewritten."""
        return {name: part.schema for name, part in self._made.items()}

    def _bare(self, schema: Mapping[str, Any]) -> Part:
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        if "const" in schema:
            return _enumerated([schema["const"]])
        if "enum" in schema:
            return _enumerated(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                common = {k: v for k, v in schema.items() if k in ("type", "properties", "items")}
                return _joined(
                    [
                        self.part({**common, **s} if common and isinstance(s, Mapping) else s)
                        for s in schema[word]
                    ]
                )
        kind = schema.get("type")
        if isinstance(kind, list):
            return _joined([self._bare({**schema, "type": one}) for one in kind])
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array" or (kind is None and ("items" in schema or "prefixItems" in schema)):
            return self._array(schema)
        if kind is None:
            return ANY
        if kind not in _FITS:
            raise SchemaError(f"The schema has a type {kind!r}, which is none.")
        return whole(_scalar(kind, schema), _FITS[kind])

    def _object(self, schema: Mapping[str, Any]) -> Part:
        properties = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        patterns = schema.get("patternProperties") or {}
        if not properties and others is None and "properties" not in schema and not patterns:
            others = True
        rest = None
        if patterns or (others is not None and others is not False):
            values = [
                *patterns.values(),
                *([] if patterns and others in (None, False) else [others]),
            ]
            key = self.part(schema.get("propertyNames") or {"type": "string"})
            if len(patterns) == 1 and others in (None, False):
                key = self.part({"type": "string", "pattern": next(iter(patterns))})
            rest = mapping(_key(key), _joined([self.part(v) for v in values]))
        if not properties:
            return rest or EMPTY
        required = set(schema.get("required") or ())
        fields = {
            name: Field(self._property(name, inner, name in required), name in required)
            for name, inner in properties.items()
        }
        spare = "additional_properties"
        while spare in fields:
            spare += "_"
        return obj(fields, (spare, rest) if rest else None)

    def _property(self, name: str, schema: Any, required: bool) -> Part:
        made = self.part(schema, name=name)
        if required or made.nullable:
            return made
        default = schema.get("default") if isinstance(schema, Mapping) else None
        note = (
            f"null: {json.dumps(default, ensure_ascii=False)}"
            if default is not None
            else ("null: left out")
        )
        return replace(made, schema=_noted(made.schema, [note]))

    def _array(self, schema: Mapping[str, Any]) -> Part:
        items = schema.get("items", True)
        if "prefixItems" not in schema:
            return array(self.part(items)) if items is not False else array(ANY)
        least = schema.get("minItems", 0)
        most = schema.get("maxItems")
        fields = [
            Field(self.part(inner), place < least)
            for place, inner in enumerate(schema["prefixItems"])
        ]
        open_end = items is not False and (most is None or most > len(fields))
        return tuple_of(fields, self.part(items) if open_end else None)

    def _reference(self, pointer: str) -> Part:
        name = self._names.get(pointer)
        if name is None:
            target = self._resolve(pointer)
            name = self._names[pointer] = self._free_name(pointer)
            while isinstance(target, Mapping) and target.keys() == {"$ref"}:
                if target["$ref"] == pointer:
                    raise SchemaError(f"The schema's {pointer} refers to itself alone.")
                target = self._resolve(str(target["$ref"]))
            self._made[name] = self.part(target)
        known, made = name, self._made

        def restore(value: Any, lenient: bool) -> Any:
            return made[known].restore(value, lenient)

        nullable = self._allows_null({"$ref": pointer}, ())
        return Part({"$ref": f"#/$defs/{name}"}, restore, nullable)

    def _allows_null(self, schema: Any, seen: tuple[str, ...]) -> bool:
        """Whether null is a value; asked of types that are not rewritten yet."""
        if not isinstance(schema, Mapping) or not schema:
            return False
        if "$ref" in schema:
            pointer = str(schema["$ref"])
            return pointer not in seen and self._allows_null(
                self._resolve(pointer), (*seen, pointer)
            )
        if "const" in schema or "enum" in schema:
            return None in schema.get("enum", [schema.get("const")])
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if alternatives:
            return any(self._allows_null(one, seen) for one in alternatives)
        kind = schema.get("type")
        return kind == "null" or (isinstance(kind, list) and "null" in kind)

    def _resolve(self, pointer: str) -> Any:
        if not pointer.startswith("#"):
            raise SchemaError(
                f"The schema refers to {pointer}, which is not in it.",
                "Put what it refers to under $defs.",
            )
        place: Any = self._document
        for step in filter(None, pointer[1:].split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                place = place[int(step)] if isinstance(place, list) else place[step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaError(f"The schema refers to {pointer}, which is not in it.") from None
        return place

    def _free_name(self, pointer: str) -> str:
        base = re.sub(r"\W", "_", pointer.rpartition("/")[2], flags=re.ASCII).strip("#") or "Top"
        name, n = base, 2
        while name in self._names.values():
            name, n = f"{base}_{n}", n + 1
        return name

    def _merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """`schema` without allOf: objects are joined, anything else must not contradict."""
        if "allOf" not in schema:
            return schema
        merged = {k: v for k, v in schema.items() if k != "allOf"}
        for inner in schema["allOf"]:
            while isinstance(inner, Mapping) and "$ref" in inner:
                if inner["$ref"] == "#":
                    raise SchemaError("The schema contains itself by allOf, which nothing can fit.")
                siblings = {k: v for k, v in inner.items() if k != "$ref"}
                inner = {**self._resolve(str(inner["$ref"])), **siblings}
            merged = _intersect(merged, self._merged(inner))
        return merged


def _intersect(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for word, value in other.items():
        if word == "properties":
            merged[word] = {**value, **merged.get(word, {})}
        elif word == "required":
            merged[word] = list(dict.fromkeys([*merged.get(word, ()), *value]))
        elif word not in merged or word in ("title", "description"):
            merged.setdefault(word, value)
        elif merged[word] != value:
            raise SchemaError(
                f"The parts of an allOf say different things about {word}.",
                "Write them as one schema.",
            )
    return merged


def _scalar(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"type": kind}
    if kind == "string":
        if schema.get("format") in _FORMATS:
            kept["format"] = schema["format"]
        if "pattern" in schema and _plain_pattern(schema["pattern"]):
            kept["pattern"] = schema["pattern"]
    elif kind in ("integer", "number"):
        kept |= {w: schema[w] for w in _BOUNDS if _FITS["number"](schema.get(w))}
    return kept


def _plain_pattern(pattern: object) -> bool:
    try:
        return not _HARD_PATTERN.search(str(pattern)) and bool(re.compile(str(pattern)))
    except re.error:
        return False


def _enumerated(values: Iterable[Any]) -> Part:
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
    return _joined(parts)


def _kind_of(value: object) -> str | None:
    if value is None:
        return "null"
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number"}
    return kinds.get(type(value))


def _joined(parts: list[Part]) -> Part:
    if not parts:
        raise SchemaError("The schema has an empty list of alternatives, which nothing can fit.")
    schemas: list[dict[str, Any]] = []
    for part in parts:
        plain = part.schema.keys() == {"anyOf"}
        for schema in part.schema["anyOf"] if plain else [part.schema]:
            if schema not in schemas:
                schemas.append(schema)
    return union(schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, parts)


def _key(part: Part) -> Part:
    """Keys are strings in JSON, whatever the type says of them."""
    return part if part.schema.get("type") == "string" else whole({"type": "string"}, _is_string)


def _words(schema: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> dict[str, str]:
    """The description with everything that the strict form does not say."""
    notes = [
        f"{word}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for word, value in schema.items()
        if word not in _SILENT and word not in kept and not _is_form(word, kept, value)
    ]
    title = schema.get("title")
    if name and title and re.sub(r"\W", "", title).lower() != re.sub(r"[\W_]", "", name).lower():
        notes.insert(0, f"title: {title}")
    noted = _noted({**_described(kept), **_described(schema)}, notes)
    return {"description": noted["description"]} if "description" in noted else {}


def _is_form(word: str, kept: Mapping[str, Any], value: Any) -> bool:
    """Whether the strict form says it in another way."""
    placed = "item_1" in kept.get("properties", ())
    return (
        (word == "patternProperties" and kept.get("type") == "object")
        or (word in ("minItems", "maxItems") and placed)
        or (word == "default" and value is None)
    )


def _noted(schema: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    if not notes:
        return dict(schema)
    told = f"({'; '.join(notes)})"
    description = schema.get("description", "")
    return {**schema, "description": f"{description} {told}" if description else told}


def _described(schema: Mapping[str, Any]) -> dict[str, str]:
    return {"description": str(schema["description"])} if schema.get("description") else {}


def _integral(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
