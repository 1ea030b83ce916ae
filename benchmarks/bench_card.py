"""The card of ten million rows by twenty columns, against the library's own describe."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from rows import Row, alone, ratios

TITLE = "Cards of frames"
ROWS = 10_000_000
PAIRS = 3
LIBRARIES = ("pandas", "polars")


def rows() -> list[Row]:
    """Each library in a process of its own, so that the memory is its own too."""
    found = []
    for library in LIBRARIES:
        told = _measured(library)
        size = f"{library}, 10 million rows × 20 columns"
        shares = ratios(told["card"], told["describe"])
        beyond = [told["beyond"] / 1e6]
        found += [
            Row(f"{size}: card over describe of all columns", shares, "×", 0.25, note="in turns"),
            Row(f"{size}: the card", told["card"], "s"),
            Row(f"{size}: describe", told["describe"], "s"),
            Row(f"{size}: memory beyond the frame", beyond, "MB", 300, note="highest resident"),
            Row(f"{size}: tokens of the card", [told["tokens"]], "tokens", 1500),
        ]
    return found


def _measured(library: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, __file__, library], capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def measure(library: str) -> dict[str, Any]:
    """The card and describe in turns; a thread watches the memory while a card is made."""
    import threading
    import time

    import psutil

    from deepseek_jupyter.context.attachment import attach
    from deepseek_jupyter.context.gate import Gate
    from deepseek_jupyter.context.policy import Policy

    frame = _frame(library)
    attach("small", frame.head(10), Policy(), Gate())  # imports are not the card's
    process = psutil.Process()
    before = process.memory_info().rss
    highest, running = before, True

    def watch() -> None:
        nonlocal highest
        while running:
            highest = max(highest, process.memory_info().rss)
            time.sleep(0.002)

    watching = threading.Thread(target=watch)
    watching.start()
    cards = [_timed(lambda: attach("df", frame, Policy(), Gate()))]
    running = False
    watching.join()
    describes = [_timed(lambda: _describe(library, frame))]
    for _ in range(PAIRS - 1):
        cards.append(_timed(lambda: attach("df", frame, Policy(), Gate())))
        describes.append(_timed(lambda: _describe(library, frame)))
    return {
        "card": cards,
        "describe": describes,
        "beyond": highest - before,
        "tokens": attach("df", frame, Policy(), Gate()).tokens,
    }


def _timed(call: Any) -> float:
    import time

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
