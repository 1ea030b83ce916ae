"""The marks of quotes in the card and the panel, and a request as code, by mouse and keyboard."""

from __future__ import annotations

from .panel import Panel
from .test_accessible import serious
from .test_live import stream
from .test_panel import endpoint, lab, notebook, run  # noqa: F401

ANSWER = 'It says "the harbour stays open", and "nobody was against it".'
LINE = "Line 2: the harbour stays open."
CELLS = (f"talk = 'Line 1.\\n{LINE}\\nLine 3.'", "%%ds -a talk --cite\nIs it open?")


def mark_shows_its_line(page, root) -> None:
    """By hovering, by mouse and by keyboard."""
    mark = root.get_by_role("button", name="[talk:2]")
    mark.wait_for()
    assert mark.get_attribute("title") == LINE
    assert root.locator(".jp-DeepSeek-cite.jp-mod-missing").inner_text() == "[not found]"
    shown = root.get_by_role("note", name="What stands at talk:2")
    mark.click()
    shown.wait_for()
    assert shown.inner_text() == LINE
    assert root.get_by_text(LINE).count() == 1  # and not in a list below the answer, too
    page.keyboard.press("Escape")
    shown.wait_for(state="detached")
    page.keyboard.press("Enter")
    shown.wait_for()


def test_a_mark_shows_the_lines_at_its_place(lab, notebook, endpoint):  # noqa: F811
    book = notebook(lab, *CELLS)
    run(book, 0)
    run(book, 1)
    endpoint.queue(stream(ANSWER, gap=0.0))
    run(book, 2)
    card = book.page.locator(".jp-OutputArea .jp-DeepSeek-card")
    panel = Panel.open(book)
    panel.until("Is it open?", "It says")
    for root in (card, panel.node):
        mark_shows_its_line(book.page, root)
    assert serious(book.page, ".jp-OutputArea .jp-DeepSeek-card") == []
    assert serious(book.page, ".jp-DeepSeek-panel") == []


def test_a_request_as_code_by_the_card_and_the_dry_run(lab, notebook, endpoint):  # noqa: F811
    book = notebook(lab, "%%ds\nHello?", "%%ds --dry-run\nAnd now?")
    run(book, 0)
    endpoint.queue(stream("Hello.", gap=0.0))
    run(book, 1)
    run(book, 2)
    page = book.page
    page.locator(".jp-DeepSeek-dryrun").get_by_label("The request as code").select_option("python")
    page.get_by_text("import httpx").first.wait_for()
    page.locator(".jp-DeepSeek-card").get_by_label("The request as code").select_option("curl")
    page.locator(".jp-OutputArea", has_text="curl").last.wait_for()
    assert len(endpoint.requests) == 1
    assert serious(page, ".jp-DeepSeek-dryrun") == []
