"""Words of a search, and where they occur in a text. Pure.

SQLite's ``unicode61`` tokenizer takes a run of Chinese, Japanese or Korean characters for one
word. So each such character is set apart by blanks, in the index as in the query, and a word of
several becomes a phrase; a part of a sentence is found as it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from .turn import Turn

_IDEOGRAPH = re.compile(
    "([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])"
)
_WORDS = re.compile(r'"([^"]+)"|(\S+)')
_WORD_CHARACTER = re.compile(r"\w")
_MOST_WORDS = 32
_WIDTH = 60  # characters of the surroundings each way


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn that was found. `field` is prompt, answer or reasoning.

    `pieces` are the text around the first place, in order; those with True are what was looked for.
    """

    turn: str
    conversation: str
    created: str
    prompt: str
    field: str
    pieces: tuple[tuple[str, bool], ...]

    @property
    def snippet(self) -> str:
        """The pieces as plain text, the found ones between « and »."""
        return "".join(f"«{text}»" if found else text for text, found in self.pieces)


def words_of(query: str) -> list[str]:
    """The words and "quoted phrases" of what the user typed; all of them must occur."""
    found = [phrase or word for phrase, word in _WORDS.findall(query.replace("\0", " "))]
    return [word for word in found if _WORD_CHARACTER.search(word)][:_MOST_WORDS]


def match_expression(words: list[str]) -> str:
    """`words` as an FTS5 query; everything is quoted, so none of its operators can be meant.

    Each word may go on ("regress" finds "regression").
    """
    return " ".join(map(_phrase, words))


def _phrase(word: str) -> str:
    text = indexed_text(word).replace('"', " ").strip()
    ends_in_letter = bool(_WORD_CHARACTER.match(word[-1])) and not _IDEOGRAPH.match(word[-1])
    return f'"{text}"*' if ends_in_letter else f'"{text}"'


def indexed_text(text: str | None) -> str:
    """`text` as it goes into the index; what UTF-8 cannot say becomes a question mark."""
    spaced = _IDEOGRAPH.sub(r" \1 ", text or "")
    return spaced.encode("utf-8", "replace").decode()


def hit_in(turn: Turn, words: list[str]) -> Hit:
    """Where `words` occur in `turn`: in the first of its texts that has one of them."""
    texts = {"prompt": turn.prompt, "answer": turn.answer, "reasoning": turn.reasoning or ""}
    found = ((field, pieces) for field, text in texts.items() if (pieces := snippet(text, words)))
    return Hit(turn.id, turn.conversation, turn.created, turn.prompt, *next(found, ("prompt", ())))


def search_turns(turns: Iterable[Turn], query: str, limit: int) -> list[Hit]:
    """What `Journal.search` does, for turns that no journal knows; in their order."""
    words = words_of(query)
    found = (turn for turn in turns if words and _holds(turn, words))
    return [hit_in(turn, words) for turn in islice(found, limit)]


def _holds(turn: Turn, words: list[str]) -> bool:
    folded = "\n".join((turn.prompt, turn.answer, turn.reasoning or "")).casefold()
    return all(word.casefold() in folded for word in words)


def snippet(text: str, words: list[str]) -> tuple[tuple[str, bool], ...]:
    """The surroundings of the first place where one of `words` occurs, on one line.

    Empty when none of them is there as it was typed.
    """
    either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    first = re.search(either, text, re.IGNORECASE)
    if first is None:
        return ()
    begin, end = max(0, first.start() - _WIDTH), max(first.end(), first.start() + _WIDTH)
    parts = re.split(f"({either})", text[begin:end], flags=re.IGNORECASE)
    pieces = [(_line(part), at % 2 == 1) for at, part in enumerate(parts)]
    before, after = "…" if begin else "", "…" if end < len(text) else ""
    return tuple(piece for piece in ((before, False), *pieces, (after, False)) if piece[0])


def _line(text: str) -> str:
    """On one line, without the marks of Markdown."""
    return re.sub(r"\s+", " ", re.sub(r"\*\*|__|`+|^#{1,6} |^>+ ", "", text, flags=re.MULTILINE))
