"""`facts`: what a card says about one column, longest first. Pure, computed in Python from plain
values, so that every library's frame gives the same figures to the last digit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .plain import Opaque, cut, shown
from .policy import SAMPLE, SCHEMA, Level
from .reading import Column, Table

__all__ = ["facts", "told"]

_WIDTH = 40  # characters of a frequent value
_TOP = 8
_MEASURED = ("int", "float", "decimal", "duration")
_SPANNED = ("date", "datetime", "time")

Pass = Callable[[str], str]


def facts(column: Column, table: Table, level: Level, passed: Pass, *, veiled: bool) -> list[str]:
    """The descriptions of `column` by detail, shortest first: type; missing and range; all.

    `passed` is what every text made of values goes through. `veiled`: the values are of a kind that
    never leaves (a person's name, a phone number), whatever the level.
    """
    kind = passed(column.type)
    if level <= SCHEMA:
        return [kind] * 3
    missing = _missing(column, table)
    distinct, counts = _distinct(column, table)
    spread = [] if veiled else [passed(part) for part in _range(column)]
    more = [] if veiled else [passed(part) for part in _quartiles(column, table)]
    top = []
    if level >= SAMPLE and not veiled:
        top = _top(counts, column, table, passed)
    short = "; ".join(filter(None, [kind, missing, *spread]))
    return [kind, short, "; ".join(filter(None, [kind, missing, distinct, *spread, *more, *top]))]


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
    return f"≈ {_rounded(guess):,} distinct", counts


def _rounded(number: float) -> int:
    """Two digits are what an estimate is worth."""
    digits = max(len(str(int(number))) - 2, 0)
    return int(round(number, -digits))


def _range(column: Column) -> list[str]:
    if column.type.startswith("text") or (column.type == "category" and column.lengths):
        return _lengths(column.lengths)
    if column.low is None or column.high is None:
        return []
    low, high = shown(column.low), shown(column.high)
    return [f"always {low}" if low == high else f"{low} to {high}"]


def _lengths(lengths: tuple[int, int] | None) -> list[str]:
    if lengths is None:
        return []
    low, high = lengths
    size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return [f"{size} character{'' if low == high == 1 else 's'}"]


def told(column: Column) -> set[str]:
    """The values of rows that are figures of the column, and leave as such."""
    quartiles = _present(column)
    figures = [column.low, column.high]
    if len(quartiles) >= 4:
        figures += [_quantile(quartiles, q) for q in (1, 2, 3)] if _measured(column) else []
        figures.append(quartiles[(len(quartiles) - 1) // 2])
    return {shown(figure) for figure in figures} | {repr(figure) for figure in figures}


def _measured(column: Column) -> bool:
    return column.type in _MEASURED


def _present(column: Column) -> list[Any]:
    """The values in order, of a column whose values have one that says something."""
    if not _measured(column) and column.type.partition("[")[0] not in _SPANNED:
        return []
    return sorted(value for value in column.values if value is not None)


def _quartiles(column: Column, table: Table) -> list[str]:
    present = _present(column)
    if len(present) < 4 or column.low == column.high:
        return []
    mark = "" if table.whole or table.rows is None else "≈ "
    if _measured(column):
        return [f"quartiles {mark}{' | '.join(shown(_quantile(present, q)) for q in (1, 2, 3))}"]
    return [f"median {mark}{shown(present[(len(present) - 1) // 2])}"]


def _quantile(present: Sequence[Any], quarter: int) -> Any:
    """Linear interpolation, as numpy's and polars' default."""
    place = (len(present) - 1) * quarter
    at, part = divmod(place, 4)
    if not part or isinstance(present[at], bool):
        return present[at]
    return present[at] + (present[at + 1] - present[at]) * part / 4


def _top(counts: Counter[str], column: Column, table: Table, passed: Pass) -> list[str]:
    """The values that repeat, with their shares: of texts, categories, truth, and few numbers."""
    few = len(counts) <= _TOP and column.type == "int"
    named = column.type.startswith(("text", "category", "bool", "mixed"))
    if not (named or few) or not counts:
        return []
    total = sum(counts.values())
    common = sorted(((-n, text) for text, n in counts.items() if n > 1))[:_TOP]
    if not common or (len(counts) > _TOP and -common[0][0] / total < 0.01):
        return []
    exact = table.whole or table.rows is None
    said = [f"{_value(text, passed)} {_share(-n, total, exact)}" for n, text in common]
    more = [f"… {len(counts) - len(common):,} more"] if len(counts) > len(common) else []
    return [", ".join(said + more)]


def _value(text: str, passed: Pass) -> str:
    """A value in a list: in quotes where it would not be seen to end."""
    text = cut(passed(text), _WIDTH)
    return repr(text) if not text.strip() or set(text) & set(",;\n\r\t") else text


def _share(count: int, total: int, exact: bool) -> str:
    return f"×{count:,}" if exact else f"≈{count / total:.0%}"
