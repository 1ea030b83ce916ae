"""The types of columns in one word each, the same for every library. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["type_name", "type_of_values"]


def type_name(dtype: Any) -> str:
    """A type in one word, the same for every library; nested ones with their parts."""
    name = type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
    if name.startswith(("Int", "UInt")):
        return "int"
    if name.startswith("Float"):
        return "float"
    if name == "Datetime":
        zone = getattr(dtype, "time_zone", None)
        return f"datetime[{zone}]" if zone else "datetime"
    if name in ("List", "Array"):
        return f"list[{type_name(dtype.inner)}]"
    if name == "Struct":
        fields = [f"{field.name}: {type_name(field.dtype)}" for field in dtype.fields]
        more = [f"… {len(fields) - 20} more"] if len(fields) > 20 else []
        return f"struct{{{', '.join(fields[:20] + more)}}}"
    return _TYPES.get(name, "object")


_TYPES = {
    "Boolean": "bool", "String": "text", "Categorical": "category", "Enum": "category",
    "Date": "date", "Time": "time", "Duration": "duration", "Binary": "binary",
    "Decimal": "decimal",
}  # fmt: skip
_PYTHON = {
    "str": "text", "int": "int", "float": "float", "bool": "bool", "datetime": "datetime",
    "date": "date", "time": "time", "timedelta": "duration", "Decimal": "decimal",
    "bytes": "binary", "list": "list", "dict": "struct",
}  # fmt: skip


def type_of_values(values: list[Any]) -> str:
    """The type of a column of Python objects, from its values."""
    kinds = sorted({_type_of(value) for value in values if value is not None})
    if not kinds:
        return "empty"
    if len(kinds) == 1:
        return kinds[0].removesuffix(_ZONED)
    return f"mixed {', '.join(kinds)}"


_ZONED = " with zone"


def _type_of(value: Any) -> str:
    """Times with a zone and those without are two types: they have no order among each other."""
    kind = _PYTHON.get(type(value).__name__, "object")
    return kind + _ZONED if getattr(value, "tzinfo", None) is not None else kind
