"""Card and panel in a real JupyterLab and Notebook 7: smooth, on time, stopped at once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright
from rows import Row, alone, skipped

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.measure import GROWING_CELLS, SMOOTH_CELLS, growth, smoothness
from tests.browser.notebook import Notebook
from tests.browser.pages import at_rest
from tests.browser.panel import Panel
from tests.browser.panel_measure import LONG, opening, typing
from tests.support.scripted import Reply, answer, deltas
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
        *_entering(),
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


@contextmanager
def _asked_here() -> Iterator[Scripted]:
    """A scripted endpoint that every kernel started meanwhile asks."""
    with Scripted(validate=False) as endpoint, tempfile.TemporaryDirectory() as home:
        asked = {
            "DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"),
            "DEEPSEEK_API_KEY": "sk-none",
            "DEEPSEEK_JUPYTER_HOME": home,
        }
        with patch.dict(os.environ, asked):
            yield endpoint


def _panel() -> list[Row]:
    """A conversation of 2,000 turns, and keys pressed while a reply streams at 100 Hz."""
    with _asked_here() as endpoint:
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


# Seconds from the key to the first frame that shows something that was not there before.
SEEN = """selector => {
    const before = new Set(document.querySelectorAll(selector));
    const isNew = node => !before.has(node) && node.textContent && node.offsetHeight;
    const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
    window.__seen = new Promise(resolve => addEventListener('keydown', async down => {
        if (down.key !== 'Enter') {
            return;
        }
        while (![...document.querySelectorAll(selector)].some(isNew)) {
            await frame();
        }
        await frame(); // the one before has been painted
        resolve((performance.now() - down.timeStamp) / 1000);
    }, true));
}"""
ENTERED = 30
CARD = ".jp-DeepSeek-card"
LOAD_LOCAL = "%load_ext deepseek_jupyter\n%config DeepSeek.provider = 'local'"
BIG = "import numpy, pandas\nbig = pandas.DataFrame({'x': numpy.arange(10_000_000)})"


def _entering() -> list[Row]:
    """Enter to a card or a bubble: what a question needs is looked up and read after it is seen."""
    with _asked_here() as endpoint:
        cells = ("%load_ext deepseek_jupyter", "%%ds\nHello", BIG, "%%ds -a big\nHow many?")
        with _open("lab", *cells, load=False) as book:
            for index in (0, 2):
                book.run(index)
                book.until_done()
            endpoint.queue(*(answer("Hello.") for _ in range(3 * ENTERED + 1)))
            book.run(1)
            book.until_done()
            warm = [_entered(book, 1) for _ in range(ENTERED)]
            large = [_entered(book, 3) for _ in range(ENTERED)]
            panel = Panel.open(book)
            bubbles = [_entered_in(panel, f"Question {number}") for number in range(ENTERED)]
    return [
        _p95("cell, warm", warm),
        _cold(),
        _p95("panel", bubbles),
        _p95("cell, 10,000,000 rows attached", large),
    ]


def _cold() -> Row:
    """In a kernel that has just started, with the embedded model's server not running."""
    from bench_local import _home, _model_file

    from deepseek_jupyter.local.serve import stop_server

    model, times = _model_file(), []
    if model is None:
        return skipped(f"{_ENTER}: cell, cold", "the embedded model is not installed")
    with _home(model), _open("lab", LOAD_LOCAL, "%%ds\nHello", load=False) as book:
        for _ in range(ENTERED):
            stop_server()
            book.page.evaluate(
                "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
            )
            book.until_idle()
            book.run(0)
            book.until_done()
            times.append(_entered(book, 1, stop=True))
        stop_server()
    return _p95("cell, cold", times)


_ENTER = "Enter to something visible, p95 of 30"


def _p95(where: str, times: list[float]) -> Row:
    return Row(f"{_ENTER}: {where}", [sorted(times)[int(0.95 * len(times))]], "s", 0.1)


def _entered(book: Notebook, index: int, *, stop: bool = False) -> float:
    book.page.evaluate(
        """index => {
            const { content } = jupyterapp.shell.currentWidget;
            content.activeCellIndex = index;
            content.mode = 'command';
            content.activeCell.node.focus();
        }""",
        index,
    )
    book.page.evaluate(SEEN, CARD)
    book.page.keyboard.press("Control+Enter")
    seen = book.page.evaluate("() => window.__seen")
    if stop:
        book.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    book.page.wait_for_function(
        "() => !document.querySelector('.jp-InputArea-prompt')?.closest('.jp-Notebook')"
        "?.textContent.includes('[*]')",
        timeout=120_000,
    )
    at_rest(book.page)
    return seen


def _entered_in(panel: Panel, prompt: str) -> float:
    panel.field.fill(prompt)
    panel.page.evaluate(SEEN, ".jp-DeepSeek-panel-prompt")
    panel.field.press("Enter")
    seen = panel.page.evaluate("() => window.__seen")
    panel.until(prompt, "Hello.")
    at_rest(panel.page)
    return seen


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
