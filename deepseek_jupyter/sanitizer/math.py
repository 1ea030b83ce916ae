r"""Math in Markdown: where it starts and ends, and which of it a page may typeset.

Rules for markdown-it: ``$..$``, ``$$..$$``, ``\(..\)``, ``\[..\]`` and ``\begin{e}..\end{e}``. They
are our own because JupyterLab finds math by yet another algorithm (`removeMath`: delimiters are
paired before Markdown is parsed, braces count, code is masked by a regular expression). What
`typesettable` lets through is read alike by both; all else is shown as code.

The commands and spellings that it refuses are data, ``math.json``, which the card's guard in
``labextension/src/markdown/math.ts`` loads too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline


_RULES: Any = json.loads(Path(__file__).with_name("math.json").read_text("utf-8"))

LONGEST: int = _RULES["longest"]
"""Characters; a longer formula is not one, and looking further for an end would cost."""

# No blank after the first dollar, none before the last, no digit after it: "$5 and $6" is money.
_DOLLARS = re.compile(
    r"\$\$(?!\$)((?:[^$\\]|\\.)++)\$\$|\$(?![\s$])((?:[^$\\]|\\.)++)(?<!\s)\$(?![\d$])", re.DOTALL
)
_BEGIN = re.compile(r"\\begin\{([A-Za-z]{1,20}\*?)\}")


def _pattern(*names: str, command: bool = False) -> re.Pattern[str]:
    either = "|".join(pattern for name in names for pattern in _RULES[name])
    return re.compile(rf"\\(?:{either})(?![a-z])" if command else either, re.IGNORECASE | re.ASCII)


_COMMANDS = _pattern("forbidden_commands", command=True)
_FORBIDDEN = _pattern("forbidden", "forbidden_in_markdown")
_SHIFTS = _pattern("shifting_commands", command=True)
_FAR = _pattern("far")
_BREAK = re.compile(r"\\\\\*?\s*\[([^\]]*)")  # the space that a line break asks for
_NESTING = re.compile(r"\\(?:left|right|begin|end)(?![a-zA-Z])|\\.|[{}]", re.DOTALL)
_ENTITY = re.compile(r"&(?=[#\w])")
_DEFINITION = re.compile(r"^([ \t]*):", re.MULTILINE)  # of the term above, some parsers say


def typesettable(tex: str, display: bool) -> bool:
    r"""May a page typeset `tex`? False for macros that act, and for what parsers read in two ways.

    Args:
        tex: The formula without its delimiters.
        display: Single dollars (``\text{if $x$}``) are allowed in a display formula only.
    """
    if len(tex) > LONGEST or not tex.strip() or tex.endswith("\\"):
        return False
    if "$" in tex and (not display or tex.count("$") % 2):
        return False
    if _COMMANDS.search(tex) or _FORBIDDEN.search(tex):
        return False
    shifts = len(_SHIFTS.findall(tex))
    if shifts > _RULES["most_shifts"] or (shifts and _FAR.search(tex)):
        return False
    if any(_FAR.search(space) for space in _BREAK.findall(tex)):
        return False
    return _nests_well(tex)


def _nests_well(tex: str) -> bool:
    """Whether braces pair, and nothing nests so deep that laying it out would not end.

    An open brace would make MathJax look for the end beyond ours.
    """
    braces = groups = 0
    for match in _NESTING.finditer(tex):
        token = match[0]
        if token == "{":
            braces += 1
        elif token == "}":
            braces -= 1
        elif token in ("\\left", "\\begin"):
            groups += 1
        elif token in ("\\right", "\\end"):
            groups = max(0, groups - 1)
        if braces < 0 or braces + groups > _RULES["deepest"]:
            return False
    return braces == 0


def mark_math(tex: str) -> str:
    """A typesettable formula for Markdown whose reader may not know math: it forms nothing there.

    TeX ignores blanks, so one of them parts what Markdown would join to a link or an entity.
    """
    tex = tex.replace("<", "\\lt ").replace(">", "\\gt ")
    if "]" in tex or "[" in tex:
        tex = tex.replace("![", "! [").replace("](", "] (").replace("][", "] [")
        tex = tex.replace("]:", "] :")
    return _ENTITY.sub("& ", _DEFINITION.sub(r"\1{}:", tex))


def install(md: MarkdownIt) -> None:
    """Adds the rules; the block rules may end a paragraph, as models write them."""
    md.inline.ruler.before("escape", "math_inline", _inline)
    ends: Any = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    md.block.ruler.before("fence", "math_block", _block, ends)


def _inline(state: StateInline, silent: bool) -> bool:
    """``$..$``, ``$$..$$``, ``\\(..\\)`` and ``\\[..\\]`` inside a paragraph."""
    src, pos = state.src, state.pos
    if src[pos] == "$":
        found = _dollars(src, pos, state.posMax)
    elif src[pos] == "\\" and src[pos + 1 : pos + 2] in ("(", "["):
        found = _brackets(src, pos, state.posMax)
    else:
        return False
    if found is None:
        return False
    tex, end, display = found
    if not silent:
        token = state.push("math_inline", "", 0)
        token.content = tex
        token.markup = "$$" if display else "$"
    state.pos = end
    return True


def _dollars(src: str, pos: int, last: int) -> tuple[str, int, bool] | None:
    if pos and src[pos - 1].isascii() and src[pos - 1].isalnum():  # US$7; but in 中文$x$ it is math
        return None
    match = _DOLLARS.match(src, pos, min(last, pos + LONGEST))
    if match is None:
        return None
    return match[1] or match[2], match.end(), match[1] is not None


def _brackets(src: str, pos: int, last: int) -> tuple[str, int, bool] | None:
    close = "\\)" if src[pos + 1] == "(" else "\\]"
    end = src.find(close, pos + 2, min(last, pos + LONGEST))
    if end < 0 or not (tex := src[pos + 2 : end].strip()):
        return None
    return tex, end + 2, close == "\\]"


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula that fills its lines, ended by its own mark; it holds no empty line."""
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    if not first.startswith(("$$", "\\[", "\\begin{")):
        return False
    close, keep = _closing(first)
    if not close:
        return False
    lines = [first if keep else first[2:]]
    at = start
    while not lines[-1].rstrip().endswith(close):
        at += 1
        if at >= end or state.isEmpty(at) or state.sCount[at] < state.blkIndent:
            return False
        if at - start > 200:
            return False
        lines.append(_line(state, at))
    tex = "\n".join(lines).strip()
    tex = tex if keep else tex[: -len(close)].strip()
    if not tex or (close == "$$" and "$$" in tex):
        return False
    if not silent:
        token = state.push("math_block", "", 0)
        token.content = tex
        token.block = True
        token.map = [start, at + 1]
        state.line = at + 1
    return True


def _closing(first: str) -> tuple[str, bool]:
    """What ends the block that `first` opens, and whether both marks belong to the formula."""
    if first[0] == "$":
        return "$$", False
    if first[1] == "[":
        return "\\]", False
    match = _BEGIN.match(first)
    return (f"\\end{{{match[1]}}}", True) if match else ("", False)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
