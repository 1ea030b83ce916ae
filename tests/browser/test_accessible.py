"""What axe-core has to say, and whether all can be done by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .panel import Panel
from .test_live import stream
from .test_panel import endpoint, lab, notebook, run  # noqa: F401

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"

ANSWER = "Use `groupby`:\n\n```python\ndf.mean()\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"

THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")


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
