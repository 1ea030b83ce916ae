"""Threads, tasks, forks, and leaving early: each asks for itself, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.ask import aask
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.protocol.deltas import TextDelta
from tests.support.scripted import Reply, answer, chunk, deltas, event, pause, send, stall

HALF = send(event(chunk({"content": "Half"})))


async def test_several_at_once_take_no_longer_than_one(session, server):
    slow = [Reply(pause(1.0), answer(f"A{n}").steps) for n in range(4)]
    server.queue(*slow)
    began = time.monotonic()
    replies = await asyncio.gather(*[ds.aask(f"Q{n}", history=False) for n in range(4)])
    assert time.monotonic() - began < 3  # one after the other it would be 4
    assert sorted(r.text for r in replies) == ["A0", "A1", "A2", "A3"]


async def test_an_answer_leaves_nothing_to_the_garbage_collector(session, server):
    server.queue(answer("A1"), answer("A2"))
    await ds.aask("Q1")
    gc.collect()
    gc.disable()
    try:
        await ds.aask("Q2")
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(one).__name__ for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left.isdisjoint({"Exchange", "CompletionStream", "Response", "Run", "Turn"})


async def test_the_callers_loop_goes_on_meanwhile(session, server):
    server.queue(Reply(pause(0.3), answer("A").steps))
    ticks = 0
    asked = asyncio.create_task(ds.aask("Q"))
    while not asked.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10


async def test_a_cancelled_task_keeps_the_part_and_closes_the_socket(session, server):
    server.queue(Reply(HALF, stall()))
    task = asyncio.create_task(ds.aask("Q"))
    while not (server.requests and server.requests[0]):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[0].closed.wait, 0.5)
    assert (ds.last.text, ds.last.finish_reason) == ("Half", "interrupted")


async def test_a_conversation_begun_afresh_meanwhile_is_left_alone(session, server):
    server.queue(answer("A1"), Reply(pause(0.2), answer("A2").steps), answer("A3"))
    await ds.aask("Q1")
    asked = asyncio.create_task(ds.aask("Q2"))
    await asyncio.to_thread(server.wait_for_requests, 2)
    session.conversation.reset()
    assert (await asked).text == "A2"
    await ds.aask("Q3")
    assert [m["content"] for m in server.requests[2].json["messages"]] == ["Q3"]


async def test_a_timeout_around_it_works(session, server):
    class Late(Nowhere):
        """Lets the time run out when the first words are there."""

        def refresh(self, transcript, fresh, now):
            super().refresh(transcript, fresh, now)
            if transcript.status == "answering":
                timer.reschedule(asyncio.get_running_loop().time())

    server.queue(Reply(HALF, stall()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30) as timer:
            await aask(session, Question("Q"), Late())
    assert ds.last.text == "Half"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


def test_a_stream_gives_deltas_and_then_its_reply(session, server):
    server.queue(answer("Some words.", reasoning="Hm."))
    stream = ds.stream("Q")
    assert server.requests == []
    texts = [delta.text for delta in stream if isinstance(delta, TextDelta)]
    assert "".join(texts) == "Some words."
    assert stream.reply is ds.last
    assert stream.reply.reasoning == "Hm."


async def test_an_async_stream_too(session, server):
    server.queue(answer("Some words."))
    stream = ds.stream("Q")
    texts = [delta.text async for delta in stream if isinstance(delta, TextDelta)]
    assert "".join(texts) == stream.reply.text == "Some words."


def test_breaking_out_of_a_stream_closes_it(session, server):
    server.queue(Reply(deltas(10_000, rate=100)))
    stream = ds.stream("Q")
    for delta in (iterator := iter(stream)):
        if isinstance(delta, TextDelta):
            break
    iterator.close()
    assert server.requests[0].closed.wait(60)
    assert stream.reply.finish_reason == "interrupted"
    assert stream.reply.text


async def test_breaking_out_of_an_async_stream_closes_it(session, server):
    server.queue(Reply(deltas(10_000, rate=100)))
    stream = ds.stream("Q")
    async for delta in stream:
        if isinstance(delta, TextDelta):
            break
    assert await asyncio.to_thread(server.requests[0].closed.wait, 1.0)
    for _ in range(100):
        if stream.reply:
            break
        await asyncio.sleep(0.01)
    assert stream.reply.finish_reason == "interrupted"


def test_a_stream_that_could_not_begin_has_no_reply(session, server):
    server.queue(answer("Before."))
    ds.ask("Q", show=False)
    stream = ds.stream("Q", temperature=9)
    with pytest.raises(ds.DeepSeekError):
        list(stream)
    assert stream.reply is None


def test_a_stream_that_fails_does_not_take_anothers_reply(session, server):
    stream = ds.stream("Q", temperature=9)
    server.queue(answer("Meanwhile."))
    ds.ask("Another", show=False)
    with pytest.raises(ds.DeepSeekError):
        list(stream)
    assert stream.reply is None


def test_a_stream_has_its_own_reply_whoever_asks_before_its_last_delta(session, server):
    server.queue(answer("Write to <ema"), answer("Another's."))
    stream = ds.stream("How do I reach ada@example.com?")
    for delta in stream:
        if delta == TextDelta("<ema"):  # might have been a pseudonym, so it comes at the very end
            ds.ask("Another", show=False)
    assert len(server.requests) == 2
    assert stream.reply.text == "Write to <ema"


async def test_a_dry_run_can_be_awaited(session, server):
    shown = await ds.aask("What would go out?", dry_run=True)
    assert shown.messages[-1]["content"] == "What would go out?"
    with pytest.raises(ds.DeepSeekError, match="sends nothing"):
        list(ds.stream("What would go out?", dry_run=True))
    assert server.requests == []


def test_threads_ask_at_the_same_time(session, server):
    server.queue(*[Reply(pause(0.2), answer(f"A{n}").steps) for n in range(3)])
    found: list[str] = []

    def work(n: int) -> None:
        found.append(ds.ask(f"Q{n}", show=False, history=False).text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == ["A0", "A1", "A2"]


def test_inside_a_running_loop_the_plain_function_works_too(session, server):
    server.queue(answer("A"))

    async def main() -> str:
        return ds.ask("Q", show=False).text

    assert asyncio.run(main()) == "A"


def test_nothing_is_patched(session, server):
    before = asyncio.run, asyncio.Task, asyncio.new_event_loop
    server.queue(answer("A"))
    ds.ask("Q", show=False)
    assert (asyncio.run, asyncio.Task, asyncio.new_event_loop) == before
    assert not hasattr(asyncio, "_nest_patched")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_asks_on_its_own(session, server):
    server.queue(answer("parent"), answer("child"), answer("parent again"))
    assert ds.ask("Q", show=False).text == "parent"
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if ds.ask("Q", show=False, history=False).text == "child" else 1)
        finally:
            os._exit(2)
    for _ in range(500):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert status == 0
    assert ds.ask("Q", show=False, history=False).text == "parent again"


async def test_what_arrived_is_in_the_journal_a_second_later(session, server):
    server.queue(Reply(HALF, stall()))
    asked = asyncio.create_task(ds.aask("Q"))
    kept = Journal.open()
    for _ in range(600):
        await asyncio.sleep(0.05)
        rows = kept._rows("SELECT body FROM bodies", ())
        if any('"answer":"Half"' in body for (body,) in rows):
            break
    else:
        pytest.fail("it was never written")
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
