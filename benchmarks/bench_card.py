"""The card of ten million rows by twenty columns, against the library's own describe."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from rows import Row, alone, ratios

TITLE = "Cards of frames"
ROWS = 10_000_000
RUNS = 5
LIBRARIES = ("pandas", "polars")


def rows() -> list[Row]:
    """Each library in a process of its own, so that the memory is its own too."""
    found = []
    for library in LIBRARIES:
        told = _measured(library)
        name = f"{library}, 10 million rows × 20 columns"
        shares = ratios(told["card"], told["describe"])
        beyond = [size / 1e6 for size in told["beyond"]]
        found += [
            Row(f"{name}: card over describe of all columns", shares, "×", 0.25, note="in turns"),
            Row(f"{name}: the card", told["card"], "s"),
            Row(f"{name}: describe", told["describe"], "s"),
            Row(f"{name}: memory beyond the frame", beyond, "MB", 300, note="highest resident"),
            Row(f"{name}: tokens of the card", [told["tokens"]], "tokens", 1500),
        ]
    return found


def _measured(library: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, __file__, library], capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def measure(library: str) -> dict[str, Any]:
    """Memory first, over cards with nothing between them; then card and describe in turns."""
    import psutil

    from deepseek_jupyter.context.attach import attach
    from deepseek_jupyter.privacy.levels import Policy
    from deepseek_jupyter.privacy.redaction import Redactor

    frame = _frame(library)
    attach("small", frame.head(10), Policy(), Redactor())  # imports are not the card's

    def card() -> Any:
        return attach("df", frame, Policy(), Redactor())

    before = psutil.Process().memory_info().rss
    highest = [_highest_memory(card) for _ in range(RUNS)]
    pairs = [(_timed(card), _timed(lambda: _describe(library, frame))) for _ in range(RUNS)]
    return {
        "card": [card for card, _ in pairs],
        "describe": [describe for _, describe in pairs],
        "beyond": [high - before for high in highest],  # so what a card leaves behind adds up
        "tokens": card().tokens,
    }


def _highest_memory(call: Callable[[], object]) -> int:
    """The highest resident memory while it runs, in bytes; a thread looks every 2 ms."""
    import psutil

    process = psutil.Process()
    seen, done = [process.memory_info().rss], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            seen.append(process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    call()
    done.set()
    watching.join()
    return max(seen)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _describe(library: str, frame: Any) -> Any:
    return frame.describe(include="all") if library == "pandas" else frame.describe()


def _frame(library: str) -> Any:
    """Eight floats, six integers, three texts, a truth value, two datetimes."""
    import numpy as np
    import polars as pl

    chance = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(1000)])
    frame = pl.DataFrame({f"float{at}": chance.normal(size=ROWS) for at in range(8)})
    for at in range(6):
        frame = frame.with_columns(pl.Series(f"int{at}", chance.integers(0, 10 ** (at + 1), ROWS)))
    for at in range(3):
        frame = frame.with_columns(pl.Series(f"text{at}", words[chance.integers(0, 1000, ROWS)]))
    truth = pl.Series("bool", chance.integers(0, 2, ROWS)).cast(pl.Boolean)
    moments = [pl.Series(f"time{at}", chance.integers(0, 10**15, ROWS)) for at in range(2)]
    frame = frame.with_columns(truth, *(moment.cast(pl.Datetime("us")) for moment in moments))
    return frame.to_pandas() if library == "pandas" else frame


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        alone(TITLE, rows)
