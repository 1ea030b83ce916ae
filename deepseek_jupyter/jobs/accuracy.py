"""Answers against a column that is known to be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.report import Report

if TYPE_CHECKING:
    from deepseek_jupyter.context.row_frame import RowFrame

_Z = 1.959964  # of 95 %
_MOST_LABELS = 20


class Accuracy:
    """`share` of the answers that are right, its 95 % `interval`, `confusion` and `wrong` rows.

    Compared as texts; rows whose truth is missing do not count.
    """

    def __init__(self, pairs: Mapping[int, tuple[Any, Any]], source: RowFrame) -> None:
        """`pairs` are truth and answer by row."""
        self._source = source
        known = {at: tuple(map(str, pair)) for at, pair in pairs.items() if pair[0] is not None}
        self.counts, self.rows = Counter(known.values()), len(known)
        self._wrong = sorted(at for at, (truth, answer) in known.items() if truth != answer)
        self.share = 1 - len(self._wrong) / len(known) if known else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """In which the share of all such rows lies (Wilson 1927, J. Am. Stat. Assoc. 22)."""
        n, share, z2 = max(self.rows, 1), self.share, _Z * _Z
        half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        low, high = ((share + z2 / (2 * n) + way) / (1 + z2 / n) for way in (-half, half))
        return max(0.0, low), min(1.0, high)

    @property
    def wrong(self) -> Any:
        """The rows whose answer is another than the truth."""
        return self._source.picked(self._wrong)

    @property
    def confusion(self) -> Report:
        """How often each truth got each answer."""
        sides = zip(*self.counts, strict=True) if self.counts else ((), ())
        truths, answers = (sorted({*side})[:_MOST_LABELS] for side in sides)
        rows = [(t, *(f"{self.counts[t, answer]:,}" for answer in answers)) for t in truths]
        return Report("Truth (rows) and answer (columns)", rows, ("", *answers), str(self))

    def __str__(self) -> str:
        (low, high), right = self.interval, self.rows - len(self._wrong)
        return f"{right:,} of {self.rows:,} right: {self.share:.0%} ({low:.0%} to {high:.0%})"
