"""`fit`: the text that stands for a frame, within a number of tokens. Pure.

Every text is gated first, in a fixed order, and then fitted: the budget may leave things out, but
never changes what a pseudonym stands for. What is left out is counted.

The steps, until it fits: fewer sample rows and narrower cells; shorter descriptions; then as many
columns as there is room for, in the frame's order, the rest counted by type. What room a step
leaves goes to the next longer descriptions of the first columns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .plain import cut
from .tokens import within

__all__ = ["Described", "Fitted", "Rows", "fit", "spread"]

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
    """Sample rows, gated: heads, and for each row its number and its cells.

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
    """A card's text, and how many columns and rows of values are in it."""

    text: str
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much of everything: detail of descriptions, sample rows, width of cells."""

    detail: int
    rows: int
    width: int


def fit(head: str, columns: Sequence[Described], rows: Rows, budget: int) -> Fitted:
    """The longest card that `budget` tokens hold. `head` alone is always in it."""
    draft = _Draft(head, columns, rows)
    every = len(columns)
    for plan in _plans(len(rows.places)):
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
        if detail == extra == 0:
            lines = _by_type(shown)
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
        return Fitted(self.text(plan, count, extra), count, plan.rows)


def _plans(rows: int) -> list[_Plan]:
    """From the most to the least; a step that would repeat the one before is left out."""
    few, one = min(rows, 3), min(rows, 1)
    steps = [(2, rows, _WIDTH), (2, few, _WIDTH), (2, few, 24), (2, one, 24), (2, one, 12)]
    steps += [(2, 0, 0), (1, 0, 0), (0, 0, 0)]
    return [_Plan(*step) for step in dict.fromkeys(steps)]


def _most(highest: int, build: Callable[[int], str], budget: int) -> int:
    """The greatest number whose text fits; 0 where none does. Texts grow with the number."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if within(build(middle), budget):
            low = middle
        else:
            high = middle - 1
    return low


def _by_type(columns: Sequence[Described]) -> list[str]:
    """Names alone, neighbours of one type on one line."""
    lines: list[str] = []
    last = None
    for column in columns:
        if column.type == last:
            lines[-1] += f", {column.name}"
        else:
            lines.append(f"- {column.type}: {column.name}")
            last = column.type
    return lines


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
