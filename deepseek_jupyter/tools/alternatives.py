"""Every alternative of an anyOf written out: DeepSeek's validator takes no ``$ref`` there.

Where that would have no end, in a recursive type, the whole anyOf moves into ``$defs`` and the
place refers to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["written_out"]


def written_out(root: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """`root` with those ``$defs`` that it still needs."""
    writer = _Writer(defs)
    made = writer.walk(root)
    needed: dict[str, Any] = {}
    waiting = list(_references(made))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = writer.definition(name)
            waiting += _references(needed[name])
    return {**made, "$defs": dict(sorted(needed.items()))} if needed else made


class _Writer:
    def __init__(self, defs: Mapping[str, Any]) -> None:
        self._defs = defs
        self._recursive = {name for name in defs if self._reaches(name)}
        self._made: dict[str, Any] = {}
        self._moved: dict[str, str] = {}  # an anyOf as JSON -> its name in $defs

    def definition(self, name: str) -> dict[str, Any]:
        if name not in self._made:
            self._made[name] = self.walk(self._defs[name])
        found: dict[str, Any] = self._made[name]
        return found

    def walk(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self.walk(part) for part in schema]
        if not isinstance(schema, Mapping):
            return schema
        if "anyOf" in schema and isinstance(schema["anyOf"], list):
            return self._union(schema)
        return {
            word: {name: self.walk(part) for name, part in value.items()}
            if word == "properties"
            else self.walk(value)
            if word == "items"
            else value
            for word, value in schema.items()
        }

    def _union(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        others = {word: value for word, value in schema.items() if word != "anyOf"}
        named = {_name(part) for part in schema["anyOf"] if "$ref" in part}
        if not named & self._recursive:
            return {"anyOf": self._alternatives(schema["anyOf"]), **others}
        key = json.dumps(schema["anyOf"], sort_keys=True)
        name = self._moved.get(key)
        if name is None:
            name = self._moved[key] = self._free("_or_".join(map(_called, schema["anyOf"])))
            self._made[name] = {"anyOf": self._alternatives(schema["anyOf"])}
        return {"$ref": f"#/$defs/{name}", **others}

    def _alternatives(self, parts: list[Any]) -> list[Any]:
        flat: list[Any] = []
        for part in parts:
            if "$ref" in part:
                body = self._defs[_name(part)]
                inner = body.get("anyOf", [body])
                found = self._alternatives(inner)
            elif "anyOf" in part:
                found = self._alternatives(part["anyOf"])
            else:
                found = [self.walk(part)]
            flat += [one for one in found if one not in flat]
        return flat

    def _reaches(self, start: str) -> bool:
        seen: set[str] = set()
        waiting = list(_references(self._defs[start]))
        while waiting:
            name = waiting.pop()
            if name == start:
                return True
            if name not in seen:
                seen.add(name)
                waiting += _references(self._defs[name])
        return False

    def _free(self, base: str) -> str:
        base = base[:60]
        name, n = base, 2
        while name in self._defs or name in self._made:
            name, n = f"{base}_{n}", n + 1
        return name


def _called(part: Mapping[str, Any]) -> str:
    return _name(part) if "$ref" in part else str(part.get("type", "any"))


def _name(part: Mapping[str, Any]) -> str:
    return str(part["$ref"]).rpartition("/")[2]


def _references(schema: Any) -> Iterator[str]:
    """The names that a rewritten schema refers to; a property may be called ``$ref``."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(schema.get("$ref"), str):
        yield _name(schema)
    for part in (schema.get("properties") or {}).values():
        yield from _references(part)
    for part in (schema.get("items"), *(schema.get("anyOf") or ())):
        yield from _references(part)
