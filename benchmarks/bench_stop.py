"""The stop button: how soon the kernel is idle again, what is kept, and when the server knows."""

from __future__ import annotations

import threading
import time
from statistics import median

from kernel import Cell, Kernel
from rows import Row, alone
from serving import Reply, Server, Serving, events, paced, stall

TITLE = "Stop"
RUNS = 7
BOUND = 0.3  # seconds

_ASK = "ds.ask('Go on.', history=False)"
_KEPT = "[len(ds.last.text), ds.last.turn.status]"


def rows() -> list[Row]:
    """Streaming at 50 tokens a second; waiting for headers; at full speed; and a bare kernel."""
    idle, closed, kept, shown, bare = [], [], [], [], []
    head_idle, head_closed = [], []
    long_answer = events("mixed", 5_000)
    with Server(validate=False) as server, Kernel(server.base_url()) as kernel:
        server.queue(paced(long_answer[:5], 50))
        kernel.run(_ASK)  # imports, first connection
        for run in range(RUNS):
            bare.append(stopped(kernel, "time.sleep(60)", 0.3)[0])
            server.queue(paced(long_answer, 50))
            seconds, at, cell = stopped(kernel, _ASK, 0.7 + run * 0.03)
            length, status = kernel.value(_KEPT)
            idle.append(seconds)
            kept.append(length > 50 and status == "interrupted")
            shown.append("topped" in cell.shown[-1][1]["data"]["text/markdown"])
            closed.append(_closed(server, at))
            server.queue(Reply(stall()))
            seconds, at, _ = stopped(kernel, _ASK, 0.5 + run * 0.03)
            head_idle.append(seconds)
            head_closed.append(_closed(server, at))
    full, full_kept, size = _at_full_speed()
    return [
        Row("while streaming: interrupt to idle", idle, "s", BOUND),
        Row("while streaming: server sees the socket close", closed, "s", BOUND),
        Row("while streaming: partial kept in ds.last", kept, "runs"),
        Row('while streaming: partial shown, marked "stopped"', shown, "runs"),
        Row("while waiting for headers: interrupt to idle", head_idle, "s", BOUND),
        Row("while waiting for headers: server sees the socket close", head_closed, "s", BOUND),
        Row("at full speed: interrupt to idle", full, "s", BOUND, note=f"after {size:.0f} kB"),
        Row("at full speed: partial kept in ds.last", full_kept, "runs"),
        Row("a bare kernel's time.sleep: interrupt to idle", bare, "s"),
    ]


def _at_full_speed() -> tuple[list[float], list[bool], float]:
    """More deltas than can be read before the stop comes."""
    idle, kept, sizes = [], [], []
    with Serving("mixed", 300_000) as server, Kernel(server.url) as kernel:
        for run in range(RUNS + 1):
            seconds, _, _ = stopped(kernel, _ASK, 0.8)
            length, status = kernel.value(_KEPT)
            if run:
                idle.append(seconds)
                kept.append(length > 50 and status == "interrupted")
                sizes.append(length / 1e3)
    return idle, kept, median(sizes)


def stopped(kernel: Kernel, code: str, after: float) -> tuple[float, float, Cell]:
    """Seconds from the interrupt to idle, when it was sent, and the cell."""
    at: list[float] = []
    timer = threading.Timer(after, lambda: at.append(kernel.interrupt()))
    timer.start()
    cell = kernel.run(code, may_fail=True)
    timer.join()
    if cell.idle < at[0]:
        raise RuntimeError(f"{code!r} was over before the interrupt: {cell.error}")
    return cell.idle - at[0], at[0], cell


def _closed(server: Server, interrupted: float) -> float:
    request = server.requests[-1]
    if not request.closed.wait(5) or request.closed_at is None:
        return time.monotonic() - interrupted
    return request.closed_at - interrupted


if __name__ == "__main__":
    alone(TITLE, rows)
