"""How many at once, and how much money: the pure parts, then both against a server."""

from __future__ import annotations

import time
from decimal import Decimal

import deepseek_jupyter as ds
from deepseek_jupyter.jobs.limits import AdaptiveLimit, Cap
from tests.jobs.test_row_map import everything, frame


class TestAdaptiveLimit:
    def test_a_window_without_a_refusal_makes_room_for_one(self):
        limit = AdaptiveLimit(16, 64)
        for _ in range(16):
            limit.relax()
        assert limit.now == 17

    def test_it_ends_at_its_ceiling(self):
        limit = AdaptiveLimit(2, 3)
        for _ in range(100):
            limit.relax()
        assert limit.now == 3

    def test_refusals_of_one_moment_are_one(self):
        limit = AdaptiveLimit(50, 64)
        for at in (1.0, 1.1, 1.4):
            limit.refuse(at)
        assert limit.now == 40
        limit.refuse(1.6)
        assert limit.now == 32

    def test_a_named_limit_is_stayed_below(self):
        limit = AdaptiveLimit(64, 64)
        limit.refuse(1.0, 39)
        limit.refuse(1.0, 39)
        for _ in range(38 * 19):
            limit.relax()
        assert limit.now == 38

    def test_a_width_that_was_refused_is_tried_again_later(self):
        limit = AdaptiveLimit(40, 64)
        limit.refuse(1.0)
        for _ in range(sum(range(32, 39)) + 39 * 19):
            limit.relax()
        assert limit.now == 39
        for _ in range(39):
            limit.relax()
        assert limit.now == 40


class TestCap:
    def test_what_is_reserved_counts_until_it_is_settled(self):
        cap = Cap(Decimal(10))
        assert cap.reserve(Decimal(6))
        assert not cap.reserve(Decimal(6))
        cap.settle(Decimal(6), Decimal(1))
        assert cap.reserve(Decimal(6))
        assert (cap.spent, cap.reserved) == (1, 6)

    def test_tokens_are_counted_too(self):
        cap = Cap(tokens=10)
        assert cap.reserve(Decimal())
        cap.settle(Decimal(), Decimal(), 10)
        assert not cap.reserve(Decimal())
        assert "tokens" in cap.reason


def at_limit(serve, says_limit, concurrency=None):
    """Rejected of all, and the share of the 39-wide throughput, after a warm-up."""
    server = serve(latency=0.1, limit=39, says_limit=says_limit)
    everything(frame(900), "Warm up: {{ text }}")
    accepted, rejected, began = server.accepted, server.rejected, time.monotonic()
    everything(frame(1_500))
    seconds = time.monotonic() - began
    assert len(server.bodies) == server.accepted == accepted + 1_500
    assert server.peak <= 39
    return (server.rejected - rejected) / 1_500, 1_500 * 0.1 / 39 / seconds, ds.job.runner.limit.now


def test_a_limit_of_39_is_found_and_kept_where_the_server_names_it(serve):
    rejected, share, now = at_limit(serve, says_limit=True)
    assert rejected <= 0.03
    assert now >= 36
    print(f"named: {rejected:.2%} rejected, {share:.0%} of the throughput")


def test_a_limit_of_39_is_found_and_kept_where_nobody_names_it(serve):
    rejected, share, now = at_limit(serve, says_limit=False)
    assert rejected <= 0.03
    assert now >= 30
    print(f"not named: {rejected:.2%} rejected, {share:.0%} of the throughput")


def test_a_width_far_above_the_limit_ends_well(serve):
    server = serve(latency=0.05, limit=8, says_limit=False)
    answered = everything(frame(200), concurrency=64)
    assert answered["answer"].tolist() == [f"w{at}" for at in range(200)]
    assert server.accepted == 200
