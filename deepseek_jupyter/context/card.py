"""The text that stands for a frame, within a number of tokens. Pure.

Every text is redacted first, in a fixed order, and then fitted: the budget may leave things out,
but never changes what a pseudonym stands for. What is left out is counted.

The steps, until it fits: fewer sample rows and narrower cells; shorter descriptions; then as many
columns as there is room for, in the frame's order, the rest counted by type. What room a step
leaves goes to the next longer descriptions of the first columns.

The facts about a column are computed in Python from plain values, so that every library's frame
gives the same figures to the last digit.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.levels import SAMPLE, SCHEMA, Level
from deepseek_jupyter.protocol.tokens import within

from .table import Column, Opaque, Table, cut, shown

_WIDTH = 60  # characters of a cell


@dataclass(frozen=True, slots=True)
class Described:
    """One column: its name, its type, and descriptions by detail, shortest first."""

    name: str
    type: str
    details: Sequence[str]

    def line(self, detail: int) -> str:
        return f"- {self.name}: {self.details[detail]}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Sample rows, redacted: heads, and for each row its number and its cells.

    A cell of None is not shown at all, for its column shows fewer rows. `lengths` are those of
    whole texts where cells hold only a part, else 0.
    """

    heads: Sequence[str] = ()
    places: Sequence[int] = ()
    cells: Sequence[Sequence[str | None]] = ()
    lengths: Sequence[Sequence[int]] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A card's text, and how many columns and rows of values are in it. `cut` says of what in
    them it has only a part.
    """

    text: str
    columns: int
    rows: int
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much of everything: detail of descriptions, sample rows, width of cells."""

    detail: int
    rows: int
    width: int


def fit(head: str, columns: Sequence[Described], rows: Rows, budget: int) -> Fitted:
    """The longest card that `budget` tokens hold. `head` alone is always in it."""
    draft = _Draft(head, columns, rows)
    every, few, one = len(columns), min(len(rows.places), 3), min(len(rows.places), 1)
    steps = [(2, len(rows.places), _WIDTH), (2, few, _WIDTH), (2, few, 24), (2, one, 24)]
    steps += [(2, one, 12), (2, 0, 0), (1, 0, 0), (0, 0, 0)]
    for plan in (_Plan(*step) for step in dict.fromkeys(steps)):
        if within(draft.text(plan, every), budget):
            return draft.enriched(plan, every, budget)
    least = _Plan(0, 0, 0)
    count = _most(every, lambda n: draft.text(least, n), budget)
    return draft.enriched(least, count, budget)


class _Draft:
    """A card to be, as a function of how much is in it."""

    def __init__(self, head: str, columns: Sequence[Described], rows: Rows) -> None:
        self._head, self._columns, self._rows = head, columns, rows

    def text(self, plan: _Plan, count: int, extra: int = 0) -> str:
        """The card with `count` columns, the first `extra` of them at one detail more."""
        shown, detail = self._columns[:count], plan.detail
        if detail == extra == 0:  # names alone, neighbours of one type on one line
            groups = groupby(shown, key=attrgetter("type"))
            lines = [f"- {kind}: {', '.join(c.name for c in some)}" for kind, some in groups]
        else:
            lines = [column.line(detail + (at < extra)) for at, column in enumerate(shown)]
        rest = _rest(self._columns[count:], count)
        return "\n".join([self._head, *lines, *rest, *_table(self._rows, plan.rows, plan.width)])

    def enriched(self, plan: _Plan, count: int, budget: int) -> Fitted:
        """`plan`, with what it leaves of the budget spent on more rows or longer descriptions."""
        extra = 0
        if plan.detail < 2:
            extra = _most(count, lambda n: self.text(plan, count, n), budget)
        elif plan.rows and plan.width == _WIDTH:
            rows = len(self._rows.places)
            more = _most(rows, lambda n: self.text(replace(plan, rows=n), count), budget)
            plan = replace(plan, rows=max(plan.rows, more))
        return Fitted(self.text(plan, count, extra), count, plan.rows, tuple(self._cut(plan)))

    def _cut(self, plan: _Plan) -> Iterator[str]:
        cells, lengths = self._rows.cells, self._rows.lengths
        chosen = spread(len(cells), plan.rows) if plan.rows else ()
        longest = max((len(cell or "") for at in chosen for cell in cells[at]), default=0)
        if longest > plan.width or any(any(lengths[at]) for at in chosen):
            yield f"{plan.width} characters of each cell"
        if plan.detail < 2:
            yield "the shorter facts of its columns"


def _most(highest: int, build: Callable[[int], str], budget: int) -> int:
    """The greatest number whose text fits; 0 where none does. Texts grow with the number."""
    numbers = range(1, highest + 1)
    return bisect_left(numbers, True, key=lambda n: not within(build(n), budget))


def _rest(columns: Sequence[Described], before: int) -> list[str]:
    if not columns:
        return []
    kinds = Counter(column.type.partition("{")[0] for column in columns)
    common = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{count:,} {cut(kind, 24)}" for kind, count in common[:4])
    others = sum(count for _, count in common[4:])
    said += f", {others:,} of other types" if others else ""
    more = "more columns" if before else "columns"
    return [f"… {len(columns):,} {more}, not listed: {said}."]


def _table(rows: Rows, share: int, width: int) -> list[str]:
    if not share or not rows.heads:
        return []
    chosen = spread(len(rows.places), share)
    places = [rows.places[at] + 1 for at in chosen]
    lines = [f"{_numbers(places, rows.total)} as CSV:", ",".join(map(_quoted, rows.heads))]
    for at in chosen:
        cells = zip(rows.cells[at], rows.lengths[at], strict=True)
        lines.append(",".join(_cell(text, width, length) for text, length in cells))
    return lines


def spread(count: int, share: int) -> list[int]:
    """`share` of `count` places, the first and the last among them."""
    if share >= count:
        return list(range(count))
    return [at * (count - 1) // max(share - 1, 1) for at in range(share)]


def _numbers(places: Sequence[int], total: int | None) -> str:
    """``Rows 1, 446 and 891``; a run by its ends."""
    if total == len(places):
        return "All rows" if total > 1 else "The row"
    if len(places) > 1 and places[-1] - places[0] == len(places) - 1:
        return f"Rows {places[0]:,} to {places[-1]:,}"
    if len(places) > 12:
        return f"{len(places)} rows, evenly drawn,"
    return f"Row{'s' if len(places) > 1 else ''} {', '.join(map(str, places))}"


def _cell(text: str | None, width: int, length: int) -> str:
    return "·" if text is None else _quoted(cut(text, width, length))


def _quoted(text: str) -> str:
    needs = text != text.strip() or set(text) & set(',"\n\r\t')
    return json.dumps(text, ensure_ascii=False) if needs else text


_CELL_WIDTH = 40  # characters of a frequent value
_TOP = 8
_LONG_NUMBER = re.compile(r"\d[\d,.]{3,}\d")
_MEASURED = ("int", "float", "decimal", "duration")
_SPANNED = ("date", "datetime", "time")

Pass = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card says about one column. `figures` are values of rows among it; `top` the texts
    that repeat, with their shares, and `others` how many more there are.
    """

    type: str
    parts: Sequence[str] = ()  # missing, distinct
    spread: Sequence[str] = ()
    more: Sequence[str] = ()
    top: Sequence[tuple[str, str]] = ()
    others: str = ""
    figures: Sequence[Any] = ()

    def numbers(self) -> set[str]:
        """The numbers in it as they are written, but for those of values that repeat."""
        shares = [share for _, share in self.top]
        said = (*self.parts, *self.spread, *self.more, *shares, self.others)
        return {number for text in said for number in _LONG_NUMBER.findall(text)}

    def described(self, passed: Pass, value: Pass) -> list[str]:
        """The descriptions by detail, shortest first: type; missing and range; all.

        `passed` is what every text made of values goes through, `value` each value.
        """
        kind = passed(self.type)
        spread, more = [passed(part) for part in self.spread], [passed(part) for part in self.more]
        said = [f"{_value(text, value)} {share}" for text, share in self.top]
        top = ", ".join(filter(None, [*said, self.others]))
        missing, *distinct = self.parts or ("",)
        short = "; ".join(filter(None, [kind, missing, *spread]))
        return [
            kind,
            short,
            "; ".join(filter(None, [kind, missing, *distinct, *spread, *more, top])),
        ]


def facts(column: Column, table: Table, level: Level, *, veiled: bool) -> Facts:
    """The facts about `column` that may leave. `veiled`: the values are of a kind that never
    leaves (a person's name, a phone number), whatever the level.
    """
    if level <= SCHEMA:
        return Facts(column.type)
    distinct, counts = _distinct(column, table)
    parts = (_missing(column, table), distinct)
    if veiled:
        return Facts(column.type, parts)
    present = _present(column)
    spread, more = _range(column), _quartiles(column, table, present)
    top, others = _top(counts, column, table) if level >= SAMPLE else ([], "")
    figures = _figures(column, present) if spread and not column.lengths else []
    return Facts(column.type, parts, spread, more, top, others, figures)


def _missing(column: Column, table: Table) -> str:
    total = table.rows if table.rows is not None else len(table.places)
    if not column.missing:
        return ""
    if column.missing == total:
        return "all missing"
    share = column.missing / total
    return f"{share:.1%} missing" if share >= 0.001 else f"{column.missing:,} missing"


def _distinct(column: Column, table: Table) -> tuple[str, Counter[str]]:
    """How many values there are, and how often each text was met."""
    present = [value for value in column.values if value is not None]
    if any(isinstance(value, Opaque | list | dict) for value in present):
        return "", Counter()
    counts = Counter(map(shown, present)) if column.type != "float" else Counter(map(repr, present))
    met, once = len(counts), sum(n == 1 for n in counts.values())
    if not met or column.type == "bool":
        return "", counts
    if table.whole or table.rows is None:
        return ("all distinct" if once == len(present) > 1 else f"{met:,} distinct"), counts
    if once == len(present):
        return "≈ all distinct", counts
    if not once:
        return f"≈ {met:,} distinct", counts
    # Charikar et al. 2000, "Towards estimation error guarantees for distinct values" (GEE)
    guess = math.sqrt(table.rows / len(table.places)) * once + (met - once)
    rounded = float(f"{guess:.2g}")  # what an estimate is worth
    return f"≈ {rounded:,.0f} distinct", counts


def _range(column: Column) -> list[str]:
    if column.lengths and column.type.startswith(("text", "category")):
        low, high = column.lengths
        return [f"{low:,} to {high:,} characters" if low < high else counted(low, "character")]
    if column.low is None or column.high is None:
        return []
    least, most = shown(column.low), shown(column.high)
    return [f"always {least}" if least == most else f"{least} to {most}"]


def _figures(column: Column, present: Sequence[Any]) -> list[Any]:
    """The values of rows, and between them, that `_range` and `_quartiles` show."""
    figures = [column.low, column.high]
    if len(present) >= 4:
        figures += [_quantile(present, q) for q in (1, 2, 3)] * (column.type in _MEASURED)
        figures.append(present[(len(present) - 1) // 2])
    return figures


def _present(column: Column) -> list[Any]:
    """The values in order, of a column whose values have one that says something."""
    if column.type.partition("[")[0] not in (*_MEASURED, *_SPANNED):
        return []
    return sorted(value for value in column.values if value is not None)


def _quartiles(column: Column, table: Table, present: Sequence[Any]) -> list[str]:
    if len(present) < 4 or column.low == column.high:
        return []
    mark = "" if table.whole or table.rows is None else "≈ "
    if column.type in _MEASURED:
        return [f"quartiles {mark}{' | '.join(shown(_quantile(present, q)) for q in (1, 2, 3))}"]
    return [f"median {mark}{shown(present[(len(present) - 1) // 2])}"]


def _quantile(present: Sequence[Any], quarter: int) -> Any:
    """Linear interpolation, as numpy's and polars' default."""
    place = (len(present) - 1) * quarter
    at, part = divmod(place, 4)
    if not part or isinstance(present[at], bool):
        return present[at]
    return present[at] + (present[at + 1] - present[at]) * part / 4


def _top(counts: Counter[str], column: Column, table: Table) -> tuple[list[tuple[str, str]], str]:
    """The values that repeat, with their shares: of texts, categories, truth, and few numbers; and
    how many more values there are.
    """
    few = len(counts) <= _TOP and column.type == "int"
    named = column.type.startswith(("text", "category", "bool", "mixed"))
    if not (named or few) or not counts:
        return [], ""
    total = sum(counts.values())
    common = sorted(((-n, text) for text, n in counts.items() if n > 1))[:_TOP]
    if not common or (len(counts) > _TOP and -common[0][0] / total < 0.01):
        return [], ""
    exact = table.whole or table.rows is None
    more = f"… {len(counts) - len(common):,} more" if len(counts) > len(common) else ""
    return [(text, _share(-n, total, exact)) for n, text in common], more


def _value(text: str, passed: Pass) -> str:
    """A value in a list: in quotes where it would not be seen to end."""
    text = cut(passed(text), _CELL_WIDTH)
    return repr(text) if not text.strip() or set(text) & set(",;\n\r\t") else text


def _share(count: int, total: int, exact: bool) -> str:
    return f"×{count:,}" if exact else f"≈{count / total:.0%}"
