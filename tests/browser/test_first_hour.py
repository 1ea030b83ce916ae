"""The first hour, walked through: each state in light and dark, a picture of it, what axe says.

The states in `CONTRAST`, which between them show every part, are looked at in high contrast too.

The pictures are kept as `test-artefacts/first-hour-STATE-THEME.png`, for people to look at.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.scripted import Reply, error, send, wait_for
from tests.support.wording import DONE, USAGE, chunk, event

from .notebook import Notebook
from .pages import at_rest, take
from .panel import Panel
from .test_accessible import ANSWER, THEMES, serious
from .test_live import stream
from .test_look import ARTEFACTS

CARD, SIDE, DRY = ".jp-OutputArea .jp-DeepSeek-card", ".jp-DeepSeek-sidebar", ".jp-DeepSeek-dryrun"
LOAD = (
    "%load_ext deepseek_jupyter\n%config DeepSeek.retry_wait = 30\n"
    "import pandas as pd; sales = pd.DataFrame({'city': ['Ulm'], 'price': [2.5]})"
)
CELLS = ("%%ds --think\nHow do I take a mean of @sales?", "%%ds\nBusy?", "%%ds --dry-run\nAnd?")
THINK, BUSY, DRAWN = 1, 2, 3
CONTRAST = {"start", "answer", "composer", "panel-settings", "panel-tree", "error", "dry-run"}


def theme(page: Any, name: str) -> None:
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
    at_rest(page)


class Walk:
    """A notebook, its panel, and what was found on the way."""

    def __init__(self, book: Notebook, endpoint: Any) -> None:
        self.book, self.page, self.endpoint = book, book.page, endpoint
        self.found: list[str] = []
        ARTEFACTS.mkdir(exist_ok=True)

    def look(self, state: str, *roots: str) -> None:
        """Look at a state in each of its themes, the light one last."""
        for name in THEMES[::-1] if state in CONTRAST else THEMES[1::-1]:
            theme(self.page, name)
            self.page.locator("#jupyterlab-splash").wait_for(state="detached")
            short = name.split(maxsplit=1)[1].lower().replace(" ", "-")
            self.page.screenshot(path=ARTEFACTS / f"first-hour-{state}-{short}.png")
            self.found += [f"{state}, {short}: {item}" for r in roots for item in self.axe(r)]

    def axe(self, root: str) -> list[str]:
        return serious(self.page, root) if self.page.locator(root).count() else [f"no {root}"]

    def run(self, index: int) -> None:
        self.book.run(index)
        self.book.until_done()


@pytest.fixture
def walk(browser, asking_server, asking_endpoint):
    asking_endpoint.forget()
    page = take(browser, asking_server(), {"width": 1300, "height": 900})
    book = Notebook(asking_server(), page, (LOAD, *CELLS), load=False)
    yield Walk(book, asking_endpoint)
    assert book.own_errors == []
    book.close()


def test_each_state_of_the_first_hour(walk):
    arrive(walk)
    ask_in_a_cell(walk)
    ask_in_the_panel(walk)
    what_goes_wrong(walk)
    before_it_leaves(walk)
    assert sorted(set(walk.found)) == []


def arrive(walk: Walk) -> None:
    walk.run(0)
    Panel.open(walk.book)
    walk.look("start", SIDE)


def ask_in_a_cell(walk: Walk) -> None:
    thought, said = threading.Event(), threading.Event()
    first = send(event(chunk({"content": None, "reasoning_content": "They want a mean."})))
    rest = send(event(chunk({"content": ANSWER, "reasoning_content": None})))
    last = send(event(chunk({"content": ""}, finish="stop", usage=USAGE)) + DONE)
    walk.endpoint.queue(Reply(wait_for(thought), first, wait_for(said), rest, last))
    walk.book.run(THINK)
    walk.book.card.get_by_text("Waiting for deepseek").first.wait_for()
    walk.look("waiting", CARD, SIDE)
    thought.set()
    walk.book.card.get_by_text("They want a mean.").wait_for()
    walk.look("thinking", CARD, SIDE)
    said.set()
    walk.book.until_done()
    walk.look("answer", CARD, SIDE)
    walk.page.locator(f"{CARD} .jp-DeepSeek-price").last.click()
    walk.look("figures", CARD)


def ask_in_the_panel(walk: Walk) -> None:
    panel = Panel(walk.book)
    for question in ("As a chart?", "Another one?"):
        walk.endpoint.queue(stream(f"To {question}", gap=0.0))
        panel.ask(question)
        panel.until(question, f"To {question}")
    panel.field.fill("What of @sa")
    panel.field.press("End")
    panel.field.press_sequentially("l")
    panel.node.locator(".jp-DeepSeek-panel-name").wait_for()
    walk.look("composer", SIDE)
    panel.field.press("Enter")
    panel.field.fill("")
    for name in ("Settings", "Tree of the conversation", "Conversations", "Search", "Export"):
        panel.button(name).click()
        at_rest(walk.page)
        walk.look(f"panel-{name.split()[0].lower()}", SIDE)
    panel.button("Export").click()
    walk.endpoint.queue(stream("By `median`, rather.", gap=0.0))
    walk.run(THINK)
    walk.page.locator(".jp-DeepSeek-seam:visible").first.wait_for()
    walk.look("seam", CARD, SIDE)


def what_goes_wrong(walk: Walk) -> None:
    walk.endpoint.queue(error(429, "Rate limit"), error(402, "Insufficient Balance"))
    walk.book.run(BUSY)
    walk.page.locator(CARD).last.get_by_text("Trying again in").wait_for()
    walk.look("retry", CARD, SIDE)
    phase = walk.page.locator(f"{SIDE} .jp-DeepSeek-phase:visible").last
    wide = "node => node.scrollWidth <= node.closest('.jp-DeepSeek-card').clientWidth"
    assert phase.evaluate(wide), "it wraps"
    walk.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    walk.book.until_done()
    walk.look("stopped", CARD, SIDE)
    walk.run(BUSY)
    walk.page.locator(f"{CARD} .jp-DeepSeek-error-fold summary").last.click()
    walk.look("error", CARD, SIDE)


def before_it_leaves(walk: Walk) -> None:
    walk.run(DRAWN)
    drawn = walk.page.locator(DRY)
    drawn.get_by_role("button", name="Send this").wait_for()
    drawn.scroll_into_view_if_needed()
    walk.look("dry-run", DRY)
    walk.page.evaluate(
        "() => { jupyterapp.shell.collapseLeft(); jupyterapp.shell.collapseRight(); }"
    )
    walk.page.set_viewport_size({"width": 480, "height": 900})
    walk.look("narrow", CARD, DRY)
    walk.endpoint.queue(stream("As it was drawn.", gap=0.0))
    drawn.get_by_role("button", name="Send this").click()
    walk.page.get_by_text("As it was drawn.").first.wait_for()
    assert walk.book.sources()[4].startswith("%deepseek send ")
    assert walk.endpoint.requests[-1].json["messages"][-1]["content"] == "And?"
