"""Answers against a column that is known to be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.report import Report

from .paired import wilson

if TYPE_CHECKING:
    from deepseek_jupyter.context.row_frame import RowFrame

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
        """In which the share of all such rows lies (Wilson)."""
        return wilson(self.rows - len(self._wrong), self.rows)

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
