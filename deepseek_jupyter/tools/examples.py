"""One value that fits a JSON schema: an example of the form, for hosts with JSON mode alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.errors import SchemaError

from .references import Document

__all__ = ["example"]

_DEEPEST = 12  # a recursive type ends well before
_BY_FORMAT = {
    "date": "2024-05-31",
    "date-time": "2024-05-31T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "name@example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_BY_KIND: Mapping[str, Any] = {"string": "text", "boolean": True, "null": None}


def example(schema: Mapping[str, Any]) -> Any:
    """A value in the form of `schema`; patterns and the like may not hold for it."""
    return _value(schema, Document(schema), 0)


def _value(schema: Any, document: Document, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _value(document.target(str(schema["$ref"])), document, depth + 1)
    if "allOf" in schema:
        try:
            schema = document.merged(schema)
        except SchemaError:  # parts that contradict: any value shows as much
            return None
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return _value(_shown(alternatives, depth), document, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    return _of_kind(kind, schema, document, depth)


def _shown(alternatives: list[Any], depth: int) -> Any:
    """The one to show: null only where a recursive type must end."""
    null = {"type": "null"}
    if depth >= _DEEPEST // 3 and null in alternatives:
        return null
    return next((one for one in alternatives if one != null), null)


def _of_kind(kind: object, schema: Mapping[str, Any], document: Document, depth: int) -> Any:
    if kind == "object" or "properties" in schema:
        return _object(schema, document, depth)
    if kind == "array" or "prefixItems" in schema:
        if "prefixItems" in schema:
            return [_value(part, document, depth + 1) for part in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        if depth > _DEEPEST // 3 and not least:
            return []
        return [_value(schema.get("items"), document, depth + 1)] * max(1, least)
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "string":
        text = _BY_FORMAT.get(str(schema.get("format")), str(_BY_KIND["string"]))
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    return _BY_KIND.get(str(kind))


def _object(schema: Mapping[str, Any], document: Document, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    if not properties and isinstance(schema.get("additionalProperties"), Mapping):
        if depth > _DEEPEST // 3:
            return {}
        key = _value(schema.get("propertyNames", {"const": "key"}), document, depth + 1)
        return {str(key): _value(schema["additionalProperties"], document, depth + 1)}
    required = set(schema.get("required") or ()) if depth > _DEEPEST // 3 else properties.keys()
    return {
        name: _value(part, document, depth + 1)
        for name, part in properties.items()
        if name in required
    }


def _number(schema: Mapping[str, Any]) -> Any:
    """A number within the bounds."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf") or 1
    if low is not None:
        number = low if "minimum" in schema else low + step
        number = -(-number // step) * step if step != 1 else number
    else:
        number = high if "maximum" in schema else (high - step if high is not None else 1)
    return int(number) if schema.get("type") == "integer" else number
