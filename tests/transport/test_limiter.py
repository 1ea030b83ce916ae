"""How many requests run at the same time: a limit that can fall and never reaches zero."""

from __future__ import annotations

import asyncio

import pytest

from deepseek_jupyter.transport.client import Limiter


@pytest.mark.parametrize("limit", [0, -1])
async def test_however_narrow_one_still_gets_in(limit):
    limiter = Limiter(8)
    limiter.narrow(limit)
    async with asyncio.timeout(5), limiter:
        pass


async def test_no_more_than_the_limit_are_inside_and_it_never_rises():
    limiter = Limiter(2)
    limiter.narrow(5)
    inside: list[int] = []

    async def enter() -> None:
        async with limiter:
            inside.append(limiter._inside)
            await asyncio.sleep(0)

    await asyncio.gather(*(enter() for _ in range(6)))
    assert len(inside) == 6
    assert max(inside) == 2


async def test_it_recovers_a_place_for_each_window_that_went_well():
    limiter = Limiter(8)
    limiter.narrow(2)
    for limit in (2, 3, 3, 3, 4):
        limiter.relax()
        assert limiter.limit == limit
    for _ in range(100):
        limiter.relax()
    assert limiter.limit == 8


async def test_many_refusals_at_once_are_one():
    limiter = Limiter(10)
    for _ in range(20):
        limiter.narrow()
    assert limiter.limit == 8


async def test_all_who_wait_get_in_when_the_limit_has_grown():
    limiter = Limiter(4)
    limiter.narrow(1)
    most = 0

    async def enter() -> None:
        nonlocal most
        async with limiter:
            most = max(most, limiter._inside)
            await asyncio.sleep(0)
            limiter.relax()

    async with asyncio.timeout(5):
        await asyncio.gather(*(enter() for _ in range(40)))
    assert most == 4
