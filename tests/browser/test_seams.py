"""A conversation that is cut before its end says so, in the panel and in the card."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.scripted import answer, error, plain

from .asking import loading, run
from .panel import Panel
from .test_look import ARTEFACTS


@pytest.fixture
def cut(open_notebook, server, tmp_path):
    """A cell's question, two of the panel, and the cell run again."""
    book = open_notebook(
        loading(server, tmp_path / "home"),
        "%%deepseek\nName a colour.",
        "%deepseek undo 2",
        load=False,
    )
    run(book, 0)
    server.queue(answer("Red."))
    run(book, 1)
    panel = Panel.open(book)
    panel.until("Name a colour.", "Red.")
    for question in ("Another one?", "And one more?"):
        server.queue(answer(f"To {question}"))
        panel.ask(question)
        panel.until(question, f"To {question}")
    server.queue(answer("Blue."))
    run(book, 1)
    panel.until_prompts("Name a colour.")
    return book, panel


SEAM = "2 turns after the earlier answer"


def test_a_rerun_leaves_a_line_and_what_followed_can_be_carried_over(cut, server):
    book, panel = cut
    line = panel.node.locator(".jp-DeepSeek-seam:visible")
    expect(line).to_contain_text(SEAM)
    expect(book.page.locator(".jp-OutputArea .jp-DeepSeek-seam:visible")).to_contain_text(SEAM)
    book.page.screenshot(path=ARTEFACTS / "seam.png")
    line.get_by_role("button", name="Carry over").click()
    panel.until_prompts("Name a colour.", "Another one?", "And one more?")
    expect(book.page.locator(".jp-DeepSeek-seam:visible")).to_have_count(0)
    server.queue(answer("Green."))
    panel.ask("And the last?")
    panel.until("And the last?", "Green.")
    said = [m["content"] for m in server.requests[-1].json["messages"]]
    assert said[1] == "Blue."
    assert said[-3:-1] == ["And one more?", "To And one more?"]


def test_the_card_shows_them_and_undo_leaves_a_line(cut):
    book, panel = cut
    card = book.page.locator(".jp-OutputArea .jp-DeepSeek-seam")
    card.get_by_role("button", name="Show").click()
    panel.until_prompts("Name a colour.", "Another one?", "And one more?")
    expect(book.page.locator(".jp-OutputArea .jp-DeepSeek-seam:visible")).to_have_count(0)
    run(book, 2)
    expect(panel.node.locator(".jp-DeepSeek-seam:visible")).to_contain_text(SEAM)


def test_side_bar_and_widget_agree_over_each_turn_and_where_it_failed(
    open_notebook, server, tmp_path
):
    book = open_notebook(
        loading(server, tmp_path / "home"),
        "import deepseek_jupyter as ds\nds.panel(height=400)",
        "%%deepseek\nName a colour.",
        load=False,
    )
    run(book, 0)
    run(book, 1)
    side, widget = Panel.open(book), Panel(book, ".jp-DeepSeek-panelOutput")
    widget.field.wait_for()
    meters = [p.node.locator(".jp-DeepSeek-panel-meter") for p in (side, widget)]

    def agree(count: str, *prompts: str) -> None:
        for panel, meter in zip((side, widget), meters, strict=True):
            panel.until_prompts(*prompts)
            expect(meter).to_contain_text(count)
        assert meters[0].inner_text() == meters[1].inner_text()

    server.queue(answer("Red."))
    run(book, 2)
    agree("1 turn ", "Name a colour.")
    server.queue(error(402, "Insufficient balance"))
    side.ask("Another one?")
    agree("2 turns", "Name a colour.", "Another one?")
    server.queue(answer("Blue."))
    widget.ask("And this one?")
    agree("3 turns", "Name a colour.", "And this one?")
    server.queue(error(402, "Insufficient balance"))
    widget.ask("Again?")
    agree("4 turns", "Name a colour.", "And this one?", "Again?")
    pick = side.node.locator(".jp-DeepSeek-panel-quick select")
    expect(pick.locator("option:checked")).to_have_text("deepseek-flash")
    server.queue(plain({"data": [{"id": "deepseek-flash"}, {"id": "deepseek-other"}]}))
    pick.focus()
    pick.select_option("deepseek-other")
    expect(widget.node.locator(".jp-DeepSeek-panel-quick select")).to_have_value("deepseek-other")
    book.page.screenshot(path=ARTEFACTS / "two-panels.png")
