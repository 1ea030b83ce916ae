"""`card`: the text that stands for a frame, within a number of tokens. Pure.

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
from dataclasses import dataclass

from .plain import cut
from .tokens import count_tokens

__all__ = ["Described", "Fitted", "Rows", "fit"]

_WIDTHS = (60, 24, 12)


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

    A cell of None is not shown at all, for its column shows fewer rows. `lengths` are those of the
    cells' whole texts.
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


def fit(head: str, columns: Sequence[Described], rows: Rows, budget: int) -> Fitted:
    """The longest card that `budget` tokens hold. `head` alone is always in it."""
    for detail, share, width in _plans(len(rows.places)):
        build = _builder(head, columns, rows, share, width)
        text = build(len(columns), detail, 0)
        if count_tokens(text) > budget:
            continue
        if detail < 2:
            extra = _most(len(columns), lambda n: build(len(columns), detail, n), budget)
            text = build(len(columns), detail, extra)
        elif share < len(rows.places) and width == _WIDTHS[0]:
            more = _most(
                len(rows.places),
                lambda n: _builder(head, columns, rows, n, width)(len(columns), 2, 0),
                budget,
            )
            share = max(more, share)
            text = _builder(head, columns, rows, share, width)(len(columns), detail, 0)
        return Fitted(text, len(columns), share)
    build = _builder(head, columns, rows, 0, 0)
    count = _most(len(columns), lambda n: build(n, 0, 0), budget)
    extra = _most(count, lambda n: build(count, 0, n), budget)
    return Fitted(build(count, 0, extra), count, 0)


def _plans(rows: int) -> list[tuple[int, int, int]]:
    """Detail, number of rows and width of cells, from the most to the least."""
    few = min(rows, 3)
    steps = [(2, rows, 60), (2, few, 60), (2, few, 24), (2, min(rows, 1), 24), (2, min(rows, 1), 12)]
    return [*dict.fromkeys(steps), (2, 0, 0), (1, 0, 0), (0, 0, 0)]


def _most(highest: int, build: Callable[[int], str], budget: int) -> int:
    """The greatest number whose text fits; 0 where none does. Texts grow with the number."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(build(middle)) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _builder(
    head: str, columns: Sequence[Described], rows: Rows, share: int, width: int
) -> Callable[[int, int, int], str]:
    """`build(count, detail, extra)`: the card with that many columns, `extra` at more detail."""
    table = _table(rows, share, width)

    def build(count: int, detail: int, extra: int) -> str:
        if detail == 0 and extra == 0:
            lines = _by_type(columns[:count])
        else:
            lines = [c.line(detail + (at < extra)) for at, c in enumerate(columns[:count])]
        return "\n".join([head, *lines, *_rest(columns[count:], count), *table])

    return build


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
    chosen = _spread(len(rows.places), share)
    places = [rows.places[at] + 1 for at in chosen]
    lines = [f"{_numbers(places, rows.total)} as CSV:", ",".join(map(_quoted, rows.heads))]
    for at in chosen:
        cells = zip(rows.cells[at], rows.lengths[at], strict=True)
        lines.append(",".join(_cell(text, width, length) for text, length in cells))
    return lines


def _spread(count: int, share: int) -> list[int]:
    """`share` of `count` places, the first and the last among them."""
    if share >= count:
        return list(range(count))
    return [0] if share == 1 else [at * (count - 1) // (share - 1) for at in range(share)]


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
