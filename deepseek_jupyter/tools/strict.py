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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deepseek_jupyter.errors import SchemaError

from .alternatives import written_out
from .leaves import KINDS, choice, enumerated, key, scalar
from .references import Document
from .restoring import ANY, EMPTY, Field, Misfit, Part, array, closed, mapping, obj, tuple_of, whole
from .wording import described, noted, words

__all__ = ["Strict", "strict"]


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
        top = replace(top, schema={**rewriter.referred(top.schema), **described(top.schema)})
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
        self._document = Document(document)
        self._names: dict[str, str] = {}  # pointer -> name in $defs
        self._made: dict[str, Part] = {}

    def part(self, schema: Any, *, name: str = "") -> Part:
        """The part for `schema`, its descriptions and notes included."""
        if schema is False:
            raise SchemaError("The schema forbids every value (false).")
        if schema is True or not schema:
            return ANY
        schema = self._document.merged(schema)
        made = self._bare(schema)
        return replace(made, schema={**made.schema, **words(schema, made.schema, name)})

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
            return enumerated([schema["const"]])
        if "enum" in schema:
            return enumerated(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                common = {k: v for k, v in schema.items() if k in ("type", "properties", "items")}
                given = [{**common, **s} if isinstance(s, Mapping) else s for s in schema[word]]
                return choice([self.part(one) for one in given])
        kind = schema.get("type")
        if isinstance(kind, list):
            return choice([self._bare({**schema, "type": one}) for one in kind])
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array" or (kind is None and ("items" in schema or "prefixItems" in schema)):
            return self._array(schema)
        if kind is None:
            return ANY
        if kind not in KINDS:
            raise SchemaError(f"The schema has a type {kind!r}, which is none.")
        return whole(scalar(kind, schema), KINDS[kind])

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
            keys = self.part(schema.get("propertyNames") or {"type": "string"})
            if len(patterns) == 1 and others in (None, False):
                keys = self.part({"type": "string", "pattern": next(iter(patterns))})
            rest = mapping(key(keys), choice([self.part(v) for v in values]))
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
        means = "left out" if default is None else json.dumps(default, ensure_ascii=False)
        return replace(made, schema=noted(made.schema, [f"null: {means}"]))

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
            target = self._document.target(pointer)
            name = self._names[pointer] = self._free_name(pointer)
            self._made[name] = self.part(target)
        known, made = name, self._made

        def restore(value: Any, lenient: bool) -> Any:
            return made[known].restore(value, lenient)

        nullable = self._document.allows_null({"$ref": pointer})
        return Part({"$ref": f"#/$defs/{name}"}, restore, nullable)

    def _free_name(self, pointer: str) -> str:
        base = re.sub(r"\W", "_", pointer.rpartition("/")[2], flags=re.ASCII).strip("#") or "Top"
        name, n = base, 2
        while name in self._names.values():
            name, n = f"{base}_{n}", n + 1
        return name
