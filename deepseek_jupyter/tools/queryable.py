"""What SQL may see of the attached frames: Arrow tables without what a policy keeps here.

A frame becomes up to two tables. ``df`` has every row and the columns whose values may all leave
(level ``full``). ``df_sample`` has the sampled rows, with these columns and those of level
``sample(n)``; a column with a smaller n is empty beyond it. Columns of level ``stats`` and below
are in neither, and aggregates over them are not offered: with a filter an aggregate is a value.

The tables are copied into another process, so that nothing else can be reached by any query, error
message or flaw. Texts in them are masked before, not after: ``substr`` would take an address apart
and past any detector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.errors import SandboxError

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa

__all__ = ["SqlTable", "arrow", "sql_tables", "time_zone"]

MOST = 1 << 30  # bytes of one frame
_CHECKED = 5_000_000  # characters of different texts a frame that are masked; some 5 s
_CHUNK = 50_000  # characters that are checked at once
_LEVEL = re.compile(r"(none|schema|stats|sample|full)(?:\((\d+)\))?")
_ROWS = 5  # of ``sample`` without a number

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table by its `name` in SQL: these `columns` of `frame`, with the rows of each.

    None is every row. `sample` says that the table holds a sample only.
    """

    name: str
    frame: Any
    columns: Mapping[str, int | None]

    @property
    def sample(self) -> int | None:
        """How many rows it has at most; None is all of them."""
        counts = [rows for rows in self.columns.values() if rows is not None]
        return max(counts) if counts else None


def sql_tables(
    frames: Mapping[str, Any], levels: Mapping[str, Mapping[str, str]]
) -> tuple[SqlTable, ...]:
    """The tables of `frames`. `levels` has ``none`` to ``full`` by frame and column.

    A column that has no level there is left out.
    """
    tables: list[SqlTable] = []
    for name, frame in frames.items():
        rows = {column: _rows(level) for column, level in levels.get(name, {}).items()}
        whole = {column: None for column, count in rows.items() if count == _ALL}
        sampled = [count for count in rows.values() if count not in (0, _ALL)]
        if whole:
            tables.append(SqlTable(name, frame, whole))
        if sampled:
            most = max(sampled)
            part = {
                column: most if count == _ALL else count for column, count in rows.items() if count
            }
            tables.append(SqlTable(_free(f"{name}_sample", frames), frame, part))
    return tuple(tables)


_ALL = -1


def _rows(level: str) -> int:
    """Rows whose values may leave under `level`; `_ALL` for every one."""
    match = _LEVEL.fullmatch(level.strip().lower())
    if match is None:
        return 0
    return {"full": _ALL, "sample": int(match[2] or _ROWS)}.get(match[1], 0)


def _free(name: str, taken: Iterable[str]) -> str:
    folded = {other.casefold() for other in taken}  # as SQL compares names
    while name.casefold() in folded:
        name += "_"
    return name


def arrow(table: SqlTable, mask: Mask | None = None) -> pa.Table:
    """The rows and columns of `table`. Texts go through `mask`.

    Raises `SandboxError` for a frame of over a gigabyte, and for one that cannot be read.
    """
    import pyarrow as pa

    frame = _opened(table.frame)
    columns = [name for name in table.columns if name in frame.collect_schema().names()]
    try:
        eager = _eager(table, frame.select(*columns))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SandboxError(f"{table.name} cannot be read: {error}") from error
    masked = _Masker(mask)
    arrays = {}
    for name in columns:
        array = masked(_plain(_array(eager, name)))
        limit = table.columns[name]
        if limit is not None and limit < len(array):
            head = array.slice(0, limit)
            rest = pa.nulls(len(array) - limit, array.type)
            array = pa.chunked_array([*head.chunks, rest], array.type)
        arrays[name] = array
    return pa.table(arrays)


def time_zone(tables: Iterable[pa.Table]) -> str:
    """The zone that all time stamps with a zone share; UTC where they do not."""
    zones = {getattr(field.type, "tz", None) for table in tables for field in table.schema}
    zones.discard(None)
    return str(zones.pop()) if len(zones) == 1 else "UTC"


# Reading


def _opened(value: Any) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    import narwhals as nw

    try:
        frame = nw.from_native(value, allow_series=True)
    except TypeError as error:
        raise SandboxError(f"A {type(value).__name__} is no frame that SQL can read.") from error
    return frame.to_frame() if isinstance(frame, nw.Series) else frame


def _eager(table: SqlTable, frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    import narwhals as nw

    if table.sample is not None:
        frame = frame.head(table.sample)
        return frame.collect("pyarrow") if isinstance(frame, nw.LazyFrame) else frame
    if isinstance(frame, nw.LazyFrame):
        count = int(frame.select(nw.len()).collect("pyarrow").item())
        _check_size(table, count, frame.head(1_000).collect("pyarrow").to_arrow())
        return frame.collect("pyarrow")
    head = frame.head(1_000)
    heads = pa_table({name: _plain(_array(head, name)) for name in frame.columns})
    _check_size(table, len(frame), heads)
    return frame


def pa_table(arrays: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table(dict(arrays))


def _check_size(table: SqlTable, rows: int, head: pa.Table) -> None:
    size = head.nbytes / max(1, head.num_rows) * rows
    if size > MOST:
        raise SandboxError(
            f"{table.name} is about {size / (1 << 30):.1f} GB; SQL takes frames up to 1 GB.",
            "Attach a selection of its rows or columns.",
        )


def _array(frame: nw.DataFrame[Any], name: str) -> pa.ChunkedArray:
    """One column. What Arrow has no type for (mixed objects, periods) comes as text."""
    import narwhals as nw
    import pyarrow as pa

    column = frame.get_column(name)
    try:
        array = column.to_arrow()
        if getattr(array.type, "extension_name", "") == "pandas.period":  # a bare number to others
            array = column.cast(nw.String).to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        array = column.cast(nw.String).to_arrow()
    return pa.chunked_array([array]) if isinstance(array, pa.Array) else array


def _plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same in a type that DuckDB reads."""
    import pyarrow as pa

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        chunks = [chunk.storage for chunk in array.chunks]
        return _plain(pa.chunked_array(chunks, kind.storage_type))
    if pa.types.is_float16(kind):
        return array.cast(pa.float32())
    if pa.types.is_decimal256(kind):
        return array.cast(pa.float64())
    return array


# Masking


class _Masker:
    """Puts the different texts of columns through `mask`, up to `_CHECKED` characters."""

    def __init__(self, mask: Mask | None) -> None:
        self._mask = mask
        self._left = _CHECKED

    def __call__(self, array: pa.ChunkedArray) -> pa.ChunkedArray:
        import pyarrow as pa

        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.cast(kind.value_type)
        if self._mask is None or not (
            pa.types.is_string(array.type)
            or pa.types.is_large_string(array.type)
            or pa.types.is_string_view(array.type)
        ):
            return array
        coded = pa.chunked_array(array.cast(pa.large_string())).dictionary_encode()
        texts = coded.unify_dictionaries().chunk(0).dictionary.to_pylist() if len(coded) else []
        self._left -= sum(map(len, texts))
        if self._left < 0:
            return array
        changed = _changed(texts, self._mask)
        if not changed:
            return array
        return _replaced(coded, changed)


def _changed(texts: list[str], mask: Mask) -> dict[str, str]:
    """The texts that `mask` alters, with what it makes of them."""
    changed: dict[str, str] = {}
    begin = 0
    while begin < len(texts):
        end, size = begin, 0
        while end < len(texts) and (size == 0 or size < _CHUNK):
            size += len(texts[end])
            end += 1
        together = "\n".join(texts[begin:end])
        if mask(together) != together:  # else each of them passes
            for text in texts[begin:end]:
                if (masked := mask(text)) != text:
                    changed[text] = masked
        begin = end
    return changed


def _replaced(coded: Any, changed: Mapping[str, str]) -> pa.ChunkedArray:
    import pyarrow as pa

    chunks = []
    for chunk in coded.chunks:
        texts = [changed.get(text, text) for text in chunk.dictionary.to_pylist()]
        chunks.append(pa.array(texts, pa.large_string()).take(chunk.indices))
    return pa.chunked_array(chunks, pa.large_string())
