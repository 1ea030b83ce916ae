"""Calling functions: a time limit for each, side by side where that is safe, errors as words."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .loop import Planned

__all__ = ["Outcome", "call_all", "call_here", "side_by_side"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned or raised."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0

    @property
    def problem(self) -> str:
        """The error as the model is told it, "" where there was none."""
        if self.error is None:
            return ""
        words = str(self.error).strip()
        return f"{type(self.error).__name__}: {words}" if words else type(self.error).__name__


def side_by_side(planned: Planned) -> bool:
    """Whether the call may run beside others: an async function, or one that never displays."""
    assert planned.tool is not None
    return _is_async(planned.tool.call) or not planned.tool.on_caller_thread


def call_here(planned: Planned, seconds: float) -> Outcome:
    """Call on this thread, so that what the function shows lands in the running cell.

    What it raises becomes an `Outcome`, but for a `KeyboardInterrupt`, which stops everything.
    """
    assert planned.tool is not None
    began = time.monotonic()
    try:
        with _limited(seconds):
            value = planned.tool.call(**planned.keywords)
    except (Exception, SystemExit) as error:
        return Outcome(error=error, seconds=time.monotonic() - began)
    return Outcome(value, seconds=time.monotonic() - began)


async def call_all(calls: Sequence[Planned], seconds: float) -> list[Outcome]:
    """Call all at once on the running loop, synchronous ones in threads."""
    return list(await asyncio.gather(*(_call(planned, seconds) for planned in calls)))


async def _call(planned: Planned, seconds: float) -> Outcome:
    assert planned.tool is not None
    began = time.monotonic()
    function, keywords = planned.tool.call, planned.keywords
    try:
        work = _awaitable(function, keywords)
        value = await asyncio.wait_for(work, seconds or None)
        if inspect.isawaitable(value):
            value = await asyncio.wait_for(value, seconds or None)
    except TimeoutError as error:
        late = seconds and time.monotonic() - began >= seconds
        return Outcome(error=_too_long(seconds) if late else error)
    except (Exception, SystemExit) as error:
        return Outcome(error=error, seconds=time.monotonic() - began)
    return Outcome(value, seconds=time.monotonic() - began)


def _awaitable(function: Callable[..., Any], keywords: Mapping[str, Any]) -> Awaitable[Any]:
    if _is_async(function):
        return function(**keywords)  # type: ignore[no-any-return]
    return asyncio.to_thread(function, **keywords)


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method, not whether it is there
    )


def _too_long(seconds: float) -> TimeoutError:
    return TimeoutError(f"it took longer than {seconds:g} seconds and was stopped")


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Stop the block after `seconds`; 0 lets it run.

    By the alarm signal, the one means that also ends a blocking call and leaves the function on
    this thread. Where there is none (Windows, other threads) the block runs to its end.
    """
    here = threading.current_thread() is threading.main_thread()
    if not seconds or not here or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise _too_long(seconds)

    before = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:  # somebody else's alarm goes on
            left = max(0.001, left - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left, again)
