"""Answers against a column that is known to be true. Pure, but for the frame of wrong rows."""

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


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


class Accuracy:
    """`share` of the answers that are right, its 95 % `interval`, `confusion` and `wrong` rows.

    Compared as texts; rows whose truth is missing do not count.
    """

    def __init__(self, pairs: Mapping[int, tuple[Any, Any]], source: RowFrame) -> None:
        """`pairs` are truth and answer by row."""
        self._source = source
        known = {at: pair for at, pair in pairs.items() if pair[0] is not None}
        self.counts = Counter((str(truth), str(answer)) for truth, answer in known.values())
        self.rows = len(known)
        self.right = sum(n for (truth, answer), n in self.counts.items() if truth == answer)
        self._wrong = [at for at, (truth, answer) in known.items() if str(truth) != str(answer)]

    @property
    def share(self) -> float:
        """Of right answers."""
        return self.right / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """In which the share of all such rows lies, with 95 %."""
        return wilson(self.right, self.rows)

    @property
    def wrong(self) -> Any:
        """The rows whose answer is another than the truth."""
        return self._source.picked(sorted(self._wrong))

    @property
    def confusion(self) -> Report:
        """How often each truth got each answer."""
        truths = sorted({truth for truth, _ in self.counts})[:_MOST_LABELS]
        answers = sorted({answer for _, answer in self.counts})[:_MOST_LABELS]
        rows = [
            (truth, *(f"{self.counts[truth, answer]:,}" for answer in answers)) for truth in truths
        ]
        return Report("Truth (rows) and answer (columns)", rows, ("", *answers), str(self))

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.right:,} of {self.rows:,} right: {self.share:.0%}, "
            f"95 % interval {low:.0%} to {high:.0%}"
        )
