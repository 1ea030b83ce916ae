"""What the extension adds to JupyterLab: seconds at its start; how soon ghost text is asked for."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from rows import Row, alone, skipped

from tests.browser.asking import ghost_settings, loading, run
from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import BUILT, Server
from tests.browser.notebook import Notebook
from tests.support.scripted import Server as Scripted
from tests.support.wording_fim import fim

TITLE = "JupyterLab"
PAIRS = 7
ASKED = 12
DELAY = 301  # milliseconds; one more than the default, to be known from other timers

# When JupyterLab has put its widgets back, in milliseconds since the page was asked for.
_STARTED = """async () => {
    await window.jupyterapp.restored;
    return performance.now();
}"""


def rows() -> list[Row]:
    """The start with and without the extension, the size of what is loaded, ghost text."""
    try:
        find_chromium()
    except RuntimeError as error:
        return [skipped(TITLE, str(error))]
    files = (file for file in (BUILT / "static").rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in files)
    asked = _asked()
    return [
        Row("JupyterLab's start with the extension, less without", _later(), "s", 0.3),
        Row("static folder of the extension", [size / 1000], "kB", 250),
        Row(
            "ghost text: from the end of the delay to the request",
            [one.after_delay for one in asked],
            "ms",
            20,
            reason="through page, Jupyter server and kernel, which share the machine's cores",
        ),
        Row(
            "ghost text: from the last key to the request, less the delay",
            [one.after_key for one in asked],
            "ms",
        ),
    ]


def _later() -> list[float]:
    """Paired: one start with it and one without, in turn, each in a browser without a cache."""
    with _browser() as chromium, tempfile.TemporaryDirectory() as folder:
        servers = [
            Server("lab", Path(folder) / name, extension=name == "with")
            for name in ("without", "with")
        ]
        try:
            for server in servers:
                _start(chromium, server)
            pairs = [[_start(chromium, server) for server in servers] for _ in range(PAIRS)]
        finally:
            for server in servers:
                server.stop()
    return [with_it - without for without, with_it in pairs]


def _start(chromium: Any, server: Server) -> float:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/lab/workspaces/w{time.time_ns()}?reset")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    seconds = page.evaluate(_STARTED) / 1000
    context.close()
    return float(seconds)


@dataclass(frozen=True, slots=True)
class Asked:
    """Milliseconds until a request is at the provider."""

    after_key: float  # less the delay
    after_delay: float  # since the timer of the delay went off


# When a key was pressed last, and when a timer as long as the delay went off last.
_WATCH = """delay => {
    document.addEventListener('keydown', () => { window.__key = Date.now(); }, true);
    const set = window.setTimeout;
    window.setTimeout = (call, wait, ...rest) => set((...given) => {
        if (wait === delay) {
            window.__rang = Date.now();
        }
        return call(...given);
    }, wait, ...rest);
}"""


def _asked() -> list[Asked]:
    """One request for each line that is begun."""
    with _browser() as chromium, tempfile.TemporaryDirectory() as folder, Scripted() as host:
        host.fallback = fim("x")
        server = Server("lab", Path(folder) / "lab")
        ghost_settings(server, enabled=True, delay=DELAY)
        try:
            page = chromium.new_context(viewport={"width": 1100, "height": 900}).new_page()
            book = Notebook(server, page, [loading(host, Path(folder) / "home"), ""], load=False)
            run(book, 0)
            page.evaluate(_WATCH, DELAY)
            page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(1).click()
            return [_lags(page, host, number) for number in range(ASKED)][2:]  # two to warm up
        finally:
            server.stop()


def _lags(page: Any, host: Scripted, number: int) -> Asked:
    before = len(host.requests)
    page.keyboard.type(f"v{number} = ")
    request = host.wait_for_requests(before + 1, 10)[-1]
    clock = time.time() - time.monotonic()
    key, rang = page.evaluate("() => [window.__key, window.__rang]")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    arrived = (request.at + clock) * 1000
    return Asked(arrived - key - DELAY, arrived - rang)


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)
        try:
            yield chromium
        finally:
            chromium.close()


if __name__ == "__main__":
    alone(TITLE, rows)
