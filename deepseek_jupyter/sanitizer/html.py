"""HTML from tokens, safe by construction: every tag and attribute below is written here.

Nothing a model wrote is ever copied as markup. What comes from it are characters in elements
(escaped), an address that `safe_url` let through, a language's name that `language` did.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .math import typesettable
from .text import attribute, clean, escape, host, html_text, language, safe_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token


# The whole vocabulary, with what is fixed of each element. `start` and `class` get checked values.
_ON_LINES = {name: name for name in ("blockquote", "table", "thead", "tbody")} | {
    "bullet_list": "ul"
}
_LINES = {"list_item": "li", "tr": "tr"}
_WITHIN = {"em": "em", "strong": "strong", "s": "del"}
_FIXED = {
    **{f"{name}_open": f"<{tag}>\n" for name, tag in _ON_LINES.items()},
    **{f"{name}_open": f"<{tag}>" for name, tag in (_LINES | _WITHIN).items()},
    **{f"{name}_close": f"</{tag}>\n" for name, tag in (_ON_LINES | _LINES).items()},
    **{f"{name}_close": f"</{tag}>" for name, tag in _WITHIN.items()},
    "paragraph_open": "<p>",
    "paragraph_close": "</p>\n",
    "ordered_list_close": "</ol>\n",
    "th_close": "</th>",
    "td_close": "</td>",
    "hr": "<hr>\n",
    "softbreak": "\n",
    "hardbreak": "<br>\n",
}
_ALIGNED = {
    f"text-align:{side}": f' style="text-align:{side}"' for side in ("left", "center", "right")
}

_BARE_URL = re.compile(
    r"https?://[\w.\-]+(?::\d+)?(?:[/?#](?:[\w\-.~/:?#@!,;=+%&'(]|\)(?=[\w/]))*)?(?<![.,;:!?'(])",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"\A(?:https?://|mailto:)?")


def code_open(info: str) -> str:
    """The start of a code block; apart, because a long block grows line by line."""
    name = language(info)
    return f'<pre><code class="language-{name}">' if name else "<pre><code>"


CODE_CLOSE = "</code></pre>\n"


def code_html(code: str, info: str = "") -> str:
    """A code block; a newline at its end belongs to it as in CommonMark."""
    return code_open(info) + escape(code) + CODE_CLOSE


def plain_html(text: str) -> str:
    """Text that is not parsed (yet): its own lines and gaps, nothing else."""
    return f'<p style="white-space:pre-wrap">{html_text(text)}</p>\n'


def math_html(tex: str, display: bool) -> str:
    """A formula in an element of its own for the page's MathJax, or as code if it could act."""
    if not typesettable(tex, display):
        return f"<code>{escape(tex)}</code>"
    fence = "$$" if display else "$"
    return f'<span class="math">{fence}{escape(tex)}{fence}</span>'


def _image_label(token: Token) -> str:
    """What is shown for an image, which never loads: its description and where it lies."""
    alt = " ".join(flat_text(token.children or ()).split())
    where = host(safe_url(str(token.attrs.get("src", ""))))
    return f"image: {alt} ({where})" if alt else f"image ({where})"


def flat_text(children: Sequence[Token]) -> str:
    parts = []
    for token in children:
        if token.type == "image":
            parts.append(_image_label(token))
        elif token.type.endswith("break"):
            parts.append(" ")
        else:
            parts.append(token.content)
    return clean("".join(parts))


def inline_parts(children: Sequence[Token]) -> Iterator[tuple[str, str] | Token]:
    """Inline tokens with all that is text or a link as ("text", it), ("open" or "close", address).

    Bare addresses are links, images are links to them; a link within a link loses its own address.
    """
    url, label_from = "", 0
    for at, token in enumerate(children):
        kind = token.type
        if kind in ("text", "text_special"):
            text = clean(token.content)
            yield from _linked(text, "") if url or "://" not in text else _with_addresses(text)
        elif kind == "link_open":
            if not url and (url := safe_url(str(token.attrs.get("href", "")))):
                label_from = at
                yield "open", url
        elif kind == "link_close":
            if url:
                label = flat_text(children[label_from + 1 : at])
                yield from _linked("" if label.strip() else host(url), "")
                yield "close", url
                yield from _linked(_true_host(url, label), "")
                url = ""
        elif kind == "image":
            address = "" if url else safe_url(str(token.attrs.get("src", "")))
            yield from _linked(_image_label(token), address)
        else:
            yield token
    if url:
        yield "close", url


def _linked(text: str, url: str) -> Iterator[tuple[str, str]]:
    if url:
        yield "open", url
    if text:
        yield "text", text
    if url:
        yield "close", url


def _with_addresses(text: str) -> Iterator[tuple[str, str]]:
    end = 0
    for match in _BARE_URL.finditer(text):
        if url := safe_url(match[0]):
            yield from _linked(text[end : match.start()], "")
            yield from _linked(match[0], url)
            end = match.end()
    yield from _linked(text[end:], "")


def _true_host(url: str, label: str) -> str:
    """The host to name behind a link, unless its text is that host or an address at it."""
    where, said = host(url), _SCHEME.sub("", label.strip().lower())
    rest = said.removeprefix(where)
    is_named = not said or (said.startswith(where) and rest[:1] in ("", *"/?#:"))
    return "" if is_named else f" ({where})"


def html_of(tokens: Sequence[Token]) -> str:
    out: list[str] = []
    for token in tokens:
        kind = token.type
        fixed = _FIXED.get(kind)
        if token.hidden:
            continue
        if fixed is not None:
            out.append(fixed)
        elif kind == "inline":
            _inline(token.children or (), out)
        else:
            out.append(_block(token))
    return "".join(out)


def _block(token: Token) -> str:
    kind = token.type
    if kind == "heading_open":
        return f"<h{int(token.tag[1])}>"
    if kind == "heading_close":
        return f"</h{int(token.tag[1])}>\n"
    if kind == "ordered_list_open":
        start = int(token.attrs.get("start", 1))
        return "<ol>\n" if start == 1 else f'<ol start="{start}">\n'
    if kind in ("th_open", "td_open"):
        return f"<{kind[:2]}{_ALIGNED.get(str(token.attrs.get('style', '')), '')}>"
    if kind in ("fence", "code_block"):
        return code_html(token.content, token.info)
    if kind == "math_block":
        return f"<p>{math_html(token.content, True)}</p>\n"
    return f"<p>{html_text(token.content)}</p>\n" if token.content else ""


def _inline(children: Sequence[Token], out: list[str]) -> None:
    for part in inline_parts(children):
        if isinstance(part, tuple):
            kind, text = part
            out.append(html_text(text) if kind == "text" else _link(text, kind == "open"))
        elif (fixed := _FIXED.get(part.type)) is not None:
            out.append(fixed)
        elif part.type == "code_inline":
            out.append(f"<code>{escape(part.content)}</code>")
        elif part.type == "math_inline":
            out.append(math_html(part.content, part.markup == "$$"))
        else:
            out.append(html_text(clean(part.content)))


def _link(url: str, opens: bool) -> str:
    start = f'<a href="{attribute(url)}" target="_blank" rel="noopener noreferrer">'
    return start if opens else "</a>"
