"""Halves of one character, brought by two chunks, joined again.

JSON may write a character beyond U+FFFF (an emoji) as two escapes, ``\\ud83d\\ude00``, and a relay
that counts in UTF-16 may cut between them. Python reads each half as a lone surrogate, which no
output can encode.
"""

from __future__ import annotations

import re

__all__ = ["HalvesJoiner", "joined", "word"]

_HALF = re.compile("[\ud800-\udfff]")


def joined(text: str) -> str:
    """`text` with neighbouring halves joined; a half without its other becomes U+FFFD."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def word(value: object) -> str:
    """A name or id of a server's as text that can be kept: numbers too, "" for anything else."""
    if isinstance(value, str):
        return joined(value)
    return str(value) if type(value) is int else ""


class HalvesJoiner:
    """Text in, text out; a first half at the end is `held` until the next call."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        """What is certain of `text`; the very same string where it has no halves."""
        if self.held:
            text, self.held = self.held + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self.held = text[:-1], text[-1]
        return joined(text)

    def close(self) -> str:
        """What is left when no more will come."""
        held, self.held = self.held, ""
        return joined(held)
