"""Ghost text in JupyterLab: asked for when it should be, cancelled when it should be."""

from __future__ import annotations

import pytest

from tests.support.scripted import Reply, error, event, send, stall
from tests.support.wording_fim import fim, fim_chunks

from .asking import ghost_settings, loading, run
from .pages import at_rest, until

GHOST = ".jp-GhostText"
DELAY = 150  # milliseconds without a key, after which it asks
LONG_ENOUGH = 4 * DELAY
HALF = send(*[event(chunk) for chunk in fim_chunks("return a + b")[:2]])
ABOVE = "import numpy as np\n\ndef add(a, b):\n    return a + b"


@pytest.fixture
def ghost_book(open_notebook, server_of, server, tmp_path):
    """A notebook with the extension loaded, ghost text on, and an empty cell at its end."""
    files = []

    def give(*cells: str, enabled: bool = True, load: bool = True, kind: str = "lab", **options):
        files.append(ghost_settings(server_of(kind), enabled=enabled, delay=DELAY, **options))
        cells = (loading(server, tmp_path / "home"), *cells, "")
        # Settings are read at the start.
        book = open_notebook(*cells, load=False, kind=kind, fresh=True)
        if load:
            run(book, 0)
        return book

    yield give
    for file in files:
        file.unlink(missing_ok=True)


def enter(book, index: int = -1) -> None:
    """Go into the editor of a cell."""
    cell = book.page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(index)
    cell.click()


def write(book, text: str) -> None:
    """Write a text as somebody quick would."""
    book.page.keyboard.type(text, delay=10)


def shown(book) -> str:
    return book.page.locator(GHOST).inner_text()


def wait_for_ghost(book, text: str) -> None:
    book.page.wait_for_function(
        "([ghost, text]) => document.querySelector(ghost)?.innerText.includes(text)",
        arg=[GHOST, text],
    )


def test_nothing_is_asked_while_it_is_off(ghost_book, server):
    book = ghost_book(ABOVE, enabled=False)
    enter(book)
    write(book, "total = add(1, ")
    book.page.keyboard.press("Alt+\\")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert server.requests == []
    assert book.page.locator(GHOST).count() == 0


def test_the_command_turns_it_on_and_off(ghost_book, server):
    server.fallback = fim("2)")
    book = ghost_book(ABOVE, enabled=False)
    command = "() => jupyterapp.commands.execute('deepseek:toggle-ghost-text')"
    toggled = "() => jupyterapp.commands.isToggled('deepseek:toggle-ghost-text')"
    assert book.page.evaluate(toggled) is False
    book.page.evaluate(command)
    assert book.page.evaluate(toggled) is True
    enter(book)
    write(book, "total = add(1, ")
    wait_for_ghost(book, "2)")
    asked = len(server.requests)
    book.page.evaluate(command)
    enter(book)
    write(book, "x = ")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert len(server.requests) == asked


def test_what_is_above_goes_along_and_tab_takes_the_suggestion(ghost_book, server):
    server.queue(fim("2) + 3"))
    book = ghost_book("%%bash\nls", ABOVE)
    enter(book)
    write(book, "total = add(1, ")
    wait_for_ghost(book, "2) + 3")
    (request,) = server.requests
    assert request.path == "/deepseek/beta/completions"
    body = request.json
    assert body["prompt"].endswith(f"{ABOVE}\n\ntotal = add(1, ")
    assert "ls" not in body["prompt"]
    assert body["max_tokens"] == 96
    book.page.keyboard.press("Tab")
    until(book.page, lambda: book.sources()[-1].startswith("total = add(1, 2) + 3"))


def test_typing_asks_once_and_typing_along_not_again(ghost_book, server):
    server.queue(fim("sum(values)"))
    book = ghost_book()
    enter(book)
    write(book, "total = ")
    wait_for_ghost(book, "sum(values)")
    write(book, "sum")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert shown(book).strip() == "(values)"
    assert len(server.requests) == 1


def test_it_streams(ghost_book, server):
    server.queue(Reply(HALF, stall()))
    book = ghost_book()
    enter(book)
    write(book, "def add(a, b): ")
    wait_for_ghost(book, "return a")
    assert not server.requests[0].answered.is_set()


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda book: write(book, "xyz"), id="typing something else"),
        pytest.param(lambda book: book.page.keyboard.press("Home"), id="moving the cursor"),
        pytest.param(lambda book: enter(book, 0), id="leaving the cell"),
        pytest.param(lambda book: book.page.keyboard.press("Escape"), id="leaving the editor"),
    ],
)
def test_what_is_of_no_use_any_more_is_closed_at_the_server(ghost_book, server, leave):
    server.queue(Reply(HALF, stall()))
    server.fallback = fim("")
    book = ghost_book()
    enter(book)
    write(book, "def add(a, b): ")
    wait_for_ghost(book, "return a")
    leave(book)
    assert server.requests[0].closed.wait(60)


def test_one_that_has_not_answered_is_closed_too(ghost_book, server):
    server.queue(Reply(stall()))
    server.fallback = fim("1")
    book = ghost_book()
    enter(book)
    write(book, "first = ")
    server.wait_for_requests(1)
    write(book, "second")
    assert server.requests[0].closed.wait(60)


def test_so_many_lines_and_the_server_may_stop(ghost_book, server):
    chunks = fim_chunks("a = 1\nb = 2\nc = 3\nd = 4\n")[:-1]
    server.queue(Reply(send(*map(event, chunks)), stall()))
    book = ghost_book(maxLines=2)
    enter(book)
    write(book, "start = 0; ")
    wait_for_ghost(book, "b = 2")
    assert server.requests[0].closed.wait(60)
    assert "c = 3" not in shown(book)


def test_a_prompt_gets_no_code(ghost_book, server):
    book = ghost_book()
    enter(book)
    write(book, "%%deepseek\n")
    write(book, "What is the mean of ")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert server.requests == []


def test_a_failure_is_told_and_not_repeated(ghost_book, server):
    server.fallback = error(402, "Insufficient Balance")
    book = ghost_book()
    enter(book)
    write(book, "x = ")
    server.wait_for_requests(1)
    at_rest(book.page)
    write(book, "y + ")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert len(server.requests) == 1


def test_a_kernel_without_the_extension_is_left_alone(ghost_book, server):
    book = ghost_book(load=False)
    enter(book)
    write(book, "x = ")
    book.page.wait_for_timeout(LONG_ENOUGH)
    write(book, "y + ")
    book.page.wait_for_timeout(LONG_ENOUGH)
    assert server.requests == []
    assert book.own_errors == []
    assert [line for line in book.console if "comm" in line.lower()] == []


def test_its_cost_stands_in_the_status_bar_and_not_in_the_conversation(ghost_book, server):
    server.queue(fim("2)"))
    book = ghost_book("import deepseek_jupyter as ds; ds.last is None")
    enter(book)
    write(book, "total = add(1, ")
    wait_for_ghost(book, "2)")
    item = book.page.locator(".jp-DeepSeek-status-item")
    item.wait_for()
    assert item.inner_text().startswith("DeepSeek ghost text ~$0.0000")
    run(book, 1)
    assert book.result(1) == "True"


def test_it_works_while_a_cell_runs(ghost_book, server, tmp_path):
    server.queue(fim("2)"))
    may_end = tmp_path / "may-end"
    book = ghost_book(
        f"import os, time\nwhile not os.path.exists({str(may_end)!r}): time.sleep(0.1)"
    )
    book.run(1)
    enter(book)
    write(book, "total = add(1, ")
    wait_for_ghost(book, "2)")
    may_end.touch()
    book.until_done()


def test_notebook_7_has_ghost_text_and_the_button_of_a_cell(ghost_book, server):
    server.queue(fim("2) + 3"))
    book = ghost_book(ABOVE, kind="notebook")
    enter(book)
    write(book, "total = add(1, ")
    wait_for_ghost(book, "2) + 3")
    book.page.keyboard.press("Tab")
    book.page.wait_for_function(
        """() => jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel
            .getSource().startsWith('total = add(1, 2) + 3')"""
    )
    button = book.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    button.locator("[data-jp-item-name='deepseek-menu']").get_by_role("button").click()
    book.page.get_by_role("menuitem", name="Ask About This Cell").click()
    book.page.wait_for_function(
        """() => jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel
            .getSource().startsWith('%%deepseek')"""
    )
    assert "total = add(1, 2) + 3" in book.sources()[-1]
    assert book.own_errors == []
