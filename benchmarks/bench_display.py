"""What a steadily growing answer publishes, and how soon its first word is seen."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from kernel import FRONT_ENDS, Cell, Kernel
from rows import Row, alone
from serving import Server, chunk, event, events, paced, pause
from texts import KINDS, tokens

TITLE = "Display"
RATE = 50.0  # tokens a second
SIZE = 100_000  # bytes of the long answer
SECONDS = SIZE / 4 / RATE
EARLY = 8_192 / 4 / RATE  # seconds in which 8 kB come; updates must be frequent
PAINTS = 10
LIVE = 30  # seconds in real time

Published = list[tuple[float, int]]


def rows() -> list[Row]:
    """The long answer with a clock of our own, then 30 real seconds, then first paints."""
    found = []
    for front_end in FRONT_ENDS:
        found += _long_answer(front_end)
    found += _live(FRONT_ENDS[1])
    found += _saved()
    for front_end in FRONT_ENDS:
        paints = _first_paints(front_end)
        claim = f"{front_end}: first delta sent to the message that shows it"
        found.append(Row(claim, paints, "ms", 50, note="real kernel, as received"))
    return found


def _saved() -> list[Row]:
    """What an answer adds to the notebook file, over its own bytes."""
    return [
        Row(
            f"an answer of {size:,} bytes: bytes in the .ipynb over its own",
            [added / len(text.encode()) for text, added in _in_files(kinds, size)],
            "×",
            2.5,
            each=True,
            note=", ".join(kinds),
        )
        for kinds, size in (
            (("prose", "one list", "one line"), 1_200),
            (("mixed", "tables", "code"), 2_000),
            (tuple(KINDS), 20_000),
        )
    ]


def _in_files(kinds: tuple[str, ...], size: int) -> Iterator[tuple[str, int]]:
    from tests.support.saving import bytes_of_answer

    for kind in kinds:
        text = "".join(tokens(kind, size))[:size].strip()
        yield text, bytes_of_answer(text)


def _long_answer(front_end: str) -> list[Row]:
    with _shell(front_end) as shown:
        answers = [_simulate(shown, kind) for kind in KINDS]
        thinking = _simulate(shown, "mixed", thinking=True)
    claim = f"{front_end}: 100 kB at {RATE:g} tokens/s"
    kinds = f"simulated clock, {len(KINDS)} kinds of answer"
    averages = [_bytes(one) / SECONDS / 1e3 for one in answers]
    rates = [_early_rate(one) for one in answers]
    means = [sum(at < EARLY for at, _ in one) / EARLY for one in answers]
    gaps = [_longest_gap(one, 0, EARLY) for one in answers]
    late = [_longest_gap(one, SECONDS - EARLY, SECONDS) for one in answers]
    thought = [_bytes(thinking) / SECONDS / 1e3]
    early = f"{claim}, its first 8 kB"
    return [
        Row(f"{claim}: published on average", averages, "kB/s", 40, each=True, note=kinds),
        Row(f"{early}: updates in the slowest second", rates, "/s", 5, at_least=True, each=True),
        Row(f"{early}: updates a second", means, "/s", 5, at_least=True, each=True),
        Row(f"{early}: longest gap", gaps, "s"),
        Row(f"{claim}, its last 8 kB: longest gap", late, "s"),
        Row(f"{claim}, all of it thinking: published on average", thought, "kB/s", 40),
    ]


@contextmanager
def _shell(front_end: str) -> Iterator[Callable[[], list[int]]]:
    """An IPython shell in this process; gives the sizes of what was shown since the last call."""
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from deepseek_jupyter.display.pages import DATA, pages

    sizes: list[int] = []

    def add(content: object) -> None:
        sizes.append(len(json.dumps(content, ensure_ascii=False).encode()))

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, metadata: Any = None, **how: Any) -> None:
            transient = how.get("transient") or {}
            add({"data": data, "metadata": metadata or {}, "transient": transient})

    def taken() -> list[int]:
        got = sizes.copy()
        sizes.clear()
        return got

    targets: dict[str, Any] = {}
    manager = SimpleNamespace(
        register_target=targets.__setitem__, unregister_target=lambda name, _: targets.pop(name)
    )
    closing: list[Callable[[Any], None]] = []
    comm = SimpleNamespace(
        comm_id="bench",
        on_close=closing.append,
        send=lambda data: add({"comm_id": "bench", "data": data}),
    )
    with tempfile.TemporaryDirectory() as home, _environment(front_end, home):
        shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
        shell.display_pub = Publisher(parent=shell)
        shell.kernel = object()  # what tells a kernel from a terminal
        pages.register(manager)
        if front_end == FRONT_ENDS[2]:
            targets[DATA](comm, {})
        try:
            yield taken
        finally:
            for close in closing:
                close({})
            pages.unregister(manager)
            InteractiveShell.clear_instance()


@contextmanager
def _environment(front_end: str, home: str) -> Iterator[None]:
    own = {"IPYTHONDIR": home, "JPY_SESSION_NAME": None}
    if front_end != FRONT_ENDS[0]:
        own["JPY_SESSION_NAME"] = "bench.ipynb"
    before = {name: os.environ.get(name) for name in own}
    try:
        _set(own)
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _simulate(shown: Callable[[], list[int]], kind: str, thinking: bool = False) -> Published:
    """Drive the surface as a `Run` does, a token at a time; no second passes."""
    from deepseek_jupyter.display.surfaces import surface
    from deepseek_jupyter.display.transcript import Transcript
    from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta

    start = 1_000.0
    made = ReasoningDelta if thinking else TextDelta
    transcript, place = Transcript(start), surface(None)
    published: Published = []

    def collect(at: float) -> None:
        published.extend((at - start, size) for size in shown())

    pieces = list(tokens(kind, SIZE // 4))
    text = "".join(pieces)
    shown()
    place.begin(_record("", "", transcript), lambda: None)
    collect(start)
    now = start
    for number, piece in enumerate(pieces):
        now = start + number / RATE
        transcript.apply(made(piece), now=now)
        place.refresh(transcript, transcript.take_fresh(), now)
        collect(now)
    transcript.end("done", now)
    texts = ("", text) if thinking else (text, "")
    place.end(_record(*texts, transcript))
    collect(now)
    return published


def _record(answer: str, reasoning: str, transcript: Any) -> dict[str, Any]:
    from deepseek_jupyter.conversation.turn import Turn
    from deepseek_jupyter.display.render import footer

    turn = Turn(
        id="turn",
        conversation="conversation",
        prompt="Go on.",
        sent="Go on.",
        parent=None,
        cell_id=None,
        created="2026-01-01T00:00:00Z",
        provider="deepseek",
        model="deepseek-flash",
        parameters={},
        history=False,
        format="md",
        answer=answer,
        reasoning=reasoning or None,
        timing=transcript.timing,
        status=transcript.status,
    )
    record = turn.record
    record["footer"] = footer(record)
    return record


def _bytes(published: Published) -> int:
    return sum(size for _, size in published)


def _early_rate(published: Published) -> float:
    """Updates in the slowest whole second while the first 8 kB come."""
    times = [at for at, _ in published if at < EARLY]
    counts = [sum(second <= at < second + 1 for at in times) for second in range(int(EARLY))]
    return float(min(counts))


def _longest_gap(published: Published, begin: float, end: float) -> float:
    times = [at for at, _ in published if begin <= at <= end]
    return max(b - a for a, b in pairwise(times))


def _live(front_end: str) -> list[Row]:
    """The real thing for its first seconds; with the kernel's CPU time over the clock's."""
    reply = paced(events("mixed", int(LIVE * RATE)), RATE)
    with (
        Server(validate=False, fallback=reply) as server,
        Kernel(server.base_url(), front_end) as kernel,
    ):
        before = kernel.value("time.process_time()")
        cell = kernel.run("ds.ask('Go on.')")
        spent = kernel.value("time.process_time()") - before
    claim = f"{front_end}: first {LIVE} s in real time"
    rates = [len(cell.shown) / LIVE]
    return [
        Row(f"{claim}: published", [sum(cell.sizes) / LIVE / 1e3], "kB/s", note="real kernel"),
        Row(f"{claim}: updates a second", rates, "/s", 5, at_least=True),
        Row(f"{claim}: the kernel's share of a core", [spent / cell.seconds * 100], "%"),
    ]


def _first_paints(front_end: str) -> list[float]:
    """Milliseconds; the pause before the first delta differs from run to run."""
    found = []
    with Server(validate=False) as server, Kernel(server.base_url(), front_end) as kernel:
        for run in range(-1, PAINTS):
            sent: list[float] = []
            word = f"Hippo{run + 1}potamus"
            reply = paced([event(chunk({"content": f"{word} "})), *events("mixed", 15)], RATE, sent)
            reply.steps.insert(1, pause(0.02 + max(run, 0) * 0.123))
            server.queue(reply)
            cell = kernel.run("ds.ask('Go on.', history=False)")
            if run >= 0:  # the one before brings imports and the first connection
                found.append((_painted(cell, word) - sent[0]) * 1e3)
    return found


def _painted(cell: Cell, word: str) -> float:
    return next(at for at, content in cell.shown if word in json.dumps(content))


if __name__ == "__main__":
    alone(TITLE, rows)
