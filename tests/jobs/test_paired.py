"""Paired statistics: against two libraries, golden tables, and by simulations."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from deepseek_jupyter.jobs import paired
from deepseek_jupyter.jobs.attempt import Attempt, pairs_of
from tests.support.fuzzing import FUZZING
from tests.support.later import Later

paired_eval = Later("paired_eval")
stats = Later("scipy.stats")

TIMES = 2_000


def draw(seed: int, count: int) -> list[float]:
    """Differences as repeats make them, many of them 0."""
    found = random.Random(seed)
    return [found.choice([-1, -0.5, -1 / 3, 0, 0, 0, 0.25, 0.5, 1]) for _ in range(count)]


class TestOracles:
    @pytest.mark.parametrize(
        ("better", "worse"), [(0, 0), (1, 0), (5, 0), (6, 0), (10, 2), (25, 9), (0, 40), (300, 250)]
    )
    def test_mcnemar(self, better, worse):
        p = paired.mcnemar(better, worse)
        assert p == pytest.approx(paired_eval.mcnemar_exact(better, worse), abs=1e-9)
        if better + worse:
            assert p == pytest.approx(stats.binomtest(better, better + worse).pvalue)

    @pytest.mark.parametrize("count", [2, 5, 15])
    def test_sign_flip_of_few_is_exact(self, count):
        for seed in range(5):
            sample = draw(seed, count)
            exact = stats.permutation_test(
                (np.array(sample),), np.mean, permutation_type="samples", n_resamples=np.inf
            ).pvalue
            assert paired.sign_flip(sample) == pytest.approx(exact)

    @pytest.mark.parametrize("count", [41, 48, 300])
    def test_sign_flip_of_many_is_near(self, count):
        sample = [d + 0.03 for d in draw(7, count)]
        near = stats.permutation_test(
            (np.array(sample),), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
        ).pvalue
        assert paired.sign_flip(sample) == pytest.approx(near, abs=0.025)

    def test_bootstrap(self):
        for sample in (draw(3, 60), draw(4, 300), [1.0] * 9 + [0.0]):
            theirs = stats.bootstrap(
                (np.array(sample),), np.mean, method="percentile", n_resamples=20_000, rng=1
            ).confidence_interval
            width = theirs.high - theirs.low
            assert paired.bootstrap(sample) == pytest.approx(theirs, abs=0.06 * width)

    def test_wilson(self):
        for right, count in ((0, 5), (7, 9), (180, 200), (5, 5)):
            theirs = stats.binomtest(right, count).proportion_ci(method="wilson")
            assert paired.wilson(right, count) == pytest.approx(theirs)
            assert paired.wilson(right, count) == pytest.approx(
                paired_eval.wilson_ci(right, count), abs=1e-4
            )

    def test_equal_scores_are_no_certainty(self):
        assert paired.score_interval([0.5] * 20) == paired.wilson(10, 20)

    @pytest.mark.parametrize(
        ("ps", "adjusted"),
        [
            ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
            ([0.5, 0.001], [0.5, 0.002]),
            ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
            ([0.9, 0.8], [1.0, 1.0]),
            ([], []),
        ],
    )
    def test_holm(self, ps, adjusted):
        assert paired.holm(ps) == pytest.approx(adjusted)
        assert paired.holm(ps) == pytest.approx(paired_eval.holm_adjust(ps))

    @pytest.mark.parametrize(
        ("count", "points"), [(30, 19.8), (100, 10.8), (200, 7.7), (500, 4.8), (1000, 3.4)]
    )
    def test_the_smallest_visible_difference(self, count, points):
        assert 100 * paired.smallest_visible(count) == pytest.approx(points, abs=0.06)


@cache
def compared(count: int, better: int, worse: int) -> paired.Pair:
    same = count - better - worse
    a = [1.0] * better + [0.0] * worse + [1.0] * same
    b = [0.0] * better + [1.0] * worse + [1.0] * same
    return paired.compare("a", "b", a, b)


def simulated(count: int, differ: float, difference: float, seed: int) -> list[paired.Pair]:
    """Pairs of two variants that differ in a share `differ` of all cases there are."""
    shares = [(differ + difference) / 2, (differ - difference) / 2, 1 - differ]
    drawn = np.random.default_rng(seed).multinomial(count, shares, size=TIMES)
    return [compared(count, int(better), int(worse)) for better, worse, _ in drawn]


def chi_square(better: int, worse: int) -> float:
    """McNemar's test as a normal approximation, as the formula for the difference has it."""
    return float(stats.chi2.sf((better - worse) ** 2 / (better + worse), 1))


def power(count: int, differ: float, difference: float, test: Callable[[int, int], float]) -> float:
    """How often `test` decides: the sum over every number of cases that differ, and of these that
    are better.
    """
    total, share = 0.0, (differ + difference) / 2 / differ
    for found in range(1, count + 1):
        weight = stats.binom.pmf(found, count, differ)
        if weight < 1e-9:
            continue
        below = (worse for worse in range(found // 2 + 1) if test(found - worse, worse) >= 0.05)
        most = next(below, found // 2 + 1) - 1  # of worse ones, with which it still decides
        if most >= 0:
            total += weight * stats.binom.cdf(most, found, 1 - share)
            total += weight * stats.binom.cdf(most, found, share)
    return total


def covered(pairs: list[paired.Pair], truth: float) -> float:
    inside = [low - 1e-9 <= truth <= high + 1e-9 for low, high in (p.interval for p in pairs)]
    return sum(inside) / len(inside)


class TestSimulations:
    @pytest.fixture(autouse=True)
    def draws(self, monkeypatch):
        """How many draws make an interval: few, where there are thousands of suites."""

        def draws(number: int) -> None:
            monkeypatch.setattr(paired, "_DRAWS", number)
            monkeypatch.setattr(paired, "_FEWEST_DRAWS", number)
            compared.cache_clear()

        draws(2)
        return draws

    @pytest.mark.parametrize(
        ("count", "differ", "difference"),
        [(50, 0.15, 0.08), (50, 0.3, 0.1), (100, 0.15, 0.1), (200, 0.15, 0.0767)],
    )
    def test_intervals_cover_the_truth(self, count, differ, difference, draws):
        draws(1_000 if FUZZING else 300)
        share = covered(simulated(count, differ, difference, 11), difference)
        assert 0.935 <= share <= 0.965

    @pytest.mark.parametrize("count", [50, 100, 200])
    def test_of_two_that_are_equal_few_are_told_apart(self, count):
        pairs = simulated(count, 0.15, 0, 5)
        assert sum(pair.p < 0.05 for pair in pairs) / TIMES <= 0.06

    @pytest.mark.parametrize("count", [100, 200, 500, 1_000])
    def test_the_power_at_the_smallest_visible_difference(self, count):
        """The formula's four in five are those of McNemar's test without exactness; the exact one
        has 76.7 to 78.6 %, and four in five with half a case more.
        """
        table = paired.smallest_visible(count)
        exact = power(count, 0.15, table, paired.mcnemar)
        assert 0.8 <= power(count, 0.15, table, chi_square) <= 0.85
        assert 0.766 <= exact <= 0.787
        assert power(count, 0.15, table + 0.5 / count, paired.mcnemar) >= 0.793
        seen = sum(pair.p < 0.05 for pair in simulated(count, 0.15, table, 3)) / TIMES
        assert seen == pytest.approx(exact, abs=0.03)

    def test_what_the_test_decides_the_interval_shows_too(self, draws):
        draws(2_000)
        for differ in range(6, 60, 4):
            few = (w for w in range(differ // 2) if paired.mcnemar(differ - w, w) < 0.05)
            worse = max(few)
            pair = compared(200, differ - worse, worse)
            assert pair.decided
            assert not compared(200, differ - worse - 1, worse + 1).decided

    def test_wilson_covers_the_truth(self):
        found = np.random.default_rng(2)
        shares = found.uniform(0.2, 0.95, size=TIMES)
        rights = found.binomial(80, shares)
        inside = sum(
            low <= share <= high
            for share, (low, high) in zip(
                shares, (paired.wilson(int(right), 80) for right in rights), strict=True
            )
        )
        assert 0.935 <= inside / TIMES <= 0.965

    def test_repeats_are_averaged_within_a_case(self, draws):
        """Three repeats of 60 cases whose difficulty both share: no evidence is made of repeats."""
        draws(300)
        times = TIMES if FUZZING else 500
        found, decided, inside = np.random.default_rng(8), 0, 0
        for _ in range(times):
            hard = found.beta(2, 1, size=60)
            a, b = (found.binomial(3, hard) / 3 for _ in range(2))
            pair = paired.compare("a", "b", a.tolist(), b.tolist())
            decided, inside = decided + pair.decided, inside + covered([pair], 0) / times
        assert decided / times <= 0.06
        assert 0.93 <= inside <= 0.97

    def test_many_pairs_are_held_to_one_level(self):
        found, told = np.random.default_rng(4), 0
        for _ in range(500):
            scores = {
                name: found.binomial(1, 0.8, size=60).astype(float).tolist() for name in "abcd"
            }
            pairs = paired.compare_all(list("abcd"), lambda name, _, of=scores: of[name])
            told += any(pair.adjusted < 0.05 for pair in pairs)
        assert told / (500) <= 0.06


class TestPairs:
    def test_the_better_one_is_first(self):
        (pair,) = paired.compare_all(["a", "b"], lambda name, _: [0.0 if name == "a" else 1.0] * 9)
        assert (pair.first, pair.second, pair.difference) == ("b", "a", 1.0)
        assert (pair.better, pair.worse, pair.decided) == (9, 0, True)

    def test_cases_without_both_scores_do_not_count(self):
        pair = paired.compare("a", "b", [1, None, 1], [0, 1, None])
        assert (pair.cases, pair.floor) == (1, 1.0)
        assert paired.compare("a", "b", [None], [None]).cases == 0

    def test_of_few_or_equal_cases_not_worse_is_not_shown(self):
        assert paired.least_difference([1] * 3, [1] * 3)[0] < -0.3
        assert paired.least_difference([1] * 200, [1] * 200)[0] > -0.03
        assert paired.least_difference([None], [1]) == (-1.0, 0)

    def test_a_thousand_cases_take_a_second(self):
        found = random.Random(1)
        attempts = [
            Attempt(case, name, 0, "x", score=float(found.random() < share))
            for name, share in (("a", 0.8), ("b", 0.75), ("c", 0.7))
            for case in range(1_000)
        ]
        began = time.process_time()
        assert len(pairs_of(attempts, ["a", "b", "c"])) == 3
        assert time.process_time() - began <= 1
