"""Between libraries: columns to Arrow arrays that DuckDB reads; tables and records to frames.

A frame made here is of the library that the user works with.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import ConfigurationError, InvalidResponseError, ParameterError

BACKENDS = ("pandas", "polars", "pyarrow")
_STRANGE = {"pandas.period", "pandas.interval"}  # numbers and pairs to all but pandas


def arrow_of(series: Any) -> Any:
    """A narwhals series as a chunked array. What Arrow has no type for (mixed objects) is text."""
    import narwhals as nw
    import pyarrow as pa

    try:
        array = series.to_arrow()
        if getattr(array.type, "extension_name", "") in _STRANGE:
            array = series.cast(nw.String).to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        array = _texts(series)
    return plain_array(array)


def plain_array(array: Any) -> Any:
    """An Arrow array, chunked, without extension types, dictionaries and sizes DuckDB lacks."""
    import pyarrow as pa

    if isinstance(array, pa.Array):
        array = pa.chunked_array([array])
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        chunks = [chunk.storage for chunk in array.chunks]
        return plain_array(pa.chunked_array(chunks, kind.storage_type))
    if pa.types.is_dictionary(kind):
        return plain_array(array.cast(kind.value_type))
    if pa.types.is_float16(kind):
        return array.cast(pa.float32())
    if pa.types.is_decimal256(kind):
        return array.cast(pa.float64())
    return array


def _texts(series: Any) -> Any:
    import pyarrow as pa

    from deepseek_jupyter.context.table import plain, shown

    values = (plain(value) for value in series.to_list())
    return pa.array([None if value is None else shown(value) for value in values], pa.string())


def frame_like(frame: Any, table: Any) -> Any:
    """An Arrow table as a frame of the library that `frame` is of: pandas, Polars or pyarrow."""
    import narwhals as nw

    found = nw.from_native(_whole_numbers(table), eager_only=True)
    library = type(frame).__module__.partition(".")[0]
    if library == "polars":
        return found.to_polars()
    if library in ("pandas", "dask", "dask_expr", "modin"):
        return found.to_pandas()
    return found.to_native()


def _whole_numbers(table: Any) -> Any:
    """Sums of integers are HUGEINT, decimals in Arrow: integers again where they fit."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                column = table.column(place).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(place, field.name, column)
    return table


def frame_of(value: Any, backend: str | None = None) -> Any:
    """The records in `value` as a frame of `backend`: pandas, polars or pyarrow.

    None takes the first that is installed. Raises `InvalidResponseError` for a value without
    records, `ConfigurationError` where no library is there.
    """
    import narwhals.stable.v2 as nw

    installed = [name for name in BACKENDS if find_spec(name)]
    chosen: Any = backend or next(iter(installed), None)
    if chosen not in installed:
        raise ConfigurationError(
            f"{backend or 'A library for frames'} is not installed.",
            "pandas, polars and pyarrow make frames: install one, or name an installed one.",
        )
    rows = records_of(value)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return nw.from_dict(columns, backend=chosen).to_native()


def frame_or_rows(rows: list[dict[str, Any]], backend: str | None = None) -> Any:
    """`rows` as `frame_of` makes them; as they are for "records", and where no library is there."""
    plain = backend == "records" or (backend is None and not any(map(find_spec, BACKENDS)))
    return rows if plain else frame_of(rows, backend)


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
            "The answer has no records.", "Ask with --schema list[...] for a frame."
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
    plain = {n: v.value if isinstance(v, enum.Enum) else v for n, v in record.items()}
    return {str(name): value for name, value in plain.items()}


# suffix -> module of pyarrow, its reader
_FILES = {
    **dict.fromkeys((".csv", ".tsv"), ("csv", "read_csv")),
    **dict.fromkeys((".parquet", ".pq"), ("parquet", "read_table")),
    **dict.fromkeys((".feather", ".arrow"), ("feather", "read_table")),
    **dict.fromkeys((".jsonl", ".ndjson"), ("json", "read_json")),
}
_LARGEST = 50_000_000  # bytes of a file
_MOST = 2_000_000_000  # bytes that a Parquet file says it unpacks to


def _csv_options(module: Any, path: Path) -> dict[str, Any]:
    """How pyarrow is to read it: what separates columns is what its first line has most of."""
    with path.open("rb") as file:
        raw = file.read(64_000)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    head = raw.decode(encoding, "replace")
    first = re.sub('"[^"]*"', "", head.lstrip().split("\n", 1)[0])
    delimiter = max("\t,;|" if path.suffix.lower() == ".tsv" else ",;\t|", key=first.count)
    comma = delimiter != "," and re.search(r"(?m)(?:^|[;\t|])-?\d+,\d+(?:[;\t|\r]|$)", head)
    return {
        "read_options": module.ReadOptions(encoding=encoding),
        "parse_options": module.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": module.ConvertOptions(decimal_point="," if comma else "."),
    }


def table_of_file(path: Path) -> Any:
    """The table in a file, by its suffix; None where it is no table, or pyarrow is not there.

    Raises `ParameterError` for one that is too large or cannot be read.
    """
    found = _FILES.get(path.suffix.lower())
    if found is None or find_spec("pyarrow") is None or not path.is_file():
        return None
    try:
        size = path.stat().st_size
        if found[0] == "parquet":
            meta = import_module("pyarrow.parquet").read_metadata(path)
            groups = (meta.row_group(at) for at in range(meta.num_row_groups))
            if sum(group.total_byte_size for group in groups) > _MOST:
                size = _MOST
        if size > _LARGEST:
            raise ParameterError(
                f"{path} holds {size:,} bytes or more; {_LARGEST:,} are read.",
                "Read a part of it in Python, and attach that frame.",
            )
        module = import_module(f"pyarrow.{found[0]}")
        options = _csv_options(module, path) if found[0] == "csv" else {}
        source = path if found[0] in ("parquet", "feather") else str(path)
        table = getattr(module, found[1])(source, **options)
        table.column_names  # noqa: B018  # decoded only here
        if found[0] == "csv" and "binary" in map(str, table.schema.types):
            raise UnicodeError
        return table
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own are of these kinds
        said = str(error).split("\n", 1)[0][:200]
        said = "it is not in UTF-8 or UTF-16" if isinstance(error, UnicodeError) else said
        raise ParameterError(
            f"{path} cannot be read as a table: {said}", "Read it in Python, and attach the frame."
        ) from None
