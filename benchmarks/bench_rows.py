"""Rows of a frame: 64 requests at once against a server that takes 100 ms; memory of 100,000."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_stop import stopped
from kernel import Kernel
from peers import Peer, python_of
from rows import Row, alone, skipped

TITLE = "Rows"
RUNS = 3
ROWS, WIDTH, LATENCY, LIMIT = 2_000, 64, 0.1, 39
MANY = 100_000
ROOT = Path(__file__).parents[1]

# All in one process, in turns: what the machine does meanwhile meets all of them. The plain client
# is httpx in pools of eight, nothing around it.
_CODE = """
import asyncio, json, os, sys, time
import httpx, pandas as pd
import deepseek_jupyter as ds
url, what, rows, width = os.environ["DEEPSEEK_BASE_URL"], sys.argv[1], *map(int, sys.argv[2:])
def ask(n, word, width=width):
    frame = pd.DataFrame({"text": [f"{word} review of number {i}" for i in range(n)]})
    return ds.map(frame, "Price or quality? {{ text }}", rows="all", budget="none",
                  concurrency=width, show=False)
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
def suite(n):
    cases = pd.DataFrame({"prompt": [f"Price or quality? review of number {i}" for i in range(n)]})
    ds.suite(cases, "deepseek-flash, deepseek-flash?think=off, deepseek-v4-pro", rows="all",
             score=lambda answer, case: True, budget="none", concurrency=width, show=False)
def rejected(): return httpx.get(url + "/stats", trust_env=False).json()["rejected"]
async def plain(n):
    left = iter(range(n))
    clients = [httpx.AsyncClient(timeout=60) for _ in range(width // 8)]
    async def work(client):
        for i in left:
            said = [{"role": "user", "content": f"Price or quality? review of number {i}"}]
            body = {"model": "m", "messages": said}
            (await client.post(url + "/chat/completions", json=body)).json()
    await asyncio.gather(*(work(clients[i % len(clients)]) for i in range(width)))
def measured(work):
    wall, cpu, before, refused = time.perf_counter(), time.process_time(), rss(), rejected()
    came = work()
    wall, cpu = time.perf_counter() - wall, (time.process_time() - cpu) / rows * 1e3
    result = came.memory_usage(deep=True).sum() / 1e6 if isinstance(came, pd.DataFrame) else 0
    return [wall, cpu, rss() - before - result, (rejected() - refused) / rows]
ask(1_500 if what == "limit" else 100, "first", None if what == "limit" else width)
works = {
    "beside httpx": [lambda: ask(rows, "more"), lambda: asyncio.run(plain(rows))],
    "limit": [lambda: ask(rows, "adapted", None), lambda: ask(rows, "fixed")],
    "alone": [lambda: ask(rows, "more")],
    "suite": [lambda: suite(rows // 3)],
}
print(json.dumps([measured(work) for work in works[what]]))
"""

# As its README has it.
_ONDINE = """
import json, os, sys, time
import pandas as pd
from ondine import PipelineBuilder
rows, width = map(int, sys.argv[1:])
def ask(n, word):
    frame = pd.DataFrame({"text": [f"{word} review of number {i}" for i in range(n)]})
    builder = PipelineBuilder.create().from_dataframe(
        frame, input_columns=["text"], output_columns=["answer"])
    builder = builder.with_prompt("Price or quality? {text}").with_llm(
        provider="openai", model="deepseek-chat", base_url=os.environ["DEEPSEEK_BASE_URL"],
        api_key="none")
    found = builder.with_concurrency(width).build().execute()
    told = found.data["answer"]
    assert len([answer for answer in told if answer]) == n
ask(20, "first")
wall = time.perf_counter()
ask(rows, "more")
print(json.dumps(time.perf_counter() - wall))
"""
_ONDINE_PACKAGES = ("ondine==2.1.1", "nest_asyncio")  # which it imports and does not require
_FEWER = 500  # rows: its time a row grows with their number


def rows() -> list[Row]:
    """Times as ratios to the ideal, rows times latency by width, and to plain httpx."""
    ideal = ROWS * LATENCY / WIDTH
    ours, plain = zip(*(_run("beside httpx", ROWS, WIDTH) for _ in range(RUNS)), strict=True)
    adapted, fixed = zip(
        *(_run("limit", ROWS, LIMIT, limit=LIMIT) for _ in range(RUNS)), strict=True
    )
    ((*_, memory, _),) = _run("alone", MANY, 256, latency=0.0)
    suites = [_run("suite", 600, WIDTH, latency=0.5)[0][0] for _ in range(RUNS)]
    pairs = list(zip(ours, plain, strict=True))
    shares = [f[0] / a[0] for a, f in zip(adapted, fixed, strict=True)]
    return [
        Row("64 at once: time by the ideal", [o[0] / ideal for o in ours], "x", 1.6),
        Row("64 at once: CPU a row", [o[1] for o in ours], "ms", 2.0),
        Row("64 at once: time by plain httpx's", [o[0] / p[0] for o, p in pairs], "x"),
        Row("64 at once: CPU by plain httpx's", [o[1] / p[1] for o, p in pairs], "x"),
        Row("plain httpx: time by the ideal", [p[0] / ideal for p in plain], "x"),
        Row(
            "a server's limit of 39: rows a second by those of a job of 39", shares, "x", 0.9, True
        ),
        Row("a server's limit of 39: refused of all", [a[3] * 100 for a in adapted], "%", 3.0),
        Row(
            "suite, 200 cases × 3 at 500 ms, 64 at once: time by the ideal",
            [wall / (600 * 0.5 / WIDTH) for wall in suites],
            "x",
            1.7,
        ),
        Row("100,000 rows: memory beyond the frame that comes back", [memory], "MB", 60.0),
        Row("interrupt to idle", _stops(), "s", 0.3),
        _beside_ondine(ROWS, 3.0),
        _beside_ondine(_FEWER, None),
    ]


def _stops() -> list[float]:
    with _server(LATENCY) as environment, Kernel(environment["DEEPSEEK_BASE_URL"]) as kernel:
        kernel.run("import pandas as pd\nrows = pd.DataFrame({'text': [*map(str, range(10**5))]})")
        ask = "ds.map(rows, '{{ text }}?', rows='all', budget='none')"
        stopped(kernel, ask, 2.0)
        return [stopped(kernel, ask, 1.0 + at / 10)[0] for at in range(7)]


def _beside_ondine(count: int, bound: float | None) -> Row:
    claim = f"64 at once, {count:,} rows: ours a second by ondine's"
    try:
        python = python_of(Peer("ondine", "ondine", _ONDINE_PACKAGES, "", "", ""))
    except RuntimeError as error:
        return skipped(claim, str(error)[:200])
    found = []
    for _ in range(RUNS):
        ((ours, *_),) = _run("alone", count, WIDTH)
        with _server(LATENCY) as environment:
            environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch prices
            theirs = _script(environment, python, _ONDINE, count, WIDTH)
        found.append(theirs / ours)
    return Row(claim, found, "x", bound, at_least=True)


def _run(what: str, count: int, width: int, *, latency: float = LATENCY, limit: int = 0) -> Any:
    with _server(latency, limit) as environment:
        return _script(environment, Path(sys.executable), _CODE, what, count, width)


def _script(environment: dict[str, str], python: Path, code: str, *words: object) -> Any:
    """What the script prints last, as JSON."""
    done = subprocess.run(
        [python, "-c", code, *map(str, words)],
        env=environment, cwd=environment["HOME"], text=True, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _server(latency: float, limit: int = 0) -> Iterator[dict[str, str]]:
    """A server in a process of its own; the environment for those who ask it."""
    how = ["--latency", str(latency), "--limit", str(limit), "--forget"]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.counting", *how], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as server,
        tempfile.TemporaryDirectory() as home,
    ):  # fmt: skip
        assert server.stdout is not None
        assert server.stdin is not None
        made = {"DEEPSEEK_BASE_URL": server.stdout.readline().strip(), "DEEPSEEK_API_KEY": "none"}
        made |= {"DEEPSEEK_JUPYTER_HOME": home, "PYTHONPATH": str(ROOT), "HOME": home}
        try:
            yield {"PATH": os.defpath, **made}
        finally:
            server.stdin.close()


if __name__ == "__main__":
    alone(TITLE, rows)
