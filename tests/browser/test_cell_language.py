"""Cells that ask are edited as Markdown, whatever happens to them; all others as Python."""

from __future__ import annotations

import pytest

from .asking import execute
from .pages import at_rest, until
from .test_look import ARTEFACTS

MARKDOWN, PYTHON = "text/x-ipythongfm", "text/x-ipython"
ASKS = "%%deepseek --think\nWhy does `x` **print** False?\n\n- in words"


@pytest.fixture(params=["lab", "notebook"])
def book(request, open_notebook):
    return open_notebook(ASKS, "x = print(1)", kind=request.param, load=False)


def languages(book) -> list[str]:
    return book.page.evaluate(
        "() => [...jupyterapp.shell.currentWidget.content.model.cells].map(c => c.mimeType)"
    )


def write(book, index: int, source: str) -> None:
    book.page.evaluate(
        "([at, text]) => jupyterapp.shell.currentWidget.content.model.cells.get(at)"
        ".sharedModel.setSource(text)",
        [index, source],
    )


def activate(book, index: int) -> None:
    book.page.evaluate(
        "at => { const { content } = jupyterapp.shell.currentWidget;"
        " content.mode = 'command'; content.activeCellIndex = at; }",
        index,
    )


def wait(book, *expected: str) -> None:
    until(book.page, lambda: languages(book) == list(expected))


def test_it_holds_through_kernel_start_edits_paste_undo_and_move(book):
    wait(book, MARKDOWN, PYTHON)
    shown = book.page.locator(".jp-CodeCell").first.locator(".cm-content span", has_text="print")
    until(book.page, lambda: "print" in " ".join(shown.all_inner_texts()))
    assert book.page.locator(".jp-CodeCell").first.get_by_text("**print**").count() == 1
    book.page.screenshot(path=ARTEFACTS / f"cell-language-{book.server.kind}.png")
    write(book, 1, "%%ds\nAnd this?")
    assert languages(book) == [MARKDOWN, MARKDOWN]
    write(book, 1, "%%dsx\nAnd this?")
    assert languages(book) == [MARKDOWN, PYTHON]
    write(book, 0, "x = 2")
    assert languages(book) == [PYTHON, PYTHON]
    write(book, 0, ASKS)
    activate(book, 0)
    execute(book, "notebook:copy-cell")
    execute(book, "notebook:paste-cell-below")
    wait(book, MARKDOWN, MARKDOWN, PYTHON)
    execute(book, "notebook:undo-cell-action")
    wait(book, MARKDOWN, PYTHON)
    activate(book, 0)
    execute(book, "notebook:move-cell-down")
    wait(book, PYTHON, MARKDOWN)
    execute(book, "notebook:change-cell-to-markdown")
    execute(book, "notebook:change-cell-to-code")
    wait(book, PYTHON, MARKDOWN)
    restart = "() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
    book.page.evaluate(restart)
    book.until_idle()
    at_rest(book.page)
    assert languages(book) == [PYTHON, MARKDOWN]


def test_it_holds_in_two_views(open_notebook):
    book = open_notebook(ASKS, "x = 1", load=False)
    wait(book, MARKDOWN, PYTHON)
    execute(book, "docmanager:clone")
    wait(book, MARKDOWN, PYTHON)
    write(book, 0, "x = 3")
    write(book, 1, ASKS)
    assert languages(book) == [PYTHON, MARKDOWN]
