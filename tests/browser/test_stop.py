"""A turn stops when it is told to, and what arrived stays."""

from __future__ import annotations

import time

import pytest

from .pages import at_rest, until

SLOW = "stream_script.play(sample.answer(20_000), deltas=1000, rate=20)"


def is_idle(book) -> bool:
    """Whether the cells that were started have run (a kernel's status tells of subshells, too)."""
    return book.page.evaluate(
        "() => [...document.querySelectorAll('.jp-InputPrompt')]"
        ".every(prompt => !prompt.textContent.includes('*'))"
    )


def until_writing(book) -> None:
    """Wait until some of the answer is shown."""
    until(book.page, lambda: book.card.count() and "least squares" in book.text)


def stopped_after(book, act) -> float:
    """The seconds from an act until the cell has ended."""
    start = time.monotonic()
    act()
    while not is_idle(book):
        assert time.monotonic() - start < 60
    return time.monotonic() - start


@pytest.mark.parametrize("comms", [True, False], ids=["control comm", "no comm"])
def test_the_stop_button_stops_a_cell_that_blocks(open_notebook, comms):
    load = "pass" if comms else "import stream_script, sample"
    book = open_notebook(load, SLOW, load=comms)
    book.run(book.first)
    book.until_done()
    book.run(book.first + 1)
    if comms:
        until_writing(book)
    else:  # the card shows its text at the end alone
        book.card.get_by_role("button", name="Stop").wait_for()
        book.page.wait_for_timeout(1500)
    assert not is_idle(book)
    took = stopped_after(book, book.card.get_by_role("button", name="Stop").click)
    assert took < 20  # of the 50 that the answer would take; the figure is a row of make bench
    at_rest(book.page)
    assert "Stopped" in book.card.locator(".jp-DeepSeek-phase").inner_text()
    assert "least squares" in book.text
    assert book.card.get_by_role("button", name="Stop").count() == 0


def test_the_notebooks_own_interrupt_stops_it_too(open_notebook):
    book = open_notebook(SLOW)
    book.run(1)
    until_writing(book)
    interrupt = "() => jupyterapp.commands.execute('notebook:interrupt-kernel')"
    assert stopped_after(book, lambda: book.page.evaluate(interrupt)) < 20
    at_rest(book.page)
    assert "Stopped" in book.card.inner_text()


def test_a_stop_leaves_the_next_cell_alone(open_notebook):
    book = open_notebook(SLOW, "import time; time.sleep(1.5); print('whole')")
    book.run(1)
    until_writing(book)
    book.run(2)
    book.card.get_by_role("button", name="Stop").click()
    book.until_done()
    assert "whole" in book.result(2)
