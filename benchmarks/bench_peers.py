"""Beside other packages: loading, long streams, published bytes and stop, each in its own kernel.

All kernels are alive together and take turns at the same server, so that a pair of figures comes
from the same minute.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from beside import RUNS, Kernels, Values, either, kernel_of, kernels_of, side_by_side
from kernel import Cell, Kernel
from peers import BARE, KERNEL_ALONE, OURS, PEERS, Peer, added, python_of, version_of
from rows import Row, alone, skipped
from serving import Reply, Server, events, fast, paced, pause
from texts import tokens

from tests.support.scripted import Request, whole

TITLE = "Beside other packages"
PATIENCE = 60  # seconds for one answer; a slower one is said to be so and not repeated
EVERYONE = (OURS, BARE, *PEERS)
SHOWING = (OURS, *PEERS)


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
        found.append(Row(f"distributions added: {name}", [count], "", chart="distributions added"))
        found.append(Row(f"disk added: {name}", [size], "MB", chart="disk added, MB"))
    return found


def _loading() -> list[Row]:
    """A fresh kernel for each run."""
    seconds, memory = defaultdict(list), defaultdict(list)
    for _ in range(RUNS):
        for peer in EVERYONE:
            with Server(validate=False) as server, kernel_of(peer, server) as kernel:
                nothing = min(kernel.run("pass").seconds for _ in range(3))
                before = kernel.megabytes
                loading = kernel.run(peer.load.format(url=server.base_url())).seconds
                seconds[peer.name].append(loading - nothing)
                memory[peer.name].append(kernel.megabytes - before)
    return [
        *side_by_side("load, seconds", seconds, "s", EVERYONE, chart="loading, seconds"),
        *side_by_side("load, memory", memory, "MB", EVERYONE),
    ]


def _deltas(number: int) -> list[Row]:
    """CPU of the kernel's process, all threads, and seconds, from the request to idle."""
    cpu, wall, slow = defaultdict(list), defaultdict(list), {}
    stream = fast(events("mixed", number))
    text = "".join(tokens("mixed", number))
    with kernels_of(EVERYONE, either(stream, text)) as kernels:
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
        *side_by_side(
            f"{what}, CPU",
            cpu,
            "s",
            EVERYONE,
            chart=f"CPU of the kernel for {what}, seconds",
            streamed=True,
        ),
        *side_by_side(f"{what}, seconds", wall, "s", EVERYONE, streamed=True),
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
    server = either(lambda: paced(map(_event, pieces), 1000), "".join(pieces))
    with kernels_of(SHOWING, server) as kernels:
        for _ in range(RUNS):
            for peer in SHOWING:
                cell = kernels[peer.name].run(peer.asking("Go on."), timeout=600, weigh=True)
                sizes[peer.name].append((cell.weight + len(cell.text.encode())) / 1e6)
    return side_by_side(
        "100 KB answer, published",
        sizes,
        "MB",
        SHOWING,
        chart="sent to the page for an answer of 100 KB, MB",
        streamed=True,
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

    short = either(fast(events("mixed", 50)), "A short answer.")
    with kernels_of(SHOWING, short) as kernels:
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
        *side_by_side(
            "stop to idle", idle, "s", SHOWING, chart="from stop until the kernel is idle, seconds"
        ),
        *side_by_side("stop until the server sees the socket close", closed, "s", SHOWING),
        *(
            Row(
                f"partial answer kept in the conversation: {peer.title}",
                kept[peer.name],
                "runs",
                others=peer is not OURS,
            )
            for peer in SHOWING
        ),
    ]


def _interrupted(kernels: Kernels, peer: Peer, after: float) -> tuple[Cell, float]:
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


if __name__ == "__main__":
    alone(TITLE, rows)
