"""How many requests run at the same time: a limit that can fall and never reaches zero."""

from __future__ import annotations

import asyncio

import pytest
from deepseek_jupyter.transport.gate import Gate


@pytest.mark.parametrize("limit", [0, -1])
async def test_however_narrow_one_still_gets_in(limit):
    gate = Gate(8)
    gate.narrow(limit)
    async with asyncio.timeout(5), gate:
        pass


async def test_no_more_than_the_limit_are_inside_and_it_never_rises():
    gate = Gate(2)
    gate.narrow(5)
    inside: list[int] = []

    async def enter() -> None:
        async with gate:
            inside.append(gate._inside)
            await asyncio.sleep(0)

    await asyncio.gather(*(enter() for _ in range(6)))
    assert len(inside) == 6
    assert max(inside) == 2
