"""A web search in the card: its steps, what is cited, a stop in its middle; nothing is a link."""

from __future__ import annotations

import threading

from tests.support.scripted import Reply, answer, send, wait_for
from tests.support.wires import named, responses_events, search

from .panel import Panel
from .test_blocks import ARTEFACTS, theme
from .test_composer import picture
from .test_live import endpoint, lab, notebook  # noqa: F401

PAGES = (("On <img src=x> giraffes", "https://example.org/g"), ("Sleep", "https://example.com/s"))
CITED = {"type": "url_citation", "url": PAGES[1][1], "title": PAGES[1][0]}
NOTE = {"type": "response.output_text.annotation.added", "annotation": CITED}


def test_a_search_is_a_step_and_is_cited(lab, endpoint, notebook):  # noqa: F811
    events = responses_events("They sleep little.", before=[search("giraffe sleep", *PAGES)])
    endpoint.queue(Reply(send(*map(named, [*events[:-1], NOTE, events[-1]]))))
    book = notebook(lab, "%ds --web --no-history How do giraffes sleep?")
    book.run(1)
    book.until_done()
    card = book.card
    card.get_by_text("web_search").first.click()
    shown = card.inner_text()
    for words in ("giraffe sleep", "On <img src=x> giraffes (example.org)", "Sleep (example.com)"):
        assert words in shown
    assert "on the server" in shown
    assert "Cited: Sleep (example.com)" in shown
    assert "30,000 tokens" in shown
    assert card.locator("a[href^='http'], img").count() == 0
    assert book.requests == []
    ARTEFACTS.mkdir(exist_ok=True)
    for name in ("JupyterLab Dark", "JupyterLab Light"):
        theme(book.page, name)
        card.screenshot(path=ARTEFACTS / f"web-search-{name.split()[-1].lower()}.png")


def test_a_search_is_stopped_in_its_middle(lab, endpoint, notebook):  # noqa: F811
    item = {**search("giraffe sleep", *PAGES), "status": "in_progress"}
    begun = [*responses_events("")[:2], {"type": "response.output_item.added", "item": item}]
    endpoint.queue(Reply(send(*map(named, begun)), wait_for(threading.Event())))
    book = notebook(lab, "%ds --web --no-history How do giraffes sleep?")
    book.run(1)
    book.card.get_by_text("web_search").first.wait_for()
    book.card.get_by_role("button", name="Stop").click()
    book.until_done()
    assert "no result yet" in book.card.inner_text()
    assert endpoint.requests[-1].closed.wait(60)


def test_the_panels_globe_searches_for_the_next_question_alone(lab, endpoint, notebook):  # noqa: F811
    book = notebook(lab, "pass")
    panel = Panel.open(book)
    globe = panel.node.get_by_role("button", name="Web", exact=True)
    globe.wait_for()
    assert "may go to a web search on the provider's server" in globe.get_attribute("title")
    panel.field.fill("How do giraffes sleep?")
    gauge = panel.node.locator(".jp-DeepSeek-panel-gauge")
    gauge.get_by_text("of 1,048,576 tokens").wait_for()
    assert "web search" not in gauge.inner_text()
    globe.click()
    gauge.get_by_text("a search can read 30,000 tokens, about 0.0").wait_for()
    picture(book, "panel-globe")
    panel.node.get_by_role("button", name="Show what would be sent").click()
    drawer = panel.node.locator(".jp-DeepSeek-panel-drawer")
    drawer.get_by_text("may go to a web search").wait_for()
    drawer.get_by_role("button", name="Close").click()
    before = len(endpoint.requests)
    events = responses_events("They sleep little.", before=[search("giraffe sleep", *PAGES)])
    endpoint.queue(Reply(send(*map(named, [*events[:-1], NOTE, events[-1]]))))
    panel.field.press("Enter")
    turn = panel.until("How do giraffes sleep?", "They sleep little.")
    assert len(endpoint.requests) == before + 1
    sent = endpoint.requests[-1]
    assert sent.path.endswith("/responses")
    assert sent.json["tools"] == [{"type": "web_search"}]
    turn.get_by_text("web_search").first.click()
    assert "Sleep (example.com)" in turn.inner_text()
    assert "Cited: Sleep (example.com)" in turn.inner_text()
    picture(book, "panel-searched")
    assert globe.get_attribute("aria-pressed") == "false"
    endpoint.queue(answer("Yes."))
    panel.ask("Sure?")
    panel.until("Sure?", "Yes.")
    assert endpoint.requests[-1].path.endswith("/chat/completions")
