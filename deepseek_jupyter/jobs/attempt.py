"""`Attempt`: one answer of a suite, and `Summary`: all of a variant. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from statistics import median

from deepseek_jupyter.protocol.usage import plus

from .paired import Interval, Pair, Scores, case_score, compare_all, score_interval

PASS, FAIL, ERROR, NO_ANSWER = "pass", "fail", "error", "no answer"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one case, asked of one variant for the n-th time.

    An `error` (of the request, or of the scorer) and an answer that is empty or was cut are neither
    right nor wrong: they have no `score`. `against` is how it did, by a judge, against each other
    variant: 1, 0.5 or 0. `first` and `seconds` are None where they were not measured.
    """

    case: int
    variant: str
    repeat: int
    answer: str = ""
    reasoning: str = ""
    score: float | None = None
    error: str = ""
    finish: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    tokens_thinking: int = 0
    cost: str | None = None
    currency: str = ""
    first: float | None = None
    seconds: float | None = None
    against: Mapping[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether there is an answer to be scored."""
        cut = self.finish in ("length", "content_filter")
        return not self.error and not cut and bool(self.answer.strip())

    @property
    def status(self) -> str:
        """In which column of the result it counts."""
        if self.score is not None:
            return PASS if self.score > 0.5 else FAIL
        return ERROR if self.error or self.whole else NO_ANSWER


@dataclass(frozen=True, slots=True)
class Summary:
    """A variant's figures; `agreement` is the share of cases with one answer in all repeats."""

    variant: str
    score: float | None
    interval: Interval
    counts: Mapping[str, int]
    attempts: int
    costs: Mapping[str, Decimal]
    first: tuple[float, float] | None
    total: tuple[float, float] | None
    tokens_out: float
    models: tuple[str, ...]
    agreement: float | None


def summary_of(variant: str, attempts: Sequence[Attempt]) -> Summary:
    """The figures of one variant's attempts."""
    by_case: dict[int, list[Attempt]] = {}
    for one in attempts:
        by_case.setdefault(one.case, []).append(one)
    cases = [case_score(one.score for one in some) for some in by_case.values()]
    scores = [score for score in cases if score is not None]
    costs: dict[str, Decimal] = {}
    for one in attempts:
        if one.cost is not None:
            costs[one.currency] = plus(costs.get(one.currency, Decimal()), Decimal(one.cost))
    again = [{one.answer for one in some} for some in by_case.values() if len(some) > 1]
    status = [one.status for one in attempts]
    return Summary(
        variant,
        sum(scores) / len(scores) if scores else None,
        score_interval(scores) if scores else (0.0, 1.0),
        {word: status.count(word) for word in (PASS, FAIL, ERROR, NO_ANSWER)},
        len(attempts),
        costs,
        _typical([one.first for one in attempts]),
        _typical([one.seconds for one in attempts]),
        median([one.tokens_out for one in attempts] or [0]),
        tuple(dict.fromkeys(one.model for one in attempts if one.model)),
        sum(len(answers) == 1 for answers in again) / len(again) if again else None,
    )


def _typical(seconds: Sequence[float | None]) -> tuple[float, float] | None:
    """Median and 95th percentile."""
    known = sorted(s for s in seconds if s)
    return (median(known), known[round(0.95 * (len(known) - 1))]) if known else None


def pairs_of(
    attempts: Sequence[Attempt], variants: Sequence[str], *, wrong: bool = False
) -> list[Pair]:
    """Every two variants; with `wrong` what has no score counts as wrong."""
    return compare_all(variants, partial(scores_of, attempts, wrong=wrong))


def scores_of(
    attempts: Sequence[Attempt], variant: str, other: str, *, wrong: bool = False
) -> Scores:
    """The scores of a variant by case, or how a judge found it against another one."""
    found: dict[int, list[float | None]] = {one.case: [] for one in attempts}
    judged, none = any(one.against for one in attempts), 0.0 if wrong else None
    for one in attempts:
        if one.variant == variant:
            score = one.against.get(other) if judged else one.score
            found[one.case].append(none if score is None else score)
    return [case_score(found[case]) for case in sorted(found)]
