"""A model's SQL as a tree, read so that nothing in it is overlooked; what its words may mean.

The tree is sqlglot's, with a dialect that knows no function by name: functions keep the names that
DuckDB knows, and trees differ little between versions (25.20 and 30.30 are tested). DuckDB's own
``json_serialize_sql`` takes no PIVOT, passes ``query('…')`` as a text, needs a connection in this
process, and changes its nodes with DuckDB's version, which the user's environment sets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from deepseek_jupyter.errors import QueryRefusedError

MARK = "\0"  # for use in generated SQL; no query may hold it
QUERIES = ("Select", "Subquery", "Union", "Except", "Intersect")
_PLAIN = "Write a plain SELECT with WHERE, GROUP BY and HAVING."
# Tables of words; the comments in it say of what.
_WORDS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("sql_words.toml").read_text("utf-8")
)


def _by_name(table: str) -> dict[str, str]:
    """The names of a table, each with what it is listed under."""
    return {name: what for what, names in _WORDS[table].items() for name in names.split()}


_HINTS = _by_name("hints")
SCALARS, AGGREGATES, TYPES = _by_name("scalars"), _by_name("aggregates"), _by_name("types")
ARITHMETIC, COMPARISONS, SIGNS = _WORDS["arithmetic"], _WORDS["comparisons"], _WORDS["signs"]
SUMS = ("sum", "avg", "mean")
QUANTILES = ("quantile", "quantile_cont", "quantile_disc")
CELLS = ("min", "max", "mode", "median", *QUANTILES)
WINDOWS = ("row_number", "rank", "dense_rank", "lag", "lead", "ntile", "percent_rank", "cume_dist")
LETTERS = {"n": "number", "m": "number", "t": "text", "d": "time", "b": "bool"}
_FIRST = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.DOTALL)
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


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
    if name.lower() not in _WORDS["units"]:
        refuse(f"{name} is no part of a date here.", f"There are: {', '.join(_WORDS['units'])}.")
    return name.lower()


def fraction(nodes: list[Any]) -> float:
    """That of ``quantile_cont(x, 0.5)``."""
    last: Any = nodes[-1] if len(nodes) == 2 else None
    if last is None or kind(last) != "Literal" or last.is_string:
        refuse("A quantile takes a column and one fraction.", "Write quantile_cont(x, 0.5).")
    return float(number(str(last.this)))


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


# What an expression may be used for, and the functions that there are

ROW, ARGUMENT, GROUP = "row", "argument", "group"  # where an expression is read
_GATHERED = ("reads", "sets", "tables", "tests", "factors")


@dataclass(frozen=True, slots=True)
class Value:
    """An expression as it will run.

    `out`: what it holds may leave, so it may be taken apart. `bare`: it may only be compared,
    grouped by and counted. `label`: shown, it becomes a pseudonym. `plain`: a column of a frame as
    it is, which an aggregate may read. `sets` are the sets of rows behind its aggregates: of two
    sets there are ratios and nothing else: their difference can be one row.
    """

    sql: str
    type: str  # number, text, time, bool or null
    out: bool = True
    bare: bool = False
    label: bool = False
    plain: bool = False
    literal: str | None = None
    pure: bool = False  # an aggregate as it is, or times a number
    reads: frozenset[tuple[str, bool]] = frozenset()  # columns, and whether they hold NULL
    sets: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    tests: frozenset[str] = frozenset()  # conditions of CASE in an argument
    factors: frozenset[str] = frozenset()  # what is multiplied there

    @property
    def constant(self) -> bool:
        return not (self.reads or self.sets)

    def of(self, *parts: Value) -> Value:
        """The expression, made of `parts`."""
        gathered: Any = {n: frozenset().union(*(getattr(p, n) for p in parts)) for n in _GATHERED}
        return replace(self, out=all(p.out for p in parts), **gathered)


def makes_one_of_many(node: Any) -> bool:
    """Whether `node` makes one row of many."""
    if kind(node) in ("Union", "Except", "Intersect"):
        return bool(node.args.get("distinct"))
    if name := function(node):
        return name not in WINDOWS and name not in SCALARS and kind(node.parent) != "Window"
    return kind(node) in ("Group", "Distinct", "Having", "Filter", "WithinGroup", "Pivot")


def gathers(expression: Any) -> bool:
    """Whether a part of `expression`, its subqueries aside, makes one row of many."""
    return any(map(makes_one_of_many, walked(expression)))


def open_(value: Value, apart: bool = False) -> None:
    """Refuses what may only be bare; and, where it is taken `apart`, what may not leave."""
    if value.bare or (apart and not value.out):
        refuse(
            "A column whose values may not leave is taken apart.",
            "Use it bare: GROUP BY, =, <>, IN, IS NULL, JOIN, count(DISTINCT x).",
        )


def taken(value: Value, type_: str) -> Value:
    """`value`, which has to be of one type."""
    open_(value)
    if value.type not in (type_, "null"):
        spans = "Compare or convert it; a span of time is date_diff('day', a, b)."
        refuse(f"A {value.type} is used as a {type_}.", spans)
    return value


def shared(values: Iterable[Value]) -> str:
    """The one type of `values`."""
    types = {value.type for value in values} - {"null"}
    if len(types) > 1:
        refuse("The values differ in type.", "Use values of one type.")
    return types.pop() if types else "null"
