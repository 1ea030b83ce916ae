"""Values of any library as plain Python ones, and as the text of a cell. Pure."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["Opaque", "cut", "leaves", "plain", "shown"]

_PLAIN = (int, str, bool, bytes, date, datetime, time, timedelta, Decimal)
_ITEMS, _DEPTH = 100, 8
_LONGEST = 14_000  # bits of an integer; Python writes hardly more


class Opaque(str):
    """Stands for an object whose content is not looked at: its repr might run anything."""

    __slots__ = ()


def plain(value: Any, depth: int = 0) -> Any:
    """`value` without its library: None for every kind of missing, lists, dicts and scalars."""
    kind = type(value)
    if kind is float:
        return None if value != value else value
    if kind is int:
        bits = value.bit_length()
        return value if bits <= _LONGEST else Opaque(f"(an integer of {bits:,} bits)")
    if kind in _PLAIN or value is None:
        return None if kind is Decimal and value.is_nan() else value
    name = kind.__name__
    if name in ("NaTType", "NAType"):
        return None
    if name == "Timestamp" and hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    if name == "Timedelta" and hasattr(value, "to_pytimedelta"):
        return value.to_pytimedelta()
    if name in ("Period", "Interval", "UUID") or name.endswith("Path"):
        return str(value)
    if name == "ndarray" or name == "Series":
        return plain(value[:_ITEMS].tolist() if name == "ndarray" else value.to_list(), depth)
    if hasattr(value, "as_py"):  # pyarrow scalars
        return plain(value.as_py(), depth)
    if hasattr(value, "item") and kind.__module__.startswith("numpy"):
        return _of_numpy(value, kind, depth)
    if isinstance(value, str | bytes | int | Decimal | datetime | date | time | timedelta):
        return value
    if isinstance(value, float):
        return plain(float(value))
    return _container(value, depth)


def _of_numpy(value: Any, kind: type, depth: int) -> Any:
    if value.dtype.kind in "mM":  # of nanoseconds numpy gives a bare number
        value = value.astype(f"{value.dtype.kind}8[us]")
    inner = value.item()
    if type(inner) is kind:  # longer than Python's own
        return plain(float(value)) if value.dtype.kind == "f" else Opaque(f"({kind.__name__})")
    if value.dtype.kind == "M" and type(inner) is int:  # a year that Python has not
        return str(value)
    return plain(inner, depth)


def _container(value: Any, depth: int) -> Any:
    if depth >= _DEPTH:
        return Opaque("…")
    if isinstance(value, dict):
        items = list(value.items())[:_ITEMS]
        found = {str(plain(k, depth + 1)): plain(v, depth + 1) for k, v in items}
        return found if len(value) <= _ITEMS else {**found, "…": len(value) - _ITEMS}
    if isinstance(value, set | frozenset):
        return sorted((plain(item, depth + 1) for item in value), key=repr)[:_ITEMS]
    if isinstance(value, list | tuple):
        found_items = [plain(item, depth + 1) for item in value[:_ITEMS]]
        more = [Opaque(f"… {len(value) - _ITEMS} more")] if len(value) > _ITEMS else []
        return found_items + more
    return Opaque(f"({type(value).__name__})")


def shown(value: Any) -> str:
    """The text of a plain value; floats with six digits, bytes by their number."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else f"{value:.6g}"
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
        return text.removesuffix(" 00:00:00")
    if isinstance(value, list):
        return f"[{', '.join(_item(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_item(item)}' for key, item in value.items())}}}"
    return str(value)


def _item(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Opaque):
        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else shown(value)


def cut(text: str, width: int, length: int | None = None) -> str:
    """`text` in at most about `width` characters; a cut one tells its whole length."""
    length = max(length or 0, len(text))
    if length <= width:
        return text
    return f"{text[: max(width - 8, 4)]}… ({length:,} characters)"


def leaves(value: Any) -> list[Any]:
    """Every scalar within `value`, the keys of dicts included."""
    if isinstance(value, dict):
        return [leaf for pair in value.items() for part in pair for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None or isinstance(value, Opaque) else [value]
