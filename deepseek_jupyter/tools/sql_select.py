"""The SELECTs of a model's statement over protected frames, as they will run.

A query in FROM is either rows of frames, with their owners, or a result. What is counted are the
different rows (or units) of each owner, so that no join or UNION ALL multiplies them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal

from deepseek_jupyter.errors import QueryRefusedError
from deepseek_jupyter.privacy.levels import FULL, SAMPLE, STATS, Level

from . import sql_tree as tree
from .sql_tree import ARGUMENT, GROUP, ROW, Value, args, kind, quoted, refuse, refuse_node, taken

LEAST = 5  # rows of a group, unless a setting says otherwise
_CONDITIONS = 4  # in one SELECT: each doubles the parts that are counted
_SELECTS = 100  # in one statement, after WITH is written out
_VALUES = 20_000  # expressions in one statement, likewise
# Powers of ten in the numbers of an aggregate's argument, of one column and of several, and the
# largest value of one of several: ``(x + 1e22) - 1e22`` rounds all away but the largest row.
_DECADES = (10, 3.5)
_LARGEST = "4e12"
_SELECT_PARTS = (
    *("expressions", "from", "joins", "where", "group", "having", "distinct", "order", "limit"),
    *("offset", "with"),
)

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
    in different values of the column `unit`, or else in rows.
    """

    name: str
    columns: Mapping[str, GatedColumn]
    rows: int | None
    shown: int
    unit: str = ""

    @property
    def size(self) -> str:
        return f"{self.rows:,} rows" if self.rows is not None else "rows"

    def below(self, level: Level) -> set[str]:
        return {name.casefold() for name, column in self.columns.items() if column.level < level}


@dataclass(frozen=True, slots=True)
class _Owner:
    """A protected frame among the sources: its id of a row, and of a unit where units are counted.
    `optional`: it is of one part of a UNION ALL, and rows of the others have none of its values.
    """

    name: str
    table: str
    row: str
    unit: str
    units: bool
    optional: bool = False


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
    same: set[str] = field(default_factory=set)  # fields that USING makes one with the left one's


@dataclass(slots=True)
class _Relation:
    """A query as it will run; one with `owners` still has their rows. Columns are c1, c2 …, and of
    the n-th owner rn and un. `joined`: rows may be repeated.
    """

    sql: str
    columns: list[tuple[str, Value]]
    owners: tuple[_Owner, ...] = ()
    joined: bool = False
    left_out: str = ""


_Ctes = Mapping[str, tuple[Any, Any]]  # a name's query, and the names that it knows


@dataclass
class Gate:
    """One statement: what it may read, and the SELECTs in it."""

    frames: Mapping[str, GatedFrame]
    least: int
    restore: Callable[[str], str]
    joined: bool = False
    read: dict[str, set[str]] = field(default_factory=dict)  # by frame, the rows behind figures
    selects: int = 0
    values: int = 0
    conditions: int = 0  # within how many subqueries of conditions, which no result shows
    met: list[str] = field(default_factory=list)  # the rows behind each figure, told or not

    def query(self, node: Any, ctes: _Ctes, alike: bool = False, titled: bool = False) -> _Relation:
        """`node` as it will run. `alike`: equal rows count as one, as in UNION. `titled`: its
        columns are called as the model calls them.
        """
        held = node.args.get("with_") or node.args.get("with")
        for cte in args(held, "expressions")["expressions"] if held is not None else ():
            parts = args(cte, "this", "alias", "materialized")
            args(parts["alias"], "this")
            ctes = {**ctes, cte.alias.casefold(): (cte.this, ctes)}
        if kind(node) == "Subquery":
            args(node, "this", "alias", "with")
            return self.query(node.this, ctes, alike, titled)
        if kind(node) == "Select":
            self.selects += 1
            if self.selects > _SELECTS:
                refuse("The query reads too much at once.", "Repeat fewer subqueries.")
            return _Select(self, node, ctes, alike).relation(titled)
        if not tree.is_query(node):
            refuse_node(node)
        return self._operation(node, ctes, titled)

    def meet(self, frame: str, rows: str) -> None:
        """Note figures of these groups of rows; they are told where they are not in a condition."""
        self.met.append(rows)
        if not self.conditions:
            self.tell(frame, rows)

    def tell(self, frame: str, rows: str) -> None:
        """Refuse figures of two sets of groups in one statement: they could differ by one row, or
        by a group that is left out.
        """
        told = self.read.setdefault(frame, set())
        told.add(rows)
        if len(told) > 1:
            refuse(
                f"Figures of different rows of {frame} are in one statement.",
                "Put the conditions into FILTER (WHERE …) in one SELECT, take a total from the "
                "groups' own sums (WITH g AS …), or ask twice.",
            )

    def _operation(self, node: Any, ctes: _Ctes, titled: bool) -> _Relation:
        parts = args(node, "this", "expression", "distinct", "with", "order", "limit", "offset")
        alike = "distinct" in parts
        both = (
            self.query(parts["this"], ctes, alike, titled),
            self.query(parts["expression"], ctes, alike),
        )
        left, right = both
        if len(left.columns) != len(right.columns):
            refuse("The parts have different numbers of columns.", "Select equally many.")
        columns = []
        for (title, one), (_, other) in zip(left.columns, right.columns, strict=True):
            if one.type != other.type and "null" not in (one.type, other.type):
                refuse(f"The parts of {title} differ in type.", "Select columns of one type.")
            made = replace(
                one, bare=one.bare or other.bare, label=one.label or other.label,
                type=other.type if one.type == "null" else one.type,
                plain=one.plain and other.plain,
            )  # fmt: skip
            columns.append((title, made.of(one, other)))
        owners: tuple[_Owner, ...] = ()
        texts = [f"({part.sql})" for part in both]
        if left.owners or right.owners:
            owners = self._united(node, both)
            texts = [_of_part(part, owners) for part in both]
            columns = [(t, replace(v, tables=frozenset({"u"}))) for t, v in columns]
        name = kind(node).upper() + ("" if alike else " ALL")
        order = _ordered(parts, lambda item: str(_place(item, columns) + 1))
        sql = f"{texts[0]} {name} {texts[1]}{order}{tree.limited(parts)}"
        return _Relation(sql, columns, owners, bool(owners) or left.joined or right.joined)

    def _united(self, node: Any, parts: tuple[_Relation, _Relation]) -> tuple[_Owner, ...]:
        """The owners of the rows of both parts of a UNION ALL."""
        names = [owner.name for part in parts for owner in part.owners]
        mixed = any(value.sets for part in parts for _, value in part.columns)
        if kind(node) != "Union" or mixed or len({*names}) < len(names):
            # Of two parts of one frame, one row of one could outweigh all those of the other.
            refuse(
                "A set operation mixes rows with aggregates, or rows of one frame.",
                "Unite rows of different frames by UNION ALL, or aggregate in each part.",
            )
        owners = (owner for part in parts for owner in part.owners)
        return tuple(
            _Owner(o.name, "u", f"r{n}", f"u{n}", o.units, True) for n, o in enumerate(owners)
        )


def _of_part(part: _Relation, owners: tuple[_Owner, ...]) -> str:
    """A part of a UNION ALL with the rows and units of all `owners`."""
    columns = [f"c{n}" for n in range(1, len(part.columns) + 1)]
    own = [owner.name for owner in part.owners]
    held = [str(own.index(owner.name)) if owner.name in own else "" for owner in owners]
    ids = [f"{id + n if n else 'NULL'} AS {id}{at}" for at, n in enumerate(held) for id in "ru"]
    named = columns + [f"{id}{n}" for n in range(len(own)) for id in "ru"]
    return f"(SELECT {', '.join(columns + ids)} FROM ({part.sql}) AS q({', '.join(named)}))"


class _Select:
    """One SELECT: a visitor of its expressions, each read in a place.

    Where it reads protected rows, an aggregate is NULL unless `least` units lie behind it.
    Conditions (FILTER, CASE) and missing values split a group in parts: each part has `least`
    units or none, so that no difference of two aggregates is about fewer. In its aggregates'
    arguments are columns as they are, sums, products of two, and CASE; in its rows whatever cannot
    fail on one of them. Sums over rows that a join repeats are NULL: one repeated often outweighs
    all others, and groups that share rows differ by a few.
    """

    def __init__(self, gate: Gate, node: Any, ctes: _Ctes, alike: bool) -> None:
        self.gate = gate
        self.ctes = ctes
        self.parts = args(node, *_SELECT_PARTS)
        self.sources: list[_Source] = []
        self.keys: dict[str, Value] = {}
        self.conditions: dict[str, None] = {}
        self.factors: dict[str, None] = {}  # columns and sums that are multiplied with others
        self.decades, self.numbers = 0.0, set[str]()  # numbers and columns of them in an argument
        self.from_sql = self._from()
        self.joined = len(self.sources) > 1 or any(source.joined for source in self.sources)
        self._check_sources()
        self.items = [item for part in self.parts["expressions"] for item in self._expanded(part)]
        self.names = {title.casefold(): item for title, item in self.items}
        self.where = ""
        if "where" in self.parts:
            tests = [self._joining(part) for part in tree.conjuncts(self.parts["where"].this)]
            self.where = f" WHERE {' AND '.join(tests)}"
        self.rows = f"{self.from_sql}{self.where}"  # which its aggregates are of
        self.set = f"{self.rows} {node!r}"
        if "distinct" in self.parts:
            args(self.parts["distinct"])
        gathered = any(tree.gathers(item) for _, item in self.items)
        self.aggregated = gathered or bool({"group", "having"} & set(self.parts))
        alike = (alike or "distinct" in self.parts) and bool(self.owners) and not self.aggregated
        self._group(alike)
        self.grouped = self.aggregated or alike

    # What it reads

    @property
    def owners(self) -> tuple[_Owner, ...]:
        return tuple(owner for source in self.sources for owner in source.owners)

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
            on = tree.conjuncts(parts["on"]) if "on" in parts else []
            tests += [self._joining(part) for part in on]
            sql += f" {side} JOIN {source.sql} ON {' AND '.join(tests) or 'TRUE'}"
            if side:
                for name, value in source.fields.items():
                    reads = frozenset((read, True) for read, _ in value.reads)
                    source.fields[name] = replace(value, reads=reads)
        return f" FROM {sql}"

    def _check_sources(self) -> None:
        if self.owners and not all(source.rows for source in self.sources):
            refuse(
                "A SELECT reads frames or results of aggregates, not both at once.",
                "Join the frames, then aggregate: sum(a.x) / count(DISTINCT a.key); or compare "
                "with (SELECT avg(x) FROM …).",
            )
        self.gate.joined |= bool(self.owners) and self.joined

    def _using(self, name: str, source: _Source) -> str:
        left, right = _field(name, "", self.sources[:-1]), _field(name, "", [source])
        source.same.add(name.casefold())
        return self._compared("=", left, right).sql

    def _source(self, node: Any) -> _Source:
        alias, name = f"t{len(self.sources) + 1}", node.name.casefold()
        table = kind(node) == "Table" and kind(node.this) == "Identifier"
        if kind(node) == "Subquery":
            source = _derived(self.gate.query(node, self.ctes), alias)
        elif kind(node) != "Table":
            refuse_node(node)
        elif table and name in self.ctes:
            source = _derived(self.gate.query(*self.ctes[name]), alias)
        elif table and name in self.gate.frames:
            source = _of_frame(self.gate.frames[name], alias)
        else:
            refuse(f"There is no table {node.name or 'like this'} here.", "Use FROM a frame.")
        held = args(node, "this", "alias", *(["with"] if kind(node) == "Subquery" else []))
        if "alias" in held:
            args(held["alias"], "this")
        source.alias = (node.alias or node.name).casefold()
        self.sources.append(source)
        return source

    def _joining(self, node: Any) -> str:
        """A condition on the rows of all sources. In a join of protected rows it reads one table,
        or equals two columns: else it could repeat a row as often as it likes.
        """
        value = self._condition(node, ROW)
        if len(value.tables) > 1 and self.owners:
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
            return [
                (title, value)
                for source in chosen
                for title, value in source.fields.items()
                if name or title not in source.same
            ]
        if kind(node) == "Alias":
            args(node, "this", "alias")
            return [(node.alias, node.this)]
        return [(node.name if kind(node) == "Column" else tree.written(node)[:60], node)]

    def _named(self, node: Any) -> Any | None:
        """What a name of the SELECT list means."""
        return None if node.args.get("table") else self.names.get(node.name.casefold())

    def _meant(self, node: Any, first: bool) -> Any:
        """What a number or a name in GROUP BY or ORDER BY means. `first`: an item of the SELECT
        list goes before a column.
        """
        if kind(node) == "Literal" and not node.is_string:
            return self.items[_place(node, self.items)][1]
        item = self._named(node) if kind(node) == "Column" else None
        hidden = not first and any(node.name.casefold() in s.fields for s in self.sources)
        return node if item is None or hidden else item

    def _group(self, alike: bool) -> None:
        nodes: list[Any] = [item for _, item in self.items] if alike else []
        if "group" in self.parts:
            held = args(self.parts["group"], "expressions", "all")
            nodes = [self._meant(node, False) for node in held.get("expressions", ())]
            if "all" in held:
                nodes = [item for _, item in self.items if not tree.gathers(item)]
        for node in nodes:
            value = self.value(node, ROW)
            if value.reads:
                self.keys[value.sql] = self._as_key(value)

    def _as_key(self, value: Value) -> Value:
        """`value` as the label of a group."""
        key = replace(value, plain=False)
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
        having = [self._enough()] if self.owners else []
        if "having" in self.parts:
            having.append(self._condition(self.parts["having"].this, GROUP).sql)
        order = _ordered(self.parts, lambda item: self.value(self._meant(item, True), place).sql)
        keys = f" GROUP BY {', '.join(self.keys)}" if self.keys else ""
        tail = f" HAVING {' AND '.join(having)}" if having and self.grouped else ""
        if not self.grouped:
            for n, owner in enumerate(self.owners):
                items += [f"{owner.row} AS r{n}", f"{owner.unit} AS u{n}"]
        distinct = "DISTINCT " if "distinct" in self.parts else ""
        body = f"SELECT {distinct}{', '.join(items)}{self.from_sql}{self.where}{keys}{tail}"
        body += f"{order}{tree.limited(self.parts)}"
        sql = body.replace(tree.MARK, self._split())
        if self.grouped and self.owners and self.joined:  # its groups may share rows
            more = frozenset({f"joined {self.set}"})
            values = [replace(v, sets=v.sets | more) if v.sets else v for v in values]
        left_out = self._left_out(keys) if keys and self.owners else ""
        columns = list(zip(titles, values, strict=True))
        owners = () if self.grouped else self.owners
        return _Relation(sql, columns, owners, self.joined, left_out)

    def _left_out(self, keys: str) -> str:
        counts = [f"nullif({self._count(owner)}, 0)" for owner in self.owners]
        few = self.gate.least
        each = f"SELECT least({', '.join(counts)}) AS n{self.from_sql}{self.where}{keys}"
        told = f"CASE WHEN count(*) > 1 AND sum(n) >= {few} THEN count(*) END"
        return f"SELECT {told} FROM ({each}) AS q WHERE n < {few}"

    def _count(self, owner: _Owner, condition: str = "") -> str:
        """How many units of `owner` there are, where `condition` holds."""
        what = f"DISTINCT {owner.unit}" if self.joined or owner.units else "*"
        return f"count({what})" + (f" FILTER (WHERE {condition})" if condition else "")

    def _enough(self, condition: str = "") -> str:
        """That `least` units of each owner are there, where `condition` holds; of an owner of a
        part of a UNION ALL also none, but not of all.
        """
        least = self.gate.least
        counts = [(self._count(owner, condition), owner.optional) for owner in self.owners]
        tests = [f"({c} = 0 OR {c} >= {least})" if o else f"{c} >= {least}" for c, o in counts]
        if all(owner.optional for owner in self.owners):
            tests.append(f"({' OR '.join(f'{c} >= {least}' for c, _ in counts)})")
        return " AND ".join(tests)

    def _split(self) -> str:
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

    def _aggregate(self, node: Any, place: str, condition: str = "") -> Value:
        name = tree.function(node)
        if name not in tree.AGGREGATES:
            refuse(
                f"{name} does not run over protected data.",
                "There are count, count(DISTINCT x), sum, avg, stddev, variance, corr, min, max, "
                f"median, quantile_cont and: {', '.join(tree.SCALARS)}.",
            )
        if place != GROUP:
            refuse(f"{name} is where rows are read.", "Write it in SELECT, HAVING or ORDER BY.")
        nodes, distinct, fraction = list(node.expressions), "", 0.5
        if len(nodes) == 1 and kind(nodes[0]) == "Distinct":
            nodes, distinct = list(args(nodes[0], "expressions")["expressions"]), "DISTINCT "
            if name != "count":
                refuse("DISTINCT belongs in count alone.", "Write count(DISTINCT x).")
        if name in tree.QUANTILES:
            fraction = tree.fraction(nodes)
            nodes.pop()
        star = name == "count" and not distinct and [kind(n) for n in nodes] in ([], ["Star"])
        if star:
            nodes = [args(n) for n in nodes][:0]
        if len(nodes) != int(tree.AGGREGATES[name][0]) and not star:
            refuse(f"{name} has {len(nodes)} arguments.", f"Write {name}(x).")
        if name == "count_if":
            more = self._condition(nodes.pop(), ROW).sql
            name, condition = "count", f"({condition} AND {more})" if condition else more
        self.decades, self.numbers = 0.0, set()
        values = [self.value(part, ARGUMENT if self.owners else ROW) for part in nodes]
        self._check_types(name, values)
        type_ = values[0].type if name in tree.CELLS or name[:5] == "bool_" else "number"
        if name in tree.SUMS and values[0].type == "bool":
            values = [replace(values[0], sql=f"CAST({values[0].sql} AS INTEGER)")]
        inner = distinct + (", ".join(value.sql for value in values) or "*")
        inner += f", {fraction!r}" if name in tree.QUANTILES else ""
        sql = f"{name}({inner})" + (f" FILTER (WHERE {condition})" if condition else "")
        seen = Value(sql, type_).of(*values)
        if self.owners:
            return self._guarded(name, seen, values, condition, fraction)
        if len(seen.sets) > 1 and name not in ("count", "min", "max"):
            refuse(
                f"{name} over aggregates of different rows tells of the rows between them.",
                "Compute it over the frame itself, in one SELECT.",
            )
        return Value(sql, type_, sets=seen.sets, pure=True)

    def _check_types(self, name: str, values: list[Value]) -> None:
        """What may not leave is counted, and nothing else."""
        fits = [tree.LETTERS[letter] for letter in tree.AGGREGATES[name][1:]]
        for value in values if name != "count" else ():
            tree.open_(value)
            if value.type not in fits:
                refuse(
                    f"{name} does not read a {value.type}.",
                    "Write count(DISTINCT x), or GROUP BY x ORDER BY count(*) DESC.",
                )
            if name not in tree.SUMS and self.owners and not value.plain:
                refuse(f"{name} reads a column as it is.", f"Write {name}(x) FILTER (WHERE …).")

    def _guarded(
        self, name: str, seen: Value, values: list[Value], condition: str, fraction: float
    ) -> Value:
        """An aggregate over rows, with what must hold for it to be shown."""
        labels = {key for key, value in self.keys.items() if value.label}
        if name != "count" and labels & {read for read, _ in seen.reads}:
            refuse(f"{name} of a group's own key is the key.", "Aggregate another column.")
        if name in tree.CELLS and not seen.out:
            self._as_card(name, condition, fraction)
        for owner in self.owners if name != "count" else ():
            self.gate.meet(owner.name, f"{self.rows} {list(self.keys)}")
        given = [condition] if condition else []
        tests, inner = [*given, *sorted(seen.tests)], sorted(seen.tests)
        present = [f"{v.sql} IS NOT NULL" for v in values if v.reads or v.tests]
        picked = " AND ".join([*given, *present])
        guards = [self._enough(pick) for pick in (picked, *inner)]
        several = len(seen.reads) > 1
        if self.decades > _DECADES[several]:
            refuse(
                "An aggregate's numbers are so large or small that they round values away.",
                "Use them on the result: sum(x) * 1e9.",
            )
        if several and name in tree.SUMS and self.numbers:
            sizes = [f"max(abs(CAST({read} AS DOUBLE)))" for read in sorted(self.numbers)]
            guards.append(f"greatest({', '.join(sizes)}) < {_LARGEST}")
        if self.joined and name not in ("count", "min", "max", "bool_and", "bool_or"):
            guards += [
                f"(SELECT count({owner.row}) = count(DISTINCT {owner.row}){self.from_sql}"
                f"{self.where})"
                for owner in self.owners
                if owner.table in seen.tables
            ]
        spread = name not in tree.SUMS and name not in tree.CELLS and name != "count"
        if tests or several:
            empty = [f"({read} IS NOT NULL)" for read, nulls in sorted(seen.reads) if nulls]
            self.conditions.update(dict.fromkeys([*tests, *empty]))
            guards.append(tree.MARK)
        if several and (seen.factors or spread):
            if any(owner.units for owner in self.owners):
                refuse(
                    "Where units are counted, an aggregate reads one column.",
                    "Aggregate each column by itself: sum(a), sum(b).",
                )
            factors = sorted(seen.factors | {read for read, _ in seen.reads})
            self.factors.update(dict.fromkeys(factors))
        sql = f"CASE WHEN {' AND '.join(guards)} THEN {seen.sql} END"
        sets = frozenset({f"cells {self.set}" if name in tree.CELLS else self.set})
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

    # Expressions

    def value(self, node: Any, place: str) -> Value:
        """`node` as it will run in `place`."""
        self.gate.values += 1
        if self.gate.values > _VALUES:  # names that mean others can double at each step
            refuse("The query is too large.", "Repeat fewer names and conditions.")
        if place == GROUP and (key := self._key(node)) is not None:
            return key
        if isinstance(node, Value):  # one of those that * means
            if place == GROUP:
                refuse("* is next to aggregates.", "Name the columns of GROUP BY.")
            return node
        node = tree.unwrapped(node)
        handler = _HANDLERS.get(kind(node))
        if handler is None:
            refuse_node(node)
        if place == ARGUMENT and kind(node) not in _IN_ARGUMENTS:
            refuse(
                f"An aggregate reads columns and arithmetic, and no {kind(node)}.",
                "Write avg(CASE WHEN … THEN 1 ELSE 0 END), or sum(x) FILTER (WHERE …).",
            )
        return handler(self, node, place)

    def _condition(self, node: Any, place: str) -> Value:
        return taken(self.value(node, place), "bool")

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
            meant = self._named(node)
            if meant is not None and meant is not node:
                return self.value(meant, GROUP)
            refuse(
                f"{node.name} is neither in GROUP BY nor in an aggregate.",
                f"Write avg({node.name}) or GROUP BY {node.name}.",
            )
        found = _field(node.name, parts["table"].name if "table" in parts else "", self.sources)
        if place == ARGUMENT and not found.plain:
            refuse(
                f"{node.name} is computed, and an aggregate reads columns as they are.",
                "Write the arithmetic inside the aggregate: sum(price * quantity).",
            )
        if place == ARGUMENT and found.type == "number":
            self.numbers.add(found.sql)
        return found

    def _constant(self, node: Any, place: str) -> Value:
        if kind(node) == "Null":
            return Value("NULL", "null")
        if kind(node) == "Boolean":
            return Value("TRUE" if node.this else "FALSE", "bool")
        text = str(node.this)
        if not node.is_string:
            sql = tree.number(text)
            if place == ARGUMENT:
                self.decades += abs(math.log10(float(sql) or 1))
            return Value(sql, "number")
        return Value("'" + text.replace("'", "''") + "'", "text", literal=text)

    def _double(self, value: Value) -> str:
        """`value` for arithmetic. An overflow would be an error that tells of one row."""
        return f"CAST({value.sql} AS DOUBLE)" if self.owners and value.reads else value.sql

    def _arithmetic(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression", "typed", "safe")
        one, divisor = parts["this"], tree.unwrapped(parts["expression"])
        if kind(node) == "Div" and place == GROUP and self._is_share(one, divisor):
            left, right = self._share(one, divisor)
        else:
            left, right = self.value(one, place), self.value(divisor, place)
        left, right = taken(left, "number"), taken(right, "number")
        sign, made = tree.ARITHMETIC[kind(node)], Value("", "number").of(left, right)
        made = replace(made, pure=sign in "*/" and all(v.pure or v.constant for v in (left, right)))
        if len(made.sets) > 1 and not made.pure:
            refuse(
                f"{sign} between aggregates of different rows tells of the rows between them.",
                "Compute both in one SELECT with FILTER, divide them, or select both as columns.",
            )
        both = bool(left.reads and right.reads)
        fits = sign in "+-" or not right.reads or (sign == "*" and not (both and made.factors))
        if place == ARGUMENT and (not fits or sign in ("//", "%")):
            refuse(
                "An aggregate reads columns, sums and products of two, divided by numbers.",
                "Write sum(a) / sum(b), or sum(a * b).",
            )
        if sign == "*" and both:
            made = replace(made, factors=made.factors | {left.sql, right.sql})
        one, other = left.sql, right.sql
        if sign in "+-*":
            one, other = self._double(left), self._double(right)
        sql = f"floor({one} / {other})" if sign == "//" else f"({one} {sign} {other})"
        return replace(made, sql=sql)

    def _is_share(self, node: Any, divisor: Any) -> bool:
        """Whether a figure is divided by that of other rows; of two different ones the scale of one
        may be known.
        """
        items: Any = divisor.this.args.get("expressions") if kind(divisor) == "Subquery" else None
        node = tree.unwrapped(node)
        while kind(node) == "Mul" and "Literal" in map(kind, (node.this, node.expression)):
            node = tree.unwrapped(node.expression if kind(node.this) == "Literal" else node.this)
        return bool(items) and node == tree.unwrapped(items[0].unalias())

    def _share(self, node: Any, divisor: Any) -> tuple[Value, Value]:
        """A figure and that of other rows which divides it: what is told beside it are shares of
        the same rows in the same others, for a difference could be that of a row.
        """
        self.gate.conditions += 1
        before = len(self.gate.met)
        both = self.value(node, GROUP), self._subquery(divisor, ROW)
        self.gate.conditions -= 1
        rows = sorted({*self.gate.met[before:]})
        for owner in self.owners if rows else ():
            self.gate.tell(owner.name, f"shares of {rows}")
        return both

    def _comparison(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        both = [self.value(parts[key], place) for key in ("this", "expression")]
        return self._compared(tree.COMPARISONS[kind(node)], *both)

    def _sign(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        found = [self.value(parts[key], place) for key in ("this", "expression") if key in parts]
        types, template = tree.SIGNS[kind(node)]
        return self._applied(kind(node), types, found, template)

    def _is(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        value, what = self.value(parts["this"], place), self.value(parts["expression"], place)
        if what.sql != "NULL" and (what.sql not in ("TRUE", "FALSE") or value.type != "bool"):
            refuse_node(node)
        return Value(f"({value.sql} IS {what.sql})", "bool").of(value)

    def _between(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "low", "high")
        value, low, high = (self.value(parts[key], place) for key in ("this", "low", "high"))
        first, last = self._compared(">=", value, low), self._compared("<=", value, high)
        return Value(f"({first.sql} AND {last.sql})", "bool").of(first, last)

    def _in(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expressions", "query")
        value = self.value(parts["this"], place)
        if "query" in parts:
            found = self._subquery(parts["query"], place)
            self._compared("=", value, found)
            return Value(f"({value.sql} IN {found.sql})", "bool").of(value, found)
        tests = [self._compared("=", value, self.value(o, place)) for o in parts["expressions"]]
        return Value(f"({' OR '.join(test.sql for test in tests)})", "bool").of(*tests)

    def _case(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "ifs", "default")
        tests: list[Value] = []
        branches: list[Value] = []
        sql, inner = "CASE", ROW if place == ARGUMENT else place
        subject = self.value(parts["this"], inner) if "this" in parts else None
        for branch in parts["ifs"]:
            held = args(branch, "this", "true")
            test = self.value(held["this"], inner)
            whole = taken(test, "bool") if subject is None else self._compared("=", subject, test)
            tests.append(whole)
            branches.append(self.value(held["true"], place))
            sql += f" WHEN {whole.sql} THEN {branches[-1].sql}"
        if "default" in parts:
            branches.append(self.value(parts["default"], place))
            sql += f" ELSE {branches[-1].sql}"
        made = Value(f"({sql} END)", tree.shared(branches))
        if place == ARGUMENT:
            made = replace(made.of(*branches), bare=any(branch.bare for branch in branches))
            return replace(made, tests=made.tests | {test.sql for test in tests})
        for branch in branches:
            tree.open_(branch)
        return made.of(*tests, *branches)

    def _cast(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "to", "safe")
        to = args(parts["to"], "this", "expressions")
        name = str(getattr(to["this"], "name", to["this"]))
        value = self.value(parts["this"], place)
        if name not in tree.TYPES:
            refuse(f"A cast to {name} does not run here.", f"There are: {', '.join(tree.TYPES)}.")
        if value.literal is not None and tree.TYPES[name] == "time":
            return Value(f"CAST('{tree.date(value.literal)}' AS {name})", "time")
        tree.open_(value, tree.TYPES[name] == "text")
        if place == ARGUMENT and name != "DOUBLE" and (value.type, name) != ("bool", "INT"):
            refuse("A cast inside an aggregate rounds.", "Cast the result: CAST(avg(x) AS INT).")
        sizes = [tree.number(str(part.this.this)) for part in to.get("expressions", ())]
        size = f"({', '.join(sizes)})" if sizes else ""
        return Value(f"TRY_CAST({value.sql} AS {name}{size})", tree.TYPES[name]).of(value)

    def _extract(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        part = Value(f"'{parts['this'].name}'", "text", literal=parts["this"].name)
        return self._applied("date_part", "ld>n", [part, self.value(parts["expression"], place)])

    def _subquery(self, node: Any, place: str) -> Value:
        hidden = place == ROW and bool(self.owners)
        self.gate.conditions += hidden
        found = self.gate.query(node, self.ctes)
        self.gate.conditions -= hidden
        if found.owners or len(found.columns) != 1:
            refuse(
                "A subquery that is used as a value must be one aggregate.",
                "Write (SELECT avg(x) FROM …); for rows that another frame has too, join the "
                "frames and write count(DISTINCT a.key).",
            )
        value = found.columns[0][1]
        return replace(value, sql=f"({found.sql})", plain=False, reads=frozenset())

    def _filter(self, node: Any, place: str) -> Value:
        parts = args(node, "this", "expression")
        if kind(parts["this"]) != "Anonymous":
            refuse_node(parts["this"])
        condition = self._condition(args(parts["expression"], "this")["this"], ROW)
        return self._aggregate(parts["this"], place, condition.sql)

    def _call(self, node: Any, place: str) -> Value:
        name = tree.function(node)
        if name not in tree.SCALARS:
            return self._aggregate(node, place)
        values = [self.value(part, place) for part in node.expressions]
        if place == ARGUMENT and name != "epoch":
            return _filled(name, values)
        return self._applied(name, tree.SCALARS[name], values)

    def _applied(self, name: str, types: str, values: list[Value], template: str = "") -> Value:
        """A function or sign over `values`; `types` are those of SCALARS."""
        takes, _, gives = types.partition(">")
        letters = takes.replace(".", "")
        if not (takes + ".").index(".") <= len(values) <= len(letters):
            refuse(f"{name} has {len(values)} arguments.", "Check how DuckDB writes it.")
        for letter, value in zip(letters, values, strict=False):
            if letter == "l" and not value.constant:
                refuse(f"{name} takes a value written out there.", f"Write {name}(x, 2).")
            if letter == "m" and self.owners and value.reads:
                refuse(f"{name} can fail on one row.", f"Use it on aggregates: {name}(avg(x)).")
            taken(value, tree.LETTERS.get(letter, value.type))
            tree.open_(value, gives == "t" or name in ("Like", "ILike"))
        if letters.startswith("ld"):
            tree.unit(values[0].literal or "")
        exact = name not in ("abs", "round", "Neg")  # an overflow tells of one row
        texts = [value.sql if exact else self._double(value) for value in values]
        sql = template.format(*texts) if template else f"{name}({', '.join(texts)})"
        made = Value(sql, tree.shared(values) if gives == "?" else tree.LETTERS[gives]).of(*values)
        pure = name == "Neg" or gives == "?"
        made = replace(made, pure=pure and values[0].pure and all(v.constant for v in values[1:]))
        if len(made.sets) > 1 and not made.pure and name != "round" and gives != "b":
            refuse(f"{name} over aggregates of different rows.", "Select them as columns.")
        return made

    def _compared(self, sign: str, left: Value, right: Value) -> Value:
        """A comparison. What is bare is equal or not, and nothing else."""
        left, right = self._like_other(left, right), self._like_other(right, left)
        kinds = {left.type, right.type} - {"null"}
        if len(kinds) > 1 and kinds != {"bool", "number"}:
            refuse(f"A {left.type} is compared with a {right.type}.", "Compare one type.")
        if sign not in ("=", "<>") and "DISTINCT" not in sign:
            tree.open_(left)
            tree.open_(right)
        return Value(f"({left.sql} {sign} {right.sql})", "bool").of(left, right)

    def _like_other(self, value: Value, other: Value) -> Value:
        """A text in quotes as the number or date that it is compared with."""
        if value.literal is None or other.type not in ("number", "time"):
            return value
        text = self.gate.restore(value.literal)
        sql = tree.number(text) if other.type == "number" else f"'{tree.date(text)}'"
        return replace(value, sql=sql, type=other.type, literal=None)


_HANDLERS: Mapping[str, Callable[[_Select, Any, str], Value]] = {
    "Column": _Select._column,
    **dict.fromkeys(("Literal", "Boolean", "Null"), _Select._constant),
    **dict.fromkeys(tree.ARITHMETIC, _Select._arithmetic),
    **dict.fromkeys(tree.COMPARISONS, _Select._comparison),
    **dict.fromkeys(tree.SIGNS, _Select._sign),
    "Is": _Select._is,
    "Between": _Select._between,
    "In": _Select._in,
    "Case": _Select._case,
    **dict.fromkeys(("Cast", "TryCast"), _Select._cast),
    "Extract": _Select._extract,
    "Subquery": _Select._subquery,
    "Filter": _Select._filter,
    "Anonymous": _Select._call,
}
_IN_ARGUMENTS = frozenset(
    {"Column", "Literal", "Null", "Neg", "Case", "Cast", "TryCast", "Anonymous"}
    | set(tree.ARITHMETIC)
)


def _filled(name: str, values: list[Value]) -> Value:
    """``coalesce(x, 0)`` in an argument: a condition on what is missing."""
    if name not in ("coalesce", "ifnull") or len(values) != 2 or values[1].reads:
        refuse(
            f"{name} cannot be in an aggregate.",
            "Use the function on its result; for spans of time write avg(epoch(b) - epoch(a)).",
        )
    tree.open_(values[0])
    made = Value(f"coalesce({values[0].sql}, {values[1].sql})", tree.shared(values)).of(*values)
    return replace(made, tests=made.tests | {f"({values[0].sql} IS NOT NULL)"})


def _of_frame(frame: GatedFrame, alias: str) -> _Source:
    fields = {}
    for name, column in frame.columns.items():
        if column.level < STATS or tree.MARK in name:
            continue
        sql = f"{alias}.{quoted(name)}"
        bare = column.masked or (column.type == "text" and column.level < SAMPLE)
        fields[name.casefold()] = Value(
            sql, "text" if column.masked else column.type, column.level >= SAMPLE and not bare,
            bare, plain=True, reads=frozenset({(sql, column.nulls)}),
            tables=frozenset({alias}),
        )  # fmt: skip
    row = f"{alias}.rowid"
    unit = f"{alias}.{quoted(frame.unit)}" if frame.unit else row
    owner = _Owner(frame.name, alias, row, unit, bool(frame.unit))
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
    owners = tuple(
        replace(one, table=f"{alias}/{one.table}", row=f"{alias}.r{n}", unit=f"{alias}.u{n}")
        for n, one in enumerate(found.owners)
    )
    return _Source(f"({found.sql}) AS {alias}", fields, owners, bool(owners), found.joined)


def _field(name: str, table: str, sources: Iterable[_Source]) -> Value:
    fits = [source for source in sources if table.casefold() in ("", source.alias)]
    found = [
        source.fields[name.casefold()]
        for source in fits
        if name.casefold() in source.fields and (table or name.casefold() not in source.same)
    ]
    if len(found) > 1:
        refuse(f"{name} is in more than one table.", f"Write a.{name} with the table's name.")
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
