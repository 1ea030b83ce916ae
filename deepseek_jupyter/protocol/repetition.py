"""Chunks that differ from the one before in nothing but their text.

A stream is thousands of chunks with the same id, model and null fields around a word or two, and
parsing them is most of the work of reading it. If a chunk was ``before + text + after``, where
``text`` stood between the quotes of its one content string, then any other event that begins with
``before``, ends with ``after`` and has neither quote, backslash nor control character between them
is the same JSON value with another string in that place: it need not be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .deltas import Delta, ReasoningDelta, TextDelta

__all__ = ["Repetition"]

_FIELDS = ('content":', 'reasoning":')
_NOT_PLAIN = re.compile(r'["\\\x00-\x1f]')


class Repetition:
    """What the last parsed chunk looked like around its text.

    `kind` is what such a chunk brings.
    """

    def __init__(self) -> None:
        self.kind: type[TextDelta] | type[ReasoningDelta] = TextDelta
        self._before = ""
        self._after = ""

    def text(self, data: str) -> str | None:
        """The text of an event of the same form; None for any other."""
        before, after = self._before, self._after
        if not before or not data.startswith(before) or not data.endswith(after):
            return None
        text = data[len(before) : len(data) - len(after)]
        if not text or len(data) < len(before) + len(after) or _NOT_PLAIN.search(text):
            return None
        return text

    def learn(self, data: str, brought: Sequence[Delta]) -> None:
        """Take `data`, which was parsed and brought these deltas, as the form to come."""
        if len(brought) != 1 or not isinstance(brought[0], TextDelta | ReasoningDelta):
            return
        text = brought[0].text
        if _NOT_PLAIN.search(text) or data.count(f'"{text}"') != 1:
            return
        at = data.index(f'"{text}"') + 1
        if not data[: at - 1].rstrip().endswith(_FIELDS):
            return
        self.kind = type(brought[0])
        self._before, self._after = data[:at], data[at + len(text) :]
