"""The card in a real JupyterLab and Notebook 7, in Chromium: smooth, on time, stopped at once."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rows import Row, alone, skipped

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.measure import GROWING_CELLS, SMOOTH_CELLS, growth, smoothness
from tests.browser.notebook import Notebook

TITLE = "Browser"
RUNS = 5
TESTS = Path(__file__).parents[1] / "tests" / "browser"
SLOW = "stream_script.play(sample.answer(20_000), deltas=1000, rate=50)"


def rows() -> list[Row]:
    """600 deltas in both front ends, a 100 KB answer, the stop button and the interrupt."""
    try:
        find_chromium()
    except RuntimeError as error:
        return [skipped(TITLE, str(error))]
    return [*_smooth("lab"), *_smooth("notebook"), *_growing(), *_stopping()]


def _smooth(kind: str) -> list[Row]:
    with _open(kind, *SMOOTH_CELLS) as book:
        book.run(book.first)
        book.until_done()
        runs = [smoothness(book) for _ in range(RUNS)]
    name = {"lab": "JupyterLab", "notebook": "Notebook 7"}[kind]
    return [
        Row(f"{name}, 600 deltas at 100 Hz: page behind kernel", [r.lag for r in runs], "s", 1.0),
        Row(f"{name}: frames over 50 ms", [r.long_frames for r in runs], "", 3),
        Row(f"{name}: blank frames", [r.blank for r in runs], "", 0),
        Row(f"{name}: nodes removed", [r.removed for r in runs], "", 1000),
    ]


def _growing() -> list[Row]:
    with _open("lab", *GROWING_CELLS) as book:
        book.run(book.first)
        book.until_done()
        runs = [growth(book) for _ in range(3)]
    return [Row("100 KB: a character in the last tenth over the first", runs, "x", 1.5)]


def _stopping() -> list[Row]:
    interrupt = "() => jupyterapp.commands.execute('notebook:interrupt-kernel')"
    with _open("lab", SLOW) as book:
        button = [
            _stopped(book, lambda: book.card.get_by_role("button", name="Stop").click())
            for _ in range(RUNS)
        ]
        kernel = [_stopped(book, lambda: book.page.evaluate(interrupt)) for _ in range(RUNS)]
    return [
        Row("stop button while a sync cell streams: cell ended after", button, "s", 0.5),
        Row("kernel interrupt from the page: cell ended after", kernel, "s", 0.5),
    ]


def _stopped(book: Notebook, act) -> float:
    book.run(book.first)
    book.page.wait_for_timeout(1500)
    began = time.monotonic()
    act()
    running = (
        "() => [...document.querySelectorAll('.jp-InputPrompt')]"
        ".some(prompt => prompt.textContent.includes('*'))"
    )
    while book.page.evaluate(running):
        if time.monotonic() - began > 10:
            raise RuntimeError("the cell does not stop")
    return time.monotonic() - began


@contextmanager
def _open(kind: str, *cells: str) -> Iterator[Notebook]:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(kind, Path(folder) / kind)
        for module in ("stream_script.py", "sample.py"):
            shutil.copy(TESTS / module, server.work)
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)
        try:
            page = chromium.new_context(viewport={"width": 1100, "height": 900}).new_page()
            yield Notebook(server, page, cells)
        finally:
            chromium.close()
            server.stop()


if __name__ == "__main__":
    alone(TITLE, rows)
