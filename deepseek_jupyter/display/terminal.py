"""An answer in a terminal: styled as it streams, no escape sequence of the model's own.

`TerminalStyler` is a pure state machine, text in, text out. With `colour` off it leaves the
Markdown as it is, for pipes and dumb terminals.
"""

from __future__ import annotations

import re

from .safe import plain

__all__ = ["TerminalStyler"]

_DIM, _BOLD, _CODE, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[36m", "\x1b[0m"
_MARK = re.compile(r"```[^\n]*\n?|\*\*|`|\n")


class TerminalStyler:
    """Bold, headings, inline code and fences; everything else as written.

    A mark may be cut by the stream, so up to an unfinished mark at the end is held back.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._held = ""
        self._bold = self._code = self._fence = self._heading = False
        self._line_start = True

    def thinking(self, text: str) -> str:
        """A piece of the chain of thought."""
        clean = plain(text)
        return f"{_DIM}{clean}{_RESET}" if self._colour and clean else clean

    def answer(self, text: str) -> str:
        """A piece of the answer."""
        clean = plain(text)
        if not self._colour:
            return clean
        self._held += clean
        cut = len(self._held) - _unfinished(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._style(ready)

    def close(self) -> str:
        """What was held back, and the terminal as it was before."""
        held, self._held = self._held, ""
        return self._style(held) + (_RESET if self._colour else "")

    def muted(self, text: str) -> str:
        """A line of our own."""
        return f"{_DIM}{text}{_RESET}" if self._colour else text

    def _style(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for mark in _MARK.finditer(text):
            out.append(self._words(text[at : mark.start()]))
            out.append(self._turn(mark[0]))
            at = mark.end()
        out.append(self._words(text[at:]))
        return "".join(out)

    def _words(self, text: str) -> str:
        if not text:
            return ""
        if self._line_start and text.startswith("#") and not self._fence:
            self._heading = True
            text = _BOLD + text
        self._line_start = False
        return text

    def _turn(self, mark: str) -> str:
        if mark == "\n":
            self._line_start = True
            if self._heading:
                self._heading = False
                return _RESET + "\n"
            return "\n"
        if mark.startswith("```"):
            self._fence = not self._fence
            self._line_start = mark.endswith("\n")
            return (_CODE if self._fence else _RESET) + ("\n" if mark.endswith("\n") else "")
        if self._fence:
            return mark
        if mark == "`":
            self._code = not self._code
            return _CODE if self._code else _RESET
        if self._code:
            return mark
        self._bold = not self._bold
        return _BOLD if self._bold else _RESET


def _unfinished(text: str) -> int:
    """Characters at the end that the next piece may turn into another mark."""
    fence = text.rfind("```")
    if fence != -1 and "\n" not in text[fence:]:
        return len(text) - fence
    if text.endswith("``"):
        return 2
    return 1 if text.endswith(("*", "`")) else 0
