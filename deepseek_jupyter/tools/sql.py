"""The `sql` tool: one query of the model over the attached frames, under their own names.

What a query may ask is settled in `aggregates`, what it may take in `sandbox`. A frame has up to
three tables, each in a process of its own, by the scope of a query. ``all``: every row of the
columns from `stats` up, only for what the aggregate gate has written; texts below `sample` are
pseudonyms. ``sample``: the rows that the frame's card may show, of the columns from `sample(n)` up;
a column is empty beyond its n. ``full``: every row of the columns at `full`. What is in the last
two is all that a query, an error message or a flaw can show.

Values are redacted before SQL sees them, and not only in results: ``substr`` would take an address
apart and past any detector. The answer is the first rows as CSV; a result that is larger stays in
the notebook, under a name that the model reads.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from importlib.util import find_spec
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.frames import levels_of, shown_rows
from deepseek_jupyter.context.table import Column, Table, is_frame, plain, read, shown
from deepseek_jupyter.errors import (
    DeepSeekError,
    QueryError,
    QueryRefusedError,
    SandboxError,
    ToolError,
    shortened,
)
from deepseek_jupyter.privacy.detectors import column_kind, find
from deepseek_jupyter.privacy.levels import FULL, SAMPLE, STATS, Policy, plain_name
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .aggregates import Query, check
from .arrow import arrow_of, plain_array
from .functions import Tool
from .loop import ROWS, TOKENS
from .sandbox import Limits, QueryResult, Sandbox
from .sql_select import LEAST, GatedColumn, GatedFrame, Type

if TYPE_CHECKING:
    import pyarrow as pa


_CHECKED = 5_000_000  # characters of different texts that are masked; some 5 s
_VEILED = 100_000  # different values of a column that get pseudonyms
_CHUNK = 500  # texts that are checked at once


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
        if veil is not None and str(array.type) != "bool":
            return self.veiled(veil, array)
        if _family(array.type) != "text":
            return None if self._alters(array) else array
        coded, texts = _coded(array)
        self._left -= sum(map(len, texts))
        changed = _changed(texts, self._redactor.redact_value) if self._left >= 0 else {}
        return _replaced(coded, changed) if changed else array

    def _alters(self, array: Any) -> bool:
        """Whether there is anything to mask within lists, structs, maps or bytes, or numbers."""
        assert self._redactor is not None
        if (family := _family(array.type)) != "nested":
            numbers = array.unique().to_pylist() if family == "number" else ()
            return _like_cards(numbers, self._redactor.detectors)
        texts = [str(value) for value in array.to_pylist() if value is not None]
        self._left -= sum(map(len, texts))
        return self._left < 0 or bool(_changed(texts, self._redactor.redact))

    def veiled(self, veil: str, array: Any) -> Any:
        """Every value as its pseudonym; without a redactor, one that cannot be put back."""
        redactor = self._redactor or Redactor(())
        coded, texts = _coded(array)
        if len(texts) > _VEILED:
            return None
        return _replaced(coded, {text: redactor.pseudonym(veil, text) for text in texts if text})


def _family(kind: Any) -> str:
    """What an Arrow type is of: text, number, nested (also bytes), or "" for others."""
    from pyarrow import types

    families = {
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "nested": (types.is_nested, types.is_binary, types.is_large_binary),
    }
    found = (name for name, tests in families.items() if any(test(kind) for test in tests))
    return "nested" if types.is_fixed_size_binary(kind) else next(found, "")


def _coded(array: Any) -> tuple[Any, list[str]]:
    """A chunked `array` by its different values as texts, and these."""
    import pyarrow as pa

    if _family(array.type) != "text":
        values = map(plain, array.to_pylist())
        texts = [None if value is None else shown(value) for value in values]
        array = pa.chunked_array([pa.array(texts, pa.string())])
    coded = array.cast(pa.large_string()).combine_chunks().dictionary_encode()
    return coded, [text for text in coded.dictionary.to_pylist() if text is not None]


def _replaced(coded: Any, changed: Mapping[str, str]) -> Any:
    import pyarrow as pa

    texts = [changed.get(text, text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.large_string()).take(coded.indices)])


def _changed(texts: list[str], mask: Callable[[str], str]) -> dict[str, str]:
    """The texts that `mask` alters, with what it makes of them."""
    changed: dict[str, str] = {}
    for begin in range(0, len(texts), _CHUNK):
        chunk = texts[begin : begin + _CHUNK]
        together = "\n".join(chunk)
        if mask(together) != together:  # else each of them passes
            changed.update((text, new) for text in chunk if (new := mask(text)) != text)
    return changed


MOST = 1 << 30  # bytes of a frame that is copied without asking


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column by its name in SQL, and by its place in the frame. `rows` of it may be shown, None
    means every one. `known` is what the aggregate gate needs to know; None keeps it out of there.
    """

    name: str
    place: int
    rows: int | None
    known: GatedColumn | None


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A frame by its `name` in SQL. `chosen` are the places, among the rows read, of those that
    its card may show.
    """

    name: str
    frame: Any
    read: Table
    columns: tuple[SqlColumn, ...]
    chosen: tuple[int, ...]
    unit: str = ""

    @property
    def known(self) -> GatedFrame:
        """The frame as the aggregate gate knows it."""
        columns = {column.name: column.known for column in self.columns if column.known}
        return GatedFrame(self.name, columns, self.read.rows, len(self.chosen), self.unit)

    @property
    def size(self) -> float | None:
        """About how many bytes a copy of all its rows has; None of a lazy frame."""
        if self.read.lazy and not self.read.whole:
            return None
        rows = self.read.rows or 0
        heads = (self.read.columns[column.place].series.head(1_000) for column in self.columns)
        read_bytes = int(sum(arrow_of(head).nbytes for head in heads))
        return read_bytes / max(1, min(rows, 1_000)) * rows

    @property
    def large(self) -> bool:
        """Whether a copy of it needs the user's yes."""
        size = self.size
        return size is None or size > MOST

    @property
    def free(self) -> bool:
        return all(column.rows is None for column in self.columns)

    def within(self, scope: str) -> tuple[SqlColumn, ...]:
        """Its columns in the table of one scope."""
        if scope == "all":
            return tuple(c for c in self.columns if c.known or c.name == self.unit)
        if scope == "full":
            return tuple(column for column in self.columns if column.rows is None)
        return tuple(column for column in self.columns if column.rows != 0)


def sql_tables(
    frames: Mapping[str, Any],
    policies: Mapping[str, Policy],
    redactor: Redactor | None = None,
    units: Mapping[str, str] | None = None,
) -> tuple[SqlTable, ...]:
    """The tables of `frames` under `policies`; what is no frame, or has no policy, is left out,
    and so is a frame that has no column at `stats`, or lacks the column that counts its `units`.
    """
    wanted = {name: frame for name, frame in frames.items() if name in policies and is_frame(frame)}
    made = []
    for name, frame in wanted.items():
        unit = (units or {}).get(name, "")
        table = _table(name, frame, policies[name], redactor, unit)
        if any(c.known or c.rows != 0 for c in table.columns) and bool(unit) == bool(table.unit):
            made.append(table)
    return tuple(made)


def _table(name: str, frame: Any, policy: Policy, redactor: Redactor | None, unit: str) -> SqlTable:
    table = read(frame)
    levels = levels_of(table, frame, policy)
    names = _names(table.columns, redactor)
    columns, counted = [], ""
    for at, column in enumerate(table.columns):
        level = levels[at]
        if unit and plain_name(column.name) == plain_name(unit):
            counted = names[at]
            if level < STATS:
                columns.append(SqlColumn(counted, at, 0, None))
        if level < STATS:
            continue
        rows = None if level == FULL else level.rows if level >= SAMPLE else 0
        type_ = _type(column.type) or ("text" if level == FULL else None)
        named = column_kind(column.name) is not None and column.type != "bool"
        masked = redactor is not None and (named or _like_cards(column.values, redactor.detectors))
        nulls = column.missing > 0 or (table.lazy and not table.whole)
        known = GatedColumn(level, type_, masked, nulls) if type_ else None
        if known or rows != 0:
            columns.append(SqlColumn(names[at], at, rows, known))
    allowed = [column.rows for column in columns if column.rows != 0]
    counts = [len(table.places) if rows is None else rows for rows in allowed]
    chosen = tuple(shown_rows(len(table.places), allowed, policy.budget)[: max(counts, default=0)])
    return SqlTable(name, frame, table, tuple(columns), chosen, counted)


def _like_cards(values: Iterable[Any], detectors: Iterable[str]) -> bool:
    """Whether there are numbers of cards, which arithmetic would take apart, among these."""
    numbers: Any = (v for v in values if isinstance(v, int | float | Decimal))
    long = (str(int(v)) for v in numbers if 1e11 < abs(v) < 1e20)
    return any(find(text, detectors) for text in long)


def _type(name: str) -> Type | None:
    """A column's type as the aggregate gate tells them apart; None for those it does not read."""
    if name in ("int", "float", "decimal"):
        return "number"
    if name == "bool":
        return "bool"
    if name.startswith("date"):
        return "time"
    if name in ("text", "category", "object") or name.startswith("mixed"):
        return "text"
    return None


def _names(columns: Iterable[Column], redactor: Redactor | None) -> list[str]:
    """Names as they may leave, each once: SQL takes ``Price`` and ``price`` for one."""
    names: dict[str, str] = {}
    for column in columns:
        name = (redactor.redact(column.name) if redactor else column.name) or "column"
        numbered = (f"{name}_{number}" for number in count(2))
        free = next(one for one in chain([name], numbered) if one.casefold() not in names)
        names[free.casefold()] = free
    return [*names.values()]


def fill(table: SqlTable, scope: str, redactor: Redactor | None = None) -> pa.Table:
    """The values of `table` in one scope; what `redactor` masks is masked in them.

    Raises `SandboxError` for a frame that cannot be read.
    """
    import pyarrow as pa

    mask, columns = Masker(redactor), table.within(scope)
    try:
        arrays = _arrays(table, scope, columns)
    except DeepSeekError:
        raise
    except Exception as error:  # whatever the frame's library says
        raise SandboxError(
            f"{table.name} cannot be read: {type(error).__name__}: {str(error)[:300]}"
        ) from error
    filled = {}
    for column, array in zip(columns, arrays, strict=True):
        name = table.read.columns[column.place].name
        known = column.known
        hidden = known is None or (known.type == "text" and column.rows == 0)
        if (known and known.masked and redactor is not None) or (scope == "all" and hidden):
            masked = mask.veiled(column_kind(name) or "value", array)
        else:
            masked = mask(name, array)
        if masked is None and scope == "all":  # texts that say which values are equal, and no more
            coded, texts = _coded(array)
            numbered = {text: f"(text {n})" for n, text in enumerate(texts, start=1)}
            masked = _replaced(coded, numbered)
        if known and masked is not None and masked.null_count and not known.nulls:
            raise SandboxError(f"{table.name} has changed.", "Attach it again.")
        if masked is not None:
            filled[column.name] = _limited(masked, column.rows if scope == "sample" else None)
    return pa.table(filled)


def _arrays(table: SqlTable, scope: str, columns: Iterable[SqlColumn]) -> list[Any]:
    found = table.read
    series = [found.columns[column.place].series for column in columns]
    if scope == "sample":
        rows = list(table.chosen)
        if not found.lazy:
            rows = [found.places[at] for at in rows]
        return [arrow_of(one[rows]) for one in series]
    if found.lazy and not found.whole:
        import narwhals as nw

        lazy: Any = nw.from_native(table.frame)
        names = lazy.collect_schema().names()
        wanted = [names[column.place] for column in columns]
        whole = lazy.select(*wanted).collect("pyarrow").to_arrow()
        return [plain_array(whole.column(name)) for name in wanted]
    return [arrow_of(one) for one in series]


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
_LONGEST = 20_000  # characters of a query
_DESCRIPTION = (
    "Run one DuckDB SQL query over the tables below and get its first rows as CSV. Only queries: "
    "SELECT, WITH, FROM, DESCRIBE, SUMMARIZE. The tables are read-only, and there is nothing else: "
    "no files, no network, no extensions."
)
_RULES = (
    "Where a table says so, every row of a result is an aggregate over all rows: count, "
    "count(DISTINCT x), sum, avg, stddev, variance, corr, regr_*, bool_and, bool_or; and min, max, "
    "median, quantile_cont where values may be shown. They read columns and arithmetic; conditions "
    "stand in WHERE, FILTER and CASE; frames join by equal columns. Groups of fewer than {} rows "
    "are left out. A query without any aggregate reads the sample rows alone."
)
_PARAMETERS = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "One SQL query."}},
    "required": ["query"],
    "additionalProperties": False,
}


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
        least: int = LEAST,
    ) -> None:
        self.tables = tables
        self.least = least
        self._redactor = redactor
        self._keep = keep
        self._limits = limits
        self._rows = rows
        self._sandboxes: dict[str, Sandbox] = {}
        self._opening = threading.Lock()  # the calls of one round run side by side

    def __call__(self, query: str) -> QueryResult:
        """The result of `query`. Raises the errors of `check`, `Sandbox.query` and `fill`."""
        checked = self.checked(query)
        quiet = checked.scope == "all"
        try:
            sandbox = self._opened(checked.scope)
            answer = sandbox.query(checked.sql, quiet)
        except QueryError as error:
            raise type(error)(error.what, self._advice(error)) from None
        notes, table = list(checked.notes), answer.table
        if checked.left_out:
            count = sandbox.query(checked.left_out, quiet).table.column(0)[0].as_py()
            notes += [f"{count:,} groups are left out."] if count else []
        for at in checked.labels:
            masked = Masker(self._redactor).veiled("value", table.column(at))
            table = table.set_column(at, table.column_names[at], masked)
        name = ""
        if self._keep is not None and (answer.more or table.num_rows > self._rows):
            name = self._keep(table)
        return replace(answer, table=table, name=name, notes=tuple(notes))

    def checked(self, query: str) -> Query:
        """What runs for `query`, and over which rows."""
        if len(query) > _LONGEST:
            raise QueryRefusedError(
                f"The query has {len(query)} characters; {_LONGEST} are allowed."
            )
        restore = self._redactor.restore if self._redactor else str
        return check(query, [table.known for table in self.tables], self.least, restore)

    def preview(self, query: str) -> str:
        """`query` for the user's eyes, after the rows that it reads."""
        try:
            notes = self.checked(query).notes
        except QueryError:
            notes = ()
        copied = [f"Copies all of {t.name} first{_size(t.size)}." for t in self.tables if t.large]
        return "\n".join([*(f"-- {note}" for note in (*copied, *notes)), query])

    def close(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()
        self._sandboxes.clear()

    @property
    def description(self) -> str:
        lines = [_DESCRIPTION, "", *(_line(table) for table in self.tables)]
        if not all(table.free for table in self.tables):
            lines.insert(1, _RULES.format(self.least))
        return "\n".join(lines)

    def _opened(self, scope: str) -> Sandbox:
        """The process of one scope. The tables are copied with its first query."""
        with self._opening:
            if scope not in self._sandboxes:
                filled = {}
                for table in self.tables:
                    inner = "full" if table.free and scope == "sample" else scope
                    if table.within(inner):
                        filled[table.name] = fill(table, inner, self._redactor)
                self._sandboxes[scope] = Sandbox(filled, self._limits, time_zone(filled.values()))
            return self._sandboxes[scope]

    def _advice(self, error: QueryError) -> str:
        """What the model should know in addition to DuckDB's words."""
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
    least: int = LEAST,
    units: Mapping[str, str] | None = None,
) -> Tool:
    """The tool over `frames` by name, within `policies`; what `redactor` masks, SQL sees masked.
    Groups of fewer than `least` rows, or of a column's different values (`units` by frame), are
    left out. A frame that is large, or lazy, is read whole only after the user's yes.

    The model reads up to `rows` rows within `tokens`; `keep` stores a larger result in the notebook
    and returns its name.
    Raises `ToolError` when DuckDB is not installed, or when no frame has a column that may be
    queried.
    """
    missing = [
        name for name in ("duckdb", "pyarrow", "narwhals", "sqlglot") if find_spec(name) is None
    ]
    if missing:
        raise ToolError(
            f"The sql tool needs {' and '.join(missing)}.", "pip install 'deepseek-jupyter[sql]'"
        )
    tables = sql_tables(frames, policies, redactor, units)
    if not tables:
        what = "The data policy lets no column be queried." if frames else "No frame is attached."
        raise ToolError(f"The sql tool has no table. {what}", "Attach one: --attach df:full")
    tool = SqlTool(tables, redactor=redactor, keep=keep, limits=limits, rows=rows, least=least)
    return Tool(
        name="sql",
        description=tool.description,
        parameters_schema=_PARAMETERS,
        call=tool,
        consent="ask" if any(table.large for table in tables) else "never needed",
        text=lambda result: told(result, rows, tokens),
        cut=lambda result: left_out(result, rows, tokens),
        preview=lambda arguments: tool.preview(str(arguments.get("query", ""))),
        on_caller_thread=False,
        masked=True,
        close=tool.close,
        facts=lambda result: {"rows": result.table.num_rows, "more": result.more},
    )


def told(result: QueryResult, rows: int = ROWS, tokens: int = TOKENS) -> str:
    """A result as the model reads it: CSV, and how much of it that is."""
    text, shown, _ = _written(result, rows, tokens)
    return "\n".join([text + _ending(result, shown), *result.notes])


def left_out(result: QueryResult, rows: int = ROWS, tokens: int = TOKENS) -> str:
    """How much of a result `told` tells, in words; "" for all."""
    _, shown, long = _written(result, rows, tokens)
    every = f"{'more than ' if result.more else ''}{result.table.num_rows:,}"
    less = result.more or shown < result.table.num_rows
    said = (
        f"{shown} of {every} rows" if less else "",
        f"{_CELL} characters of each cell" if long else "",
    )
    return "; ".join(filter(None, said))


def _written(result: QueryResult, rows: int, tokens: int) -> tuple[str, int, bool]:
    """A result as CSV, how many rows that are, and whether a cell of them is cut."""
    table = result.table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    shown, used, long = 0, estimate_tokens(text.getvalue()), False
    columns = ([_cell(value) for value in column] for column in table.slice(0, rows).columns)
    for row in zip(*columns, strict=True):
        begin = text.tell()
        writer.writerow(row)
        used += estimate_tokens(text.getvalue()[begin:])
        if used > tokens and shown:
            text.truncate(begin)
            break
        shown, long = shown + 1, long or any(len(cell) > _CELL for cell in row)
    return text.getvalue(), shown, long


def _ending(result: QueryResult, shown: int) -> str:
    count = result.table.num_rows
    if count == 0:
        return "(no rows)"
    if shown == count and not result.more:
        return f"({count} {'row' if count == 1 else 'rows'})"
    total = f"more than {count:,}" if result.more else f"{count:,}"
    kept = f"; the notebook keeps {'these' if result.more else 'all'} as {result.name}"
    return f"(the first {shown} of {total} rows{kept if result.name else ''})"


def _cell(scalar: Any) -> str:
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError, KeyError):  # a date before the year 1, an unknown zone
        return "(not shown)"
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.10g}"
    if hasattr(value, "nanoseconds"):
        span = timedelta(days=value.days, microseconds=value.nanoseconds // 1_000)
        value = f"{value.months} months, {span}" if value.months else span
    return shortened(str(value), _CELL)


def _line(table: SqlTable) -> str:
    shown = _listed(c.name for c in table.columns if c.rows != 0)
    if table.free:
        return f"{_quoted(table.name)}: {shown}"
    below = _listed(c.name for c in table.columns if c.rows == 0)
    size = "aggregates over all rows, and sample rows"
    texts = [shown, f"in aggregates alone: {below}" if below else ""]
    return f"{_quoted(table.name)} ({size}): {'; '.join(filter(None, texts))}"


def _listed(names: Iterable[str]) -> str:
    quoted = [_quoted(name) for name in names]
    more = f" and {len(quoted) - _NAMED} more" if len(quoted) > _NAMED else ""
    return ", ".join(quoted[:_NAMED]) + more


def _size(size: float | None) -> str:
    return f", about {size / (1 << 30):.1f} GB" if size is not None else "; its size is not known"


def _quoted(name: str) -> str:
    """`name` as SQL needs it."""
    if name.isidentifier() and name.isascii() and name.islower():
        return name
    return '"' + name.replace('"', '""') + '"'
