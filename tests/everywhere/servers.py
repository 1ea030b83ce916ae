"""Real pages of JupyterLab and Notebook in other versions, and servers that execute cells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.notebook import CARD, Notebook
from tests.browser.pages import SIZE, until
from tests.browser.test_live import stream
from tests.support.asking import KEY
from tests.support.kernels import record_in
from tests.support.scripted import Server as Scripted

from .venvs import venv, versions

TEXT = "It is a **list** of words, " + "word " * 60 + "and its end."
CELLS = (
    "%load_ext deepseek_jupyter",
    "%%ds --think\nOne?",
    "%%ds\nTwo?",
    "print('before')\n%ds Three?\n%ds Four?\nprint('after')",
)
ANSWERS = {1: 1, 2: 1, 3: 2}

EXECUTING = {
    "nbmodel": ("jupyterlab", "jupyter-collaboration", "jupyter-server-nbmodel"),
    "documents": ("jupyterlab", "jupyter-server-documents"),
}
PAGES = {
    "lab42": ("jupyterlab==4.2.*",),
    "lab44": ("jupyterlab==4.4.*",),
    "newest": ("jupyterlab",),
    "prerelease": ("jupyterlab>=4.7.0a0",),
    "notebook": ("notebook",),
    "shared": ("jupyterlab", "jupyter-collaboration"),
    **EXECUTING,
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)
        yield browser
        browser.close()


@contextmanager
def served(kind: str, folder: Path) -> Iterator[tuple[Server, Scripted]]:
    python = venv(kind, *PAGES[kind], "ipykernel", prerelease=kind == "prerelease")
    with Scripted(validate=False) as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_BASE_URL", endpoint.base_url("deepseek"))
        patch.setenv("DEEPSEEK_API_KEY", KEY)
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(folder / "state"))
        patch.delenv("PYTHONPATH", raising=False)
        app = "notebook" if kind == "notebook" else "lab"
        server = Server(app, folder / "jupyter", python=str(python))
        print(versions(python, "jupyter_server", "jupyterlab", "ipykernel", "ipython"))
        try:
            yield server, endpoint
        finally:
            server.stop()


class Open(Notebook):
    """Requests of the servers' own extensions are let through, as long as they stay here."""

    def _guard(self, route: Any) -> None:
        local = route.request.url.startswith((self.server.url, "data:", "blob:"))
        route.continue_() if local else route.abort()


def outputs(book: Notebook, index: int) -> list[dict[str, Any]]:
    """Those of a cell, as the page has them."""
    return book.page.evaluate(
        "i => jupyterapp.shell.currentWidget.content.widgets[i].model.outputs.toJSON()", index
    )


def records(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record_in(o) for o in found if any("deepseek.turn" in t for t in o.get("data", ()))]


def ends(book: Notebook, index: int) -> None:
    """Wait until all answers of a cell are there."""

    def statuses() -> list[str]:
        return [record["status"] for record in records(outputs(book, index))]

    until(book.page, lambda: statuses() == ["done"] * ANSWERS[index], 90)


def opened(chromium: Any, server: Server, **options: Any) -> Notebook:
    page = chromium.new_context(viewport=SIZE).new_page()
    page.set_default_timeout(90_000)
    book = Open(server, page, CELLS, load=False, **options)
    page.on("console", lambda m: book.console.append(m.text) if m.type == "warning" else None)
    return book


def saved(book: Notebook) -> list[dict[str, Any]]:
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    book.page.wait_for_timeout(2000)  # a server with shared documents saves by itself
    return json.loads((book.server.work / book.name).read_text())["cells"]


@pytest.mark.parametrize("kind", PAGES)
def test_each_answer_is_one_output_with_its_end(kind, chromium, tmp_path):
    with served(kind, tmp_path) as (server, endpoint):
        book = opened(chromium, server)
        for index in range(len(CELLS)):
            for _ in range(ANSWERS.get(index, 0)):
                endpoint.queue(stream(TEXT, "I think.", pieces=20, gap=0.1))
            book.run(index)
            if index in ANSWERS:
                ends(book, index)
            else:
                book.until_done()
                book.page.wait_for_timeout(1500)
        book.page.wait_for_timeout(5000)  # longer than any page waits before it writes
        cells = saved(book)
        for index, many in ANSWERS.items():
            kept = records(cells[index]["outputs"])
            assert [(r["status"], r["answer"]) for r in kept] == [("done", TEXT)] * many, index
            assert json.dumps(cells[index]["outputs"]).count("Waiting…") == 0
        printed = [o.get("text") for o in cells[3]["outputs"] if o["output_type"] == "stream"]
        assert "before" in str(printed)
        assert "after" in str(printed)
        assert book.page.locator(CARD).count() == 4
        words = [t for t in book.console if "deepseek" in t.lower() or "Unsatisfied" in t]
        print(kind, "console:", words, "errors:", book.errors)
        assert words == []
        assert book.own_errors == []


@pytest.mark.parametrize("kind", ["shared", *EXECUTING])
def test_a_second_page_sees_the_end_and_so_does_one_loaded_again(kind, chromium, tmp_path):
    with served(kind, tmp_path) as (server, endpoint):
        book = opened(chromium, server)
        book.run(0)
        book.until_done()
        book.page.wait_for_timeout(2000)
        other = chromium.new_context(viewport=SIZE).new_page()
        other.goto(server.page(book.name))
        other.locator(".jp-Notebook .jp-Cell").first.wait_for()
        other.wait_for_timeout(2000)
        endpoint.queue(stream(TEXT, "I think.", pieces=40, gap=0.1))
        book.run(1)
        book.card.wait_for()
        other.locator(CARD).wait_for()
        book.page.wait_for_timeout(1000)
        book.page.reload()
        for page in (book.page, other):
            page.locator(".jp-DeepSeek-notes", has_text="tokens").wait_for()
            end = time.monotonic()
        print(kind, f"{end - endpoint.requests[-1].answered_at:.1f} s after the end")
        book.page.wait_for_timeout(6000)
        kept = records(saved(book)[1]["outputs"])
        assert [(r["status"], r["answer"]) for r in kept] == [("done", TEXT)]
        for page in (book.page, other):
            assert page.locator(CARD).count() == 1
