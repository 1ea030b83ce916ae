"""How many at once, and how much money: the pure parts, then both against a server."""

from __future__ import annotations

import random
from decimal import Decimal
from heapq import heappop, heappush

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.jobs.limits import START, AdaptiveLimit, Cap
from tests.jobs.test_row_map import everything, frame
from tests.support.counting import last_words


class TestAdaptiveLimit:
    def test_a_window_without_a_refusal_makes_room_for_one(self):
        limit = AdaptiveLimit(16, 18)
        for _ in range(16):
            limit.relax()
        assert limit.now == 17

    def test_far_from_any_refusal_it_grows_by_half_in_a_window(self):
        limit = AdaptiveLimit(16, 2_500)
        for _ in range(16):
            limit.relax()
        assert limit.now == 24

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
        assert "tokens" in cap.reason(Decimal(), "USD")


def simulated(limit: int, named: bool, latency: float, counted: int = 4_000) -> tuple[float, float]:
    """Of the throughput of `limit` requests at once the share, and the share that was refused, of
    `counted` requests after a warm-up, on a clock of its own.
    """
    draw, ours = random.Random(1).uniform, AdaptiveLimit(START, 2_500)
    events = [(0.0, at, False, 0) for at in range(ours.now)]  # when, which, answered, refusals
    ours.inside = number = len(events)
    at_server = answered = refused = refused_before = 0
    now = began = 0.0
    warm_up = 20 * limit
    while answered < warm_up + counted:
        now, _, is_answer, refusals = heappop(events)
        number += 1
        if is_answer:
            at_server, answered = at_server - 1, answered + 1
            ours.relax()
            ours.inside -= 1
        elif at_server < limit:
            at_server += 1
            heappush(events, (now + latency * draw(0.8, 1.2), number, True, 0))
        else:
            refused += 1
            ours.refuse(now, limit if named else None)
            if ours.inside > ours.now:
                ours.inside -= 1
            else:
                wait = min(2.0, 0.1 * 2**refusals) * draw(0.5, 1)
                heappush(events, (now + wait, number, False, refusals + 1))
        if answered == warm_up:
            began, refused_before = now, refused
        while ours.inside < ours.now:
            ours.inside, number = ours.inside + 1, number + 1
            heappush(events, (now + draw(0, 0.003), number, False, 0))
    return counted * latency / limit / (now - began), (refused - refused_before) / counted


@pytest.mark.parametrize("latency", [0.1, 2.0])
@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
@pytest.mark.parametrize("limit", [8, 39, 100, 400])
def test_the_limit_of_a_server_is_found_and_used(limit, named, latency):
    share, refused = simulated(limit, named, latency)
    assert share >= 0.9
    assert refused <= 0.03


@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
@pytest.mark.slow
def test_a_limit_of_39_is_found_and_kept(serve, named):
    """Counted by a real server. The throughput, which depends on what else the machine does, is
    held above, and measured by the benchmark `rows` beside a job that is given the number.
    """
    server = serve(latency=0.1, limit=39, says_limit=named)
    everything(frame(400), "Warm up: {{ text }}")
    rejected = server.rejected
    everything(frame(500))
    assert server.peak <= 39
    assert server.accepted == len(server.bodies) == 400 + 500
    assert server.rejected - rejected <= 0.03 * 500
    assert ds.job.runner.limit.now >= 30


@pytest.mark.slow
def test_a_width_far_above_the_limit_ends_well(serve):
    server = serve(latency=0.05, limit=8, says_limit=False)
    answered = everything(frame(200), concurrency=64)
    assert answered["answer"].tolist() == [f"w{at}" for at in range(200)]
    assert server.accepted == 200


@pytest.mark.slow
def test_when_the_limit_grows_others_take_the_places_of_those_that_went(serve):
    def limited(body, number):
        if number == 60:
            ds.job.runner.limit.now = 4
        elif number == 250:
            server.peak = 0
        return 0

    # The worker that was there first is busy all the time.
    server = serve(latency=lambda body: 3.0 if last_words(body) == "w1" else 0.05, fail=limited)
    everything(frame(400), concurrency=16)
    assert server.peak >= 8
