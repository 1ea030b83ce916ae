"""The panel as a user sees it: what it shows, and what one does to it."""

from __future__ import annotations

import re
from typing import Any

from .notebook import Notebook

__all__ = ["Panel"]


class Panel:
    """The panel in the side bar of a page, or another one in `root`."""

    def __init__(self, book: Notebook, root: str = ".jp-DeepSeek-sidebar") -> None:
        self.book = book
        self.page = book.page
        self.node = self.page.locator(f"{root} .jp-DeepSeek-panel")
        self.field = self.node.locator(".jp-DeepSeek-panel-field")
        self.turns = self.node.locator(".jp-DeepSeek-panel-turn")

    @classmethod
    def open(cls, book: Notebook) -> Panel:
        """Show the side bar."""
        book.page.evaluate("() => jupyterapp.shell.activateById('deepseek-jupyter-panel')")
        panel = cls(book)
        panel.field.wait_for()
        return panel

    def ask(self, prompt: str) -> None:
        """Type a question and send it."""
        self.field.fill(prompt)
        self.field.press("Enter")

    def turn(self, prompt: str) -> Any:
        """The newest turn with this question."""
        asked = self.page.locator(".jp-DeepSeek-panel-prompt", has_text=prompt)
        return self.turns.filter(has=asked).last

    def until(self, prompt: str, answer: str, timeout: float = 60) -> Any:
        """Wait until a turn holds an answer and has ended."""
        turn = self.turn(prompt)
        turn.locator(".jp-DeepSeek-flow", has_text=answer).last.wait_for(timeout=timeout * 1000)
        turn.locator(".jp-DeepSeek-footer", has_text=re.compile(r"\w")).wait_for()
        return turn

    def stop(self, prompt: str) -> Any:
        """Stop the turn with this question once some of its answer is there."""
        turn = self.turn(prompt)
        turn.locator(".jp-DeepSeek-flow .jp-DeepSeek-block").first.wait_for()
        composer = self.node.locator(".jp-DeepSeek-panel-composer")
        composer.get_by_role("button", name="Stop").click()
        turn.get_by_text("Stopped", exact=True).wait_for()
        return turn

    def button(self, name: str) -> Any:
        """A button of the bar."""
        bar = self.node.locator(".jp-DeepSeek-panel-bar")
        return bar.get_by_role("button", name=name, exact=True)

    @property
    def prompts(self) -> list[str]:
        """The questions that are drawn, in order."""
        return self.node.locator(".jp-DeepSeek-panel-prompt").all_inner_texts()

    def until_prompts(self, *prompts: str, timeout: float = 60) -> None:
        """Wait until just these questions are drawn."""
        self.page.wait_for_function(
            """([node, wanted]) => {
                const shown = [...node.querySelectorAll('.jp-DeepSeek-panel-prompt')];
                return JSON.stringify(shown.map(item => item.textContent)) === wanted;
            }""",
            arg=[self.node.element_handle(), _json(prompts)],
            timeout=timeout * 1000,
        )


def _json(prompts: tuple[str, ...]) -> str:
    import json

    return json.dumps(list(prompts), ensure_ascii=False, separators=(",", ":"))
