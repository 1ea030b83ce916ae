"""Markdown from tokens, safe whatever parser reads it.

Front ends without our renderer parse this again, each in its own way: JupyterLab pairs dollars over
the whole text before it parses, MyST knows roles and directives, nbconvert uses mistune. So this
text holds no markup that any of them could see where CommonMark sees none:

* no ``<`` but of our own `TAGS`, no bracket but of a link we checked, no bare dollar or backslash
  outside a formula we checked;
* code is a fence or a code span only if it would be harmless as text as well; other code is an
  element on one line with all its punctuation as entities;
* no reference definition, no image, no line start that opens a block we did not open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .html import inline_parts
from .math import mark_math, typesettable
from .text import clean, language, mark_code, mark_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token


# The frame around a block of code in pages without our styles; where it is stripped the code stays.
_FRAME = "style='border:1px solid #8885;padding:0 8px;margin:8px 0;font-family:monospace'"

TAGS = re.compile(
    rf"<(?:div|pre) {_FRAME}>|<code class=\"language-[\w+.#-]{{1,30}}\">|</div>|"
    r"<span>(?:&#36;|&#92;|@)</span>|</?code>|</pre>"
    r"|<pre><code(?: class=\"language-[\w+.#-]{1,30}\")?>",
    re.ASCII,
)
"""All the HTML in a rendering; without it no `<` is left."""

# Code that would do something if a parser did not take it for code.
_ACTIVE = re.compile(
    r"[<&$\x00]|!\[|\]\(|\]\[|\]:|```|~~~|://|@@|\\(?:begin|end|[\[\](){}])|^\s*(?::::|\+\+\+|%|---)",
    re.MULTILINE,
)
_CALM_SPAN = re.compile(r"[\w.,:;=+\-/%()'\"#?{}@ ]*[\w)]", re.ASCII)
# What would open a block at the start of a line; gaps there could become an indented block.
_START = re.compile(r"^[ \t]*([-+](?=[\s+-]|$)|[=%]|#(?=[#\s]|$)|:(?=[:\s]|$))?", re.MULTILINE)
_NUMBER = re.compile(r"^(\d{1,9})([.)])(?=\s|$)", re.MULTILINE)
_LEAVES = {"fence", "code_block", "math_block", "hr"}
_CONTAINERS = ("bullet_list", "ordered_list", "list_item", "blockquote", "table")
_OPENS = {f"{kind}_open" for kind in _CONTAINERS}
_CLOSES = {f"{kind}_close" for kind in _CONTAINERS}
_MARKUP = {"em_open", "em_close", "strong_open", "strong_close", "s_open", "s_close"}
_SIDES = {"left": ":---", "center": ":---:", "right": "---:"}


@dataclass(slots=True)
class _Frame:
    """An open container and the blocks that ended in it."""

    marker: str = ""
    blocks: list[str] = field(default_factory=list)
    tight: bool = True

    def joined(self, tight: bool) -> str:
        return ("\n" if tight else "\n\n").join(self.blocks)


def code_mark(code: str, info: str = "") -> str:
    """A code block: a fence if nothing in it could act outside one, else an element."""
    name = language(info)
    if not _ACTIVE.search(code):
        return f"```{name}\n{code.rstrip(chr(10))}\n```"
    kind = f' class="language-{name}"' if name else ""
    return f"<pre><code{kind}>{mark_code(code.rstrip(chr(10)))}</code></pre>"


def framed_mark(code: str, info: str = "") -> str:
    """`code_mark` in a frame; for the outermost level, as blank lines are part of it."""
    block = code_mark(code, info)
    if block.startswith("<"):
        return block.replace("<pre>", f"<pre {_FRAME}>", 1)
    return f"<div {_FRAME}>\n\n{block}\n\n</div>"


def markdown_of(tokens: Sequence[Token]) -> str:
    stack = [_Frame()]
    cells: list[str] = []
    for at, token in enumerate(tokens):
        kind = token.type
        if kind == "inline":
            before = tokens[at - 1]
            in_table = before.tag in ("th", "td")
            text = _inline(token.children or (), in_table)
            if in_table:
                cells.append(text)
            elif before.type == "heading_open":
                stack[-1].blocks.append(_heading(before.tag, text))
            else:
                stack[-1].blocks.append(text)
                stack[-1].tight &= before.hidden
        elif kind in _LEAVES:
            stack[-1].blocks.append(_leaf(token))
        elif kind in _OPENS:
            stack.append(_Frame(_marker(token)))
        elif kind in _CLOSES:
            _close(kind, stack)
        elif kind == "tr_close":
            stack[-1].blocks.append(f"| {' | '.join(cells)} |")
            cells = []
        elif kind == "thead_close":
            stack[-1].blocks[-1] += "\n" + _rule(tokens[:at])
    return stack[0].joined(tight=False)


def _leaf(token: Token) -> str:
    if token.type == "hr":
        return "___"  # the one rule that is neither a heading's underline nor a list's item
    if token.type == "math_block":
        if typesettable(token.content, True):
            return f"$$\n{mark_math(token.content)}\n$$"
        return code_mark(token.content, "latex")
    return code_mark(token.content, token.info)


def _marker(token: Token) -> str:
    if token.type == "list_item_open":
        return f"{token.info}{token.markup} " if token.info else f"{token.markup} "
    return "> " if token.type == "blockquote_open" else ""


def _close(kind: str, stack: list[_Frame]) -> None:
    """Folds the innermost container into the one around it."""
    frame = stack.pop()
    if kind == "list_item_close":
        lines = frame.joined(frame.tight).split("\n")
        gap = " " * len(frame.marker)
        text = frame.marker + "\n".join([lines[0], *(gap + x if x else "" for x in lines[1:])])
        stack[-1].tight &= frame.tight
    elif kind == "blockquote_close":
        lines = frame.joined(tight=False).split("\n")
        text = "\n".join(f"> {line}".rstrip() for line in lines)
    else:
        text = frame.joined(kind == "table_close" or frame.tight)
    stack[-1].blocks.append(text.rstrip())


def _heading(tag: str, text: str) -> str:
    text = text.replace("\n", " ")
    if text.endswith("#"):
        text = text[:-1] + "&#35;"
    return f"{'#' * int(tag[1:])} {text}"


def _rule(tokens: Sequence[Token]) -> str:
    """The line under a table's head, from the cells of the last row."""
    sides = []
    for token in reversed(tokens):
        if token.type == "th_open":
            side = str(token.attrs.get("style", "")).removeprefix("text-align:")
            sides.append(_SIDES.get(side, "---"))
        elif token.type == "table_open":
            break
    return f"| {' | '.join(reversed(sides))} |"


def _inline(children: Sequence[Token], in_table: bool) -> str:
    if len(children) == 1 and children[0].type == "text" and children[0].content.isalnum():
        return children[0].content  # a cell's number or word
    out: list[str] = []
    for part in inline_parts(children):
        if isinstance(part, tuple):
            kind, text = part
            if kind == "open":
                _open_link(out)
            else:
                out.append(mark_text(text) if kind == "text" else _target(text))
        elif part.type in _MARKUP:
            out.append(part.markup)
        elif part.type == "code_inline" and out and out[-1].endswith("}"):
            out.append(_code_element(part.content))  # `{name}` before a code span is a MyST role
        else:
            out.append(_atom(part, in_table))
    text = _START.sub(lambda m: f"&#{ord(m[1])};" if m[1] else "", "".join(out))
    return _NUMBER.sub(lambda match: f"{match[1]}&#{ord(match[2])};", text).rstrip()


def _atom(token: Token, in_table: bool) -> str:
    kind, content = token.type, token.content
    if kind == "softbreak":
        return "\n"
    if kind == "hardbreak":
        return "  \n"
    if kind == "math_inline":
        return _math(content, token.markup, in_table)
    return _code_span(content) if kind == "code_inline" else mark_text(clean(content))


def _math(tex: str, fence: str, in_table: bool) -> str:
    if not typesettable(tex, fence == "$$") or (in_table and "|" in tex):
        return _code_span(tex.replace("\n", " "))
    return f"{fence}{mark_math(tex)}{fence}"


def _code_span(code: str) -> str:
    if _CALM_SPAN.fullmatch(code) and code[0] != " " and not _ACTIVE.search(code):
        return f"`{code}`"
    return _code_element(code)


def _code_element(code: str) -> str:
    return f"<code>{mark_code(code)}</code>"


def _open_link(out: list[str]) -> None:
    """Opens a link; an exclamation mark right before it would make it an image."""
    if out and out[-1].endswith("!"):
        out[-1] = out[-1][:-1] + "&#33;"
    out.append("[")


def _target(url: str) -> str:
    return f"]({url.replace('&', '&amp;')})"
