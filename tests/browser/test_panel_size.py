"""A long conversation in the panel, and typing while a reply streams. Figures: `make bench`."""

from __future__ import annotations

import threading

from tests.support.scripted import Reply, deltas, send, wait_for
from tests.support.wording import DONE, USAGE, chunk, event

from .panel import Panel
from .panel_measure import LONG, opening, typing
from .test_panel import endpoint, lab, notebook, run  # noqa: F401


def test_two_thousand_turns_open_and_scroll_with_few_of_them_drawn(
    lab,  # noqa: F811
    notebook,  # noqa: F811
    endpoint,  # noqa: F811
):
    import shutil
    from pathlib import Path

    shutil.copy(Path(__file__).with_name("sample.py"), lab.work)
    book = notebook(lab, LONG)
    run(book, 0)
    run(book, 1)
    panel = Panel(book)
    seen = opening(panel)
    print(seen)
    assert seen.drawn < 40
    assert seen.seconds < 20  # a hundred times what it takes is a mistake, not a busy machine
    assert panel.turns.count() < 40
    list_ = panel.node.locator(".jp-DeepSeek-panel-list")
    list_.evaluate("node => { node.scrollTop = 0; }")
    first = panel.turn("Question 0")
    first.locator(".jp-DeepSeek-flow", has_text="Fitting the line").wait_for()
    box = first.bounding_box()
    assert box is not None
    assert abs(box["y"] - list_.bounding_box()["y"]) < 5
    panel.field.focus()
    list_.focus()
    book.page.keyboard.press("End")
    panel.turn("Question 1999").wait_for()


def test_nothing_that_is_typed_while_a_reply_streams_is_lost(
    lab,  # noqa: F811
    notebook,  # noqa: F811
    endpoint,  # noqa: F811
):
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    typed = threading.Event()
    last = event(chunk({"content": ""}, finish="stop", usage=USAGE)) + DONE
    endpoint.queue(Reply(deltas(600, rate=100), wait_for(typed), send(last)))
    panel.ask("A long story")
    panel.turn("A long story").locator(".jp-DeepSeek-block").first.wait_for()
    text = "The quick brown fox jumps over the lazy dog, twice. " * 2
    print(typing(panel, text))
    assert panel.field.input_value() == text
    typed.set()
    panel.until("A long story", "")
