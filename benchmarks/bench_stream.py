"""20,000 deltas as fast as the socket gives them: CPU in a real kernel, and bytes published."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any

from contestants import CONTESTANTS
from kernel import FRONT_ENDS, Kernel
from rows import Row, alone, ratios
from serving import Serving

from deepseek_jupyter.protocol.stream import CompletionStream

TITLE = "20,000 deltas at full speed"
RUNS = 9
DELTAS = 20_000
_WHY_DEARER = "the answer is parsed as Markdown and shown; a parse alone is the row below"

# The scene's name, the kind of answer, how it is sent, who shows it.
SCENES: list[tuple[str, str, dict[str, Any], str]] = [
    *((f"{front_end}", "mixed", {}, front_end) for front_end in FRONT_ENDS),
    ("an HTTP chunk per event", "mixed", {"each_its_chunk": True}, FRONT_ENDS[0]),
    ("half of it thinking", "mixed", {"thinking": 0.5}, FRONT_ENDS[0]),
    ("one endless line", "one line", {}, FRONT_ENDS[0]),
]


def rows() -> list[Row]:
    """In one kernel per scene, the contestants take turns."""
    found = [_long_lines()]
    for scene in SCENES:
        found += _scene(*scene)
    return [*found, *map(_wire, ("responses", "messages"))]


def _wire(wire: str) -> Row:
    """Another wire: what bare does is the same, lines and `json.loads`."""
    cpu: dict[str, list[float]] = defaultdict(list)
    with Serving("mixed", DELTAS, wire=wire) as server, Kernel(server.url, FRONT_ENDS[0]) as kernel:
        kernel.run(f"import contestants\n%config DeepSeek.wire = {wire!r}")
        for run in range(RUNS + 1):
            for name in ("bare", "stream"):
                kernel.run(f"took = contestants.measure({name!r})")
                if run:
                    cpu[name].append(kernel.value("took")["cpu"])
    return Row(f"{wire}: CPU of ds.stream over bare", ratios(cpu["stream"], cpu["bare"]), "x", 2)


def _long_lines() -> Row:
    """The decoder alone, 1,448 bytes at a time: what one read of a TCP connection brings."""
    took: dict[int, list[float]] = defaultdict(list)
    for _ in range(RUNS):
        for size in (4_000_000, 16_000_000):
            decoder = CompletionStream()
            line = json.dumps({"choices": [{"delta": {"content": "x" * size}}]})
            data = f"data: {line}\n\n".encode()
            began = time.process_time()
            for at in range(0, len(data), 1448):
                decoder.feed(data[at : at + 1448])
            took[size].append(time.process_time() - began)
            assert len(decoder.completion.answer) == size
    four = [4 * seconds for seconds in took[4_000_000]]
    return Row("16 MB in one line, over four times 4 MB", ratios(took[16_000_000], four), "x", 1.3)


def _scene(scene: str, kind: str, how: dict[str, Any], front_end: str) -> list[Row]:
    cpu: dict[str, list[float]] = defaultdict(list)
    wall: dict[str, list[float]] = defaultdict(list)
    published: list[float] = []
    updates: list[float] = []
    with Serving(kind, DELTAS, **how) as server, Kernel(server.url, front_end) as kernel:
        kernel.run("import contestants")
        for run in range(RUNS + 1):
            for name in CONTESTANTS:
                cell = kernel.run(f"took = contestants.measure({name!r})")
                took = kernel.value("took")
                if run == 0:
                    continue  # imports, first connections
                cpu[name].append(took["cpu"])
                wall[name].append(took["wall"])
                if name == "ask":
                    published.append(sum(cell.sizes) / cell.sizes[-1])
                    updates.append(len(cell.sizes))
    parsed = ratios(cpu["parse"], cpu["bare"])
    return [
        Row(
            f"{scene}: CPU of ds.ask, shown, over bare",
            ratios(cpu["ask"], cpu["bare"]),
            "x",
            2,
            reason=_WHY_DEARER,
        ),
        Row(f"{scene}: bare and a parse by markdown-it, over bare", parsed, "x"),
        Row(f"{scene}: CPU of ds.stream over bare", ratios(cpu["stream"], cpu["bare"]), "x", 2),
        Row(f"{scene}: published over the final bundle", published, "x", 6),
        Row(f"{scene}: messages", updates, "messages"),
        Row(f"{scene}: CPU of bare httpx + json.loads", cpu["bare"], "s"),
        Row(f"{scene}: wall of ds.ask over bare", ratios(wall["ask"], wall["bare"]), "x"),
    ]


if __name__ == "__main__":
    alone(TITLE, rows)
