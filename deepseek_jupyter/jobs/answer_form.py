"""`AnswerForm`: the columns that an answer becomes, and how long it can be. Pure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.errors import SchemaMismatchError
from deepseek_jupyter.privacy.redaction import restore
from deepseek_jupyter.protocol.tokens import most_tokens
from deepseek_jupyter.tools.loop import restored

if TYPE_CHECKING:
    from deepseek_jupyter.tools.schemas import Asked, Shape

_KINDS: Mapping[Any, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
_SCALARS = (str, int, float, bool, type(None))
_ROOM = 16  # tokens of what surrounds an answer
_NUMBER, _FORMATTED, _DEEPEST = 24, 48, 8


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """`names` of the columns and their `kinds`; a `record` has a column for each field."""

    names: tuple[str, ...]
    kinds: tuple[type | None, ...]
    record: bool = False
    shape: Shape | None = None

    @classmethod
    def of(cls, to: Any, into: str) -> AnswerForm:
        """The form that answers of the type `to` have; text goes into one column as it is."""
        if to is str:
            return cls((into,), (str,))
        from deepseek_jupyter.tools.schemas import shape_of

        shape = shape_of(to)
        top = _resolved(shape.schema, shape.schema)
        fields = top.get("properties") if top.get("type") == "object" else None
        if not fields:
            return cls((into,), (_kind(top, shape.schema),), shape=shape)
        kinds = tuple(_kind(part, shape.schema) for part in fields.values())
        return cls(tuple(fields), kinds, record=True, shape=shape)

    @property
    def most_tokens(self) -> int | None:
        """What no answer of this form needs more of; None where it may be of any length."""
        if self.shape is None:
            return None
        most = _longest(self.shape.schema, self.shape.schema)
        return None if most == inf else int(2 * most) + _ROOM

    def read(self, text: str, asked: Asked | None, known: Mapping[str, str]) -> tuple[Any, ...]:
        """The values of an answer by column, originals in place of the pseudonyms `known`.

        Raises `SchemaMismatchError`.
        """
        if asked is None or self.shape is None:
            return (restore(text, known).strip(),)
        plain, typed = asked.read(text)
        if known and (own := restored(plain, lambda text: restore(text, known))) != plain:
            plain = own
            try:
                typed = self.shape.validate(plain)
            except SchemaMismatchError:  # too long now
                typed = plain
        if not self.record:
            return (_cell(typed, plain),)
        found = plain if isinstance(plain, Mapping) else {}
        return tuple(_cell(_field(typed, name), found.get(name)) for name in self.names)


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)


def _cell(typed: Any, plain: Any) -> Any:
    """A value for a column: dates and the like as they are, what has parts as plain JSON."""
    if isinstance(typed, enum.Enum):
        return typed.value
    nested = isinstance(plain, Mapping | list)
    return plain if nested or typed is None or isinstance(typed, _SCALARS) else typed


def _resolved(part: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    from deepseek_jupyter.tools.strict import References

    found = References(schema).resolve(part)
    return found if isinstance(found, Mapping) else {}


def _kind(part: Any, schema: Mapping[str, Any]) -> type | None:
    """The type of a column; None for what has parts, or is of several types."""
    part = _resolved(part, schema)
    choices = [p for p in part.get("anyOf") or () if p != {"type": "null"}]
    if len(choices) == 1:
        return _kind(choices[0], schema)
    if values := _values(part):
        types = {type(value) for value in values if value is not None}
        return types.pop() if len(types) == 1 else None
    return None if part.get("format") else _KINDS.get(str(part.get("type")))


def _values(part: Mapping[str, Any]) -> list[Any]:
    return list(part.get("enum") or ([part["const"]] if "const" in part else ()))


def _longest(part: Any, schema: Mapping[str, Any], depth: int = 0) -> float:
    """The tokens of the longest JSON value; infinity where there is no end."""
    part = _resolved(part, schema)
    kind, most = part.get("type"), part.get("maxLength", part.get("maxItems", inf))
    if values := _values(part):
        return max(most_tokens(json.dumps(value)) for value in values)
    if choices := part.get("anyOf") or part.get("oneOf"):
        return max(_longest(one, schema, depth + 1) for one in choices)
    if kind == "object" and depth < _DEEPEST and (fields := part.get("properties")):
        sizes = (most_tokens(n) + 6 + _longest(p, schema, depth + 1) for n, p in fields.items())
        return sum(sizes)
    if kind == "array" and depth < _DEEPEST and most < inf:
        return float(most * (_longest(part.get("items"), schema, depth + 1) + 2) + 2)
    if kind == "string":
        return _FORMATTED if part.get("format") else float(2 * most + 2)
    return _NUMBER if kind in ("integer", "number", "boolean", "null") else inf
