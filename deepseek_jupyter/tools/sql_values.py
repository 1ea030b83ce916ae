"""Expressions of a model's SQL: what each may be used for, and how it will run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deepseek_jupyter.errors import QueryRefusedError

from . import sql_tree as tree
from .sql_tree import args, kind, refuse, refuse_node

ROW, ARGUMENT, GROUP = "row", "argument", "group"  # where an expression stands


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
    degree: int = 0  # columns that are multiplied
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
        return replace(
            self,
            out=all(part.out for part in parts),
            degree=max((part.degree for part in parts), default=0),
            reads=frozenset().union(*(part.reads for part in parts)),
            sets=frozenset().union(*(part.sets for part in parts)),
            tables=frozenset().union(*(part.tables for part in parts)),
            tests=frozenset().union(*(part.tests for part in parts)),
            factors=frozenset().union(*(part.factors for part in parts)),
        )


# Functions by name: the types of their arguments (n number, m number of a result, t text, d time,
# l written out, ? like the first; after the dot they may be missing) and of what they give.
SCALARS = {
    **dict.fromkeys(("abs", "floor", "ceil", "ceiling", "sign", "trunc"), "n>n"),
    **dict.fromkeys(("sqrt", "ln", "log", "log2", "log10"), "m>n"),
    "round": "n.l>n",
    **dict.fromkeys(("coalesce", "ifnull", "nullif", "greatest", "least"), "?.????>?"),
    **dict.fromkeys(("lower", "upper", "trim", "ltrim", "rtrim"), "t>t"),
    **dict.fromkeys(("length", "len", "strlen"), "t>n"),
    **dict.fromkeys(("left", "right"), "tl>t"),
    **dict.fromkeys(("substr", "substring"), "tl.l>t"),
    **dict.fromkeys(("contains", "starts_with", "ends_with", "prefix", "suffix"), "tl>b"),
    "regexp_matches": "tl>b",
    "regexp_extract": "tl.l>t",
    "replace": "tll>t",
    **dict.fromkeys(("year", "month", "day", "quarter", "week", "hour", "minute"), "d>n"),
    **dict.fromkeys(("dayofweek", "isodow", "weekday", "dayofyear", "epoch"), "d>n"),
    **dict.fromkeys(("date_part", "datepart"), "ld>n"),
    **dict.fromkeys(("date_diff", "datediff"), "ldd>n"),
    **dict.fromkeys(("date_trunc", "datetrunc"), "ld>d"),
    **dict.fromkeys(("monthname", "dayname"), "d>t"),
    "strftime": "dl>t",
}
WINDOWS = ("row_number", "rank", "dense_rank", "lag", "lead", "ntile", "percent_rank", "cume_dist")
_LETTERS = {"n": "number", "m": "number", "t": "text", "d": "time", "b": "bool"}
_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT", "INT128"), "number"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL"), "number"),
    **dict.fromkeys(("TEXT", "VARCHAR"), "text"),
    **dict.fromkeys(("DATE", "TIMESTAMP"), "time"),
    "BOOLEAN": "bool",
}
_OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "IntDiv": "//", "Mod": "%"}
_COMPARISONS = {
    "EQ": "=",
    "NEQ": "<>",
    "GT": ">",
    "GTE": ">=",
    "LT": "<",
    "LTE": "<=",
    "NullSafeEQ": "IS NOT DISTINCT FROM",
    "NullSafeNEQ": "IS DISTINCT FROM",
}


class Expressions:
    """The expressions of one SELECT. In its aggregates' arguments stand columns as they are, sums,
    products of two, and CASE; in its rows whatever cannot fail on one of them.
    """

    keys: dict[str, Value]

    @property
    def protected(self) -> bool:
        """Whether it reads rows that may not leave."""
        raise NotImplementedError

    def column(self, name: str, table: str) -> Value:
        raise NotImplementedError

    def named(self, node: Any) -> Any | None:
        """What a name of the SELECT list stands for."""
        raise NotImplementedError

    def subquery(self, node: Any, place: str) -> Value:
        raise NotImplementedError

    def aggregate(self, node: Any, place: str, condition: str = "") -> Value:
        raise NotImplementedError

    def restore(self, text: str) -> str:
        raise NotImplementedError

    def spend(self) -> None:
        raise NotImplementedError

    def value(self, node: Any, place: str) -> Value:
        """`node` as it will run in `place`."""
        self.spend()
        if place == GROUP and (key := self._key(node)) is not None:
            return key
        if isinstance(node, Value):  # one of those that * stands for
            if place == GROUP:
                refuse("* stands beside aggregates.", "Name the columns of GROUP BY.")
            return node
        handler = _HANDLERS.get(kind(node))
        if handler is None:
            refuse_node(node)
        if place == ARGUMENT and kind(node) not in _IN_ARGUMENTS:
            refuse(
                f"An aggregate reads columns and arithmetic; {kind(node)} does not stand in one.",
                "Write count(*) FILTER (WHERE …), or sum(x) FILTER (WHERE …).",
            )
        return handler(self, node, place)

    def condition(self, node: Any, place: str) -> Value:
        return taken(self.value(node, place), "bool")

    def _two(self, node: Any, place: str) -> tuple[Value, Value]:
        parts = args(node, "this", "expression")
        return self.value(parts["this"], place), self.value(parts["expression"], place)

    def _key(self, node: Any) -> Value | None:
        if isinstance(node, Value):
            return self.keys.get(node.sql)
        if any(tree.is_query(part) for part in tree.walked(node)):
            return None
        try:
            return self.keys.get(self.value(node, ROW).sql)
        except QueryRefusedError:
            return None

    def _column(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "table")
        if place == GROUP:
            meant = self.named(node)
            if meant is not None and meant is not node:
                return self.value(meant, GROUP)
            refuse(
                f"{node.name} is neither in GROUP BY nor in an aggregate.",
                f"Write avg({node.name}) or GROUP BY {node.name}.",
            )
        found = self.column(node.name, parts["table"].name if "table" in parts else "")
        if place == ARGUMENT and not found.plain:
            refuse(
                f"{node.name} is computed, and an aggregate reads columns as they are.",
                "Write the arithmetic inside the aggregate: sum(price * quantity).",
            )
        return found

    def _constant(self, node: Any, place: str) -> Value:
        if kind(node) == "Null":
            return Value("NULL", "null")
        if kind(node) == "Boolean":
            return Value("TRUE" if node.this else "FALSE", "bool")
        text = str(node.this)
        if not node.is_string:
            return Value(tree.number(text), "number")
        return Value("'" + text.replace("'", "''") + "'", "text", literal=text)

    def _paren(self, node: Any, place: str) -> Value:
        return self.value(args(node, "this")["this"], place)

    def _double(self, value: Value) -> str:
        """`value` for arithmetic. An overflow would be an error that tells of one row."""
        return f"CAST({value.sql} AS DOUBLE)" if self.protected and value.reads else value.sql

    def _negative(self, node: Any, place: str) -> Value:
        value = taken(self.value(args(node, "this")["this"], place), "number")
        return replace(value, sql=f"(-{self._double(value)})", plain=False)

    def _arithmetic(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression", "typed", "safe")
        left, divisor = self.value(parts["this"], place), tree.unwrapped(parts["expression"])
        if kind(node) == "Div" and place == GROUP and kind(divisor) == "Subquery":
            right = self.subquery(divisor, ROW)  # shown in a ratio alone
        else:
            right = self.value(divisor, place)
        left, right = taken(left, "number"), taken(right, "number")
        sign, made = _OPERATORS[kind(node)], Value("", "number").of(left, right)
        made = replace(made, pure=sign in "*/" and all(v.pure or v.constant for v in (left, right)))
        if len(made.sets) > 1 and not made.pure:
            refuse(
                f"{sign} between aggregates of different rows tells of the rows between them.",
                "Compute both in one SELECT with FILTER, divide them, or select both as columns.",
            )
        if place == ARGUMENT:
            made = replace(made, degree=left.degree + right.degree if sign == "*" else made.degree)
            if sign in ("//", "%") or (sign == "/" and right.reads) or made.degree > 2:
                refuse(
                    "An aggregate reads columns, sums and products of two, divided by numbers.",
                    "Write sum(a) / sum(b), or sum(a * b).",
                )
        if sign == "*" and left.reads and right.reads:
            made = replace(made, factors=made.factors | {left.sql, right.sql})
        one, other = left.sql, right.sql
        if sign in "+-*":
            one, other = self._double(left), self._double(right)
        sql = f"floor({one} / {other})" if sign == "//" else f"({one} {sign} {other})"
        return replace(made, sql=sql)

    def _comparison(self, node: Any, place: str) -> Value:
        return self.compared(_COMPARISONS[kind(node)], *self._two(node, place))

    def _logic(self, node: Any, place: str) -> Value:
        left, right = (taken(value, "bool") for value in self._two(node, place))
        return Value(f"({left.sql} {kind(node).upper()} {right.sql})", "bool").of(left, right)

    def _not(self, node: Any, place: str) -> Value:
        value = self.condition(args(node, "this")["this"], place)
        return Value(f"(NOT {value.sql})", "bool").of(value)

    def _is(self, node: Any, place: str) -> Value:
        value, what = self._two(node, place)
        if what.sql != "NULL" and (what.sql not in ("TRUE", "FALSE") or value.type != "bool"):
            refuse_node(node)
        return Value(f"({value.sql} IS {what.sql})", "bool").of(value)

    def _between(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "low", "high")
        value, low, high = (self.value(parts[key], place) for key in ("this", "low", "high"))
        first, last = self.compared(">=", value, low), self.compared("<=", value, high)
        return Value(f"({first.sql} AND {last.sql})", "bool").of(first, last)

    def _in(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expressions", "query")
        value = self.value(parts["this"], place)
        if "query" in parts:
            found = self.subquery(parts["query"], place)
            self.compared("=", value, found)
            return Value(f"({value.sql} IN {found.sql})", "bool").of(value, found)
        tests = [self.compared("=", value, self.value(o, place)) for o in parts["expressions"]]
        return Value(f"({' OR '.join(test.sql for test in tests)})", "bool").of(*tests)

    def _like(self, node: Any, place: str) -> Value:
        value, pattern = (taken(value, "text") for value in self._two(node, place))
        if pattern.literal is None:
            refuse("LIKE compares with a text in quotes.", "Write x LIKE 'a%'.")
        return Value(f"({value.sql} {kind(node).upper()} {pattern.sql})", "bool").of(value)

    def _case(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "ifs", "default")
        tests: list[Value] = []
        branches: list[Value] = []
        sql, inner = "CASE", ROW if place == ARGUMENT else place
        subject = self.value(parts["this"], inner) if "this" in parts else None
        for branch in parts["ifs"]:
            held = args(branch, "this", "true")
            test = self.value(held["this"], inner)
            tests.append(
                taken(test, "bool") if subject is None else self.compared("=", subject, test)
            )
            branches.append(self.value(held["true"], place))
            sql += f" WHEN {tests[-1].sql} THEN {branches[-1].sql}"
        if "default" in parts:
            branches.append(self.value(parts["default"], place))
            sql += f" ELSE {branches[-1].sql}"
        made = Value(f"({sql} END)", shared(branches))
        if place == ARGUMENT:
            made = replace(made.of(*branches), bare=any(branch.bare for branch in branches))
            return replace(made, tests=made.tests | {test.sql for test in tests})
        for branch in branches:
            open_(branch)
        return made.of(*tests, *branches)

    def _cast(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "to", "safe")
        to = args(parts["to"], "this", "expressions")
        name = str(getattr(to["this"], "name", to["this"]))
        value = self.value(parts["this"], place)
        if name not in _TYPES:
            refuse(f"A cast to {name} does not run here.", f"There are: {', '.join(_TYPES)}.")
        if value.literal is not None and _TYPES[name] == "time":
            return Value(f"CAST('{tree.date(value.literal)}' AS {name})", "time")
        open_(value, _TYPES[name] == "text")
        if place == ARGUMENT and name != "DOUBLE" and (value.type, name) != ("bool", "INT"):
            refuse("A cast inside an aggregate rounds.", "Cast the result: CAST(avg(x) AS INT).")
        sizes = [tree.number(str(part.this.this)) for part in to.get("expressions", ())]
        size = f"({', '.join(sizes)})" if sizes else ""
        return Value(f"TRY_CAST({value.sql} AS {name}{size})", _TYPES[name]).of(value)

    def _extract(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        value = taken(self.value(parts["expression"], place), "time")
        sql = f"date_part('{tree.unit(parts['this'].name)}', {value.sql})"
        return Value(sql, "number").of(value)

    def _subquery(self, node: Any, place: str) -> Value:
        return self.subquery(node, place)

    def _filter(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        if kind(parts["this"]) != "Anonymous":
            refuse_node(parts["this"])
        condition = self.condition(args(parts["expression"], "this")["this"], ROW)
        return self.aggregate(parts["this"], place, condition.sql)

    def _call(self, node: Any, place: str) -> Value:
        name = tree.function(node)
        if name not in SCALARS:
            return self.aggregate(node, place)
        takes, _, gives = SCALARS[name].partition(">")
        letters, nodes = takes.replace(".", ""), list(node.expressions)
        if not (takes + ".").index(".") <= len(nodes) <= len(letters):
            refuse(f"{name} has {len(nodes)} arguments.", "Check how DuckDB writes it.")
        values = [self.value(part, place) for part in nodes]
        if place == ARGUMENT:
            return _filled(name, values)
        for letter, value in zip(letters, values, strict=False):
            if letter == "l" and not value.constant:
                refuse(f"{name} takes a value written out there.", f"Write {name}(x, 2).")
            if letter == "m" and self.protected and value.reads:
                refuse(f"{name} can fail on one row.", f"Use it on aggregates: {name}(avg(x)).")
            taken(value, _LETTERS.get(letter, value.type))
            open_(value, gives == "t")
        if letters.startswith("ld"):
            tree.unit(values[0].literal or "")
        risky = name in ("abs", "round")
        sql = ", ".join(self._double(value) if risky else value.sql for value in values)
        made = Value(f"{name}({sql})", shared(values) if gives == "?" else _LETTERS[gives])
        made = replace(
            made, pure=gives == "?" and values[0].pure and all(v.constant for v in values[1:])
        )
        made = made.of(*values)
        if len(made.sets) > 1 and not made.pure and name != "round":
            refuse(f"{name} over aggregates of different rows.", "Select them as columns.")
        return made

    def compared(self, sign: str, left: Value, right: Value) -> Value:
        """A comparison. What is bare is equal or not, and nothing else."""
        left, right = self._like_other(left, right), self._like_other(right, left)
        kinds = {left.type, right.type} - {"null"}
        if len(kinds) > 1 and kinds != {"bool", "number"}:
            refuse(f"A {left.type} is compared with a {right.type}.", "Compare one type.")
        if sign not in ("=", "<>") and "DISTINCT" not in sign:
            open_(left)
            open_(right)
        return Value(f"({left.sql} {sign} {right.sql})", "bool").of(left, right)

    def _like_other(self, value: Value, other: Value) -> Value:
        """A text in quotes as the number or date that it is compared with."""
        if value.literal is None or other.type not in ("number", "time"):
            return value
        text = self.restore(value.literal)
        sql = tree.number(text) if other.type == "number" else f"'{tree.date(text)}'"
        return replace(value, sql=sql, type=other.type, literal=None)


_HANDLERS: Mapping[str, Callable[[Expressions, Any, str], Value]] = {
    "Column": Expressions._column,
    **dict.fromkeys(("Literal", "Boolean", "Null"), Expressions._constant),
    "Paren": Expressions._paren,
    "Neg": Expressions._negative,
    **dict.fromkeys(_OPERATORS, Expressions._arithmetic),
    **dict.fromkeys(_COMPARISONS, Expressions._comparison),
    **dict.fromkeys(("And", "Or"), Expressions._logic),
    "Not": Expressions._not,
    "Is": Expressions._is,
    "Between": Expressions._between,
    "In": Expressions._in,
    **dict.fromkeys(("Like", "ILike"), Expressions._like),
    "Case": Expressions._case,
    **dict.fromkeys(("Cast", "TryCast"), Expressions._cast),
    "Extract": Expressions._extract,
    "Subquery": Expressions._subquery,
    "Filter": Expressions._filter,
    "Anonymous": Expressions._call,
}
_IN_ARGUMENTS = frozenset(
    {"Column", "Literal", "Null", "Paren", "Neg", "Case", "Cast", "TryCast", "Anonymous"}
    | set(_OPERATORS)
)


def makes_one_of_many(node: Any) -> bool:
    """Whether `node` makes one row of many."""
    if kind(node) in ("Union", "Except", "Intersect"):
        return bool(node.args.get("distinct"))
    if name := tree.function(node):
        return name not in WINDOWS and name not in SCALARS and kind(node.parent) != "Window"
    return kind(node) in ("Group", "Distinct", "Having", "Filter", "WithinGroup", "Pivot")


def open_(value: Value, apart: bool = False) -> None:
    """Refuses what may only stand bare; and, where it is taken `apart`, what may not leave."""
    if value.bare or (apart and not value.out):
        refuse(
            "A column whose values may not leave is taken apart.",
            "Use it bare: GROUP BY, =, <>, IN, IS NULL, JOIN, count(DISTINCT x).",
        )


def taken(value: Value, type_: str) -> Value:
    """`value`, which has to be of one type."""
    open_(value)
    if value.type not in (type_, "null"):
        refuse(f"A {type_} is expected where a {value.type} stands.", "Compare or convert it.")
    return value


def shared(values: Iterable[Value]) -> str:
    """The one type of `values`."""
    types = {value.type for value in values} - {"null"}
    if len(types) > 1:
        refuse("The values differ in type.", "Use values of one type.")
    return types.pop() if types else "null"


def _filled(name: str, values: list[Value]) -> Value:
    """``coalesce(x, 0)`` in an argument: a condition on what is missing."""
    if name not in ("coalesce", "ifnull") or len(values) != 2 or values[1].reads:
        refuse(
            f"{name} does not stand in an aggregate.",
            "An aggregate reads columns and arithmetic; use the function on its result.",
        )
    open_(values[0])
    made = Value(f"coalesce({values[0].sql}, {values[1].sql})", shared(values)).of(*values)
    return replace(made, tests=made.tests | {f"({values[0].sql} IS NOT NULL)"})
