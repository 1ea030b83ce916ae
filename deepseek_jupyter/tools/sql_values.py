"""What an expression of a model's SQL may be used for, and the functions that there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from . import sql_tree as tree
from .sql_tree import kind, refuse

ROW, ARGUMENT, GROUP = "row", "argument", "group"  # where an expression is read
_GATHERED = ("reads", "sets", "tables", "tests", "factors")


@dataclass(frozen=True, slots=True)
class Value:
    """An expression as it will run.

    `out`: what it holds may leave, so it may be taken apart. `bare`: it may only be compared,
    grouped by and counted. `label`: shown, it becomes a pseudonym. `plain`: a column of a frame as
    it is, which an aggregate may read. `sets` are the sets of rows behind its aggregates: of two
    sets there are ratios and nothing else, for their difference can be one row.
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


def _table(text: str) -> dict[str, str]:
    """Names to the first word of their line."""
    lines = (line.split() for line in text.strip().splitlines())
    return {name: first for first, *names in lines for name in names}


# The types of arguments (n number, m number of a result, t text, d time, b bool, l written out,
# ? like the first; those after the dot may be missing) and of what comes of them.
SCALARS = _table("""
    n>n abs floor ceil ceiling sign trunc
    m>n sqrt ln log log2 log10
    n.l>n round
    ?.????>? coalesce ifnull nullif greatest least
    t>t lower upper trim ltrim rtrim
    t>n length len strlen
    tl>t left right
    tl.l>t substr substring regexp_extract
    tl>b contains starts_with ends_with prefix suffix regexp_matches
    tll>t replace
    d>n year month day quarter week hour minute dayofweek isodow weekday dayofyear epoch
    ld>n date_part datepart
    ldd>n date_diff datediff
    ld>d date_trunc datetrunc
    d>t monthname dayname
    dl>t strftime
""")
# How many columns they read, and of which types.
AGGREGATES = _table("""
    1nbtd count
    1b count_if bool_and bool_or
    1nb sum avg mean
    1n stddev stddev_samp stddev_pop variance var_samp var_pop
    2n corr covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy
    2n regr_sxx regr_syy regr_sxy
    1nd min max mode median quantile quantile_cont quantile_disc
""")
SUMS = ("sum", "avg", "mean")
QUANTILES = ("quantile", "quantile_cont", "quantile_disc")
CELLS = ("min", "max", "mode", "median", *QUANTILES)
WINDOWS = ("row_number", "rank", "dense_rank", "lag", "lead", "ntile", "percent_rank", "cume_dist")
LETTERS = {"n": "number", "m": "number", "t": "text", "d": "time", "b": "bool"}
TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT", "INT128"), "number"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL"), "number"),
    **dict.fromkeys(("TEXT", "VARCHAR"), "text"),
    **dict.fromkeys(("DATE", "TIMESTAMP"), "time"),
    "BOOLEAN": "bool",
}
ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "IntDiv": "//", "Mod": "%"}
COMPARISONS = {"EQ": "=", "NEQ": "<>", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="} | {
    "NullSafeEQ": "IS NOT DISTINCT FROM",
    "NullSafeNEQ": "IS DISTINCT FROM",
}
# Other signs: their types, as in SCALARS, and how they are written.
SIGNS = {
    "And": ("bb>b", "({} AND {})"),
    "Or": ("bb>b", "({} OR {})"),
    "Not": ("b>b", "(NOT {})"),
    "Like": ("tl>b", "({} LIKE {})"),
    "ILike": ("tl>b", "({} ILIKE {})"),
    "Neg": ("n>n", "(-{})"),
}


def makes_one_of_many(node: Any) -> bool:
    """Whether `node` makes one row of many."""
    if kind(node) in ("Union", "Except", "Intersect"):
        return bool(node.args.get("distinct"))
    if name := tree.function(node):
        return name not in WINDOWS and name not in SCALARS and kind(node.parent) != "Window"
    return kind(node) in ("Group", "Distinct", "Having", "Filter", "WithinGroup", "Pivot")


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
        refuse(f"A {value.type} is used as a {type_}.", "Compare or convert it.")
    return value


def shared(values: Iterable[Value]) -> str:
    """The one type of `values`."""
    types = {value.type for value in values} - {"null"}
    if len(types) > 1:
        refuse("The values differ in type.", "Use values of one type.")
    return types.pop() if types else "null"
