"""The `sql` tool: one query of the model over the attached frames.

What it can reach is settled in `queryable`, what it can take in `sandbox`. The answer is the first
rows as CSV; a result that is larger stays in the notebook, under a name that the model is told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.errors import QueryError, ToolError
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .functions import Tool
from .loop import ROWS, TOKENS
from .queryable import SqlTable, fill, sql_tables, time_zone
from .sandbox import Limits, Sandbox

if TYPE_CHECKING:
    import pyarrow as pa

    from deepseek_jupyter.privacy.levels import Policy
    from deepseek_jupyter.privacy.redaction import Gate


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
        gate: Gate | None = None,
        keep: Callable[[pa.Table], str] | None = None,
        limits: Limits | None = None,
        rows: int = ROWS,
    ) -> None:
        self.tables = tables
        self._gate = gate
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
            tables = {table.name: fill(table, self._gate) for table in self.tables}
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
    gate: Gate | None = None,
    keep: Callable[[pa.Table], str] | None = None,
    limits: Limits | None = None,
    rows: int = ROWS,
    tokens: int = TOKENS,
) -> Tool:
    """The tool over `frames` by name, within `policies`; what `gate` masks, SQL sees masked.

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
    tables = sql_tables(frames, policies, gate)
    if not tables:
        what = "No column may be queried by the data policy." if frames else "No frame is attached."
        raise ToolError(f"The sql tool has no table. {what}", "Attach one: --attach df:full")
    tool = SqlTool(tables, gate=gate, keep=keep, limits=limits, rows=rows)
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
