"""Beside other packages: loading, long streams, published bytes and stop, each in its own kernel.

All kernels are alive together and take turns at the same server, so that a pair of figures comes
from the same minute. A figure of ours that is worse than a peer's is NOT MET.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from kernel import Cell, Kernel
from peers import (
    BARE,
    KERNEL_ALONE,
    OURS,
    PEERS,
    Peer,
    added,
    environment_of,
    python_of,
    version_of,
)
from rows import Row, alone, ratios, skipped
from serving import Reply, Server, events, fast, paced, pause
from texts import tokens

from tests.support.scripted import Request, whole

TITLE = "Beside other packages"
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
PATIENCE = 60  # seconds for one answer; a slower one is said to be so and not repeated
EVERYONE = (OURS, BARE, *PEERS)
SHOWING = (OURS, *PEERS)

Values = dict[str, list[float]]


def rows() -> list[Row]:
    """Everything; the environments are made first where they are not there."""
    for peer in (KERNEL_ALONE, *EVERYONE):
        python_of(peer)
    return [
        *_installed(),
        *_loading(),
        *_deltas(2_000),
        *_deltas(20_000),
        *_published(),
        *_stopping(),
    ]


def _installed() -> list[Row]:
    brought = {peer.name: added(peer) for peer in EVERYONE}
    found = []
    for peer in EVERYONE:
        count, size = brought[peer.name]
        name = f"{peer.title} ({version_of(peer)})"
        found.append(Row(f"distributions added: {name}", [count], "", chart="distributions"))
        found.append(Row(f"disk added: {name}", [size], "MB", chart="disk, MB"))
    return found


def _loading() -> list[Row]:
    """A fresh kernel for each run."""
    seconds, memory = defaultdict(list), defaultdict(list)
    for _ in range(RUNS):
        for peer in EVERYONE:
            with Server(validate=False) as server, _kernel(peer, server) as kernel:
                nothing = min(kernel.run("pass").seconds for _ in range(3))
                before = kernel.megabytes
                loading = kernel.run(peer.load.format(url=server.base_url())).seconds
                seconds[peer.name].append(loading - nothing)
                memory[peer.name].append(kernel.megabytes - before)
    return [
        *_side_by_side("load, seconds", seconds, "s", EVERYONE, chart="load, seconds"),
        *_side_by_side("load, memory", memory, "MB", EVERYONE),
    ]


def _deltas(number: int) -> list[Row]:
    """CPU of the kernel's process, all threads, and seconds, from the request to idle."""
    cpu, wall, slow = defaultdict(list), defaultdict(list), {}
    stream = fast(events("mixed", number))
    text = "".join(tokens("mixed", number))
    with _kernels(EVERYONE, _either(stream, text)) as kernels:
        for run in range(RUNS + 1):
            for peer in EVERYONE:
                if peer.name in slow:
                    continue
                took = _measured(kernels[peer.name], peer)
                if took is None:
                    slow[peer.name] = PATIENCE
                elif run:  # the first brings what loading put off
                    cpu[peer.name].append(took[0])
                    wall[peer.name].append(took[1])
    what = f"{number:,} deltas"
    return [
        *_side_by_side(f"{what}, CPU", cpu, "s", EVERYONE, chart=f"CPU for {what}, seconds"),
        *_side_by_side(f"{what}, seconds", wall, "s", EVERYONE),
        *(
            skipped(f"{what}: {peer.title}", f"not idle after {PATIENCE} s; stopped")
            for peer in EVERYONE
            if peer.name in slow
        ),
    ]


def _measured(kernel: Kernel, peer: Peer) -> tuple[float, float] | None:
    kernel.run("import time as _time; _used = _time.process_time()")
    try:
        cell = kernel.run(peer.asking("Go on."), timeout=PATIENCE, weigh=True)
    except TimeoutError:
        kernel.interrupt()
        return None
    time.sleep(0.1)  # what is left in the thread that sends outputs counts too
    return float(kernel.value("_time.process_time() - _used")), cell.seconds


def _published() -> list[Row]:
    """100 KB in pieces of 20 characters, a thousand a second."""
    pieces = _hundred_kilobytes()
    sizes: Values = defaultdict(list)
    server = _either(lambda: paced(map(_event, pieces), 1000), "".join(pieces))
    with _kernels(SHOWING, server) as kernels:
        for peer in SHOWING:
            cell = kernels[peer.name].run(peer.asking("Go on."), timeout=600, weigh=True)
            sizes[peer.name].append((cell.weight + len(cell.text.encode())) / 1e6)
    return _side_by_side(
        "100 KB answer, published", sizes, "MB", SHOWING, chart="published for 100 KB, MB"
    )


def _hundred_kilobytes() -> list[str]:
    text = ""
    for piece in tokens("mixed", 40_000):
        text += piece
        if len(text) >= 100_000:
            break
    return [text[at : at + 20] for at in range(0, 100_000, 20)]


def _event(piece: str) -> bytes:
    from serving import chunk, event

    return event(chunk({"content": piece}))


def _stopping() -> list[Row]:
    """Interrupted in an answer that comes at 50 tokens a second."""
    idle, closed, kept = defaultdict(list), defaultdict(list), defaultdict(list)
    body = events("mixed", 2_000)
    said = "".join(tokens("mixed", 2_000))

    short = _either(fast(events("mixed", 50)), "A short answer.")
    with _kernels(SHOWING, short) as kernels:
        for peer in SHOWING:
            kernels[peer.name].run(peer.asking("Go on."))  # what comes with the first question

        def reply(request: Request) -> Reply:
            if request.json.get("stream"):
                return paced(body, 50)
            return Reply(pause(40), whole(said).steps, content_type="application/json")

        kernels.server.fallback = reply
        for run in range(RUNS):
            for peer in SHOWING:
                kernel = kernels[peer.name]
                kernels.server.forget()
                cell, at = _interrupted(kernels, peer, 1.0 + run * 0.03)
                request = kernels.server.requests[-1]
                idle[peer.name].append(cell.idle - at)
                gone = request.closed.wait(15)
                closed[peer.name].append((request.closed_at or at) - at if gone else 15.0)
                told = kernel.run(f"print(len({peer.kept}))", may_fail=True).text.strip()
                kept[peer.name].append(float(told.isdigit() and int(told) > 20))
    return [
        *_side_by_side("stop to idle", idle, "s", SHOWING),
        *_side_by_side("stop until the server sees the socket close", closed, "s", SHOWING),
        *(
            Row(f"partial answer kept in the conversation: {p.title}", kept[p.name], "runs")
            if p is OURS
            else Row(
                f"partial answer kept in the conversation: {p.title}",
                [sum(kept[p.name])],
                f"of {RUNS}",
            )
            for p in SHOWING
        ),
    ]


def _interrupted(kernels: _Kernels, peer: Peer, after: float) -> tuple[Cell, float]:
    """Stop `after` seconds of streaming; the cell, and when that was."""
    kernel = kernels[peer.name]
    pressed: list[float] = []

    def stop() -> None:
        kernels.server.wait_for_requests(1, 60)
        time.sleep(after)
        pressed.append(kernel.interrupt())

    stopper = threading.Thread(target=stop)
    stopper.start()
    cell = kernel.run(peer.asking("Go on."), may_fail=True)
    stopper.join()
    return cell, pressed[0]


class _Kernels(dict[str, Kernel]):
    """Kernels by peer, and the server that they ask."""

    server: Server


@contextmanager
def _kernels(peers: tuple[Peer, ...], fallback: object) -> Iterator[_Kernels]:
    with ExitStack() as stack:
        server = stack.enter_context(Server(validate=False, fallback=fallback))  # type: ignore[arg-type]
        found = _Kernels()
        found.server = server
        for peer in peers:
            kernel = stack.enter_context(_kernel(peer, server))
            kernel.run(peer.load.format(url=server.base_url()))
            kernel.run(peer.ready.format(url=server.base_url()))
            found[peer.name] = kernel
        yield found


def _kernel(peer: Peer, server: Server) -> Kernel:
    url = server.base_url()
    return Kernel(url, load=False, python=python_of(peer), more=environment_of(peer, url))


def _either(stream: object, text: str) -> object:
    """A stream for those who ask for one, the same text at once for the others."""

    def reply(request: Request) -> Reply:
        if not request.json.get("stream"):
            return whole(text)
        return stream() if callable(stream) else stream  # type: ignore[return-value]

    return reply


def _why(what: str, peer: Peer) -> str:
    """Why another is ahead, where that is known."""
    if peer is BARE:
        return "shows nothing and keeps nothing"
    if what.startswith("stop until"):
        return "both within milliseconds"
    if peer.name.startswith("magics"):
        return "does not stream: one plain reply, shown at the end"
    if peer.name == "llm" and "published" in what:
        return "plain text, not rendered"
    return ""


def _side_by_side(
    what: str, values: Values, unit: str, peers: tuple[Peer, ...], chart: str = ""
) -> list[Row]:
    """A row for each, and one for each peer over ours, run by run."""
    found = [
        Row(f"{what}: {peer.title}", values[peer.name], unit, chart=chart)
        for peer in peers
        if values[peer.name]
    ]
    ours = values[OURS.name]
    for peer in peers:
        theirs = values[peer.name]
        if peer is OURS or len(theirs) != len(ours) or min(ours) <= 0:
            continue
        times = ratios(theirs, ours)
        note = _why(what, peer) if median(times) < 0.95 else ""
        row = Row(f"{what}: {peer.title} over ours", times, "x", note=note, versus=True)
        found.append(row)
    return found


if __name__ == "__main__":
    alone(TITLE, rows)
