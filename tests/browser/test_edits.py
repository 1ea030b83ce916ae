"""Changes that a model proposes, in a real JupyterLab: written to the cells, or refused."""

from __future__ import annotations

import json

from tests.support.scripted import answer

from .pages import at_rest
from .test_live import endpoint, lab, notebook

__all__ = ["endpoint", "lab", "notebook"]

CHANGE = "The limit is too high.\n\n```python In[3]\nLIMIT = 3\n```\n"
CELLS = (
    "rows = [3, 4]",  # In[2]: In[1] loads the extension
    "LIMIT = 9",
    "print(1 / len([r for r in rows if r >= LIMIT]))",
    "%deepseek fix",
    "%deepseek fix accept",
    "%deepseek fix accept --run",
    "%deepseek fix revert",
)
LIMIT, FAILING, FIX, ACCEPT, ACCEPT_AND_RUN, REVERT = 2, 3, 4, 5, 6, 7


def asked(notebook, lab, endpoint):
    """A notebook that failed and was offered a change."""
    book = notebook(lab, *CELLS)
    for index in (1, LIMIT, FAILING):
        run(book, index)
    endpoint.queue(answer(CHANGE))
    run(book, FIX)
    return book


def run(book, index: int) -> None:
    book.run(index)
    book.page.evaluate("async () => { await window.__ran.catch(() => undefined); }")
    book.until_idle()
    at_rest(book.page)


def shown(book, index: int) -> str:
    return str(book.page.locator(".jp-Cell").nth(index).locator(".jp-OutputArea").inner_text())


def metadata(book, index: int) -> dict[str, str] | None:
    found = book.page.evaluate(
        """index => JSON.stringify(window.jupyterapp.shell.currentWidget.content.widgets[index]
            .model.getMetadata('deepseek') ?? null)""",
        index,
    )
    return json.loads(found)


def set_source(book, index: int, source: str) -> None:
    book.page.evaluate(
        """([index, source]) => window.jupyterapp.shell.currentWidget.content.widgets[index]
            .model.sharedModel.setSource(source)""",
        [index, source],
    )


def test_accept_changes_the_cell_and_says_who_wrote_it_and_revert_takes_both_back(
    lab, endpoint, notebook
):
    book = asked(notebook, lab, endpoint)
    assert "- LIMIT = 9\n+ LIMIT = 3" in shown(book, FIX)
    assert book.sources()[LIMIT] == "LIMIT = 9"
    run(book, ACCEPT)
    assert "Accepted" in shown(book, ACCEPT)
    assert book.sources()[LIMIT] == "LIMIT = 3"
    written = metadata(book, LIMIT)
    assert set(written) == {"turn", "model"}
    assert written["turn"] in json.dumps(
        book.page.evaluate(
            "index => window.jupyterapp.shell.currentWidget.content.widgets[index]"
            ".model.outputs.toJSON()",
            FIX,
        )
    )
    run(book, REVERT)
    assert "Taken back" in shown(book, REVERT)
    assert book.sources()[LIMIT] == "LIMIT = 9"
    assert metadata(book, LIMIT) is None
    assert book.own_errors == []


def test_accept_and_run_runs_the_changed_cell(lab, endpoint, notebook):
    book = asked(notebook, lab, endpoint)
    run(book, ACCEPT_AND_RUN)
    book.until_idle()
    run(book, FAILING)
    assert "0.5" in shown(book, FAILING)


def test_a_cell_that_was_changed_meanwhile_is_not_written_to(lab, endpoint, notebook):
    book = asked(notebook, lab, endpoint)
    set_source(book, LIMIT, "LIMIT = 8  # mine")
    run(book, ACCEPT)
    assert "ChangedCellError: The cell was changed in the meantime." in shown(book, ACCEPT)
    assert book.sources()[LIMIT] == "LIMIT = 8  # mine"
    assert metadata(book, LIMIT) is None


def test_code_goes_into_cells_in_order_and_a_second_run_replaces_them(lab, endpoint, notebook):
    book = notebook(lab, "%%ds --code\nTwo variables.", "'the last cell'")
    endpoint.queue(answer("```python\na = 1\n```\nand\n```python\nb = 2\n```"))
    run(book, 1)
    before = book.sources()
    assert before[2:] == ["a = 1", "b = 2", "'the last cell'"]
    assert set(metadata(book, 2)) == {"turn", "model", "asked", "hash"}
    set_source(book, 3, "b = 'mine'")
    book.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets[1]
            .model.sharedModel.setSource('%%ds --code\\nOne variable.')"""
    )
    endpoint.queue(answer("```python\nc = 3\n```"))
    run(book, 1)
    assert book.sources()[2:] == ["c = 3", "b = 'mine'", "'the last cell'"]


def press(book, name: str) -> None:
    output = book.page.locator(".jp-Cell").nth(FIX)
    output.get_by_role("button", name=name, exact=True).click()
    book.until_idle()
    at_rest(book.page)


def test_buttons_decide_too(lab, endpoint, notebook):
    book = asked(notebook, lab, endpoint)
    press(book, "Accept")
    assert book.sources()[LIMIT] == "LIMIT = 3"
    assert "Accepted" in shown(book, FIX)
    set_source(book, LIMIT, "LIMIT = 3  # mine")
    press(book, "Revert")
    assert "The cell was changed in the meantime." in shown(book, FIX)
    assert book.sources()[LIMIT] == "LIMIT = 3  # mine"
    set_source(book, LIMIT, "LIMIT = 3")
    press(book, "Revert")
    assert book.sources()[LIMIT] == "LIMIT = 9"
    press(book, "Accept and run")
    book.until_idle()
    run(book, FAILING)
    assert "0.5" in shown(book, FAILING)
    assert book.own_errors == []


def test_a_button_of_another_notebooks_output_changes_nothing(lab, endpoint, notebook):
    forged = {
        "turn": "not-here",
        "state": "offered",
        "cells": [{"name": "In[2]", "lines": [["+", "import os"]]}],
    }
    display = (
        "from IPython.display import display\n"
        f"display({{'application/vnd.deepseek.changes+json': {forged!r}}}, raw=True)"
    )
    cells = ["rows = [1]", "1 / 0", "%deepseek fix", display]
    book = notebook(lab, *cells)
    endpoint.queue(answer("Nothing to change."))
    for index in range(1, 5):
        run(book, index)
    before = book.sources()
    output = book.page.locator(".jp-Cell").nth(4)
    output.get_by_role("button", name="Accept", exact=True).click()
    output.get_by_text("There is nothing to accept.").wait_for()
    assert book.sources() == before
