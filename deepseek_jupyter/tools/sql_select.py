"""The SELECTs of a model's statement over protected frames, as they will run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from deepseek_jupyter.privacy.levels import FULL, SAMPLE, STATS, Level

from . import sql_tree as tree
from .sql_tree import args, function, kind, quoted, refuse, refuse_node, walked
from .sql_values import ARGUMENT, GROUP, ROW, SCALARS, Expressions, Value, makes_one_of_many, open_

LEAST = 5  # rows of a group, unless a setting says otherwise
_FLOOR = 2  # rows; no setting goes below it
_CONDITIONS = 4  # in one SELECT: each doubles the parts that are counted
_SELECTS = 100  # in one statement, after WITH is written out
_VALUES = 20_000  # expressions in one statement, likewise

_SUMS = ("sum", "avg", "mean")
_SPREADS = {  # and how many columns they read
    **dict.fromkeys(("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"), 1),
    **dict.fromkeys(("corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept"), 2),
    **dict.fromkeys(("regr_r2", "regr_count", "regr_avgx", "regr_avgy"), 2),
    **dict.fromkeys(("regr_sxx", "regr_syy", "regr_sxy"), 2),
}
_LOGIC = ("bool_and", "bool_or")
_QUANTILES = ("median", "quantile", "quantile_cont", "quantile_disc")
_CELLS = ("min", "max", "mode", *_QUANTILES)
AGGREGATES = ("count", "count_if", *_SUMS, *_SPREADS, *_LOGIC, *_CELLS)


Type = Literal["number", "text", "time", "bool"]


@dataclass(frozen=True, slots=True)
class GatedColumn:
    """A column by its level. `masked`: it enters as pseudonyms at any level, as texts below
    `sample` always do. `nulls`: whether it may hold some.
    """

    level: Level
    type: Type
    masked: bool = False
    nulls: bool = True


@dataclass(frozen=True, slots=True)
class GatedFrame:
    """A frame by its `name` in SQL. Columns below `stats`, and lists and structs, are left out.

    `rows` are all of its rows (None: nobody knows), `shown` those of its card. A group is counted
    in different values of the column `unit`, or else in rows: `row` is a column or pseudo-column
    with one value a row.
    """

    name: str
    columns: Mapping[str, GatedColumn]
    rows: int | None
    shown: int
    unit: str = ""
    row: str = "rowid"

    @property
    def size(self) -> str:
        return f"{self.rows:,} rows" if self.rows is not None else "rows"

    def below(self, level: Level) -> set[str]:
        return {name.casefold() for name, column in self.columns.items() if column.level < level}


@dataclass(frozen=True, slots=True)
class _Owner:
    """A protected frame among the sources, with one value a row, and one a unit."""

    name: str
    table: str
    row: str
    unit: str


@dataclass(slots=True)
class _Source:
    """An item of FROM. `rows`: it is no result. `frame`: it is that frame, every row of it."""

    sql: str
    fields: dict[str, Value]
    owners: tuple[_Owner, ...] = ()
    rows: bool = False
    joined: bool = False
    frame: GatedFrame | None = None
    alias: str = ""


@dataclass(slots=True)
class _Relation:
    """A query as it will run; one with `owners` still has their rows. Columns are c1, c2 …"""

    sql: str
    columns: list[tuple[str, Value]]
    owners: tuple[_Owner, ...] = ()
    joined: bool = False
    left_out: str = ""


_Ctes = Mapping[str, tuple[Any, Any]]  # a name's query, and the names that it knows


class Gate:
    """One statement: what it may read, and the SELECTs in it."""

    def __init__(
        self, frames: Mapping[str, GatedFrame], least: int, restore: Callable[[str], str]
    ) -> None:
        self.frames = frames
        self.least = max(_FLOOR, least)
        self.restore = restore
        self.joined = False
        self.read: dict[str, set[str]] = {}  # of each frame, the rows behind its figures
        self._conditions = 0
        self._selects = self._values = 0

    def query(self, node: Any, ctes: _Ctes, alike: bool = False, titled: bool = False) -> _Relation:
        """`node` as it will run. `alike`: equal rows count as one, as in UNION. `titled`: its
        columns are called as the model calls them.
        """
        ctes = self._with(node, ctes)
        if kind(node) == "Subquery":
            args(node, "this", "alias", "with")
            return self.query(node.this, ctes, alike, titled)
        if kind(node) == "Select":
            self._selects += 1
            if self._selects > _SELECTS:
                refuse("The query reads too much at once.", "Repeat fewer subqueries.")
            return _Select(self, node, ctes, alike).relation(titled)
        if not tree.is_query(node):
            refuse_node(node)
        return self._operation(node, ctes, titled)

    def tell(self, frame: str, rows: str) -> None:
        """Note that figures of these groups of rows are told. Those that only stand in conditions,
        or divide others, are not.

        Figures of two sets of groups in one statement could differ by one row, or by a group that
        is left out.
        """
        if not self._conditions:
            self.read.setdefault(frame, set()).add(rows)
            if len(self.read[frame]) > 1:
                refuse(
                    f"Figures of different rows of {frame} stand in one statement.",
                    "Put the conditions into FILTER (WHERE …) in one SELECT, or ask twice.",
                )

    def condition(self, node: Any, ctes: _Ctes) -> _Relation:
        """A subquery that only stands in a condition."""
        self._conditions += 1
        try:
            return self.query(node, ctes)
        finally:
            self._conditions -= 1

    def spend(self) -> None:
        """Count an expression: names that stand for others can double at each step."""
        self._values += 1
        if self._values > _VALUES:
            refuse("The query is too large.", "Repeat fewer names and conditions.")

    def _with(self, node: Any, ctes: _Ctes) -> _Ctes:
        held = node.args.get("with_") or node.args.get("with")
        if held is None:
            return ctes
        for cte in args(held, "expressions")["expressions"]:
            parts = args(cte, "this", "alias", "materialized")
            args(parts["alias"], "this")
            ctes = {**ctes, cte.alias.casefold(): (cte.this, ctes)}
        return ctes

    def _operation(self, node: Any, ctes: _Ctes, titled: bool) -> _Relation:
        parts = args(node, "this", "expression", "distinct", "with", "order", "limit", "offset")
        alike = "distinct" in parts
        left = self.query(parts["this"], ctes, alike, titled)
        right = self.query(parts["expression"], ctes, alike)
        if left.owners or right.owners:
            refuse(
                "UNION ALL of rows does not run over protected data.",
                "Aggregate in each part: SELECT count(*) FROM a UNION ALL SELECT count(*) FROM b.",
            )
        if len(left.columns) != len(right.columns):
            refuse("The parts have different numbers of columns.", "Select equally many.")
        columns = []
        for (title, one), (_, other) in zip(left.columns, right.columns, strict=True):
            if one.type != other.type and "null" not in (one.type, other.type):
                refuse(f"The parts of {title} differ in type.", "Select columns of one type.")
            both = replace(one, bare=one.bare or other.bare, label=one.label or other.label)
            both = replace(both, type=other.type if one.type == "null" else one.type)
            columns.append((title, both.of(one, other)))
        name = kind(node).upper() + ("" if alike else " ALL")
        order = _ordered(parts, lambda item: str(_place(item, columns) + 1))
        sql = f"({left.sql}) {name} ({right.sql}){order}{tree.limited(parts)}"
        return _Relation(sql, columns, joined=left.joined or right.joined)


class _Select(Expressions):
    """One SELECT.

    Where it reads protected rows, an aggregate is NULL unless `least` units lie behind it.
    Conditions (FILTER, CASE) and missing values split a group in parts: each part has `least`
    units or none, so that no difference of two aggregates is about fewer. In a join, an aggregate
    is NULL where the rows that it reads are repeated: one repeated often outweighs all others.
    """

    def __init__(self, gate: Gate, node: Any, ctes: _Ctes, alike: bool) -> None:
        self.gate = gate
        self.ctes = ctes
        self.parts = args(
            node, "expressions", "from", "joins", "where", "group", "having", "distinct", "order",
            "limit", "offset", "with",
        )  # fmt: skip
        self.sources: list[_Source] = []
        self.keys = {}
        self.conditions: dict[str, None] = {}
        self.factors: dict[str, None] = {}  # columns and sums that are multiplied with others
        self.from_sql = self._from()
        self.owners = tuple(owner for source in self.sources for owner in source.owners)
        self.items = [item for part in self.parts["expressions"] for item in self._expanded(part)]
        self.names = {title.casefold(): item for title, item in self.items}
        self.where = ""
        if "where" in self.parts:
            tests = [self._joining(part) for part in tree.conjuncts(self.parts["where"].this)]
            self.where = f" WHERE {' AND '.join(tests)}"
        self.set = f"{self.from_sql}{self.where} {node!r}"  # which rows its aggregates are of
        if "distinct" in self.parts:
            args(self.parts["distinct"])
        listed = [part for _, item in self.items for part in walked(item)]
        self.aggregated = bool({"group", "having"} & set(self.parts)) or any(
            map(makes_one_of_many, listed)
        )
        alike = (alike or "distinct" in self.parts) and self.protected and not self.aggregated
        self._group(alike)
        self.grouped = self.aggregated or alike

    # What it reads

    @property
    def protected(self) -> bool:
        return any(source.owners for source in self.sources)

    @property
    def joined(self) -> bool:
        return len(self.sources) > 1 or any(source.joined for source in self.sources)

    def _from(self) -> str:
        if "from" not in self.parts:
            return ""
        sql = self._source(args(self.parts["from"], "this")["this"]).sql
        for join in self.parts.get("joins", ()):
            parts = args(join, "this", "on", "using", "side", "kind")
            side, how = str(parts.get("side", "")).upper(), str(parts.get("kind", "")).upper()
            if side not in ("", "LEFT") or how not in ("", "INNER", "OUTER", "CROSS"):
                refuse(
                    f"{side or how} JOIN does not run over protected data.",
                    "Use JOIN or LEFT JOIN, ON equal columns.",
                )
            source = self._source(parts["this"])
            tests = [self._using(name.name, source) for name in parts.get("using", ())]
            tests += (
                [self._joining(p) for p in tree.conjuncts(parts["on"])] if "on" in parts else []
            )
            sql += f" {side} JOIN {source.sql} ON {' AND '.join(tests) or 'TRUE'}"
            if side:
                for name, value in source.fields.items():
                    reads = frozenset((read, True) for read, _ in value.reads)
                    source.fields[name] = replace(value, reads=reads)
        protected = any(source.owners for source in self.sources)
        if protected and not all(source.rows for source in self.sources):
            refuse(
                "A SELECT reads frames or results of aggregates, not both at once.",
                "Compare with (SELECT avg(x) FROM …), or aggregate both and join the results.",
            )
        self.gate.joined |= protected and self.joined
        return f" FROM {sql}"

    def _using(self, name: str, source: _Source) -> str:
        left, right = _field(name, "", self.sources[:-1]), _field(name, "", [source])
        del source.fields[name.casefold()]  # the left one stands for both
        return self.compared("=", left, right).sql

    def _source(self, node: Any) -> _Source:
        alias, name = f"t{len(self.sources) + 1}", node.name.casefold()
        if kind(node) == "Subquery":
            source = _derived(self.gate.query(node, self.ctes), alias)
        elif kind(node) != "Table":
            refuse_node(node)
        elif kind(node.this) == "Identifier" and name in self.ctes:
            source = _derived(self.gate.query(*self.ctes[name]), alias)
        elif kind(node.this) == "Identifier" and name in self.gate.frames:
            source = _of_frame(self.gate.frames[name], alias)
        else:
            refuse(f"There is no table {node.name or 'like this'} here.", "Use FROM a frame.")
        held = args(node, "this", "alias", *(["with"] if kind(node) == "Subquery" else []))
        if "alias" in held:
            args(held["alias"], "this")
        source.alias = (node.alias or node.name).casefold()
        self.sources.append(source)
        return source

    def spend(self) -> None:
        self.gate.spend()

    def restore(self, text: str) -> str:
        return self.gate.restore(text)

    def column(self, name: str, table: str) -> Value:
        return _field(name, table, self.sources)

    def subquery(self, node: Any, place: str) -> Value:
        query = self.gate.condition if place == ROW and self.protected else self.gate.query
        found = query(node, self.ctes)
        if found.owners or len(found.columns) != 1:
            refuse(
                "A subquery that stands for a value must be one aggregate.",
                "Write (SELECT avg(x) FROM …).",
            )
        value = found.columns[0][1]
        return replace(value, sql=f"({found.sql})", plain=False, reads=frozenset())

    def _joining(self, node: Any) -> str:
        """A condition on the rows of all sources. In a join of protected rows it reads one table,
        or equals two columns: else it could repeat a row as often as it likes.
        """
        value = self.condition(node, ROW)
        if len(value.tables) > 1 and any(source.owners for source in self.sources):
            sides = [tree.unwrapped(node.args.get(key)) for key in ("this", "expression")]
            if kind(node) != "EQ" or any(kind(side) != "Column" for side in sides):
                refuse(
                    "A condition compares columns of two tables other than by =.",
                    "Join ON a.key = b.key; let every other condition be about one table.",
                )
        return value.sql

    def _expanded(self, node: Any) -> list[tuple[str, Any]]:
        """An item of the SELECT list as titles and expressions; ``*`` is all columns."""
        star = node if kind(node) == "Star" else node.this if kind(node) == "Column" else None
        if kind(star) == "Star":
            args(star)
            name = node.args["table"].name.casefold() if kind(node) == "Column" else ""
            chosen = [source for source in self.sources if name in ("", source.alias)]
            if not chosen:
                refuse(f"There is no table {name or 'to read'} here.", "Use FROM a frame.")
            return [item for source in chosen for item in source.fields.items()]
        if kind(node) == "Alias":
            args(node, "this", "alias")
            return [(node.alias, node.this)]
        return [(node.name if kind(node) == "Column" else tree.written(node)[:60], node)]

    def named(self, node: Any) -> Any | None:
        return None if node.args.get("table") else self.names.get(node.name.casefold())

    def _meant(self, node: Any, first: bool) -> Any:
        """What a number or a name in GROUP BY or ORDER BY stands for. `first`: an item of the
        SELECT list goes before a column.
        """
        if kind(node) == "Literal" and not node.is_string:
            return self.items[_place(node, self.items)][1]
        item = self.named(node) if kind(node) == "Column" else None
        hidden = not first and any(node.name.casefold() in s.fields for s in self.sources)
        return node if item is None or hidden else item

    def _group(self, alike: bool) -> None:
        nodes: list[Any] = [item for _, item in self.items] if alike else []
        if "group" in self.parts:
            held = args(self.parts["group"], "expressions", "all")
            nodes = [self._meant(node, False) for node in held.get("expressions", ())]
            if "all" in held:
                nodes = [i for _, i in self.items if not any(map(makes_one_of_many, walked(i)))]
        for node in nodes:
            value = self.value(node, ROW)
            if value.reads:
                self.keys[value.sql] = self._as_key(value)

    def _as_key(self, value: Value) -> Value:
        """`value` as the label of a group."""
        key = replace(value, plain=False, degree=0)
        if not self.owners or value.out or value.bare or (value.plain and value.type == "bool"):
            return key
        if not value.plain:
            refuse(
                "A group key is computed from a column whose values may not leave.",
                "Group by the column itself, or count with WHERE, one range a statement.",
            )
        return replace(key, bare=True, label=True)

    # What comes out

    def relation(self, titled: bool) -> _Relation:
        place = GROUP if self.grouped else ROW
        values = [self.value(item, place) for _, item in self.items]
        titles = [title for title, _ in self.items]
        names = [quoted(t) if titled else f"c{n}" for n, t in enumerate(titles, start=1)]
        items = [f"{v.sql} AS {name}" for v, name in zip(values, names, strict=True)]
        having = [f"{self._count(owner)} >= {self.gate.least}" for owner in self.owners]
        if "having" in self.parts:
            having.append(self.condition(self.parts["having"].this, GROUP).sql)
        order = _ordered(self.parts, lambda item: self.value(self._meant(item, True), place).sql)
        keys = f" GROUP BY {', '.join(self.keys)}" if self.keys else ""
        tail = f" HAVING {' AND '.join(having)}" if having and self.grouped else ""
        if not self.grouped:
            for n, owner in enumerate(self.owners):
                items.append(f"{owner.row} AS r{n}")
                items += [f"{owner.unit} AS u{n}"] if owner.unit != owner.row else []
        distinct = "DISTINCT " if "distinct" in self.parts else ""
        body = f"SELECT {distinct}{', '.join(items)}{self.from_sql}{self.where}{keys}{tail}{order}"
        sql = (body + tree.limited(self.parts)).replace(tree.MARK, self._parts())
        if self.grouped and self.protected and self.joined:  # its groups may share rows
            more = frozenset({f"joined {self.set}"})
            values = [replace(v, sets=v.sets | more) if v.sets else v for v in values]
        left_out = self._left_out(keys) if keys and self.protected else ""
        columns = list(zip(titles, values, strict=True))
        return _Relation(sql, columns, () if self.grouped else self.owners, self.joined, left_out)

    def _left_out(self, keys: str) -> str:
        counts = ", ".join(self._count(owner) for owner in self.owners)
        least = f"least({counts})" if len(self.owners) > 1 else counts
        few = self.gate.least
        return (
            f"SELECT CASE WHEN count(*) > 1 AND sum(n) >= {few} THEN count(*) END FROM "
            f"(SELECT {least} AS n{self.from_sql}{self.where}{keys}) AS q WHERE n < {few}"
        )

    def _count(self, owner: _Owner, condition: str = "") -> str:
        """How many units of `owner` there are, where `condition` holds."""
        alone = not self.joined and owner.unit == owner.row
        what = "*" if alone else f"DISTINCT {owner.unit}"
        return f"count({what})" + (f" FILTER (WHERE {condition})" if condition else "")

    def _parts(self) -> str:
        """That each part into which the conditions split a group has `least` units, or none; and
        that in no part a factor marks fewer rows, as a 1 among zeros does.
        """
        if len(self.conditions) > _CONDITIONS:
            refuse(
                f"One SELECT has {len(self.conditions)} conditions and columns with missing values "
                f"in FILTER, CASE and arithmetic; {_CONDITIONS} are allowed.",
                "GROUP BY the column that they compare, or send fewer at once.",
            )
        least, checks = self.gate.least, []
        for signs in product(("", "NOT "), repeat=len(self.conditions)):
            pairs = zip(signs, self.conditions, strict=True)
            part = " AND ".join(f"{sign}coalesce({test}, FALSE)" for sign, test in pairs)
            counts = [self._count(owner, part) for owner in self.owners]
            checks += [f"({count} = 0 OR {count} >= {least})" for count in counts]
            for read in self.factors:  # values by their hashes: a map of them all would be slow
                where = f" FILTER (WHERE {read} IS NOT NULL{f' AND {part}' if part else ''})"
                most = f"list_max(map_values(histogram(hash({read}) % 1024){where}))"
                others = f"coalesce(count({read}){where} - {most}, 0)"
                checks.append(f"({others} >= {least} OR count(DISTINCT {read}){where} < 2)")
        return " AND ".join(checks)

    # Aggregates

    def aggregate(self, node: Any, place: str, condition: str = "") -> Value:
        name = function(node)
        if name not in AGGREGATES:
            refuse(
                f"{name} does not run over protected data.",
                "There are count, count(DISTINCT x), sum, avg, stddev, variance, corr, min, max, "
                f"median, quantile_cont and: {', '.join(SCALARS)}.",
            )
        if place != GROUP:
            refuse(f"{name} stands where rows are read.", "Write it in SELECT, HAVING or ORDER BY.")
        nodes, distinct, fraction = list(node.expressions), "", 0.5
        if len(nodes) == 1 and kind(nodes[0]) == "Distinct":
            nodes, distinct = list(args(nodes[0], "expressions")["expressions"]), "DISTINCT "
            if name != "count":
                refuse("DISTINCT stands in count alone.", "Write count(DISTINCT x).")
        if name == "count_if" and len(nodes) == 1:
            more = self.condition(nodes.pop(), ROW).sql
            name, condition = "count", f"({condition} AND {more})" if condition else more
        elif name == "count" and not distinct and len(nodes) == 1 and kind(nodes[0]) == "Star":
            args(nodes.pop())
        elif name in _QUANTILES and name != "median":
            fraction = tree.fraction(nodes)
            nodes.pop()
        wanted = _SPREADS.get(name, 1)
        if len(nodes) != wanted and (name != "count" or nodes or distinct):
            refuse(f"{name} has {len(nodes)} arguments.", f"Write {name}(x).")
        values = [self.value(part, ARGUMENT if self.protected else ROW) for part in nodes]
        type_ = self._type(name, values)
        name = "avg" if name == "mean" else name
        if name in _SUMS and values[0].type == "bool":
            values = [replace(values[0], sql=f"CAST({values[0].sql} AS INTEGER)")]
        inner = distinct + (", ".join(value.sql for value in values) or "*")
        inner += f", {fraction!r}" if name in _QUANTILES and name != "median" else ""
        sql = f"{name}({inner})" + (f" FILTER (WHERE {condition})" if condition else "")
        seen = Value(sql, type_).of(*values)
        if self.protected:
            return self._guarded(name, seen, values, condition, fraction)
        if len(seen.sets) > 1 and name not in ("count", "min", "max"):
            refuse(
                f"{name} over aggregates of different rows tells of the rows between them.",
                "Compute it over the frame itself, in one SELECT.",
            )
        return Value(sql, type_, sets=seen.sets, pure=True)

    def _type(self, name: str, values: list[Value]) -> str:
        """The type of an aggregate. What may not leave is counted, and nothing else."""
        if name == "count":
            return "number"
        fits = ["time"] if name in _CELLS else ["bool"] if name in (*_LOGIC, *_SUMS) else []
        fits += ["number"] if name not in _LOGIC else []
        for value in values:
            open_(value)
            if value.type not in fits:
                refuse(f"{name} does not read a {value.type}.", "Write count(DISTINCT x).")
            if name not in _SUMS and self.protected and not value.plain:
                refuse(f"{name} reads a column as it is.", f"Write {name}(x) FILTER (WHERE …).")
        return "bool" if name in _LOGIC else values[0].type if name in _CELLS else "number"

    def _guarded(
        self, name: str, seen: Value, values: list[Value], condition: str, fraction: float
    ) -> Value:
        """An aggregate over rows, with what must hold for it to be shown."""
        labels = {key for key, value in self.keys.items() if value.label}
        if name != "count" and labels & {read for read, _ in seen.reads}:
            refuse(f"{name} of a group's own key is the key.", "Aggregate another column.")
        sets = frozenset({f"cells {self.set}" if name in _CELLS else self.set})
        if name in _CELLS and not seen.out:
            self._as_card(name, condition, fraction)
        for owner in self.owners if name != "count" else ():
            self.gate.tell(owner.name, f"{self.from_sql}{self.where} {list(self.keys)}")
        given = [condition] if condition else []
        tests = [*given, *sorted(seen.tests)]
        present = [f"{v.sql} IS NOT NULL" for v in values if v.reads or v.tests]
        picked, least, guards = " AND ".join([*given, *present]), self.gate.least, []
        heavy = name in (*_SUMS, *_SPREADS, *_QUANTILES, "mode")
        for owner in self.owners:
            picks = [picked, *sorted(seen.tests)]
            guards += [f"{self._count(owner, pick)} >= {least}" for pick in picks]
            if self.joined and heavy and owner.table in seen.tables:
                guards.append(f"count({owner.row}) = count(DISTINCT {owner.row})")
        if tests or len(seen.reads) > 1:
            empty = [f"({read} IS NOT NULL)" for read, nulls in sorted(seen.reads) if nulls]
            self.conditions.update(dict.fromkeys([*tests, *empty]))
            guards.append(tree.MARK)
        if len(seen.reads) > 1 and (seen.degree > 1 or name in _SPREADS):
            if any(owner.unit != owner.row for owner in self.owners):
                refuse(
                    "Where units are counted, an aggregate reads one column.",
                    "Aggregate each column by itself: sum(a), sum(b).",
                )
            factors = sorted(seen.factors | {read for read, _ in seen.reads})
            self.factors.update(dict.fromkeys(factors))
        sql = f"CASE WHEN {' AND '.join(guards)} THEN {seen.sql} END"
        return Value(sql, seen.type, sets=sets, pure=True)

    def _as_card(self, name: str, condition: str, fraction: float) -> None:
        """Refuses a cell's own value but where the card tells it: of the whole frame."""
        whole = len(self.sources) == 1 and self.sources[0].frame is not None and not self.keys
        told = name in ("min", "max") or (name != "mode" and fraction in (0.25, 0.5, 0.75))
        if not (whole and told) or self.where or condition:
            refuse(
                f"{name} is a cell's own value, and those of this column may not leave.",
                "Write avg or stddev; min, max and quartiles are told of the whole frame alone.",
            )


def _of_frame(frame: GatedFrame, alias: str) -> _Source:
    fields = {}
    for name, column in frame.columns.items():
        if column.level < STATS or tree.MARK in name:
            continue
        sql = f"{alias}.{quoted(name)}"
        bare = column.masked or (column.type == "text" and column.level < SAMPLE)
        value = Value(sql, "text" if column.masked else column.type, column.level >= SAMPLE, bare)
        fields[name.casefold()] = replace(
            value, out=value.out and not bare, plain=True, degree=1,
            reads=frozenset({(sql, column.nulls)}), tables=frozenset({alias}),
        )  # fmt: skip
    row = f"{alias}.{quoted(frame.row)}"
    unit = f"{alias}.{quoted(frame.unit)}" if frame.unit else row
    owner = _Owner(frame.name, alias, row, unit)
    owners = (owner,) if frame.below(FULL) else ()
    return _Source(f"{quoted(frame.name)} AS {alias}", fields, owners, True, frame=frame)


def _derived(found: _Relation, alias: str) -> _Source:
    """A subquery as a source: rows of frames where it has owners, else a result."""
    fields: dict[str, Value] = {}
    for at, (title, value) in enumerate(found.columns, start=1):
        sql = f"{alias}.c{at}"
        empty = not value.plain or any(nulls for _, nulls in value.reads)
        inner = value.tables if found.owners else {""}
        fields.setdefault(
            title.casefold(),
            replace(
                value, sql=sql, literal=None, reads=frozenset({(sql, empty)}),
                tables=frozenset(f"{alias}/{table}" for table in inner),
            ),
        )  # fmt: skip
    owners = []
    for n, one in enumerate(found.owners):
        unit = f"{alias}.{'r' if one.unit == one.row else 'u'}{n}"
        owners.append(_Owner(one.name, f"{alias}/{one.table}", f"{alias}.r{n}", unit))
    sql = f"({found.sql}) AS {alias}"
    return _Source(sql, fields, tuple(owners), bool(owners), found.joined)


def _field(name: str, table: str, sources: Iterable[_Source]) -> Value:
    fits = [source for source in sources if table.casefold() in ("", source.alias)]
    found = [s.fields[name.casefold()] for s in fits if name.casefold() in s.fields]
    if len(found) > 1:
        refuse(f"{name} stands in more than one table.", f"Write a.{name} with the table's name.")
    if not found:
        names = ", ".join(name for source in sources for name in source.fields)
        refuse(f"There is no column {name} here.", f"There are: {names[:500]}.")
    return found[0]


def _place(node: Any, items: list[tuple[str, Any]]) -> int:
    """The item that a number, or a name, in ORDER BY or GROUP BY means."""
    names = [title.casefold() for title, _ in items]
    if kind(node) == "Literal" and not node.is_string:
        names = [str(at) for at in range(1, len(items) + 1)]
    name = node.name.casefold()
    if kind(node) not in ("Literal", "Column") or name not in names:
        refuse("ORDER BY or GROUP BY names no column of the result.", "Name one of SELECT's.")
    return names.index(name)


def _ordered(parts: Mapping[str, Any], sql_of: Callable[[Any], str]) -> str:
    """ORDER BY among the `parts` of a query."""
    items = []
    for item in args(parts["order"], "expressions")["expressions"] if "order" in parts else ():
        held = args(item, "this", "desc", "nulls_first")
        down = " DESC" if "desc" in held else ""
        nulls = "FIRST" if "nulls_first" in held else "LAST"
        items.append(f"{sql_of(held['this'])}{down} NULLS {nulls}")
    return f" ORDER BY {', '.join(items)}" if items else ""
