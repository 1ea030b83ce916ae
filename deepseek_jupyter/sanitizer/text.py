"""Characters, addresses and names of languages: the smallest parts of what a model writes.

Everything here works without a parser. Both renderings are built on it, and `plain` is what a
terminal gets. The rule throughout: a character that *any* parser could read as markup leaves as an
entity, and one that the page's MathJax could pair (``$`` and the backslash) is in an element of its
own, because MathJax never pairs across elements.
"""

from __future__ import annotations

import re

# Controls, line separators that only some parsers honour, bidi overrides, lone surrogates.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
# What shows nothing on a terminal: direction marks; zero-width characters; a joiner with no two
# letters or pictures of another script to join. Ends of a text may be cuts of a stream.
_UNSEEN = re.compile(
    "[\u061c\u200e\u200f]|[\u180e\u200b\u2060-\u2064\u206a-\u206f\ufff9-\ufffb]"
    "|[\U000e0000-\U000e007f]"
    "|(?<=[\0-\x7f\u200c\u200d])[\u200c\u200d]|[\u200c\u200d](?=[\0-\x7f\u200c\u200d])"
)

# ECMA-48: CSI; then the strings (OSC, DCS, SOS, PM, APC) with their terminator; then the rest. No
# string holds the start of another, so that each character is looked at once.
_ANSI = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f\n]*+(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*+[0-~]"
)

_HTML_ODD = re.compile(r"[&<>$\\]")
_HTML_MAP = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "$": '<span class="mathjax_ignore tex2jax_ignore">$</span>',
    "\\": '<span class="mathjax_ignore tex2jax_ignore">\\</span>',
}

# An underscore inside a word is no emphasis; `snake_case` stays readable.
_MARK_ODD = re.compile(r"[\\`*\[\]<>&$~|\n]|(?<![^\W_])_|_(?![^\W_])|@(?=@)|(?<=\w):(?=//)")
_MARK_MAP = {
    "\n": " ",  # only an entity can put one here, and a new line could open a new block
    "$": "<span>&#36;</span>",
    "\\": "<span>&#92;</span>",
    "@": "<span>@</span>",  # `@@0@@` is JupyterLab's mark for a formula, and `&#64;` may be decoded
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
_MARK_MAP_CODE = {key: _MARK_MAP[key] for key in "&<>@"}
_CODE_ODD = re.compile(
    r"[^\w \t\-+=.,;:/%(){}?^'#\"@\]>!]|(?<![^\W_])_|_(?![^\W_])|@(?=@)|:(?=//)|(?<=www)\."
)

_URL = re.compile(
    r"(?:https?://(?:[^\s/?#@]*@)?([\w.\-]+)(?::\d{1,5})?(?:[/?#].*)?"
    r"|mailto:([\w.!#$%&'*+/=?^{|}~@\-,;]+))",
    re.IGNORECASE | re.ASCII,
)
_URL_ODD = re.compile(r"[^\w\-.~/:?#@!,;=+%&']|@(?=@)|&(?=#?\w+;)", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,30}")


def _seen(match: re.Match[str]) -> str:
    """What replaces one odd character: a line, a gap, nothing, or its visible name."""
    char = match[0]
    if "\u202a" <= char <= "\u2069":
        return _named(char)
    if char in "\u2028\u2029":
        return "\n"
    if char in "\x0b\x0c":
        return " "
    return "\ufffd" if char == "\x00" or "\ud800" <= char <= "\udfff" else ""


def _named(char: str) -> str:
    return f"\u27e8U+{ord(char):04X}\u27e9"


def clean(text: str) -> str:
    """`text` without controls, with bidi overrides named and every line end a newline.

    It works character by character (after CR LF), so text may be cut anywhere but inside CR LF.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ODD.sub(_seen, text) if _ODD.search(text) else text


def fenced(text: str, language: str) -> str:
    """`text` as a block of code in Markdown, in a fence that is longer than any in it."""
    fence = "`" * max(3, longest_ticks(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def longest_ticks(text: str) -> int:
    """How many backticks stand in a row in `text`, at most."""
    return max(map(len, re.findall("`+", text)), default=0)


def plain(text: str) -> str:
    r"""`text` for a terminal: no escape sequences, no controls but ``\n`` and ``\t``.

    An unfinished escape string loses its introducer only: hiding the rest would hide text. Of
    invisible characters, those that turn the direction are named and the others left out.
    """
    if text.isascii():
        return clean(_ANSI.sub("", text) if "\x1b" in text else text)
    text = clean(_ANSI.sub("", text))
    return _UNSEEN.sub(lambda m: _named(m[0]) if m[0] in "\u061c\u200e\u200f" else "", text)


def html_text(text: str) -> str:
    """`text` as the content of an element: it neither becomes markup nor math."""
    if _HTML_ODD.search(text) is None:
        return text
    if "$" in text or "\\" in text:
        return _HTML_ODD.sub(lambda match: _HTML_MAP[match[0]], text)
    return escape(text)


def escape(text: str) -> str:
    """`text` for places that MathJax never reads, such as code; quotes stay."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(text: str) -> str:
    """`text` as the value of a double-quoted attribute."""
    return escape(text).replace('"', "&quot;").replace("'", "&#39;")


def mark_text(text: str) -> str:
    """`text` as Markdown that no parser takes for anything but text (line starts apart)."""
    return _MARK_ODD.sub(lambda match: _MARK_MAP.get(match[0]) or f"&#{ord(match[0])};", text)


def mark_code(text: str) -> str:
    """`text` for an element of code inside Markdown: one line, whatever parser reads it.

    Inline HTML does not stop Markdown's inline rules, so the characters that start something become
    entities (what only ends it, such as a bracket, then ends nothing); so do line ends, because an
    empty line ends an HTML block and indentation may end a list.
    """
    return _CODE_ODD.sub(_code_char, text)


def _code_char(match: re.Match[str]) -> str:
    char = match[0]
    return char if char > "\x7f" else _MARK_MAP_CODE.get(char) or f"&#{ord(char)};"


def language(info: str) -> str:
    """The language named by a fence's info string, or nothing if the name could be a trick.

    Mermaid is a language too, but one that renderers run: it is shown as plain code.
    """
    word = info.split(maxsplit=1)[0] if info.strip() else ""
    if _LANGUAGE.fullmatch(word) is None or word.lower().startswith("mermaid"):
        return ""
    return word


def safe_url(url: str) -> str:
    """`url` in characters that mean nothing to a parser, or "" if its scheme is not allowed."""
    url = url.strip()
    if not url.isascii() or _URL.fullmatch(url) is None:
        return ""
    return _URL_ODD.sub(lambda match: f"%{ord(match[0]):02X}", url)


def host(url: str) -> str:
    """Where a safe address leads: the part a reader should judge it by."""
    match = _URL.fullmatch(url)
    return (match[1] or match[2] or "").lower() if match else ""
