"""Columns of any library as Arrow arrays of types that DuckDB reads, and results as its frames."""

from __future__ import annotations

from typing import Any

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
    """The same, chunked, without extension types, dictionaries and sizes that DuckDB lacks."""
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
    """Mixed objects as a card writes them."""
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
