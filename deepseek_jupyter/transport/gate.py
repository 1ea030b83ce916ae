"""How many requests to one provider run at the same time."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Gate"]


class Gate:
    """A semaphore that can be narrowed while it is in use.

    DeepSeek limits concurrency, not rate, and may lower the limit with the balance; the 429 says
    the number.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._inside = 0
        self._free = asyncio.Condition()

    def narrow(self, limit: int) -> None:
        """Let at most `limit` in from now on; never fewer than one."""
        self.limit = max(1, min(self.limit, limit))

    async def __aenter__(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: self._inside < self.limit)
            self._inside += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inside -= 1
        # Nobody holds the lock while awaiting anything else, so this is no wait.
        async with self._free:
            self._free.notify_all()
