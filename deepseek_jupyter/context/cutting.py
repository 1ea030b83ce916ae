"""Text within a budget of tokens, and what was cut told. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from .tokens import count_tokens

__all__ = ["counted", "cut", "fitting", "guarded", "settled", "shortened"]

_LOOKED_AT = 16  # characters a token; more than any text has that fits
_MARGIN = 2_000  # characters; what a gate must see whole is shorter

T = TypeVar("T")


def cut(text: str, tokens: int, more: int = 0) -> str:
    """`text`, or its beginning and how much is left out, in at most `tokens`.

    `more` characters are known to follow that are not in `text`.
    """
    if not more and count_tokens(text) <= tokens:
        return text
    end = min(len(text), tokens * _LOOKED_AT)
    while end > 0:
        have = count_tokens(text[:end] + _remark(text, end, more))
        if have <= tokens:
            break
        end = min(end - 1, int(end * tokens / have * 0.99))
    line_end = text.rfind("\n", end * 3 // 4, end)
    end = line_end if line_end > 0 and end < len(text) else end
    return text[:end] + _remark(text, end, more)


def _remark(text: str, end: int, more: int) -> str:
    lines = text.count("\n", end)
    told = counted(len(text) - end + more, "more character")
    where = f" in {counted(lines, 'line')}" if lines > 1 and not more else ""
    return f"\n[… {told}{where}]"


def guarded(text: str, mask: Callable[[str], str], tokens: int) -> str:
    """`text` masked, then cut to `tokens`: what is masked is never half there.

    Of a very long text only the beginning is looked at; the last `_MARGIN` characters of that, in
    which something to be masked could be cut in two, never stay.
    """
    most = tokens * _LOOKED_AT + _MARGIN
    if len(text) <= most:
        return cut(mask(text), tokens)
    masked = mask(text[:most])
    kept = masked[: max(0, len(masked) - _MARGIN)]
    return cut(kept, tokens, more=len(text) - most + len(masked) - len(kept))


def fitting(make: Callable[[T], str], ladder: Sequence[T], tokens: int) -> str:
    """What `make` makes of the first of `ladder` that fits `tokens`, else of the last."""
    text = ""
    for step in ladder:
        text = make(step)
        if count_tokens(text) <= tokens:
            break
    return text


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters, and a count of the others."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({counted(len(text) - most, 'more character')})"


def counted(count: int, noun: str) -> str:
    """1 line, 2 lines."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def settled(text: str) -> str:
    """`text` without memory addresses, which differ from run to run."""
    return _ADDRESS.sub("", text)
