"""Real pages of JupyterLab and Notebook in other versions, and servers that execute cells."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.asking import ghost_settings
from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.notebook import CARD, Notebook
from tests.browser.pages import SIZE, until
from tests.browser.test_live import stream
from tests.support.asking import KEY
from tests.support.kernels import record_in
from tests.support.scripted import Server as Scripted
from tests.support.scripted import answer
from tests.support.wording_fim import fim

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
        own = [package.partition("=")[0].rstrip(">") for package in PAGES[kind]]
        print(versions(python, *own, "jupyter_server", "ipykernel", "ipython"))
        try:
            yield server, endpoint
        finally:
            server.stop()


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

    try:
        until(book.page, lambda: statuses() == ["done"] * ANSWERS[index], 90)
    except AssertionError:
        raise AssertionError(f"cell {index}: {statuses()}") from None


def opened(chromium: Any, server: Server, **options: Any) -> Notebook:
    page = chromium.new_context(viewport=SIZE).new_page()
    page.set_default_timeout(90_000)
    book = Notebook(server, page, CELLS, load=False, **options)
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


@pytest.mark.parametrize("kind", ["lab42", "lab44", "prerelease", "notebook"])
def test_a_key_takes_ghost_text(kind, chromium, tmp_path):
    """Tab; in JupyterLab 4.2, where it opens the completer, Alt End (docs/lab.md)."""
    with served(kind, tmp_path) as (server, endpoint):
        ghost_settings(server, enabled=True, delay=150)
        endpoint.fallback = fim("2) + 3")
        book = opened(chromium, server)
        book.run(0)
        book.until_done()
        book.page.evaluate("() => jupyterapp.commands.execute('notebook:insert-cell-below')")
        book.page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(1).click()
        book.page.keyboard.type("total = add(1, ", delay=10)
        book.page.locator(".jp-GhostText", has_text="2) + 3").wait_for()
        book.page.keyboard.press("Alt+End" if kind == "lab42" else "Tab")
        until(book.page, lambda: book.sources()[1] == "total = add(1, 2) + 3")


def test_voila_shows_an_answer_and_a_panel_that_asks(chromium, tmp_path):
    """Each visit runs the notebook; ours is the widget's front end, not JupyterLab's extension."""
    python = venv("voila", "voila", "ipykernel", extras="panel")
    cells = (
        "%load_ext deepseek_jupyter",
        "%%ds\nOne?",
        "import deepseek_jupyter as ds\nds.panel()",
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, tmp_path / "book.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Scripted(validate=False) as endpoint, (tmp_path / "log").open("wb") as log:
        endpoint.queue(answer(TEXT), answer("From the **panel**."))
        own = {"DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"), "DEEPSEEK_API_KEY": KEY}
        own |= {"DEEPSEEK_JUPYTER_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | own
        command = [python, "-m", "voila", "book.ipynb", "--no-browser", f"--port={port}"]
        running = subprocess.Popen(
            [*map(str, command), "--Voila.ip=127.0.0.1"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            page = chromium.new_context(viewport=SIZE).new_page()
            page.set_default_timeout(90_000)
            until(page, lambda: b"is running at" in (tmp_path / "log").read_bytes(), 90)
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_text("and its end.").first.wait_for()
            field = page.locator(".jp-DeepSeek-panel-field")
            field.fill("Two?")
            field.press("Enter")
            page.locator(".jp-DeepSeek-panel-turn strong", has_text="panel").wait_for()
            print(versions(python, "voila", "anywidget", "ipykernel"))
        finally:
            running.terminate()
            running.wait(30)
