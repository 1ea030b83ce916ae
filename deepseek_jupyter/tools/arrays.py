"""Columns of any library as Arrow arrays of types that DuckDB reads."""

from __future__ import annotations

from typing import Any

__all__ = ["arrow_of", "plain_array"]

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

    from deepseek_jupyter.context.plain import plain, shown

    values = (plain(value) for value in series.to_list())
    return pa.array([None if value is None else shown(value) for value in values], pa.string())
