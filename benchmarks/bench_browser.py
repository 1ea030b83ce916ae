"""The card in a real JupyterLab and Notebook 7, in Chromium: smooth, on time, stopped at once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright
from rows import Row, alone, skipped

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import BUILT, Server
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
        *_starting(),
        *_panel(),
        Row("the extension's static folder", [_static_kilobytes()], "KB", 250),
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


def _starting() -> list[Row]:
    """A page opened until JupyterLab is restored, in turns with our extension and without it."""
    with ExitStack() as stack:
        servers = {}
        for ours in (True, False):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers[ours] = Server("lab", folder / "lab", extension=ours)
            stack.callback(servers[ours].stop)
        play = stack.enter_context(sync_playwright())
        chromium = play.chromium.launch(executable_path=find_chromium(), args=ARGS)
        stack.callback(chromium.close)
        more = []
        for run in range(RUNS + 1):
            took = {ours: _opened(chromium, server) for ours, server in servers.items()}
            if run:  # the first fills the browser's and the system's caches
                more.append(took[True] - took[False])
    return [Row("JupyterLab's start with the extension over without", more, "s", 0.3)]


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
        for _ in range(3):
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


def _opened(chromium: Any, server: Server) -> float:
    context = chromium.new_context()
    page = context.new_page()
    began = time.monotonic()
    page.goto(f"{server.url}/lab/workspaces/w{time.time_ns()}?reset")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    took = time.monotonic() - began
    context.close()
    return took


def _static_kilobytes() -> float:
    files = (path for path in (BUILT / "static").rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if path.suffix != ".map") / 1000


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
