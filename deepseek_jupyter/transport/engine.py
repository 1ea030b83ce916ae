"""One daemon thread with one event loop, for every exchange of this process.

Why a thread: a cell of a notebook runs inside the kernel's own loop, where nothing can be awaited;
the thread leaves that loop untouched, so queued cells, the user's own asyncio code and patched
loops all keep working (with nest_asyncio applied, cells queued behind it can vanish).

The caller drains events and does all display on its own thread. On KeyboardInterrupt the task is
cancelled on its loop and its unwinding awaited, so the server's socket is closed before the cell
ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from deepseek_jupyter.errors import DeepSeekError, Interrupted

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop

_TICK = 0.1  # seconds; also lets Ctrl-C through where a bare lock wait would hold it (Windows)
_UNWIND = 2.0  # seconds to wait for a cancelled task


class Engine:
    """The thread and its loop, started at first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. A fork gets a thread of its own: the parent's stays with the parent."""
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                if sys.platform == "emscripten":
                    raise DeepSeekError(
                        "Nothing can be asked here: Python in a browser has no threads.",
                        "Use a kernel on a machine; attaching, --dry-run and exports work.",
                    )
                self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                threading.Thread(
                    target=self._loop.run_forever, name="deepseek_jupyter", daemon=True
                ).start()
            return self._loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """`work`'s result, waited for on this thread; an interrupt cancels it first."""
        job = _Job(self.loop, work)
        try:
            while not job.finished.wait(_TICK):
                pass
        finally:
            job.cancel()
        return job.result.result()

    def start(self, work: Coroutine[Any, Any, Any], stop: Stop) -> None:
        """Begin `work` and return at once; `stop` ends it. What it raises is lost."""
        stop.bind(_Job(self.loop, work))

    def drain(
        self,
        source: Callable[[], AsyncGenerator[list[T]]],
        stop: Stop | None = None,
        tick: float = _TICK,
    ) -> Generator[list[T] | None]:
        """The lists of an async iterator, on this thread; None after each `tick` without one.

        Lists that came while the caller was busy are handed over as one: in a flood of small ones
        it is the number of turns that costs.

        `stop` lets another thread end it, which raises `Interrupted` here. Leaving the loop in any
        way (break, exception, interrupt) cancels the iterator and waits until it has let go of its
        connection.
        """
        items: queue.SimpleQueue[list[T] | None] = queue.SimpleQueue()
        job = _Job(self.loop, _pump(source, items.put), stop)
        job.result.add_done_callback(lambda _: items.put(None))
        for ends in filter(None, (stop, stops_all.get())):
            ends.bind(job)
        try:
            while True:
                try:
                    item = items.get(timeout=tick)
                except queue.Empty:
                    yield None
                    continue
                if item is None:
                    break
                yield _with_waiting(item, items)
        finally:
            job.cancel()
        try:
            job.result.result()
        except CancelledError:
            raise Interrupted from None

    async def adrain(
        self, source: Callable[[], AsyncGenerator[list[T]]], stop: Stop | None = None
    ) -> AsyncGenerator[list[T]]:
        """The lists of an async iterator, for a caller with a loop of its own; without ticks.

        A stop cancels the caller's task: a KeyboardInterrupt would end the caller's loop.
        """
        here = asyncio.get_running_loop()
        items: asyncio.Queue[list[T] | None] = asyncio.Queue()

        def put(item: list[T] | None) -> None:
            with contextlib.suppress(RuntimeError):  # the caller's loop is gone
                here.call_soon_threadsafe(items.put_nowait, item)

        job = _Job(self.loop, _pump(source, put), stop)
        job.result.add_done_callback(lambda _: put(None))
        if stop is not None:
            stop.bind(job)
        try:
            while (item := await items.get()) is not None:
                yield _with_waiting(item, items)
            if job.result.cancelled():
                raise asyncio.CancelledError
            job.result.result()
        finally:
            if not job.finished.is_set():
                await asyncio.to_thread(job.cancel)


class Stop:
    """Ends drains from any thread, without waiting for them, also those that have yet to begin.

    Call it to stop; `asked` says whether it was called.
    """

    def __init__(self) -> None:
        self.asked = False
        self._jobs: WeakSet[_Job[Any]] = WeakSet()

    def bind(self, job: _Job[Any]) -> None:
        """Say what else a stop ends."""
        self._jobs.add(job)
        if self.asked:
            job.abandon()

    def __call__(self) -> None:
        self.asked = True
        for job in list(self._jobs):
            job.abandon()


# What ends every drain of this context, in addition to the drain's own.
stops_all: ContextVar[Stop | None] = ContextVar("stops_all", default=None)


class _Job(Generic[T]):
    """A coroutine on another thread's loop that can be cancelled *and waited for*.

    The future of `asyncio.run_coroutine_threadsafe` counts as done the moment it is cancelled,
    while the task still holds its socket.
    """

    def __init__(self, loop: Loop, work: Coroutine[Any, Any, T], stop: Stop | None = None) -> None:
        self.finished = threading.Event()
        self.result: Future[T] = Future()
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        loop.call_soon_threadsafe(self._start, work, stop)

    def cancel(self) -> None:
        """Cancel, unless it has finished, and wait for the unwinding."""
        if not self.finished.is_set():
            self.abandon()
            self.finished.wait(_UNWIND)

    def abandon(self) -> None:
        """Cancel without waiting."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _start(self, work: Coroutine[Any, Any, T], stop: Stop | None) -> None:
        self._task = self._loop.create_task(work)
        if stop is not None and stop.asked:  # before its first step: nothing is sent
            self._task.cancel()
        self._task.add_done_callback(self._done)

    def _cancel(self) -> None:
        assert self._task is not None  # _start was queued before
        self._task.cancel()

    def _done(self, task: asyncio.Task[T]) -> None:
        self.finished.set()
        if task.cancelled():
            self.result.cancel()
        elif error := task.exception():
            self.result.set_exception(error)
        else:
            self.result.set_result(task.result())


def _with_waiting(
    item: list[T], items: queue.SimpleQueue[list[T] | None] | asyncio.Queue[list[T] | None]
) -> list[T]:
    """`item` and what waits behind it, as one list."""
    joined = [*item]
    for _ in range(items.qsize()):
        if (more := items.get_nowait()) is None:
            items.put_nowait(None)  # the end
            break
        joined += more
    return joined


async def _pump(source: Callable[[], AsyncGenerator[T]], put: Callable[[T], Any]) -> None:
    # An async generator that is merely dropped would be closed at some later time.
    async with contextlib.aclosing(source()) as items:
        async for item in items:
            put(item)


_ENGINE = Engine()


def engine() -> Engine:
    return _ENGINE
