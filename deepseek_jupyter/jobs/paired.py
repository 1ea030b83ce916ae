"""What paired scores can and cannot say. Pure, of the standard library, always the same numbers.

The unit is the case: repeats are averaged within it first. A `Pair` is two variants on the cases
that both have a score for. Cases with equal scores carry no evidence, and a p-value cannot be lower
than those that differ allow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, sqrt
from operator import getitem
from random import Random
from statistics import NormalDist, quantiles

Interval = tuple[float, float]
Scores = Sequence[float | None]  # of each case

LEVEL = 0.05
POWER = 0.8
USUAL = 0.15  # the share of cases that two variants differ in, where there is too little to measure

_Z = NormalDist().inv_cdf(1 - LEVEL / 2)
_DRAWS, _FEWEST_DRAWS, _WORK = 10_000, 1_500, 2_000_000
_EXACT = 20  # differing cases, up to which every pattern of signs is looked at
_FEW = 5  # differing cases that are too few to tell their share


def case_score(repeats: Iterable[float | None]) -> float | None:
    """The mean of a case's repeats that have a score; None where none has."""
    known = [score for score in repeats if score is not None]
    return sum(known) / len(known) if known else None


def wilson(right: float, count: int) -> Interval:
    """The interval of a share, `right` of `count` (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    n, z2 = max(count, 1), _Z * _Z
    share = right / n
    half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = ((share + z2 / (2 * n) + way) / (1 + z2 / n) for way in (-half, half))
    return max(0.0, low), min(1.0, high)


def score_interval(scores: Sequence[float]) -> Interval:
    """The interval of the mean: Wilson's where cases are right or wrong, or all equal, else by
    bootstrap.
    """
    if set(scores) <= {0.0, 1.0} or len({*scores}) == 1:
        return wilson(sum(scores), len(scores))
    return bootstrap(scores)


def bootstrap(values: Sequence[float]) -> Interval:
    """The percentile interval of the mean over cases drawn with replacement."""
    count, cases, random = len(values), list(values), Random(0)
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _WORK // count))
    means = (sum(random.choices(cases, k=count)) / count for _ in range(draws))
    low, *_, high = quantiles(means, n=round(2 / LEVEL), method="inclusive")
    return low, high


def mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p of so many cases one way and the other (McNemar 1947)."""
    count = better + worse
    tail = sum(comb(count, at) for at in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / (1 << count))


def sign_flip(differences: Sequence[float]) -> float:
    """The two-sided p of the mean where every difference might as well have the other sign.

    Exact for up to 20 that are not 0, else by 10,000 draws.
    """
    sizes = [abs(d) for d in differences if d]
    seen = abs(sum(differences)) - 1e-9 * sum(sizes)
    if len(sizes) <= _EXACT:
        half = sorted(_signed(sizes[::2]))  # each sum of one half with each of the other
        far = sum(
            len(half) - bisect_left(half, seen - total) + bisect_right(half, -seen - total)
            for total in _signed(sizes[1::2])
        )
        return min(1.0, far / (1 << len(sizes)))
    tables = [_signed(sizes[at : at + 8]) for at in range(0, len(sizes), 8)]
    tables[-1] *= 256 // len(tables[-1])
    random = Random(0)
    drawn = (sum(map(getitem, tables, random.randbytes(len(tables)))) for _ in range(_DRAWS))
    return (1 + sum(abs(total) >= seen for total in drawn)) / (_DRAWS + 1)


def _signed(sizes: Sequence[float]) -> list[float]:
    """The sums of the sizes with each pattern of signs."""
    sums = [0.0]
    for size in sizes:
        sums = [total + way for way in (size, -size) for total in sums]
    return sums


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979, Scand. J. Stat. 6)."""
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = least
    return adjusted


def smallest_visible(count: int, spread: float = USUAL) -> float:
    """The difference that `count` cases show in four of five tries by the usual formula, where the
    mean squared difference of a case is `spread`: of right and wrong, the share of cases that
    differ. McNemar's exact test shows it in 77 to 79 of 100.
    """
    return (_Z + NormalDist().inv_cdf(POWER)) * sqrt(spread / max(count, 1))


@dataclass(frozen=True, slots=True)
class Pair:
    """`first` against `second`: their mean `difference`, its interval, and `p`, adjusted for the
    number of pairs in `adjusted`. `better` and `worse` count the cases that differ.
    """

    first: str
    second: str
    cases: int
    better: int = 0
    worse: int = 0
    difference: float = 0.0
    interval: Interval = (0.0, 0.0)
    p: float = 1.0
    adjusted: float = 1.0
    visible: float = 1.0

    @property
    def decided(self) -> bool:
        """Whether one is better: the adjusted p is below 5 %, and 0 is not in the interval."""
        low, high = self.interval
        return self.adjusted < LEVEL and not low <= 0 <= high

    @property
    def floor(self) -> float:
        """The lowest p that so many differing cases can have."""
        return mcnemar(self.better + self.worse, 0)


def compare(first: str, second: str, a: Sequence[float | None], b: Sequence[float | None]) -> Pair:
    """Two variants by their scores of each case; a case without one of them does not count."""
    both = zip(a, b, strict=True)
    differences = [x - y for x, y in both if x is not None and y is not None]
    count = len(differences)
    better, worse = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    if not count:
        return Pair(first, second, 0)
    sizes = {round(abs(d), 12) for d in differences if d}
    p = mcnemar(better, worse) if len(sizes) < 2 else sign_flip(differences)
    known = better + worse >= _FEW
    spread = sum(d * d for d in differences) / count if known else USUAL
    visible = min(1.0, smallest_visible(count, spread))
    mean, interval = sum(differences) / count, bootstrap(differences)
    return Pair(first, second, count, better, worse, mean, interval, p, p, visible)


def least_difference(a: Scores, b: Scores) -> tuple[float, int]:
    """The lower end of the difference, and of how many cases. Unlike the bootstrap's it is also
    safe where no or few cases differ (Bonett and Price 2012, J. Educ. Behav. Stat. 37).
    """
    both = zip(a, b, strict=True)
    differences = [x - y for x, y in both if x is not None and y is not None] + [1.0, -1.0]
    count = len(differences)
    mean = sum(differences) / count
    half = _Z * sqrt((sum(d * d for d in differences) / count - mean * mean) / count)
    return max(-1.0, mean - half), count - 2


def compare_all(names: Sequence[str], scores: Callable[[str, str], Scores]) -> list[Pair]:
    """Every pair, the better one first, p-values adjusted for their number; `scores` has those of
    a variant against another one.
    """
    found = list[Pair]()
    for pair in combinations(names, 2):
        a, b = scores(*pair), scores(*pair[::-1])
        lead = sum(x - y for x, y in zip(a, b, strict=True) if x is not None and y is not None)
        found.append(compare(*pair, a, b) if lead >= 0 else compare(*pair[::-1], b, a))
    adjusted = holm([pair.p for pair in found])
    return [replace(pair, adjusted=p) for pair, p in zip(found, adjusted, strict=True)]
