"""Where a growing Markdown text can be cut: its top-level blocks, found line by line.

A line that begins in the first column after an empty line starts a new block, whatever stood
before, with two exceptions: inside a fence, and a list's next item. An ATX heading and a fence need
no empty line. Text cut by these rules is never parsed twice, and the cuts depend on the text
alone, not on how it arrived. A cut may be missed (indented text gives larger blocks), which costs
time; it cannot make anything unsafe, because every block is sanitized on its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*\Z)|~{3,})(.*)")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|\Z)")
_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|\Z)")


@dataclass(slots=True)
class Source:
    """One top-level block's lines, and what is known of it without parsing."""

    lines: list[str] = field(default_factory=list)
    fence: str = ""
    indent: int = 0
    info: str = ""
    closed: bool = False
    is_list: bool = False

    def text(self) -> str:
        """The source as it was written."""
        return "\n".join(self.lines)

    def code(self, start: int = 0) -> list[str]:
        """A fence's own lines from `start` on, without the indentation of the fence."""
        lines = self.lines[1 + start : -1 if self.closed else None]
        if not self.indent:
            return lines
        return [line[min(self.indent, len(line) - len(line.lstrip(" "))) :] for line in lines]


class Splitter:
    """Takes text as it comes, gives finished blocks; `open` is the one still growing."""

    def __init__(self) -> None:
        self.open = Source()
        self._partial: list[str] = []
        self._blank = False

    def feed(self, text: str) -> list[Source]:
        done: list[Source] = []
        if "\n" not in text:
            self._partial.append(text)
            self._early(done)
            return done
        lines = text.split("\n")
        if self._partial:
            lines[0] = "".join(self._partial) + lines[0]
        last = lines.pop()
        self._partial = [last] if last else []
        for line in lines:
            self._line(line, done)
        self._early(done)
        return done

    def partial(self) -> str:
        if len(self._partial) > 1:
            self._partial = ["".join(self._partial)]
        return self._partial[0] if self._partial else ""

    def close(self) -> list[Source]:
        done: list[Source] = []
        if self._partial:
            self._line(self.partial(), done)
            self._partial = []
        self._cut(done)
        return done

    def _cut(self, done: list[Source]) -> None:
        if self.open.lines:
            done.append(self.open)
            self.open = Source()
        self._blank = False

    def _early(self, done: list[Source]) -> None:
        """After a gap one character may say that a block has ended."""
        if self._blank and self._partial and (first := self._partial[0][:1]):
            may_go_on = self.open.is_list and first in "-+*0123456789"
            if not may_go_on and not first.isspace():
                self._cut(done)

    def _line(self, line: str, done: list[Source]) -> None:
        block = self.open
        if block.fence:
            block.lines.append(line)
            if block.fence[0] in line and _closes(line, block.fence):
                block.closed = True
                self._cut(done)
        elif not line or line.isspace():
            if block.lines:
                block.lines.append(line)
                self._blank = True
        else:
            self._text(line, done)

    def _text(self, line: str, done: list[Source]) -> None:
        block, first = self.open, line[0]
        fence = _FENCE.fullmatch(line) if first in "`~ " else None
        # Deeper in a list, its item may own the fence, and a fence ends with its item.
        if fence is not None and (len(fence[1]) < 2 or not block.is_list):
            self._cut(done)
            block = self.open
            block.indent, block.fence, block.info = len(fence[1]), fence[2], fence[3].strip()
            block.lines.append(line)
            return
        item = first in " -+*0123456789" and _ITEM.match(line) is not None
        if first not in " \t" and block.lines:
            after_gap = self._blank and not (item and block.is_list)
            if after_gap or (first == "#" and _HEADING.match(line)):
                self._cut(done)
                block = self.open
        if item:
            block.is_list = True
        self._blank = False
        block.lines.append(line)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip(" \t")
    indent = len(line) - len(line.lstrip(" "))
    return indent < 4 and len(bare) >= len(fence) and bare == fence[0] * len(bare)
