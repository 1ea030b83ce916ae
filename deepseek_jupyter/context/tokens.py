"""Tokens of tables and identifiers, counted offline to some percent. Pure.

`protocol.tokens` has DeepSeek's rule of thumb for prose, which is half of the truth for figures.
This follows the tokenizer's first cut (digits by threes, words, punctuation) and guesses how many
tokens a word is from how English its pairs of letters are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["count_tokens", "within"]

_PIECE = re.compile(
    r"(?P<digits> ?\d+)|(?P<word> ?[A-Za-z]+)|(?P<other>[^\W\d_]\w*)|(?P<space>\s+)"
    r"|(?P<marks>[^\w\s]+|_+)|(?P<rest>.)"
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ENGLISH = """
th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me
de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot
il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai
sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke ui fr oo ag
rd sp ck av od do go ga gi gr ls pi cl cr br bi ba bo bu da du cu oa ef ff if up um ub ud ap ip nn
rr mm pp tt ue ul sc sk sl sm sn sw tw ys ks ey ye yo ya ki lu lt mb mu ob og oi qu ua ze za zo gt
wn xp xt va vo ov rm rn rk rc rg rv lf lm lv dt df nv nf ws dr dy dd bs cc gl
"""
_PAIRS = frozenset(_ENGLISH.split())


def count_tokens(text: str) -> int:
    """Tokens in `text`, about."""
    pieces = _PIECE.finditer(text)
    return round(sum(_COUNTS[piece.lastgroup or "rest"](piece[0]) for piece in pieces))


def within(text: str, budget: int) -> bool:
    """Whether `text` has at most `budget` tokens; a long text is read no further than that."""
    count = 0.0
    for piece in _PIECE.finditer(text):
        count += _COUNTS[piece.lastgroup or "rest"](piece[0])
        if count > budget + 0.5:
            return False
    return round(count) <= budget


def _digits(piece: str) -> float:
    count = len(piece.lstrip())
    return (count + 2) // 3 + (len(piece) - count)


@lru_cache(maxsize=4096)
def _word(piece: str) -> float:
    humps = _HUMP.findall(piece)
    return sum(_hump(hump.lower(), piece[0] == " " and len(humps) == 1) for hump in humps)


def _hump(word: str, spaced: bool) -> float:
    strange = sum(word[at : at + 2] not in _PAIRS for at in range(len(word) - 1))
    plain = 1 + (len(word) - 1) // 7 if spaced else 1 if len(word) <= 4 else 1 + len(word) // 5
    return max(plain, 0.6 + 0.82 * strange if strange > 1 else 1)


def _other(piece: str) -> float:
    return len(piece) * 0.65


def _space(piece: str) -> float:
    return 0.5 if piece == " " else (len(piece) + 15) // 16


def _marks(piece: str) -> float:
    return (len(piece) + 1) // 2


_COUNTS: dict[str, Callable[[str], float]] = {
    "digits": _digits,
    "word": _word,
    "other": _other,
    "space": _space,
    "marks": _marks,
    "rest": _marks,
}
