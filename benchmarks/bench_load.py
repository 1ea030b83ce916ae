"""What `%load_ext deepseek_jupyter`, a bare import and the first question cost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

import many
from kernel import Kernel, clean_environment
from rows import Row, alone
from serving import Server, events, fast

TITLE = "Loading"
RUNS = 7

_HEAVY = ("pandas", "numpy", "ipywidgets", "httpx", "markdown_it", "requests", "openai")

_IMPORT = """
import json, sys, time
before, began = set(sys.modules), time.perf_counter()
import deepseek_jupyter
print(json.dumps([time.perf_counter() - began, len(set(sys.modules) - before)]))
"""


def rows() -> list[Row]:
    """A fresh kernel for each run: a no-op cell, then the extension, then two questions."""
    with Server(validate=False, fallback=fast(events("mixed", 100))) as server:
        runs = [_one_kernel(server.base_url()) for _ in range(RUNS + 1)][1:]  # one for bytecode
    runs_of_many = [many.measured() for _ in range(3)]
    alone_runs = [_one_import() for _ in range(RUNS)]
    heavy = sorted({name for run in runs for name in run["heavy"]})
    return [
        Row("%load_ext over a no-op cell", [r["seconds"] for r in runs], "s", 0.10),
        Row("%load_ext, memory added", [r["megabytes"] for r in runs], "MB", 25),
        Row(
            "%load_ext, modules added",
            [r["modules"] for r in runs],
            "modules",
            note=f"of {', '.join(_HEAVY)}: {', '.join(heavy) or 'none'}",
        ),
        Row(
            "%load_ext imports none of the heavy ones",
            [not r["heavy"] for r in runs],
            "runs",
        ),
        Row("import deepseek_jupyter in a plain script", [r[0] for r in alone_runs], "s"),
        Row("the same, modules added", [r[1] for r in alone_runs], "modules"),
        Row("first question over the second", [r["first"] for r in runs], "s"),
        Row("first question, memory added", [r["first_megabytes"] for r in runs], "MB"),
        Row(
            "1,000 questions at 64, over the ideal",
            [seconds / many.IDEAL for seconds, *_ in runs_of_many],
            "times",
            1.6,
            reason="2 to 4 ms of CPU a question, all under one lock of the interpreter",
        ),
        Row(
            "the same, over httpx alone in the same process",
            [seconds / by_httpx for seconds, _, _, by_httpx in runs_of_many],
            "times",
        ),
        Row("the same, CPU a question", [busy for _, busy, *_ in runs_of_many], "ms", 4),
        Row("the same, connections", [most for _, _, most, _ in runs_of_many], "connections", 72),
    ]


def _one_kernel(url: str) -> dict[str, Any]:
    with Kernel(url, load=False) as kernel:
        kernel.run("import sys; before = set(sys.modules)")
        kernel.run("pass")
        at_first = kernel.megabytes
        nothing = kernel.run("pass").seconds
        idle = kernel.megabytes
        loading = kernel.run("%load_ext deepseek_jupyter").seconds
        loaded = kernel.megabytes
        added = set(kernel.value("sorted(set(sys.modules) - before)"))
        before_question = kernel.megabytes
        first = kernel.run("%ds Go on.").seconds
        asked = kernel.megabytes
        second = kernel.run("%ds Go on.").seconds
    return {
        "seconds": loading - nothing,
        "megabytes": (loaded - idle) - (idle - at_first),
        "modules": len(added),
        "heavy": sorted(added.intersection(_HEAVY)),
        "first": first - second,
        "first_megabytes": asked - before_question,
    }


def _one_import() -> list[float]:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=home,
            env=clean_environment(home),
        )
    return json.loads(done.stdout)


if __name__ == "__main__":
    alone(TITLE, rows)
