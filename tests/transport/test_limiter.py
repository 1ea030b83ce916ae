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
