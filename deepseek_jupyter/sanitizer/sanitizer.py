"""A text that grows, made inert: HTML and Markdown that show everything and do nothing.

What a model writes can be dictated by anyone who filled one cell of a data frame, and JupyterLab
trusts the output of a cell just run: it sanitizes nothing there, so scripts run, event handlers
fire and images load from anywhere. Therefore the kernel sanitizes, with a real tokenizer
(markdown-it-py, CommonMark with tables and strikethrough), and writes two renderings of one list of
tokens: HTML of our own tags only, and Markdown that stays inert whatever parser reads it again.
Raw HTML is text, links lead to http, https and mailto only, images become links, and formulas with
macros that act are code.

A `Sanitizer`'s life:

1. `feed` takes text as it arrives and cuts it into top-level blocks, no more.
2. `html` renders the blocks finished since the last time, each of them once, and the open tail.
3. `finish` closes the tail. Blocks that used a link reference before its definition came are
   rendered again; so the result depends on the text alone, not on its cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .blocks import Source, Splitter
from .html import CODE_CLOSE, code_html, code_open, plain_html
from .markdown import framed_mark
from .parse import Block
from .text import clean, escape

SHORT_TAIL = 2000
"""Characters of an open block that each look parses; a longer one waits to grow by a quarter,
so that all the parsing of a block costs a constant times its length."""


@dataclass(frozen=True, slots=True)
class Sanitized:
    """A whole text, harmless, as HTML and as Markdown."""

    html: str
    markdown: str


class Sanitizer:
    """Takes text as it arrives; finished top-level blocks are rendered once."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._waiting: list[Source] = []
        self._blocks: list[Block] = []
        self._refs: dict[str, Any] = {}
        self._html = ""
        self._return = ""  # a carriage return, of which a line feed may be the other half
        self._tail = _Tail()

    def feed(self, text: str) -> None:
        """Appends `text`, in any cuts; nothing is rendered before `html`, `render` or `finish`."""
        text = self._return + text
        self._return = "\r" if text.endswith("\r") else ""
        if text := text.removesuffix("\r"):
            self._waiting += self._splitter.feed(clean(text))

    def html(self) -> str:
        """The text so far. It costs what is new, the open tail, and one join."""
        self.render()
        return self._html + self._tail.html(self._splitter, self._refs)

    def finish(self) -> Sanitized:
        if self._return:
            self._waiting += self._splitter.feed("\n")
        self._waiting += self._splitter.close()
        self.render()
        self._resolve()
        markdown = "\n\n".join(filter(None, (block.markdown for block in self._blocks)))
        return Sanitized(self._html, markdown)

    def render(self) -> None:
        """Renders the blocks finished so far, without a look at the open one."""
        for source in self._waiting:
            block = Block(source.text(), len(self._refs))
            if source.fence:
                code = "".join(f"{line}\n" for line in source.code())
                block.source, block.html = "", code_html(code, source.info)
                block.markdown = framed_mark(code, source.info)
            else:
                block.parse(self._refs)
            self._blocks.append(block)
        if self._waiting:
            self._html += "".join(block.html for block in self._blocks[-len(self._waiting) :])
            self._waiting.clear()

    def _resolve(self) -> None:
        """Renders again what may have used a definition that came after it."""
        late = [b for b in self._blocks if b.refs < len(self._refs) and "[" in b.source]
        for block in late:
            block.parse(self._refs)
        if late:
            self._html = "".join(block.html for block in self._blocks)


class _Tail:
    """The open block as shown so far, without parsing it from its start each time.

    A fence is escaped line by line. Other blocks are parsed while they are short, then whenever
    they grew by a quarter; what is newer than that is shown as text.
    """

    def __init__(self) -> None:
        self._reset(None)

    def _reset(self, source: Source | None) -> None:
        self._source = source
        self._lines = 0  # how many of a fence's lines `_html` holds
        self._html = ""
        self._parsed = Block("")

    def html(self, splitter: Splitter, refs: dict[str, Any]) -> str:
        """HTML of what `splitter` holds open."""
        source, partial = splitter.open, splitter.partial()
        if source is not self._source:
            self._reset(source)
        if source.fence:
            lines = source.code(self._lines)
            self._html += "".join(f"{escape(line)}\n" for line in lines)
            self._lines += len(lines)
            return code_open(source.info) + self._html + escape(partial) + CODE_CLOSE
        text, size = "\n".join([*source.lines, partial]), len(self._parsed.source)
        if len(text) <= SHORT_TAIL or not size or len(text) >= size * 5 // 4:
            self._parsed = Block(text)
            self._parsed.parse(dict(refs), html_only=True)
        rest = text[len(self._parsed.source) :]
        return self._parsed.html + (plain_html(rest) if rest.strip() else "")


def sanitize(text: str) -> Sanitized:
    whole = Sanitizer()
    whole.feed(text)
    return whole.finish()
