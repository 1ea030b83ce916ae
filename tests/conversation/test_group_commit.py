"""Before an answer is returned the disk has it; those that end together wait for it once."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.conversation.database import GroupCommit
from deepseek_jupyter.conversation.journal import Journal
from tests.jobs.conftest import serve

__all__ = ["serve"]


def test_who_calls_at_one_moment_shares_a_run_that_begins_later():
    wanted, done = list[int](), list[int]()

    def work() -> None:
        done[:] = wanted

    group = GroupCommit(work)

    async def one(number: int) -> None:
        await asyncio.sleep(number % 7 / 1000)
        wanted.append(number)
        await group()
        assert number in done

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(200)))

    asyncio.run(all_of_them())
    asyncio.run(all_of_them())  # another loop


@pytest.fixture
def syncs(monkeypatch):
    """The turns that had ended in the file at each sync of the journal, by prompt."""
    seen, real, reading = [], os.fsync, threading.Lock()

    def fsync(handle: int) -> None:
        real(handle)
        with reading:  # another connection: what the log has, not what a process remembers
            seen.append({turn.prompt for turn in Journal.open().everything()})

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_answers_that_end_together_are_synced_together_and_before_they_are_returned(serve, syncs):
    serve(latency=0.05)
    ds.get_session().config.concurrency = 40

    async def one(number: int) -> None:
        await ds.aask(f"Q{number}", show=False, history=number % 2 == 0)
        assert f"Q{number}" in syncs[-1]

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(40)))

    asyncio.run(all_of_them())
    assert len(syncs) <= 20


def test_each_way_of_asking_waits_for_the_disk(serve, syncs):
    serve()
    ds.ask("by ask", show=False)
    assert syncs[-1] == {"by ask"}
    list(ds.stream("by stream"))
    assert "by stream" in syncs[-1]

    async def streamed() -> None:
        async for _ in ds.stream("by astream"):
            pass

    asyncio.run(streamed())
    assert "by astream" in syncs[-1]
