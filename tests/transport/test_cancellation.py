"""A stop closes the server's socket at once, keeps the part, and leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import time

import pytest

from deepseek_jupyter.errors import Interrupted
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import Engine, Stop, engine
from deepseek_jupyter.transport.exchange import Exchange
from tests.support.asking import ONCE, PATIENT, ask, exchange_with, provider_at
from tests.support.scripted import (
    Reply,
    Server,
    answer,
    deltas,
    error,
    head,
    keepalives,
    pause,
    stall,
)

AT_ONCE = 5.0  # seconds that a busy machine may need; the figure is a row of make bench


@pytest.fixture
def running(server) -> Exchange:
    """An exchange whose answer comes for ever."""
    server.queue(Reply(deltas(100_000, rate=100)))
    return exchange_with(provider_at(server))


def assert_idle(loop: asyncio.AbstractEventLoop) -> None:
    """No task is left on the engine's loop, but the one that looks."""

    async def others() -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run_coroutine_threadsafe(others(), loop).result(1) == set()


def test_leaving_the_drain_closes_the_server_s_socket(server, client, running):
    source = engine().drain(lambda: client.stream(running))
    for events in source:
        if events and any(isinstance(e, TextDelta) for e in events):
            break
    left = time.monotonic()
    source.close()
    request = server.requests[0]
    assert request.closed.wait(AT_ONCE)
    assert time.monotonic() - left < AT_ONCE
    assert running.completion.answer
    assert not running.completion.ended
    assert_idle(engine().loop)


@pytest.mark.parametrize(
    "reply",
    [Reply(stall()), Reply(head(), stall()), Reply(keepalives(10_000, 0.02))],
    ids=["waiting for headers", "waiting for the first event", "queued"],
)
def test_a_stop_while_waiting_is_as_quick(server, client, reply):
    server.queue(reply)
    exchange = exchange_with(provider_at(server))
    source = engine().drain(lambda: client.stream(exchange))
    request = None
    for _ in source:
        if server.requests:
            request = server.requests[0]
            break
    source.close()
    assert request is not None
    assert request.closed.wait(AT_ONCE)
    assert_idle(engine().loop)


def test_a_stop_while_waiting_for_another_try(server):
    from deepseek_jupyter.transport.retry import RetryPolicy

    server.queue(error(429, "Later.", headers={"retry-after": "30"}))
    client = Client(PATIENT, RetryPolicy(attempts=2))
    exchange = exchange_with(provider_at(server))
    source = engine().drain(lambda: client.stream(exchange))
    server_seen = False
    for _ in source:
        if server_seen:
            break
        server_seen = bool(server.requests)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < AT_ONCE
    assert_idle(engine().loop)


def test_an_interrupt_in_the_consumer_leaves_nothing_running(server, client, running):
    """As the kernel does it: SIGINT while this thread waits for the next delta."""
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in engine().drain(lambda: client.stream(running)):
            pass
    assert server.requests[0].closed.wait(AT_ONCE)
    assert running.completion.answer
    assert_idle(engine().loop)
    server.queue(answer("Still working."))
    assert ask(exchange_with(provider_at(server)), client).text == "Still working."


def test_an_interrupt_during_run_cancels_the_work():
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine().run(work())
    assert cancelled.is_set()
    assert time.monotonic() - began < 0.2 + AT_ONCE


async def test_cancelling_an_async_caller_closes_the_socket(server, client, running):
    seen = asyncio.Event()

    async def caller() -> None:
        async for events in engine().adrain(lambda: client.stream(running)):
            if any(isinstance(e, TextDelta) for e in events):
                seen.set()

    task = asyncio.create_task(caller())
    await asyncio.wait_for(seen.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[0].closed.wait, AT_ONCE)
    assert running.completion.answer
    assert_idle(engine().loop)


async def test_leaving_an_async_loop_early_closes_the_socket(server, client, running):
    async with contextlib.aclosing(engine().adrain(lambda: client.stream(running))) as source:
        async for events in source:
            if any(isinstance(e, TextDelta) for e in events):
                break
    assert await asyncio.to_thread(server.requests[0].closed.wait, AT_ONCE)


async def test_the_caller_s_loop_stays_free_while_an_answer_comes(server, client):
    """Ticks of the caller's own loop go on; the exchange runs on another thread."""
    server.queue(answer("Slow.", before=[pause(0.3)]))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async for _ in engine().adrain(lambda: client.stream(exchange_with(provider_at(server)))):
        pass
    ticking.cancel()
    assert ticks >= 10


class TestEngine:
    def test_many_callers_drain_at_the_same_time(self, server, client):
        all_here = threading.Event()  # or nobody is answered
        server.fallback = answer("One of many.", before=[lambda c: c.wait(20, all_here)])
        answers: list[str] = []

        def caller() -> None:
            answers.append(ask(exchange_with(provider_at(server)), client).text)

        threads = [threading.Thread(target=caller) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.wait_for_requests(8)
        all_here.set()
        for thread in threads:
            thread.join(60)
        assert answers == ["One of many."] * 8

    def test_no_more_than_the_gate_lets_in_are_asked_at_once(self, server):
        client = Client(PATIENT, ONCE, concurrency=2)
        release = threading.Event()
        server.fallback = answer("In turn.", before=[lambda c: c.wait(5, release)])
        threads = [
            threading.Thread(target=ask, args=(exchange_with(provider_at(server)), client))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        server.wait_for_requests(2)
        time.sleep(0.15)
        assert len(server.requests) == 2
        release.set()
        for thread in threads:
            thread.join(60)
        assert len(server.requests) == 5

    def test_a_gate_place_is_given_back_after_a_stop(self, server):
        client = Client(PATIENT, ONCE, concurrency=1)
        server.queue(Reply(stall()), answer("My turn."))
        source = engine().drain(lambda: client.stream(exchange_with(provider_at(server))))
        while not server.requests:
            next(source)
        source.close()
        assert ask(exchange_with(provider_at(server)), client).text == "My turn."

    def test_nothing_starts_before_first_use(self):
        before = threading.active_count()
        lazy = Engine()
        assert threading.active_count() == before
        assert lazy.run(asyncio.sleep(0, "ran")) == "ran"
        assert threading.active_count() == before + 1

    def test_the_thread_does_not_hold_the_process_up(self):
        assert engine().run(asyncio.sleep(0, 1)) == 1
        thread = next(t for t in threading.enumerate() if t.name == "deepseek_jupyter")
        assert thread.daemon

    def test_exceptions_arrive_at_the_caller(self):
        async def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            engine().run(fail())

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_fork_gets_an_engine_and_connections_of_its_own(self, server, client):
        """As multiprocessing does on Linux: the child asks with the very same client."""
        server.queue(error(400, "keeps the connection in the pool"))
        assert ask(exchange_with(provider_at(server)), client).error
        server.fallback = answer("Both.")
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            text = "failed"
            try:
                text = ask(exchange_with(provider_at(server)), client).text
            finally:
                os.write(theirs, text.encode())
                os._exit(0)
        os.close(theirs)
        assert ask(exchange_with(provider_at(server)), client).text == "Both."
        assert os.read(ours, 100) == b"Both."
        os.waitpid(child, 0)


def test_the_first_delta_does_not_wait_for_more(client):
    """First paint: a delta that arrived is handed on at once, whatever comes later."""
    with Server() as server:
        server.queue(Reply(deltas(3, rate=0.1)))
        began = time.monotonic()
        for events in engine().drain(lambda: client.stream(exchange_with(provider_at(server)))):
            if events and any(isinstance(e, TextDelta) for e in events):
                break
        assert time.monotonic() - began < 5  # the next one is ten seconds away


def test_a_stop_that_was_asked_for_before_ends_the_drain(server, client, running):
    stop = Stop()
    stop()
    source = engine().drain(lambda: client.stream(running), stop, tick=0.01)
    with pytest.raises(Interrupted):
        list(itertools.islice(source, 1000))
    assert server.requests == []


async def test_so_it_does_where_the_caller_has_a_loop(server, client, running):
    stop = Stop()
    stop()
    source = engine().adrain(lambda: client.stream(running), stop)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(anext(source), 30)
    assert server.requests == []
