"""What the card's buttons do, and that a keyboard reaches them."""

from __future__ import annotations

import json

from .pages import at_rest

ANSWER = "Use this:\n\n```python\nx = 6 * 7\nprint('ran', x)\n```\n\nor that:\n\n```bash\nls\n```\n"
PLAY = f"stream_script.play({ANSWER!r}, deltas=5)"
CODE = "x = 6 * 7\nprint('ran', x)"


def played(open_notebook, **options):
    book = open_notebook(PLAY, **options)
    book.run(1)
    book.until_done()
    return book


def press(book, name: str) -> None:
    book.card.locator(".jp-DeepSeek-block", has_text="6 * 7").hover()
    book.card.get_by_role("button", name=name).first.click()
    at_rest(book.page)


def undo(book) -> None:
    book.page.evaluate("() => jupyterapp.commands.execute('notebook:undo-cell-action')")
    at_rest(book.page)


def test_code_goes_into_a_new_cell_and_one_undo_takes_it_back(open_notebook):
    book = played(open_notebook)
    before = book.sources()
    press(book, "Insert this code below")
    assert book.sources() == [*before[:2], CODE, *before[2:]]
    undo(book)
    assert book.sources() == before


def test_code_replaces_the_cell_and_one_undo_takes_it_back(open_notebook):
    book = played(open_notebook)
    before = book.sources()
    press(book, "Replace this cell with the code")
    assert book.sources()[1] == CODE
    undo(book)
    assert book.sources() == before


def test_code_runs_in_a_new_cell(open_notebook):
    book = played(open_notebook)
    press(book, "Run this code below")
    book.page.wait_for_function("() => document.body.innerText.includes('ran 42')")
    assert book.sources()[2] == CODE


def test_ask_again_runs_the_cell_again(open_notebook):
    book = played(open_notebook)
    first = book.page.evaluate("() => document.querySelectorAll('.jp-DeepSeek-card').length")
    press(book, "Ask again")
    book.until_idle()
    at_rest(book.page)
    count = "() => jupyterapp.shell.currentWidget.content.widgets[1].model.executionCount"
    assert book.page.evaluate(count) == 3
    assert (
        book.page.evaluate("() => document.querySelectorAll('.jp-DeepSeek-card').length") == first
    )


def test_the_answer_and_its_code_can_be_copied(open_notebook):
    book = played(open_notebook)
    book.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(book, "Copy the answer")
    assert book.page.evaluate("() => navigator.clipboard.readText()") == ANSWER
    press(book, "Copy this code")
    assert book.page.evaluate("() => navigator.clipboard.readText()") == CODE


def test_only_code_for_the_kernel_can_be_run(open_notebook):
    book = played(open_notebook)
    shell = book.card.locator(".jp-DeepSeek-block", has_text="ls").last
    assert shell.get_by_role("button").all_inner_texts() == [""]


def test_every_control_is_a_button_with_a_name_that_the_keyboard_reaches(open_notebook):
    book = played(open_notebook)
    names = []
    book.card.locator(".jp-DeepSeek-header button").first.focus()
    for _ in range(12):
        names.append(
            book.page.evaluate(
                "() => document.activeElement.closest('.jp-DeepSeek-card') "
                "? document.activeElement.getAttribute('aria-label') : null"
            )
        )
        book.page.keyboard.press("Tab")
    reached = [name for name in names if name]
    assert reached[:2] == ["Copy the answer", "Ask again"]
    assert {"Copy this code", "Insert this code below", "Run this code below"} <= set(reached)


def test_only_phases_are_spoken(open_notebook):
    book = open_notebook(
        "stream_script.play(sample.answer(1500), sample.THINKING, deltas=90, rate=30)"
    )
    page = book.page
    page.evaluate(
        """() => {
            window.__said = [];
            new MutationObserver(() => {
                for (const node of document.querySelectorAll('.jp-DeepSeek-card [role=status]')) {
                    if (node.textContent && __said[__said.length - 1] !== node.textContent) {
                        __said.push(node.textContent);
                    }
                }
            }).observe(document.body, {subtree: true, childList: true, characterData: true});
        }"""
    )
    book.run(1)
    book.until_done()
    said = page.evaluate("() => window.__said")
    assert said == ["Waiting…", "Thinking…", "Answering…", "Done"], json.dumps(said)
    log = book.card.locator("[role=log]")
    assert log.get_attribute("aria-live") == "off"
