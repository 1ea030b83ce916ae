"""Which known name someone may have meant by one that is unknown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = ["alike"]


def alike(word: str, known: Iterable[str]) -> list[str]:
    """The known words that someone who wrote `word` may have meant.

    Near in spelling but for case, sharing a part (``load_data``, ``load_frame``), or, for a short
    word, its letters in order from the first (``np``, ``numpy``).
    """
    plain = word.casefold()
    candidates = {known_word.casefold(): known_word for known_word in known if known_word}
    close = set(difflib.get_close_matches(plain, candidates, n=3, cutoff=0.7))
    parts = {part for part in re.split(r"[\W_]+", plain) if len(part) > 2}
    for candidate in candidates:
        theirs = set(re.split(r"[\W_]+", candidate))
        short = len(plain) <= 3 and candidate.isidentifier() and _in_order(plain, candidate)
        if parts & theirs or short:
            close.add(candidate)
    return sorted(candidates[match] for match in close)


def _in_order(letters: str, word: str) -> bool:
    rest = iter(word)
    return word[:1] == letters[:1] and all(letter in rest for letter in letters)
