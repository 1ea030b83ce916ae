"""Records as a frame, in the library that the user works with."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from deepseek_jupyter.errors import ConfigurationError, InvalidResponseError

BACKENDS = ("pandas", "polars", "pyarrow")


def frame_of(value: Any, backend: str | None = None) -> Any:
    """The records in `value` as a frame of `backend`: pandas, polars or pyarrow.

    None takes the first that is installed. Raises `InvalidResponseError` for a value without
    records, `ConfigurationError` where no library is there.
    """
    import narwhals.stable.v2 as nw

    installed = [name for name in BACKENDS if find_spec(name)]
    chosen: Any = backend or next(iter(installed), None)
    if chosen not in installed:
        wanted = f"{backend} is" if backend else "None of pandas, polars and pyarrow is"
        raise ConfigurationError(f"{wanted} not installed.", "Install one for a frame.")
    rows = records_of(value)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return nw.from_dict(columns, backend=chosen).to_native()


def records_of(value: Any) -> list[dict[str, Any]]:
    """`value` as rows: a list of records, one record, or a record that holds one list of them."""
    if _is_list(value):
        return [_record(item) for item in value]
    record = _record(value)
    lists = [inner for inner in record.values() if _is_list(inner)]
    if len(lists) == 1 and len(record) == 1:
        return [_record(item) for item in lists[0]]
    if isinstance(value, str | int | float | bool) or value is None:
        raise InvalidResponseError(
            "The answer holds no records.", "Ask with --schema list[...] for a frame."
        )
    return [record]


def _is_list(value: Any) -> bool:
    named = hasattr(value, "_fields")  # a NamedTuple is one record
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and not named


def _record(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        record = dict(value)
    elif hasattr(type(value), "model_dump"):
        record = value.model_dump()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        record = dataclasses.asdict(value)
    elif hasattr(value, "_asdict"):
        record = value._asdict()
    else:
        record = {"value": value}
    return {str(name): _plain(inner) for name, inner in record.items()}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
