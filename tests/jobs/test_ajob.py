"""Jobs on the caller's loop: it goes on meanwhile, a cancel stops them, answers stay."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import AuthenticationError, ParameterError
from tests.jobs.conftest import begin
from tests.session.conftest import session
from tests.support.scripted import Reply, stall

__all__ = ["session"]

CASES = pd.DataFrame({"prompt": [f"say {n}" for n in range(40)], "expected": range(40)})
TWO = "deepseek-flash?name=old, deepseek-flash?think=off&name=new"
WHOLE = {"rows": "all", "budget": "none", "show": False}


async def watched(work):
    """What `work` returns, and how often the loop had its turn meanwhile."""
    task, turns = asyncio.ensure_future(work), 0
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    return await task, turns


def test_a_suite_is_the_one_of_the_plain_call_and_the_loop_goes_on(serve):
    server = serve(latency=0.2)
    work = ds.ajob(ds.suite, CASES, TWO, score="number", **WHOLE)
    found, turns = asyncio.run(watched(work))
    assert turns >= 10
    assert found.asked == server.accepted == 80
    again = ds.suite(CASES, TWO, score="number", **WHOLE)
    assert (again.asked, str(again)) == (0, str(found))
    assert asyncio.run(ds.ajob(found.run, show=False, budget="none")).asked == 0


def test_a_map_too(serve):
    serve()
    answered = asyncio.run(ds.ajob(ds.map, CASES, "{{ prompt }}", into="said", **WHOLE))
    assert list(answered.said) == [str(n) for n in range(40)]


def test_several_run_at_once(serve):
    serve(latency=0.05)

    async def both():
        variants = ("deepseek-flash", "deepseek-v4-pro")
        works = (ds.ajob(ds.suite, CASES, one, score="number", **WHOLE) for one in variants)
        return await asyncio.gather(*works)

    assert [found.asked for found in asyncio.run(both())] == [40, 40]


def test_the_plain_call_works_while_a_loop_runs(serve):
    serve()

    async def cell():
        return ds.suite(CASES, TWO, score="number", **WHOLE)

    assert asyncio.run(cell()).asked == 80


def test_a_cancel_stops_the_requests_and_keeps_what_was_answered(serve, monkeypatch):
    server = serve(latency=0.1)

    async def cancelled():
        task = asyncio.ensure_future(ds.ajob(ds.suite, CASES, TWO, concurrency=2, **WHOLE))
        while server.accepted < 10:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return server.accepted

    sent = asyncio.run(cancelled())
    assert sent < 40
    begin(monkeypatch)
    assert server.accepted == sent
    rest = ds.suite(CASES, TWO, **WHOLE)
    assert 80 - sent <= rest.asked <= 80 - sent + 4


def test_a_comparison_is_stopped_in_all_its_columns(session, server):
    server.fallback = lambda request: Reply(stall())

    async def cancelled():
        work = ds.ajob(ds.compare, "Hello?", ["deepseek-flash", "deepseek-v4-pro"])
        task = asyncio.ensure_future(work)
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert all(request.closed.wait(60) for request in server.requests)
    assert {turn.status for turn in session.conversation} <= {"interrupted"}


def test_what_a_job_raises_is_raised(serve):
    server = serve()
    server.fail = lambda body, number: 401
    with pytest.raises(AuthenticationError):
        asyncio.run(ds.ajob(ds.suite, CASES, TWO, **WHOLE))
    with pytest.raises(ParameterError):
        asyncio.run(ds.ajob(ds.suite, CASES, TWO, repeats=0))
