"""An answer in a terminal: styled as it streams, no escape sequence of the model's own.

`TerminalStyler` is a pure state machine, text in, text out. With `colour` off it leaves the
Markdown as it is, for pipes and dumb terminals.
"""

from __future__ import annotations

import re
from typing import IO

from deepseek_jupyter.sanitizer.text import plain

_DIM, _BOLD, _CODE, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[36m", "\x1b[0m"
_MARK = re.compile(r"```[^\n]*\n?|\*\*|`|\n")
_PIECES = re.compile(r"\n|[^\S\n]+|\S+")
_CODES = re.compile("(\x1b\\[[0-9]*m)")
_INDENT = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)?")  # what may come before a fence


class _Wrap:
    """Breaks lines of `width` columns between words (0: never), so it holds back an open word."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = self._size = 0
        self._word = ""

    def text(self, text: str) -> str:
        out = []
        for piece in _PIECES.findall(text) if self._width else ():
            if not piece.isspace():
                self._word += piece
                self._size += len(piece)
                continue
            out += [self.rest(), piece]
            self._column = 0 if piece == "\n" else self._column + len(piece)
        return "".join(out) if self._width else text

    def code(self, escape: str) -> str:
        """An escape code, which takes no room."""
        if not self._word:
            return escape
        self._word += escape
        return ""

    def rest(self) -> str:
        """What is held back."""
        over = self._column and self._column + self._size > self._width
        text = f"\n{self._word}" if over and self._word else self._word
        self._column = self._size + (0 if over else self._column)
        self._word, self._size = "", 0
        return text


class TerminalStyler:
    """Bold, headings, inline code and fences; everything else as written, but for code and tables
    broken between words at `width` columns.

    A mark may be cut by the stream, so up to an unfinished mark at the end is held back.
    """

    def __init__(self, *, colour: bool, width: int = 0) -> None:
        self._colour = colour
        self._wrap, self._thought = _Wrap(width), _Wrap(width)
        self._held = ""
        self._bold = self._code = self._heading = False
        self._fence = 0  # the number of ticks that opened it
        self._line = ""  # the present line so far

    def thinking(self, text: str) -> str:
        return self.muted(self._thought.text(plain(text)))

    def answer(self, text: str) -> str:
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
        return f"{self._style(held)}{self.pause()}{_RESET if self._colour else ''}"

    def pause(self) -> str:
        """The open word, where nothing more may come for a while."""
        thought = self._thought.rest()
        return (self.muted(thought) if thought else "") + self._wrap.rest()

    def muted(self, text: str) -> str:
        """A line of our own; names and words of a server may be in it."""
        clean = plain(text)
        return f"{_DIM}{clean}{_RESET}" if self._colour else clean

    def _style(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for mark in _MARK.finditer(text):
            out.append(self._wrapped(self._words(text[at : mark.start()])))
            out.append(self._wrapped(self._turn(mark[0])))
            at = mark.end()
        out.append(self._wrapped(self._words(text[at:])))
        return "".join(out)

    def _wrapped(self, text: str) -> str:
        if self._fence or self._line.startswith("|"):
            return self._wrap.rest() + text
        parts = _CODES.split(text)
        return "".join(
            self._wrap.code(part) if part.startswith("\x1b") else self._wrap.text(part)
            for part in parts
        )

    def _words(self, text: str) -> str:
        begins = not self._line and text.startswith("#") and not self._fence
        self._line += text
        self._heading = self._heading or begins
        return _BOLD + text if begins else text

    def _turn(self, mark: str) -> str:
        if mark == "\n":
            return self._line_end()
        if mark.startswith("```"):
            return self._ticks(mark)
        self._line += mark
        if self._fence or (self._code and mark != "`"):
            return mark
        if mark == "`":
            self._code = not self._code
            return _CODE if self._code else _RESET
        self._bold = not self._bold
        return _BOLD if self._bold else _RESET

    def _line_end(self) -> str:
        self._line = ""
        if self._fence or not (self._heading or self._bold or self._code):
            return "\n"
        # A mark without its partner must not style the rest of the answer.
        self._heading = self._bold = self._code = False
        return _RESET + "\n"

    def _ticks(self, mark: str) -> str:
        """Three ticks or more, and the rest of their line: a fence, if they begin it."""
        ticks = len(mark) - len(mark.lstrip("`"))
        info = mark[ticks:].strip()
        fits = not info and ticks >= self._fence if self._fence else "`" not in info
        if not fits or not _INDENT.fullmatch(self._line):
            self._line += mark.rstrip("\n")
            return mark.rstrip("\n") + (self._line_end() if mark.endswith("\n") else "")
        self._line = ""
        self._fence = 0 if self._fence else ticks
        return (_CODE if self._fence else _RESET) + mark[len(mark.rstrip("\n")) :]


def erase_prompt(out: IO[str]) -> None:
    """Take back the ``Out[1]:`` that IPython prints before it asks a value to show itself."""
    if out.isatty():
        out.write("\r\x1b[2K")
        out.flush()


def _unfinished(text: str) -> int:
    """Characters at the end that the next piece may turn into another mark."""
    for mark in _MARK.finditer(text):
        if mark[0].startswith("```") and not mark[0].endswith("\n"):
            return len(text) - mark.start()
    return len(text) - len(text.rstrip("*" if text.endswith("*") else "`"))
