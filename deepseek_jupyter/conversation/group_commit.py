"""`GroupCommit`: what ends together is written together, by one wait for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_GATHERED = 0.004  # seconds in which others may join


class GroupCommit:
    """Runs `work` in a thread, once for all who call at one moment; each waits for its end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Wait for a run that begins after this call."""
        loop = asyncio.get_running_loop()
        if self._next is None or self._next.get_loop() is not loop:
            self._next = loop.create_task(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        await asyncio.sleep(_GATHERED)
        self._next = None
        await asyncio.to_thread(self._work)
