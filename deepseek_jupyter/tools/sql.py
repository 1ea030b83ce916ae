"""Values as they may leave, before SQL sees them.

Before, and not only in results: ``substr`` would take an address apart and past any detector.

What SQL may see of the attached frames: tables without what a policy keeps here.

A frame becomes up to two tables. ``df`` has every row and the columns whose values may all leave
(level ``full``). ``df_sample`` has the rows that the frame's card may show, with these columns and
those of level ``sample(n)``; a column is empty beyond its n. Columns of level ``stats`` and below
are in neither, and aggregates over them are not offered: with a filter an aggregate is a value.

What is in the tables is all that a query, an error message or a flaw can ever show.

The `sql` tool: one query of the model over the attached frames.

What it can reach is settled in `queryable`, what it can take in `sandbox`. The answer is the first
rows as CSV; a result that is larger stays in the notebook, under a name that the model is told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.frames import levels_of, shown_rows
from deepseek_jupyter.context.table import Column, Table, is_frame, plain, read, shown
from deepseek_jupyter.errors import DeepSeekError, QueryError, SandboxError, ToolError
from deepseek_jupyter.privacy.detectors import column_kind
from deepseek_jupyter.privacy.levels import FULL, SAMPLE, Policy
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .arrow import arrow_of, plain_array
from .functions import Tool
from .loop import ROWS, TOKENS
from .sandbox import Limits, Sandbox

if TYPE_CHECKING:
    import pyarrow as pa

    from deepseek_jupyter.privacy.redaction import Redactor


_CHECKED = 5_000_000  # characters of different texts that are masked; some 5 s
_VEILED = 100_000  # different values of a column that get pseudonyms
_CHUNK = 50_000  # characters that are checked at once


class Masker:
    """Masks the columns of one table. Without a redactor they pass as they are.

    Texts beyond `_CHECKED` characters pass as they are; query results are redacted anyway.
    """

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._left = _CHECKED

    def __call__(self, name: str, array: Any) -> Any:
        """The column `name` as it may leave; None: not at all."""
        if self._redactor is None:
            return array
        veil = column_kind(name)
        if veil is not None:
            return self._veiled(veil, array)
        if not _is_text(array.type):
            return array if _is_flat(array.type) or not self._alters(array) else None
        coded, texts = _coded(array)
        self._left -= sum(map(len, texts))
        changed = _changed(texts, self._redactor.redact) if self._left >= 0 else {}
        return _replaced(coded, changed) if changed else array

    def _alters(self, array: Any) -> bool:
        """Whether there is anything to mask within lists, structs, maps or bytes."""
        assert self._redactor is not None
        texts = [str(value) for value in array.to_pylist() if value is not None]
        self._left -= sum(map(len, texts))
        return self._left < 0 or bool(_changed(texts, self._redactor.redact))

    def _veiled(self, veil: str, array: Any) -> Any:
        """Every value as its pseudonym, the one that cards show."""
        redactor = self._redactor
        assert redactor is not None
        coded, texts = _coded(_as_texts(array))
        if len(texts) > _VEILED:
            return None
        return _replaced(coded, {text: redactor.pseudonym(veil, text) for text in texts if text})


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_flat(kind: Any) -> bool:
    import pyarrow as pa

    within = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
    return not any(fits(kind) for fits in (*within, pa.types.is_fixed_size_binary))


def _as_texts(array: Any) -> Any:
    import pyarrow as pa

    if _is_text(array.type):
        return array
    values = (plain(value) for value in array.to_pylist())
    return pa.array([None if value is None else shown(value) for value in values], pa.string())


def _coded(array: Any) -> tuple[Any, list[str]]:
    """`array` by its different texts, and these."""
    import pyarrow as pa

    coded = array.cast(pa.large_string()).dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # without any chunk
        coded = pa.array([], pa.large_string()).dictionary_encode()
    return coded, [text for text in coded.dictionary.to_pylist() if text is not None]


def _replaced(coded: Any, changed: Mapping[str, str]) -> Any:
    import pyarrow as pa

    texts = [changed.get(text, text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.large_string()).take(coded.indices)])


def _changed(texts: list[str], mask: Callable[[str], str]) -> dict[str, str]:
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
            masked = ((text, mask(text)) for text in texts[begin:end])
            changed.update((text, new) for text, new in masked if new != text)
        begin = end
    return changed


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
    frames: Mapping[str, Any], policies: Mapping[str, Policy], redactor: Redactor | None = None
) -> tuple[SqlTable, ...]:
    """The tables of `frames` under `policies`; what is no frame, or has no policy, is left out."""
    tables: list[SqlTable] = []
    for name, frame in frames.items():
        if name in policies and is_frame(frame):
            tables += _tables(name, frame, policies[name], redactor, {*frames} - {name})
    return tuple(tables)


def _tables(
    name: str, frame: Any, policy: Policy, redactor: Redactor | None, taken: set[str]
) -> Iterable[SqlTable]:
    table = read(frame)
    levels = levels_of(table, frame, policy)
    names = _names(table.columns, redactor)
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


def _names(columns: Iterable[Column], redactor: Redactor | None) -> list[str]:
    """Names as they may leave, each once: SQL takes ``Price`` and ``price`` for one."""
    names: list[str] = []
    for column in columns:
        name = redactor.redact(column.name) if redactor else column.name
        names.append(_free(name or "column", names))
    return names


def _free(name: str, taken: Iterable[str]) -> str:
    folded = {other.casefold() for other in taken}
    free, number = name, 1
    while free.casefold() in folded:
        number += 1
        free = f"{name}_{number}"
    return free


def fill(table: SqlTable, redactor: Redactor | None = None) -> pa.Table:
    """The values of `table`; what `redactor` masks is masked in them.

    Raises `SandboxError` for a frame of over a gigabyte, and for one that cannot be read.
    """
    import pyarrow as pa

    mask = Masker(redactor)
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


_CELL = 300  # characters of one value
_NAMED = 60  # columns of a table that the description lists
_DESCRIPTION = (
    "Run one DuckDB SQL query over the tables below and get its first rows as CSV. Only queries: "
    "SELECT, WITH, FROM, DESCRIBE, SUMMARIZE. The tables are read-only, and there is nothing else: "
    "no files, no network, no extensions."
)
_PARAMETERS = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "One SQL query."}},
    "required": ["query"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A result. `more` says that the query has more rows than `table`; `name`, where it is kept."""

    table: pa.Table
    more: bool = False
    name: str = ""


class SqlTool:
    """The tables of one question. `keep` stores a large result (an Arrow table) in the notebook
    and returns its name; None keeps nothing.
    """

    def __init__(
        self,
        tables: tuple[SqlTable, ...],
        *,
        redactor: Redactor | None = None,
        keep: Callable[[pa.Table], str] | None = None,
        limits: Limits | None = None,
        rows: int = ROWS,
    ) -> None:
        self.tables = tables
        self._redactor = redactor
        self._keep = keep
        self._limits = limits
        self._rows = rows
        self._sandbox: Sandbox | None = None

    def __call__(self, query: str) -> QueryResult:
        """The result of `query`. Raises the errors of `Sandbox.query` and of `queryable.fill`."""
        try:
            answer = self._opened().query(query)
        except QueryError as error:
            raise type(error)(error.what, self._advice(error)) from None
        name = ""
        if self._keep is not None and (answer.more or answer.table.num_rows > self._rows):
            name = self._keep(answer.table)
        return QueryResult(answer.table, answer.more, name)

    def close(self) -> None:
        """End the process that holds the tables, if there is one."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    @property
    def description(self) -> str:
        """What the model reads about the tables."""
        lines = [_DESCRIPTION, "", *(_line(table) for table in self.tables)]
        return "\n".join(lines)

    def _opened(self) -> Sandbox:
        if self._sandbox is None:
            tables = {table.name: fill(table, self._redactor) for table in self.tables}
            self._sandbox = Sandbox(tables, self._limits, time_zone(tables.values()))
        return self._sandbox

    def _advice(self, error: QueryError) -> str:
        """What the model should know beside DuckDB's words."""
        if type(error) is not QueryError:
            return error.hint
        names = ", ".join(_quoted(table.name) for table in self.tables)
        return f"The tables are {names}, without what the user's data policy keeps back."


def sql_tool(
    frames: Mapping[str, Any],
    policies: Mapping[str, Policy],
    *,
    redactor: Redactor | None = None,
    keep: Callable[[pa.Table], str] | None = None,
    limits: Limits | None = None,
    rows: int = ROWS,
    tokens: int = TOKENS,
) -> Tool:
    """The tool over `frames` by name, within `policies`; what `redactor` masks, SQL sees masked.

    The model reads up to `rows` rows within `tokens`; `keep` stores a larger result in the notebook
    and returns its name.
    Raises `ToolError` when DuckDB is not installed, or when no frame has a column that may be
    queried.
    """
    missing = [name for name in ("duckdb", "pyarrow", "narwhals") if find_spec(name) is None]
    if missing:
        raise ToolError(
            f"The sql tool needs {' and '.join(missing)}.", "pip install 'deepseek-jupyter[sql]'"
        )
    tables = sql_tables(frames, policies, redactor)
    if not tables:
        what = "No column may be queried by the data policy." if frames else "No frame is attached."
        raise ToolError(f"The sql tool has no table. {what}", "Attach one: --attach df:full")
    tool = SqlTool(tables, redactor=redactor, keep=keep, limits=limits, rows=rows)
    return Tool(
        name="sql",
        description=tool.description,
        parameters_schema=_PARAMETERS,
        call=tool,
        consent="never needed",
        text=lambda result: told(result, rows, tokens),
        preview=lambda arguments: str(arguments.get("query", "")),
        on_caller_thread=False,
        masked=True,
        close=tool.close,
        notice=_notice(tables),
    )


def told(result: QueryResult, rows: int = ROWS, tokens: int = TOKENS) -> str:
    """A result as the model reads it: CSV, and how much of it that is."""
    table = result.table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    shown, used = 0, estimate_tokens(text.getvalue())
    for row in _rows(table.slice(0, rows)):
        begin = text.tell()
        writer.writerow(row)
        used += estimate_tokens(text.getvalue()[begin:])
        if used > tokens and shown:
            text.truncate(begin)
            break
        shown += 1
    return text.getvalue() + _ending(result, shown)


def _ending(result: QueryResult, shown: int) -> str:
    count = result.table.num_rows
    if count == 0:
        return "(no rows)"
    if shown == count and not result.more:
        return f"({count} {'row' if count == 1 else 'rows'})"
    total = f"more than {count:,}" if result.more else f"{count:,}"
    kept = f"; the notebook keeps {'these' if result.more else 'all'} as {result.name}"
    return f"(the first {shown} of {total} rows{kept if result.name else ''})"


def _rows(table: pa.Table) -> list[list[str]]:
    columns = [[_cell(value) for value in column] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(scalar: Any) -> str:
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError, KeyError):  # a date before the year 1, an unknown zone
        return "(not shown)"
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.10g}"
    text = _interval(value) if hasattr(value, "nanoseconds") else str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _interval(value: Any) -> str:
    """Months, days and nanoseconds as DuckDB writes them."""
    parts = [f"{value.months} months"] if value.months else []
    parts += [f"{value.days} days"] if value.days else []
    seconds, rest = divmod(value.nanoseconds, 1_000_000_000)
    if seconds or rest or not parts:
        parts.append(str(timedelta(seconds=seconds, microseconds=rest // 1_000)))
    return " ".join(parts)


def _notice(tables: tuple[SqlTable, ...]) -> str:
    """What the user should know when SQL has only samples of some frames."""
    whole = {id(table.frame) for table in tables if table.chosen is None}
    samples = [t for t in tables if t.chosen is not None and id(t.frame) not in whole]
    if not samples:
        return ""
    names = ", ".join(table.source for table in samples)
    return f"SQL sees only sample rows of {names}; attach with :full to let it query all rows."


def _line(table: SqlTable) -> str:
    names = [_quoted(column.name) for column in table.columns]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    columns = ", ".join(names[:_NAMED]) + more
    if table.chosen is None:
        return f"{_quoted(table.name)}: {columns}"
    return (
        f"{_quoted(table.name)} (only {len(table.chosen)} sample rows, by the user's data policy: "
        f"no basis for totals; the user can attach the frame with the level full): {columns}"
    )


def _quoted(name: str) -> str:
    """`name` as SQL needs it."""
    if name.isidentifier() and name.isascii() and name.islower():
        return name
    return '"' + name.replace('"', '""') + '"'
