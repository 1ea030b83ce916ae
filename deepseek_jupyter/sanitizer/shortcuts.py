"""Short cuts to the tokens of what models write most: flat lists, tables, a bold word, some code.

The tokenizer's own way is most of what showing an answer costs. Here such text gets the same tokens
in a tenth of the time; the rules admit only what can be read in one way, and everything else is
left to the tokenizer. Nothing's safety rests on them: whoever made the tokens, the renderings are
written by `safe_html` and `safe_markdown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token


# Characters that are only ever themselves, outside of code.
_P = r"[^\\`*_\[<&$~\n]"
# A mark before a letter opens; after a letter it closes, after punctuation only before a gap.
_IN = rf"(?<![^ (]){{0}}(?=[^\W_]){_P}*?(?:(?<=[^\W_])|(?<=[.,:;!?)])){{0}}(?=[ .,:;!?)]|\Z)"
_PIECE = re.compile(
    rf"(?P<text>{_P}++)"
    rf"|(?P<strong>{_IN.format(re.escape('**'))})"
    rf"|(?P<em>{_IN.format(re.escape('*'))})"
    r"|(?P<code>`(?! )[^`\n]*[^` \n]`(?!`))"
)

# A line that opens no block inside an item: see `safe_parse._PARAGRAPH`.
_CALM = r"(?!\d{1,9}[.)]|[*_][ \t]|[*_ \t]+$|\\begin|\\\[|\$\$|`{3})[^\s\-+=#:\[>|~][^\n]*+"
_ITEMS = re.compile(
    rf"(?P<bullet>[-+*]) {_CALM}(?:\n(?P=bullet) {_CALM})*+"
    rf"|\d{{1,9}}(?P<mark>[.)]) {_CALM}(?:\n\d{{1,9}}(?P=mark) {_CALM})*+",
    re.MULTILINE,
)
_TABLE = re.compile(
    r"(?P<head>\|[^\\\n]*\|)[ \t]*\n(?P<rule>\|(?:[ \t]*:?-+:?[ \t]*\|)+)"
    r"(?P<rows>(?:[ \t]*\n\|[^\\\n]*\|)*+)[ \t]*"
)
_ALIGNED = {(True, False): "left", (True, True): "center", (False, True): "right"}
_BLANKS = " \t"


def simple_inline(text: str) -> list[Token] | None:
    """The tokens of one line without anything but plain emphasis and code; None for any other."""
    from markdown_it.token import Token

    if text.isalnum():
        return [Token("text", "", 0, content=text)]
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            return None
        at, kind, found = piece.end(), piece.lastgroup, piece[0]
        if kind == "text":
            tokens.append(Token("text", "", 0, content=found))
        elif kind == "code":
            tokens.append(Token("code_inline", "code", 0, content=found[1:-1], markup="`"))
        else:
            mark = "**" if kind == "strong" else "*"
            tokens.append(Token(f"{kind}_open", str(kind), 1, markup=mark))
            tokens.append(Token("text", "", 0, content=found[len(mark) : -len(mark)]))
            tokens.append(Token(f"{kind}_close", str(kind), -1, markup=mark))
    return tokens


def flat_list(text: str) -> list[Token] | None:
    """The block tokens of a list whose items are a line each; None for any other text."""
    from markdown_it.common.utils import mdTrim
    from markdown_it.token import Token

    match = _ITEMS.fullmatch(text)
    if match is None:
        return None
    mark = match["bullet"] or match["mark"]
    kind, tag = ("bullet_list", "ul") if match["bullet"] else ("ordered_list", "ol")
    tokens = [Token(f"{kind}_open", tag, 1, markup=mark)]
    paragraph = Token("paragraph_open", "p", 1, hidden=True)
    end = Token("paragraph_close", "p", -1, hidden=True)
    close = Token("list_item_close", "li", -1, markup=mark)
    item = Token("list_item_open", "li", 1, markup=mark)
    for line in text.split("\n"):
        number, _, content = line.partition(" ")
        if len(number) > 1:
            item = Token("list_item_open", "li", 1, markup=mark, info=number[:-1])
        tokens += [item, paragraph, Token("inline", "", 0, content=mdTrim(content)), end, close]
    if tokens[1].info and int(tokens[1].info) != 1:
        tokens[0].attrs = {"start": int(tokens[1].info)}
    tokens.append(Token(f"{kind}_close", tag, -1, markup=mark))
    return tokens


def flat_table(text: str) -> list[Token] | None:
    """The block tokens of a table with a pipe at both ends of a line; None for any other text."""
    from markdown_it.token import Token

    match = _TABLE.fullmatch(text)
    if match is None:
        return None
    sides = [_side(cell.strip(_BLANKS)) for cell in match["rule"][1:-1].split("|")]
    head = _cells(match["head"])
    if len(head) != len(sides):
        return None

    tokens = [Token("table_open", "table", 1), Token("thead_open", "thead", 1)]
    tokens += _rows([head], "th", sides)
    tokens.append(Token("thead_close", "thead", -1))
    lines = match["rows"].split("\n")[1:]
    if lines:
        tokens.append(Token("tbody_open", "tbody", 1))
        tokens += _rows((_cells(line.rstrip(_BLANKS)) for line in lines), "td", sides)
        tokens.append(Token("tbody_close", "tbody", -1))
    tokens.append(Token("table_close", "table", -1))
    return tokens


def _rows(rows: Iterable[list[str]], tag: str, sides: list[str]) -> Iterator[Token]:
    """Rows as wide as `sides`; what stands for the same in each of them is one token."""
    from markdown_it.token import Token

    styles = ({"style": f"text-align:{side}"} if side else {} for side in sides)
    opened = [Token(f"{tag}_open", tag, 1, attrs=dict(style)) for style in styles]
    closed = Token(f"{tag}_close", tag, -1)
    begin, end = Token("tr_open", "tr", 1), Token("tr_close", "tr", -1)
    for cells in rows:
        yield begin
        for number, cell in enumerate(opened):
            yield cell
            yield Token("inline", "", 0, content=cells[number] if number < len(cells) else "")
            yield closed
        yield end


def _cells(line: str) -> list[str]:
    from markdown_it.common.utils import mdTrim

    return [mdTrim(cell) for cell in line[1:-1].split("|")]


def _side(rule: str) -> str:
    return _ALIGNED.get((rule.startswith(":"), rule.endswith(":")), "")
