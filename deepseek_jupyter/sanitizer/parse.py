"""One block of Markdown parsed, or shown as it was written if parsing it would cost too much.

The tokenizer is markdown-it with our math rules.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from .html import html_of, plain_html
from .markdown import code_mark, markdown_of
from .math import install as install_math
from .text import safe_url

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


MAX_NESTING = 40
"""Containers within containers; deeper text is shown as it was written."""

_LONGEST_BLOCK = 200_000
_MOST_BRACKETS = 2000
_MOST_CELLS = 200  # of one row
_MOST_MISSING = 5000  # cells that the parser would add to short rows

# Where an inline rule in use may begin; at all other characters each would be tried in vain.
_SPECIAL = re.compile(r"[\n\\`~*_\[\]!<&$]")
_BOXES = {"[ ] ": "\u2610 ", "[x] ": "\u2611 ", "[X] ": "\u2611 "}  # of a list of tasks


class Block:
    """A block of the text in both renderings.

    `source` is the text as it came, empty where it need not be parsed again; `refs` is how many
    link references were defined when it was parsed.
    """

    __slots__ = ("html", "markdown", "refs", "source")

    def __init__(self, source: str, refs: int = 0) -> None:
        self.source, self.refs = source, refs
        self.html = self.markdown = ""

    def parse(self, references: dict[str, Any], *, html_only: bool = False) -> None:
        """Renders the source; text that no parser should see is shown as it is."""
        text = self.source.strip("\n")
        if not text:
            self.html = self.markdown = ""
        elif _too_much(text) or (tokens := _tokens(text, {"references": references})) is None:
            self.html, self.markdown = plain_html(text), code_mark(text)
        else:
            self.html = html_of(tokens)
            self.markdown = "" if html_only else markdown_of(tokens)


def _too_much(text: str) -> bool:
    """Is this a text whose parsing could take long? Such text was made to."""
    if len(text) > _LONGEST_BLOCK or text.count("[") > _MOST_BRACKETS:
        return True
    cells = text.count("|")
    if cells < 10:
        return False
    lines = text.split("\n")
    widest = max(line.count("|") for line in lines)
    return widest > _MOST_CELLS or widest * len(lines) > 4 * cells + _MOST_MISSING


def _tokens(text: str, env: dict[str, Any]) -> list[Token] | None:
    """The block's tokens, or None if it is nested too deeply for the parser or for a reader."""
    try:
        tokens = _parser().parse(text, env)
    except (RecursionError, RuntimeError, ValueError, IndexError):
        return None  # the parser's own faults; the text is shown unparsed
    deepest = 0
    for at, token in enumerate(tokens):
        deepest = max(deepest, token.level)
        if token.type == "inline" and at > 1 and tokens[at - 2].type == "list_item_open":
            _mark_task(token)
    return None if deepest >= MAX_NESTING - 2 else tokens


def _mark_task(inline: Token) -> None:
    """A task's box as a character: no renderer makes an input of it."""
    first = inline.children[0] if inline.children else None
    if first is not None and first.type == "text" and first.content[:4] in _BOXES:
        first.content = _BOXES[first.content[:4]] + first.content[4:]


@cache
def _parser() -> MarkdownIt:
    """The tokenizer, imported when the first text needs it: loading the extension stays quick."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    parser.inline.terminator_re = _SPECIAL  # older versions of markdown-it-py do not read it
    parser.validateLink = lambda url: bool(safe_url(url))  # type: ignore[method-assign]
    install_math(parser)
    return parser
