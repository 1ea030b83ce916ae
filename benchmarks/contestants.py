"""Ways to read one stream to its end, run inside a kernel; each in its own function.

`bare` is the limit: httpx and `json.loads` and nothing else. `parse` adds the least that anything
needs that shows Markdown: one parse of the whole.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

_clients: list[Any] = []


def bare() -> None:
    """httpx and `json.loads` alone."""
    for _ in _chunks():
        pass


def parse() -> None:
    """The same, then one parse of the answer by markdown-it."""
    from markdown_it import MarkdownIt

    deltas = [choice["delta"] for chunk in _chunks() for choice in chunk["choices"]]
    text = "".join(delta.get("content") or "" for delta in deltas)
    MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def _chunks() -> Iterator[Any]:
    import httpx

    if not _clients:
        _clients.append(httpx.Client(timeout=None))
    url = os.environ["DEEPSEEK_BASE_URL"] + "/chat/completions"
    body = {"model": "deepseek-flash", "stream": True, "messages": [{"role": "user"}]}
    with _clients[0].stream("POST", url, json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                yield json.loads(line[6:])


def stream() -> None:
    """`deepseek_jupyter.stream`, shown nowhere."""
    import deepseek_jupyter as ds

    for _ in ds.stream("Go on.", history=False):
        pass


def ask() -> None:
    """`deepseek_jupyter.ask`, shown in the cell."""
    import deepseek_jupyter as ds

    ds.ask("Go on.", history=False)


CONTESTANTS: dict[str, Callable[[], None]] = {
    "bare": bare,
    "parse": parse,
    "stream": stream,
    "ask": ask,
}


def measure(name: str) -> dict[str, float]:
    """CPU seconds of this process, all its threads, and seconds on the clock."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    CONTESTANTS[name]()
    took = time.perf_counter() - wall
    time.sleep(0.05)  # what is left in the thread that sends outputs counts too
    return {"cpu": time.process_time() - cpu, "wall": took}
