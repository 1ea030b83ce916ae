"""Card and panel in a real JupyterLab and Notebook 7: smooth, on time, stopped at once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright
from rows import Row, alone, skipped

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.measure import GROWING_CELLS, SMOOTH_CELLS, growth, smoothness
from tests.browser.notebook import Notebook
from tests.browser.panel import Panel
from tests.browser.panel_measure import LONG, opening, typing
from tests.support.scripted import Reply, deltas
from tests.support.scripted import Server as Scripted

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
    return [
        *_smooth("lab"),
        *_smooth("notebook"),
        *_growing(),
        *_stopping(),
        *_panel(),
    ]


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
        runs = [growth(book) for _ in range(RUNS)]
    claim = "100 KB: a character in the last tenth over the first"
    why = "layout and paint of a longer page; script and style stay level"
    return [Row(claim, runs, "x", 1.5, reason=why)]


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


def _panel() -> list[Row]:
    """A conversation of 2,000 turns, and keys pressed while a reply streams at 100 Hz."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(Scripted(validate=False))
        asked = {
            "DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"),
            "DEEPSEEK_API_KEY": "sk-none",
            "DEEPSEEK_JUPYTER_HOME": stack.enter_context(tempfile.TemporaryDirectory()),
        }
        stack.enter_context(patch.dict(os.environ, asked))
        seen, typed = [], []
        for _ in range(RUNS):
            with _open("lab", "%load_ext deepseek_jupyter", LONG, load=False) as book:
                for index in (0, 1):
                    book.run(index)
                    book.until_done()
                panel = Panel(book)
                seen.append(opening(panel))
                endpoint.queue(Reply(deltas(1000, rate=100)))
                panel.ask("A long story")
                panel.turn("A long story").locator(".jp-DeepSeek-block").first.wait_for()
                typed.append(typing(panel, "The quick brown fox jumps over the lazy dog. " * 2))
    return [
        Row("panel: 2,000 turns opened", [s.seconds for s in seen], "s", 1.0),
        Row("panel: scrolled, frames over 100 ms", [s.long_frames for s in seen], "", 0),
        Row("panel: a key while a reply streams", [t.median for t in typed], "ms", 50),
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
def _open(kind: str, *cells: str, load: bool = True) -> Iterator[Notebook]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(kind, Path(folder) / kind)
        for module in ("stream_script.py", "sample.py"):
            shutil.copy(TESTS / module, server.work)
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)
        try:
            page = chromium.new_context(viewport={"width": 1100, "height": 900}).new_page()
            yield Notebook(server, page, cells, load=load)
        finally:
            chromium.close()
            server.stop()


if __name__ == "__main__":
    alone(TITLE, rows)
