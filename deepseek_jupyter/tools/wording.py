"""Descriptions that say what a strict schema cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["described", "noted", "words"]

# Keywords that say something to programs only, or that the rewriting has used.
_SILENT = frozenset(
    (
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description"),
        *("discriminator", "type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"),
        *("properties", "required", "additionalProperties", "items", "prefixItems"),
        *("propertyNames", "readOnly", "writeOnly", "deprecated"),
    )
)


def words(schema: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> dict[str, str]:
    """The description with everything that the strict form does not say."""
    notes = [
        f"{word}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for word, value in schema.items()
        if word not in _SILENT and word not in kept and not _is_form(word, kept, value)
    ]
    title = schema.get("title")
    if name and title and re.sub(r"\W", "", title).lower() != re.sub(r"[\W_]", "", name).lower():
        notes.insert(0, f"title: {title}")
    return described(noted({**described(kept), **described(schema)}, notes))


def _is_form(word: str, kept: Mapping[str, Any], value: Any) -> bool:
    """Whether the strict form says it in another way."""
    placed = "item_1" in kept.get("properties", ())
    return (
        (word == "patternProperties" and kept.get("type") == "object")
        or (word in ("minItems", "maxItems") and placed)
        or (word == "default" and value is None)
    )


def noted(schema: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """`schema` with notes behind its description."""
    if not notes:
        return dict(schema)
    told = f"({'; '.join(notes)})"
    description = schema.get("description", "")
    return {**schema, "description": f"{description} {told}" if description else told}


def described(schema: Mapping[str, Any]) -> dict[str, str]:
    """Its description alone, where it has one."""
    return {"description": str(schema["description"])} if schema.get("description") else {}
