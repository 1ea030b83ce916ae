"""``<think>…</think>`` inside the answer, split off as thinking.

Hosts without a reasoning parser leave the chain of thought in ``content``. The tags may be cut
anywhere by the stream, so up to seven characters are held back while they could still become one.
"""

from __future__ import annotations

from collections.abc import Iterator

from .deltas import Delta, ReasoningDelta, TextDelta

__all__ = ["ThinkSplitter"]

_OPEN = "<think>"
_CLOSE = "</think>"
_MAX_BLANKS = 64  # so many before a tag, and no tag will come


class ThinkSplitter:
    """Text in, text and thinking out.

    Only a tag at the very start of the answer counts: later ones are the model's own words.
    With `implied`, the opening tag is taken as read, as the templates of R1 and V3.1 put it into
    the prompt.
    """

    def __init__(self, *, implied: bool = False) -> None:
        self._state = "thinking" if implied else "start"
        self._held = ""

    @property
    def passive(self) -> bool:
        """Whether all further text is answer."""
        return self._state == "answer" and not self._held

    def feed(self, text: str) -> Iterator[Delta]:
        """The deltas that `text` makes certain."""
        self._held += text
        if self._state == "start":
            self._begin()
        if self._state == "opened":
            self._held = self._held.lstrip("\n")
            if self._held:
                self._state = "thinking"
        if self._state == "thinking":
            yield from self._think()
        if self._state == "gap":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "answer"
        if self._state == "answer" and self._held:
            yield TextDelta(self._held)
            self._held = ""

    def close(self) -> Iterator[Delta]:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        if held and self._state == "thinking":
            yield ReasoningDelta(held)
        elif held and self._state != "gap":
            yield TextDelta(held)
        self._state = "answer"

    def _begin(self) -> None:
        text = self._held.lstrip()
        if text.startswith(_OPEN):
            self._held = text.removeprefix(_OPEN)
            self._state = "opened"
        elif (text and not _OPEN.startswith(text)) or len(self._held) > _MAX_BLANKS:
            self._state = "answer"

    def _think(self) -> Iterator[Delta]:
        thought, tag, rest = self._held.partition(_CLOSE)
        if tag:
            if thought:
                yield ReasoningDelta(thought)
            self._held, self._state = rest, "gap"
            return
        keep = _overlap(thought)
        certain = thought[: len(thought) - keep]
        self._held = thought[len(thought) - keep :]
        if certain:
            yield ReasoningDelta(certain)


def _overlap(text: str) -> int:
    """How many characters at the end of `text` could begin a closing tag."""
    for size in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if _CLOSE.startswith(text[-size:]):
            return size
    return 0
