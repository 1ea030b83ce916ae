"""Menu, palette, cell toolbar, error button, launcher, status, identity: in a real JupyterLab."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest

from tests.support.scripted import answer

from .asking import execute, loading, metadata, run, saved
from .jupyter import BUILT
from .pages import at_rest, until

CELL_COMMANDS = ["ask", "explain", "fix", "document", "test", "optimise", "attach-output"]
COMMANDS = [*CELL_COMMANDS, "new-conversation", "usage", "stop", "toggle-ghost-text"]
COMMANDS += ["open-conversation", "login", "settings"]


@pytest.fixture
def ask_book(open_notebook, server, tmp_path):
    """A notebook that has loaded the extension."""

    def give(*cells: str, load: bool = True, **options):
        book = open_notebook(loading(server, tmp_path / "home"), *cells, load=False, **options)
        if load:
            run(book, 0)
        return book

    return give


def activate(book, index: int) -> None:
    book.page.evaluate(
        """index => {
            const { content } = jupyterapp.shell.currentWidget;
            content.mode = 'command';
            content.deselectAll();
            content.activeCellIndex = index;
            content.activate();
        }""",
        index,
    )


def test_the_menu_holds_every_command(ask_book):
    book = ask_book("x = 1")
    book.page.locator(".lm-MenuBar-item", has_text="DeepSeek").click()
    labels = book.page.locator(".lm-Menu .lm-Menu-item[data-type=command]").all_inner_texts()
    assert [re.split(r"[\t\n]", label)[0] for label in labels] == [
        "Open Conversation",
        "Ask About This Cell",
        "Explain This Cell",
        "Fix This Cell",
        "Document This Cell",
        "Write Tests for This Cell",
        "Make This Cell Faster",
        "Ask About This Output",
        "Stop the Answer",
        "New Conversation",
        "Show DeepSeek Usage",
        "DeepSeek Ghost Text",
        "Set API Key…",
        "Settings",
    ]
    book.page.keyboard.press("Escape")
    described = book.page.evaluate(
        """async ids => {
            const all = await Promise.all(ids.map(id => jupyterapp.commands.describedBy(id)));
            return all.every(one => one.args?.type === 'object');
        }""",
        [f"deepseek:{name}" for name in COMMANDS],
    )
    assert described


def test_asking_about_a_cell_writes_the_question_and_runs_nothing(ask_book, server):
    book = ask_book("mean = sum(x) / len(x)")
    activate(book, 1)
    execute(book, "deepseek:ask")
    source = book.sources()[2]
    assert source.startswith("%%deepseek\n")
    assert "mean = sum(x) / len(x)" in source
    book.page.keyboard.type("Why?")
    assert book.sources()[2] == source + "Why?"
    assert server.requests == []
    server.queue(answer("Because."))
    book.page.keyboard.press("Control+Enter")
    book.card.wait_for()
    (request,) = server.wait_for_requests(1)
    assert request.json["messages"][-1]["content"].endswith("Why?")


def test_a_cell_that_ran_is_named_by_its_number(ask_book):
    book = ask_book("x = 1")
    run(book, 1)
    for command, line in (
        ("explain", "%deepseek explain 2"),
        ("document", "%deepseek doc 2"),
        ("test", "%deepseek test 2"),
        ("optimise", "%deepseek optimize 2"),
    ):
        activate(book, 1)
        execute(book, f"deepseek:{command}")
        assert book.sources()[2] == line
        book.until_done()


def test_a_cell_that_the_kernel_does_not_know_goes_along_as_text(ask_book, server):
    server.queue(answer("It sets x."))
    book = ask_book("x = 41 + 1")
    activate(book, 1)
    execute(book, "deepseek:explain")
    (request,) = server.wait_for_requests(1)
    assert "x = 41 + 1" in request.json["messages"][-1]["content"]
    assert book.sources()[2].startswith("%%deepseek\n")


def test_the_extension_is_loaded_where_nothing_has(ask_book):
    book = ask_book("x = 1", load=False)
    activate(book, 1)
    execute(book, "deepseek:usage")
    assert book.sources()[2:] == ["%load_ext deepseek_jupyter", "%deepseek usage"]
    book.until_done()
    undo = "() => jupyterapp.commands.execute('notebook:undo-cell-action')"
    book.page.evaluate(undo)
    assert len(book.sources()) == 2  # one step


def test_the_button_of_a_cell_opens_its_menu(ask_book):
    book = ask_book("x = 1")
    activate(book, 1)
    button = book.page.locator(
        ".jp-cell-toolbar [data-jp-item-name=deepseek-menu] button, "
        ".jp-cell-toolbar [data-jp-item-name=deepseek-menu] jp-button"
    )
    button.first.click()
    labels = book.page.locator(".lm-Menu .lm-Menu-item[data-type=command]").all_inner_texts()
    assert len(labels) == len(CELL_COMMANDS)
    book.page.keyboard.press("ArrowDown")
    book.page.keyboard.press("Enter")
    until(book.page, lambda: book.sources()[2:] and book.sources()[2].startswith("%%deepseek"))


def test_an_error_has_a_button_that_asks_for_a_correction(ask_book):
    book = ask_book("1 / 0", "'fine'")
    run(book, 1)
    button = book.page.get_by_role("button", name="Fix with DeepSeek")
    button.wait_for()
    assert book.page.locator(".jp-OutputArea-output", has_text="ZeroDivisionError").count() == 1
    activate(book, 2)
    button.click()
    until(book.page, lambda: book.sources()[2] == "%deepseek fix")  # below the cell that failed


def test_an_earlier_error_takes_its_traceback_along(ask_book, server):
    server.fallback = answer("Mended.")
    book = ask_book("1 / 0", "undefined_name")
    run(book, 1)
    run(book, 2)
    book.page.get_by_role("button", name="Fix with DeepSeek").first.click()
    (request,) = server.wait_for_requests(1)
    said = request.json["messages"][-1]["content"]
    assert "1 / 0" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "\x1b" not in said


def test_an_error_of_our_own_has_no_button(ask_book):
    book = ask_book("%deepseek nonsense", "%%deepseek --nonsense\nx")
    for index in (1, 2):
        run(book, index)
    assert book.page.get_by_role("button", name="Fix with DeepSeek").count() == 0
    assert "nonsense" in book.page.locator(".jp-OutputArea").nth(1).inner_text()


def test_an_error_looks_as_it_did_in_an_untrusted_notebook(open_notebook):
    text = ["\x1b[31mValueError\x1b[0m: <img src=x onerror=alert(1)>"]
    error = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": text}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[error])])
    notebook.metadata["kernelspec"] = {"name": "there-is-none", "display_name": "None"}
    book = open_notebook(load=False, kernel=False, content=notebook)
    output = book.page.locator(".jp-OutputArea-output pre")
    assert output.inner_text().strip() == "ValueError: <img src=x onerror=alert(1)>"
    assert output.locator("img").count() == 0
    assert output.locator(".ansi-red-fg").count() == 1


def test_an_output_is_asked_about_by_its_name_or_its_text(ask_book):
    book = ask_book("6 * 7", "print('a {{ 1 + 1 }} b')")
    run(book, 1)
    run(book, 2)
    activate(book, 2)
    execute(book, "deepseek:attach-output")
    assert "a \\{{ 1 + 1 }} b" in book.sources()[3]
    activate(book, 1)
    execute(book, "deepseek:attach-output")
    assert book.sources()[2].startswith("%%deepseek --attach Out[2]")


def test_stop_stops_the_answer_that_runs(ask_book, server):
    from tests.support.scripted import Reply, deltas

    server.queue(Reply(deltas(5000, rate=50)))
    book = ask_book("%%deepseek\nGo on.")
    book.run(1)
    book.page.locator(".jp-DeepSeek-phase[data-status=running]").wait_for()
    server.wait_for_requests(1)
    for _ in range(20):  # a page that has not heard of the turn yet has nothing to stop
        execute(book, "deepseek:stop")
        if server.requests[0].closed.wait(3):
            break
    assert server.requests[0].closed.is_set()


UNHEARD = """from deepseek_jupyter.display.pages import pages
pages.unregister(get_ipython().kernel.comm_manager)"""


@pytest.mark.parametrize(
    "source", ["%%deepseek\nGo on.", "import time; time.sleep(2); print('whole')"]
)
def test_stop_interrupts_a_question_of_which_the_page_has_not_heard(ask_book, server, source):
    """And no other cell."""
    from tests.support.scripted import Reply, deltas

    server.queue(Reply(deltas(5000, rate=50)))
    book = ask_book(UNHEARD, source, load=False)
    run(book, 0)
    run(book, 1)
    asks = source.startswith("%%")
    book.run(2)
    if asks:
        server.wait_for_requests(1)
    activate(book, 0)
    execute(book, "deepseek:stop")
    if asks:
        assert server.requests[0].closed.wait(20)
    book.until_done()
    assert asks or "whole" in book.result(2)


def test_shortcuts_collide_with_nothing():
    """Neither with Lab's nor with each other, in whatever place."""
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    taken = defaultdict(set)
    for file in itertools.chain(schemas.rglob("*.json"), (BUILT / "schemas").rglob("*.json")):
        for shortcut in json.loads(file.read_text()).get("jupyter.lab.shortcuts") or ():
            keys = " ".join(shortcut.get("keys") or shortcut.get("linuxKeys") or ())
            if shortcut["command"]:
                taken[keys].add(shortcut["command"])
    ours = [commands for commands in taken.values() if "deepseek:" in "".join(commands)]
    assert len(ours) == 4
    assert [commands for commands in ours if len(commands) > 1] == []


def test_a_shortcut_works_beside_the_text_and_not_in_it(ask_book):
    book = ask_book("x = 1")
    activate(book, 1)
    book.page.keyboard.press("Alt+Shift+A")
    until(book.page, lambda: len(book.sources()) == 3)
    at_rest(book.page)
    book.page.keyboard.press("Alt+Shift+A")  # in the editor now
    at_rest(book.page)
    assert len(book.sources()) == 3


def test_the_launcher_opens_a_notebook_that_is_ready_to_ask(ask_book):
    book = ask_book()
    execute(book, "launcher:create")
    card = book.page.locator(".jp-LauncherCard", has_text="DeepSeek Notebook")
    card.click()
    book.page.wait_for_function(
        "() => jupyterapp.shell.currentWidget?.content?.widgets?.length === 2"
    )
    sources = book.sources()
    assert sources[0] == "%load_ext deepseek_jupyter"
    assert sources[1].startswith("%%deepseek\n")
    path = book.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
    nbformat.validate(nbformat.read(book.server.work / path, as_version=4))
    (book.server.work / path).unlink()


def test_the_status_bar_tells_cost_and_cache_after_a_turn(ask_book, server):
    server.queue(answer("a"), answer("b"))
    book = ask_book("%%deepseek\nA?", "%%deepseek\nB?")
    item = book.page.locator(".jp-DeepSeek-status-item")
    assert not item.is_visible()
    run(book, 1)
    item.wait_for()
    first = item.inner_text()
    assert first.startswith("DeepSeek ~$0.0000")
    assert first.endswith("33% cached")
    run(book, 2)
    assert "asked 2 questions" in item.get_attribute("title")
    book.page.reload()
    book.page.wait_for_function("() => window.jupyterapp !== undefined")
    book.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    book.until_idle()
    run(book, 0)  # names the extension: the page connects again
    item.wait_for()
    assert "asked 2 questions" in item.get_attribute("title")


def test_a_notebook_knows_itself_once_it_has_asked(ask_book, server):
    server.queue(answer("a"))
    book = ask_book(
        "x = 1",
        "%%deepseek\nA?",
        "import deepseek_jupyter as ds; ds.get_session().conversation.notebook",
    )
    run(book, 1)
    saved(book)
    assert "deepseek" not in metadata(book)
    run(book, 2)
    run(book, 3)
    notebook = metadata(book)["deepseek"]["notebook"]
    assert book.result(3) == repr(notebook)
    assert saved(book)["metadata"]["deepseek"]["notebook"] == notebook


def test_a_copy_becomes_a_notebook_of_its_own_and_a_renamed_one_does_not(
    ask_book, server, open_notebook
):
    server.fallback = answer("a")
    book = ask_book("%%deepseek\nA?")
    run(book, 1)
    saved(book)
    first = metadata(book)["deepseek"]["notebook"]
    copied = reopened(open_notebook, book, move=False)
    run(copied, 0)
    run(copied, 1)
    second = metadata(copied)["deepseek"]["notebook"]
    assert second != first
    renamed = reopened(open_notebook, copied, move=True)
    run(renamed, 0)
    run(renamed, 1)
    assert metadata(renamed)["deepseek"]["notebook"] == second


def reopened(open_notebook, book, *, move: bool):
    """The notebook's file under another name, open in a page and a kernel of its own."""
    content = saved(book)
    if move:
        (book.server.work / book.name).unlink()
    return open_notebook(load=False, content=content)
