"""``@name`` in a prompt: which places may mean an object of the notebook. Pure.

Not those in code (fenced or between backticks), not a decorator above its function, not what stands
behind a letter or digit, as in an e-mail address.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Mention", "mentions", "readings"]

_MENTION = re.compile(
    r"(?<![\w@/\\.`-])@(?P<said>\"[^\"\n]{1,300}\"|"
    r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]\n]{1,100}\])*)"
)
_CODE = re.compile(r"^[ \t]*(```+|~~~+)[\s\S]*?(?:^[ \t]*\1|\Z)|(`+)[^`\n]+\2", re.MULTILINE)
_DECORATED = re.compile(r"[^\n]*\n\s*(?:@|def |class |async def )")
_BLANK = re.compile(r"\s*")
_TAIL = re.compile(r"(?:\.[^\W\d]\w*|\[[^\[\]\n]*\])\Z")


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters `start` to `end` of a prompt say ``@expression``."""

    start: int
    end: int
    expression: str


def mentions(text: str) -> Iterator[Mention]:
    """The places in `text` that may mean an object, in order."""
    if "@" not in text:
        return
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    code = [match.span() for match in _CODE.finditer(text)]
    for match in _MENTION.finditer(text):
        start = match.start()
        before = bisect_right(code, start, key=lambda span: span[0])
        if before and start < code[before - 1][1]:
            continue
        line = lines[bisect_right(lines, start) - 1]
        if _BLANK.fullmatch(text, line, start) and _DECORATED.match(text, match.end()):
            continue
        yield Mention(start, match.end(), match["said"])


def readings(expression: str) -> Iterator[str]:
    """What `expression` may mean, the longest first: a sentence may go on behind the name.

    >>> list(readings("df.price.Then"))
    ['df.price.Then', 'df.price', 'df']
    """
    yield expression
    while tail := _TAIL.search(expression):
        expression = expression[: tail.start()]
        yield expression
