"""Thinking and answer of a turn while they grow."""

from __future__ import annotations

from deepseek_jupyter.sanitizer.sanitize import Neutral, Neutraliser, neutralise

from .render import OPENING, shaped

__all__ = ["Growing", "Plain"]


class Growing:
    """Thinking and answer so far. The answer is neutralised as it comes, each block once, also
    between updates: so a stop in a flood does not find all of it undone.
    """

    def __init__(self) -> None:
        self.length = 0
        self._format = "md"
        self._neutraliser = Neutraliser()
        self._reasoning: list[str] = []
        self._answer: list[str] = []

    @property
    def reasoning(self) -> str:
        """The thinking so far, raw."""
        return "".join(self._reasoning)

    @property
    def answer(self) -> str:
        """The answer so far, raw."""
        return "".join(self._answer)

    def begin(self, answer_format: str) -> None:
        """Nothing is there yet; `answer_format` is the record's."""
        self._format = answer_format
        self._neutraliser.feed(OPENING.get(answer_format, ""))

    def take(self, reasoning: str, answer: str) -> None:
        """Add what is new."""
        self._reasoning.append(reasoning)
        self._answer.append(answer)
        self.length += len(reasoning) + len(answer)
        if answer:
            self._neutraliser.feed(answer)
            self._neutraliser.render()

    def html(self) -> str:
        """The answer so far, neutralised."""
        return self._neutraliser.snapshot(html_only=True).html

    def finish(self, answer: str) -> Neutral:
        """The whole `answer`, of which all but the end is rendered already."""
        shown = self.answer
        if not answer.startswith(shown):  # what was shown was taken back: JSON asked for again
            return neutralise(shaped(answer, self._format))
        opening = OPENING.get(self._format, "")
        self._neutraliser.feed(shaped(answer, self._format)[len(opening) + len(shown) :])
        return self._neutraliser.finish()


class Plain(Growing):
    """The same for a turn without an output: nothing of it is neutralised."""

    def begin(self, answer_format: str) -> None:
        """Nothing is there yet."""
        self._format = answer_format

    def take(self, reasoning: str, answer: str) -> None:
        """Add what is new."""
        self._reasoning.append(reasoning)
        self._answer.append(answer)
