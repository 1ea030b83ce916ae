"""What axe-core has to say about panel and card, and whether all can be done by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted import error

from .pages import at_rest
from .panel import Panel
from .test_live import stream
from .test_look import ARTEFACTS
from .test_panel import endpoint, lab, notebook, run  # noqa: F401

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"

ANSWER = "Use `groupby`:\n\n```python\ndf.mean()\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"

THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


def serious(page: Any, root: str) -> list[str]:
    """The serious and critical findings in an element, each with where it is."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async root => (await axe.run(root, {resultTypes: ['violations']})).violations
            .filter(item => ['serious', 'critical'].includes(item.impact))
            .flatMap(item => item.nodes.map(node => `${item.id}: ${node.html.slice(0, 160)} ` +
                (node.any[0]?.message ?? '')))""",
        root,
    )
    return list(found)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious_in_panel_and_card(
    lab,  # noqa: F811
    notebook,  # noqa: F811
    endpoint,  # noqa: F811
    theme,
):
    book = notebook(lab, "%%ds --think\nBy a cell?", "import pandas as pd; sales = pd.DataFrame()")
    page = book.page
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    at_rest(page)
    run(book, 0)
    run(book, 2)
    panel = Panel.open(book)
    endpoint.queue(stream(ANSWER, "They want a mean.", gap=0.0))
    run(book, 1)
    panel.until("By a cell?", "groupby")
    for answer in ("One.", "Two."):
        endpoint.queue(stream(answer, gap=0.0))
        if answer == "One.":
            panel.ask("By the panel?")
        else:
            panel.turn("By the panel?").hover()
            panel.turn("By the panel?").get_by_role("button", name="Ask again").click()
        panel.until("By the panel?", answer)
    findings = serious(page, ".jp-OutputArea .jp-DeepSeek-card")
    panel.field.fill("What of @sa")
    panel.field.press("End")
    panel.field.press_sequentially("l")
    panel.node.locator(".jp-DeepSeek-panel-name").wait_for()
    findings += serious(page, ".jp-DeepSeek-sidebar")
    panel.field.press("Enter")
    for name in ("Settings", "Tree of the conversation", "Conversations", "Search", "Export"):
        panel.button(name).click()
        at_rest(page)
        findings += serious(page, ".jp-DeepSeek-sidebar")
    assert sorted(set(findings)) == []


def test_everything_is_reached_by_keyboard(lab, notebook, endpoint):  # noqa: F811
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    panel.field.focus()
    for answer in ("One.", "Two."):
        endpoint.queue(stream(answer, gap=0.0))
        if answer == "One.":
            book.page.keyboard.type("By keys?")
            book.page.keyboard.press("Enter")
        else:
            panel.turn("By keys?").get_by_role("button", name="Ask again").focus()
            book.page.keyboard.press("Enter")
        panel.until("By keys?", answer)
    panel.field.focus()
    reached: set[str] = set()
    for _ in range(30):
        book.page.keyboard.press("Shift+Tab")
        label = book.page.evaluate("() => document.activeElement?.getAttribute('aria-label') ?? ''")
        reached.add(label)
    wanted = {"Earlier answer", "Ask again", "Copy the answer", "Edit the question", "Conversation"}
    wanted |= {"New conversation", "Conversations", "Search", "Export", "Settings"}
    assert wanted <= reached
    panel.button("Search").focus()
    book.page.keyboard.press("Enter")
    book.page.keyboard.press("Escape")
    assert panel.node.locator(".jp-DeepSeek-panel-drawer").is_hidden()
    focused = book.page.evaluate("() => document.activeElement?.getAttribute('aria-label')")
    assert focused == "Search"


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious_in_what_can_be_acted_on(
    lab,  # noqa: F811
    notebook,  # noqa: F811
    endpoint,  # noqa: F811
    theme,
):
    book = notebook(lab, "%%ds\nBy a cell?", "%%ds --dry-run\nWhat would be sent?")
    page = book.page
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    run(book, 0)
    endpoint.queue(error(401, "Authentication Fails"))
    run(book, 1)
    Panel.open(book)
    page.locator(".jp-DeepSeek-error-fold summary").first.click()
    findings = serious(page, ".jp-OutputArea .jp-DeepSeek-card")
    run(book, 2)
    drawn = page.locator(".jp-DeepSeek-dryrun")
    drawn.get_by_role("button", name="Send this").wait_for()
    drawn.scroll_into_view_if_needed()
    at_rest(page)
    findings += serious(page, ".jp-DeepSeek-dryrun")
    findings += serious(page, ".jp-DeepSeek-sidebar")
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"acting-{theme.split(maxsplit=1)[1]}.png")
    assert sorted(set(findings)) == []
    endpoint.queue(stream("As it was drawn.", gap=0.0))
    drawn.get_by_role("button", name="Send this").click()
    page.get_by_text("As it was drawn.").first.wait_for()
    assert book.sources()[3].startswith("%deepseek send ")
    assert endpoint.requests[-1].json["messages"][-1]["content"] == "What would be sent?"
