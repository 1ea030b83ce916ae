"""A model's SQL as a tree, read so that nothing in it is overlooked.

The tree is sqlglot's, with a dialect that knows no function by name: functions keep the names that
DuckDB knows, and trees differ little between versions (25.20 and 30.30 are tested). DuckDB's own
``json_serialize_sql`` takes no PIVOT, passes ``query('…')`` as a text, needs a connection in this
process, and changes its nodes with DuckDB's version, which the user's environment sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NoReturn

from deepseek_jupyter.errors import QueryRefusedError

MARK = "\0"  # for use in generated SQL; no query may hold it
QUERIES = ("Select", "Subquery", "Union", "Except", "Intersect")
_PLAIN = "Write a plain SELECT with WHERE, GROUP BY and HAVING."
_TOTALS = "Group by the columns; ask for the totals in a second statement."
_EQUAL = "Join frames by equal columns: a JOIN b ON a.key = b.key."
_HINTS = {
    "Window": "Use GROUP BY; for a share of all, divide by (SELECT count(*) FROM …).",
    **dict.fromkeys(("qualify", "windows"), "Use GROUP BY with ORDER BY and LIMIT."),
    "sample": "Write USING SAMPLE 100 ROWS, or USING SAMPLE 10%.",
    **dict.fromkeys(("rollup", "cube", "grouping_sets", "Rollup", "Cube", "GroupingSets"), _TOTALS),
    **dict.fromkeys(("Exists", "laterals", "Lateral", "method"), _EQUAL),
    "Unnest": "Write values out, and name them: unnest([1, 2]) AS u(k).",
    "WithinGroup": "Write quantile_cont(x, 0.5).",
    **dict.fromkeys(("pivots", "Pivot"), "Group by both columns."),
    "Values": "Write the values into WHERE x IN (…), or unnest([1, 2]) AS u(k).",
    **dict.fromkeys(("Star", "except", "replace"), "Name the columns; count(*) counts rows."),
    "DPipe": "Select the parts as columns of their own.",
    "Pow": "Use x * x, stddev or corr.",
    "Interval": "Compare with a date: d >= DATE '2024-01-31'.",
    **dict.fromkeys(("Bracket", "Dot", "Lambda"), "Lists and structs cannot be read here."),
    "Order": "Order the result instead: ORDER BY avg(x).",
}
_FIRST = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.DOTALL)
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_UNITS = (
    "year", "quarter", "month", "week", "day", "hour", "minute", "second", "dow", "isodow",
    "dayofweek", "doy", "dayofyear", "epoch", "decade", "century",
)  # fmt: skip


def refuse(what: str, hint: str = _PLAIN) -> NoReturn:
    raise QueryRefusedError(what, hint)


def refuse_node(node: Any) -> NoReturn:
    what = f"{kind(node).upper()} does not run over protected data."
    raise QueryRefusedError(what, _HINTS.get(kind(node), _PLAIN))


@cache
def _dialect() -> Any:
    """DuckDB's syntax, every function by its bare name. Imports sqlglot, with the first query."""
    from sqlglot.dialects.duckdb import DuckDB

    base: Any = DuckDB.Parser
    kept = {k: v for k, v in base.FUNCTION_PARSERS.items() if k in ("CAST", "TRY_CAST", "EXTRACT")}
    changed = {"FUNCTIONS": {}, "FUNCTION_PARSERS": kept, "NO_PAREN_FUNCTIONS": {}}
    return type("PlainDuckDB", (DuckDB,), {"Parser": type("Parser", (base,), changed)})


def parsed(text: str) -> Any:
    """The one query that `text` is. Raises `QueryRefusedError` with the place of a fault."""
    import sqlglot

    if MARK in text:
        refuse("The query holds a NUL character.", "Leave it out.")
    first = _FIRST.match(text)
    word = first[1].upper() if first else "This"
    if word not in ("SELECT", "WITH", "FROM", "VALUES"):  # of others sqlglot warns on the screen
        refuse(f"{word} does not run over protected data.", _HINTS.get(word.capitalize(), _PLAIN))
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=_dialect()) if tree is not None]
    except Exception as error:  # of any kind: a parser that is led astray
        faults = getattr(error, "errors", None) or [{}]
        line, column = faults[0].get("line"), faults[0].get("col")
        refuse(f"The query cannot be read{f' at line {line}, column {column}' if line else ''}.")
    if len(trees) != 1:
        refuse(f"One statement is expected; here are {len(trees)}.", "Send them one by one.")
    if kind(trees[0]) not in QUERIES:
        refuse_node(trees[0])
    return trees[0]


def written(tree: Any) -> str:
    """`tree` as SQL, by sqlglot."""
    from sqlglot import ErrorLevel

    how = {"comments": False, "normalize_functions": False, "unsupported_level": ErrorLevel.IGNORE}
    try:
        return str(tree.sql(dialect=_dialect(), **how))
    except Exception:  # of any kind, as in reading
        refuse("The query cannot be written again.")


def kind(node: Any) -> str:
    return type(node).__name__


def function(node: Any) -> str:
    """The name of the function that `node` calls, or ''."""
    return str(node.this).casefold() if kind(node) == "Anonymous" else ""


def args(node: Any, *allowed: str) -> dict[str, Any]:
    """What `node` holds; whatever is not `allowed` is refused. Newer versions of sqlglot write an
    underscore after names that are Python's.
    """
    held = {key.rstrip("_"): value for key, value in node.args.items() if value and key[0] != "_"}
    if extra := sorted(set(held) - set(allowed)):
        what = f"{kind(node).upper()} with {', '.join(extra)} does not run over protected data."
        refuse(what, _HINTS.get(extra[0], _PLAIN))
    return held


def is_query(node: Any) -> bool:
    return kind(node) in QUERIES


def walked(node: Any) -> Iterable[Any]:
    """The parts of an expression, without those of its subqueries."""
    return node.walk(prune=is_query) if hasattr(node, "walk") else ()


def unwrapped(node: Any) -> Any:
    """`node` without the brackets around it."""
    while kind(node) == "Paren":
        node = args(node, "this")["this"]
    return node


def conjuncts(node: Any) -> list[Any]:
    """The conditions that ``AND`` joins."""
    node = unwrapped(node)
    if kind(node) != "And":
        return [node]
    return [*conjuncts(node.this), *conjuncts(node.expression)]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def number(text: str) -> str:
    """A number as DuckDB reads it: with a point a DOUBLE, for a DECIMAL could overflow."""
    if not _NUMBER.fullmatch(text):
        refuse("A number is compared with a text.", "Write the number in digits, without quotes.")
    if text.lstrip("-").isdigit() and len(text) <= 18:
        return text
    value = repr(float(text))
    if "n" in value:
        refuse("A number is too large.", "Write a smaller one.")
    return value if "e" in value else f"{value}e0"


def date(text: str) -> str:
    """A date or time as ISO 8601 writes it: another could fail where a row meets it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        refuse("A date is compared with a text.", "Write '2024-01-31' or '2024-01-31 10:15:00'.")
    return text


def unit(name: str) -> str:
    """A part of a date."""
    if name.lower() not in _UNITS:
        refuse(f"{name} is no part of a date here.", f"There are: {', '.join(_UNITS)}.")
    return name.lower()


def fraction(nodes: list[Any]) -> float:
    """That of ``quantile_cont(x, 0.5)``."""
    last: Any = nodes[-1] if len(nodes) == 2 else None
    if last is None or kind(last) != "Literal" or last.is_string:
        refuse("A quantile takes a column and one fraction.", "Write quantile_cont(x, 0.5).")
    return float(number(str(last.this)))


def sampled(node: Any) -> str:
    """A sample of so many rows, or so many of a hundred."""
    held = args(node, "method", "size", "percent", "seed")
    size: Any = held.get("size") or held.get("percent")
    if kind(size) != "Literal":
        refuse("A sample takes a number.", _HINTS["sample"])
    amount, unit = number(str(size.this)), "ROWS" if "size" in held else "PERCENT"
    return f" USING SAMPLE {amount} {unit}"


def limited(parts: Mapping[str, Any]) -> str:
    """LIMIT and OFFSET among the `parts` of a query."""
    text = ""
    for name in ("limit", "offset"):
        if name in parts:
            held: Any = args(parts[name], "expression").get("expression")
            if kind(held) != "Literal" or not re.fullmatch("[0-9]{1,18}", str(held.this)):
                refuse(f"{name.upper()} takes a number.", f"Write {name.upper()} 10.")
            text += f" {name.upper()} {int(held.this)}"
    return text
