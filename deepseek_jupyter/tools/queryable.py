"""What SQL may see of the attached frames: tables without what a policy keeps here.

A frame becomes up to two tables. ``df`` has every row and the columns whose values may all leave
(level ``full``). ``df_sample`` has the rows that the frame's card may show, with these columns and
those of level ``sample(n)``; a column is empty beyond its n. Columns of level ``stats`` and below
are in neither, and aggregates over them are not offered: with a filter an aggregate is a value.

What is in the tables is all that a query, an error message or a flaw can ever show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.frames import shown_rows
from deepseek_jupyter.context.table import Column, Table, is_frame, read
from deepseek_jupyter.errors import DeepSeekError, SandboxError
from deepseek_jupyter.privacy.levels import FULL, SAMPLE, Policy

from .arrays import arrow_of, plain_array
from .masking import Masker

if TYPE_CHECKING:
    import pyarrow as pa

    from deepseek_jupyter.privacy.redaction import Gate


MOST = 1 << 30  # bytes of one frame


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column by its name in SQL, and by its place in the frame. None shows every row of it."""

    name: str
    place: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table by its `name` in SQL, made of the `frame` that the user calls `source`.

    `chosen` are places among the rows read; None is every row.
    """

    name: str
    source: str
    frame: Any
    read: Table
    columns: tuple[SqlColumn, ...]
    chosen: tuple[int, ...] | None = None


def sql_tables(
    frames: Mapping[str, Any], policies: Mapping[str, Policy], gate: Gate | None = None
) -> tuple[SqlTable, ...]:
    """The tables of `frames` under `policies`; what is no frame, or has no policy, is left out."""
    tables: list[SqlTable] = []
    for name, frame in frames.items():
        if name in policies and is_frame(frame):
            tables += _tables(name, frame, policies[name], gate, {*frames} - {name})
    return tuple(tables)


def _tables(
    name: str, frame: Any, policy: Policy, gate: Gate | None, taken: set[str]
) -> Iterable[SqlTable]:
    table = read(frame)
    levels = [policy.level(column.name) for column in table.columns]
    names = _names(table.columns, gate)
    shown = [at for at, level in enumerate(levels) if level >= SAMPLE]
    whole = tuple(SqlColumn(names[at], at) for at in shown if levels[at] == FULL)
    if whole:
        yield SqlTable(name, name, frame, table, whole)
    counts = [levels[at].rows for at in shown if levels[at] != FULL]
    if counts:
        allowed = [None if levels[at] == FULL else levels[at].rows for at in shown]
        part = tuple(
            SqlColumn(names[at], at, rows) for at, rows in zip(shown, allowed, strict=True)
        )
        chosen = tuple(shown_rows(len(table.places), allowed, policy.budget)[: max(counts)])
        yield SqlTable(_free(f"{name}_sample", taken), name, frame, table, part, chosen)


def _names(columns: Iterable[Column], gate: Gate | None) -> list[str]:
    """Names as they may leave, each once: SQL takes ``Price`` and ``price`` for one."""
    names: list[str] = []
    for column in columns:
        name = gate.text(column.name) if gate else column.name
        names.append(_free(name or "column", names))
    return names


def _free(name: str, taken: Iterable[str]) -> str:
    folded = {other.casefold() for other in taken}
    free, number = name, 1
    while free.casefold() in folded:
        number += 1
        free = f"{name}_{number}"
    return free


def fill(table: SqlTable, gate: Gate | None = None) -> pa.Table:
    """The values of `table`; what `gate` masks is masked in them.

    Raises `SandboxError` for a frame of over a gigabyte, and for one that cannot be read.
    """
    import pyarrow as pa

    mask = Masker(gate)
    try:
        arrays = _arrays(table)
    except DeepSeekError:
        raise
    except Exception as error:  # whatever the frame's library says
        raise SandboxError(
            f"{table.name} cannot be read: {type(error).__name__}: {str(error)[:300]}"
        ) from error
    filled = {}
    for column, array in zip(table.columns, arrays, strict=True):
        masked = mask(table.read.columns[column.place].name, array)
        if masked is not None:
            filled[column.name] = _limited(masked, column.rows)
    return pa.table(filled)


def _arrays(table: SqlTable) -> list[Any]:
    found = table.read
    if table.chosen is not None:
        rows = list(table.chosen)
        if not found.lazy:
            rows = [found.places[at] for at in rows]
        columns = [found.columns[column.place].series for column in table.columns]
        return [arrow_of(series[rows]) for series in columns]
    if found.lazy and not found.whole:
        return _computed(table)
    columns = [found.columns[column.place].series for column in table.columns]
    rows_in_all = found.rows or 0
    heads = sum(arrow_of(series.head(1_000)).nbytes for series in columns)
    _check_size(table, heads / max(1, min(rows_in_all, 1_000)) * rows_in_all)
    return [arrow_of(series) for series in columns]


def _computed(table: SqlTable) -> list[Any]:
    """A lazy frame's columns. Their size is guessed from the rows that were read, before."""
    import narwhals as nw

    lazy: Any = nw.from_native(table.frame)
    names = lazy.collect_schema().names()
    wanted = [names[column.place] for column in table.columns]
    count = int(lazy.select(nw.len()).collect("pyarrow").item())
    read_rows = [table.read.columns[column.place].series for column in table.columns]
    heads = sum(arrow_of(series).nbytes for series in read_rows)
    _check_size(table, heads / max(1, len(table.read.places)) * count)
    whole = lazy.select(*wanted).collect("pyarrow").to_arrow()
    return [plain_array(whole.column(name)) for name in wanted]


def _check_size(table: SqlTable, size: float) -> None:
    if size > MOST:
        raise SandboxError(
            f"{table.name} is about {size / (1 << 30):.1f} GB; SQL takes frames up to 1 GB.",
            "Attach a selection of its rows or columns.",
        )


def _limited(array: Any, rows: int | None) -> Any:
    """`array` with nothing in it after `rows`."""
    import pyarrow as pa

    if rows is None or rows >= len(array):
        return array
    rest = pa.nulls(len(array) - rows, array.type)
    return pa.chunked_array([*array.slice(0, rows).chunks, rest], array.type)


def time_zone(tables: Iterable[pa.Table]) -> str:
    """The zone that all time stamps with a zone share; UTC where they do not."""
    zones = {getattr(field.type, "tz", None) for table in tables for field in table.schema}
    zones.discard(None)
    return str(zones.pop()) if len(zones) == 1 else "UTC"
