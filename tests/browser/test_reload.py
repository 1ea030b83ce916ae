"""A card outlives its kernel and its page."""

from __future__ import annotations

import nbformat

from .pages import until
from .stream_script import MIME

SHOWN = """card => [...card.querySelectorAll('.jp-DeepSeek-log, .jp-DeepSeek-notes')]
    .map(node => node.innerText)"""


def test_a_saved_notebook_shows_the_same_card_without_a_kernel(open_notebook):
    book = open_notebook(
        "stream_script.play(sample.answer(3000), sample.THINKING, deltas=100, rate=200, "
        "footer='12 in · 34 out', notices=['Cut to size.'])"
    )
    book.run(1)
    book.until_done()
    before = book.card.evaluate(SHOWN)
    assert "least squares" in before[0]
    assert "34 out" in before[1]
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    saved = nbformat.read(book.server.work / book.name, as_version=4)
    output = next(
        dict(output.data)
        for output in saved.cells[1].outputs
        if output.output_type == "display_data"
    )
    again = open_notebook("# saved", outputs={0: output}, kernel=False, load=False)
    again.card.wait_for()
    until(again.page, lambda: again.card.evaluate(SHOWN) == before)
    trusted = "() => jupyterapp.shell.currentWidget.content.widgets[0].model.trusted"
    assert again.page.evaluate(trusted) is False
    assert again.requests == []


def test_a_turn_that_a_crash_cut_off_is_shown_as_not_finished(open_notebook):
    record = {"schema": 1, "id": "x", "status": "answering", "answer": "Half of **an", "model": "m"}
    output = {MIME: record, "text/plain": "plain"}
    book = open_notebook("# crashed", outputs={0: output}, kernel=False, load=False)
    phase = book.card.locator(".jp-DeepSeek-phase")
    phase.get_by_text("Not finished", exact=True).wait_for()
    assert phase.get_attribute("data-status") == "answering"
    assert "Half of **an" in book.text
    assert not book.card.get_by_role("button", name="Stop").is_visible()


def test_a_record_from_the_future_is_shown_as_markdown(open_notebook):
    output = {MIME: {"schema": 99, "answer": 7}, "text/markdown": "So **it** is", "text/plain": "p"}
    book = open_notebook("# future", outputs={0: output}, kernel=False, load=False)
    book.card.wait_for()
    until(book.page, lambda: book.text.strip() == "So it is")


def test_a_page_that_is_reloaded_meanwhile_catches_up(open_notebook):
    book = open_notebook(
        "stream_script.play(sample.answer(8000), deltas=400, rate=50, every=20, final=False)"
    )
    page = book.page
    book.run(1)
    until(page, lambda: book.card.count() and len(book.text) > 100)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined")
    book.card.wait_for()
    book.until_idle()
    until(page, lambda: len(book.text) > 5000)
