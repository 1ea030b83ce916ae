"""What a JSON schema's ``$ref`` and ``allOf`` mean, within one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.errors import SchemaError

__all__ = ["Document"]

_ENDLESS = "The schema's {} contains itself alone, which nothing can fit."


class Document:
    """One JSON schema, whose places may refer to each other."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def target(self, pointer: str) -> Any:
        """What `pointer` leads to, through references that say nothing else."""
        seen = [pointer]
        found = self._resolve(pointer)
        while isinstance(found, Mapping) and found.keys() == {"$ref"}:
            seen.append(str(found["$ref"]))
            if seen.count(seen[-1]) > 1:
                raise SchemaError(_ENDLESS.format(pointer))
            found = self._resolve(seen[-1])
        return found

    def merged(self, schema: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Mapping[str, Any]:
        """`schema` without allOf: objects are joined, anything else must not contradict."""
        if "allOf" not in schema:
            return schema
        joined = {word: value for word, value in schema.items() if word != "allOf"}
        for part in schema["allOf"]:
            within = inside
            if isinstance(part, Mapping) and "$ref" in part:
                pointer = str(part["$ref"])
                if pointer in inside or pointer == "#":
                    raise SchemaError(_ENDLESS.format(pointer))
                within = (*inside, pointer)
                siblings = {word: value for word, value in part.items() if word != "$ref"}
                part = {**self.target(pointer), **siblings}
            if isinstance(part, Mapping):
                joined = _intersect(joined, self.merged(part, within))
        return joined

    def allows_null(self, schema: Any, seen: tuple[str, ...] = ()) -> bool:
        """Whether null is a value; asked of types that are not rewritten yet."""
        if not isinstance(schema, Mapping) or not schema:
            return False
        if "$ref" in schema:
            pointer = str(schema["$ref"])
            return pointer not in seen and self.allows_null(self.target(pointer), (*seen, pointer))
        if "const" in schema or "enum" in schema:
            return None in schema.get("enum", [schema.get("const")])
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if alternatives:
            return any(self.allows_null(one, seen) for one in alternatives)
        kind = schema.get("type")
        return kind == "null" or (isinstance(kind, list) and "null" in kind)

    def _resolve(self, pointer: str) -> Any:
        missing = f"The schema refers to {pointer}, which is not in it."
        if not pointer.startswith("#"):
            raise SchemaError(missing, "Put what it refers to under $defs.")
        place: Any = self.root
        for step in filter(None, pointer[1:].split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                place = place[int(step)] if isinstance(place, list) else place[step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaError(missing) from None
        return place


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
