"""Rows of a frame: 64 requests at once against a server that takes 100 ms; memory of 100,000."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rows import Row, alone

TITLE = "Rows"
RUNS = 3
ROWS, WIDTH, LATENCY = 2_000, 64, 0.1
MANY = 100_000
ROOT = Path(__file__).parents[1]

# Both in one process, in turns: what the machine does meanwhile meets both. The plain client is
# httpx in pools of eight, nothing around it.
_CODE = """
import asyncio, json, os, sys, time
import httpx, pandas as pd
import deepseek_jupyter as ds
url, rows, width = os.environ["DEEPSEEK_BASE_URL"], int(sys.argv[1]), int(sys.argv[2])
def ask(n, word):
    frame = pd.DataFrame({"text": [f"{word} review of number {i}" for i in range(n)]})
    ds.map(frame, "Price or quality? {{ text }}", rows="all", budget="none",
           concurrency=width, show=False)
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
def suite(n):
    cases = pd.DataFrame({"prompt": [f"Price or quality? review of number {i}" for i in range(n)]})
    ds.suite(cases, "deepseek-flash, deepseek-flash?think=off, deepseek-v4-pro", rows="all",
             score=lambda answer, case: True, budget="none", concurrency=width, show=False)
async def plain(n):
    left = iter(range(n))
    clients = [httpx.AsyncClient(timeout=60) for _ in range(width // 8)]
    async def work(client):
        for i in left:
            said = [{"role": "user", "content": f"Price or quality? review of number {i}"}]
            body = {"model": "m", "messages": said}
            (await client.post(url + "/chat/completions", json=body)).json()
    await asyncio.gather(*(work(clients[i % len(clients)]) for i in range(width)))
ask(100, "first")
found = {}
works = {"ours": lambda: ask(rows, "more"), "plain": lambda: asyncio.run(plain(rows)),
         "suite": lambda: suite(rows // 3)}
for name, work in works.items():
    wall, cpu, before = time.perf_counter(), time.process_time(), rss()
    work()
    wall, cpu = time.perf_counter() - wall, (time.process_time() - cpu) / rows * 1e3
    found[name] = [wall, cpu, rss() - before]
print(json.dumps(found))
"""


def rows() -> list[Row]:
    """Times as ratios to the ideal, rows times latency by width, and to plain httpx."""
    ideal = ROWS * LATENCY / WIDTH
    runs = [_run(ROWS, WIDTH, LATENCY) for _ in range(RUNS)]
    slow = [_run(600, WIDTH, 0.5)["suite"][0] / (600 * 0.5 / WIDTH) for _ in range(RUNS)]
    memory = _run(MANY, 256, 0.0)["ours"][2]
    return [
        Row("64 at once: time by the ideal", [r["ours"][0] / ideal for r in runs], "x", 1.6),
        Row("64 at once: CPU a row", [r["ours"][1] for r in runs], "ms", 2.0),
        Row("64 at once: time by plain httpx's", [r["ours"][0] / r["plain"][0] for r in runs], "x"),
        Row("64 at once: CPU by plain httpx's", [r["ours"][1] / r["plain"][1] for r in runs], "x"),
        Row("plain httpx: time by the ideal", [r["plain"][0] / ideal for r in runs], "x"),
        Row("suite, 200 cases × 3 at 500 ms, 64 at once: time by the ideal", slow, "x", 1.7),
        Row("100,000 rows: memory grows by", [memory], "MB", 60.0, note="results included"),
    ]  # fmt: skip


def _run(count: int, width: int, latency: float) -> dict[str, Any]:
    serving = [sys.executable, "-m", "tests.support.counting", "--latency", str(latency)]
    with (
        subprocess.Popen(
            [*serving, "--forget"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as server,
        tempfile.TemporaryDirectory() as home,
    ):  # fmt: skip
        assert server.stdout is not None
        made = {"DEEPSEEK_BASE_URL": server.stdout.readline().strip(), "DEEPSEEK_API_KEY": "none"}
        made |= {"DEEPSEEK_JUPYTER_HOME": home, "PYTHONPATH": str(ROOT)}
        asked = subprocess.run(
            [sys.executable, "-c", _CODE, str(count), str(width)],
            env={"PATH": "/usr/bin:/bin", **made}, text=True, capture_output=True, check=True,
        )  # fmt: skip
        assert server.stdin is not None
        server.stdin.close()
    return json.loads(asked.stdout)


if __name__ == "__main__":
    alone(TITLE, rows)
