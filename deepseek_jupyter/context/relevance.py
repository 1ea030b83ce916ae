"""Documents that do not fit as parts of them: the most relevant, or the beginnings. Pure.

Relevance is BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) of pieces of about 1,200
characters against the words of the question: deterministic, and without a model. Only these words
are looked for, so that ten megabytes take a fraction of a second.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from deepseek_jupyter.errors import counted
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .attachment import Attachment, cut, digest
from .documents import number_at

_PIECE = 1_200  # characters
_K1, _B = 1.2, 0.75
_MARK = 8  # tokens of the line that says where a part is from
_ENDS = ("\n\n", "\n", ". ", "。", " ")
_WORD = re.compile(r"[^\W_]+")
CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_COMMON = re.compile(
    "a(bout|ll|lso|nd?|ny|re|s|t)?|be(en)?|but|by|can|d(id|o|oes)|for|from|ha(d|s|ve)|he|her|his|how|"
    "[iu]|if|in|into|it|its|is|list|me|more|my|not?|o[fnr]|our|she|so|some|such|summar(ize|y)|tell|"
    "than|that|the|their|them|then|there|these|they|this|to|us|was|we|were|what|when|where|which|"
    "who|why|will|with|would|you|your|der|die|das|und|ist|eine?"
)


def heads(documents: Sequence[Attachment], tokens: int) -> list[Attachment]:
    """The beginnings, each in proportion to its length."""
    every = max(1, sum(a.tokens for a in documents))
    cuts = [cut(a.text, max(50, tokens * a.tokens // every)) for a in documents]
    return [
        replace(a, text=text, cut=share, tokens=estimate_tokens(text), hash=digest(a.hash, text))
        for a, (text, share) in zip(documents, cuts, strict=True)
    ]


def parts(documents: Sequence[Attachment], question: str, tokens: int) -> list[Attachment]:
    """The parts that `question` is most likely about, in their order, in at most `tokens` together.

    Each document keeps its first piece. Where no word of the question is found, the beginnings.
    """
    cuts = [list(_cuts(a.text)) for a in documents]
    scores = _scores([a.text for a in documents], cuts, terms(question))
    if not any(any(found) for found in scores):
        return heads(documents, tokens)
    ranked = sorted(
        (-score if at else -math.inf, n, at)
        for n, found in enumerate(scores)
        for at, score in enumerate(found)
        if score or not at
    )
    chosen: list[list[int]] = [[] for _ in documents]
    for _, n, at in ranked:
        a = documents[n]
        length = cuts[n][at + 1] - cuts[n][at]
        tokens -= _MARK + round(length * a.tokens / max(1, len(a.text)))
        if tokens < 0:
            break
        chosen[n].append(at)
    together = zip(documents, cuts, chosen, strict=True)
    return [_partial(a, found, sorted(own)) for a, found, own in together]


def shares(documents: Sequence[Attachment], tokens: int) -> list[list[Attachment]]:
    """All of `documents` in shares of at most `tokens`, in order; a share may hold several. What
    changes at the end of a document leaves the shares before it as they are.
    """
    density = [math.ceil(50 * a.tokens / max(1, len(a.text))) / 50 for a in documents]
    cuts = [list(_cuts(a.text)) for a in documents]
    found: list[dict[int, list[int]]] = []
    left = 0
    for n in range(len(documents)):
        for at, (begin, end) in enumerate(pairwise(cuts[n])):
            size = round((end - begin) * density[n])
            if size > left or not found:
                found.append({})
                left = tokens
            size += 0 if n in found[-1] else _MARK
            found[-1].setdefault(n, []).append(at)
            left -= size
    return [[_partial(documents[n], cuts[n], at) for n, at in share.items()] for share in found]


def terms(question: str) -> list[str]:
    """What is looked for: words but common ones, without endings; of Chinese, pairs of signs."""
    found = dict[str, None]()
    for word in _WORD.findall(question.lower()):
        if run := CHINESE.search(word):
            pairs = zip(run[0], run[0][1:], strict=False)
            found |= dict.fromkeys(map("".join, pairs))
        elif not _COMMON.fullmatch(word) and (len(word) > 1 or word.isdigit()):
            found[_stem(word)] = None
    return list(found)


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def _cuts(text: str) -> Iterator[int]:
    """Where pieces of `text` begin, the first line of it being a piece, and its end."""
    at = text.find("\n") + 1
    yield 0
    while at < len(text):
        if at:
            yield at
        end = at + _PIECE
        if end < len(text):
            found = (text.rfind(mark, at + _PIECE // 2, end) + len(mark) for mark in _ENDS)
            end = next((place for place in found if place > at + _PIECE // 2), end)
        at = end
    yield len(text)


def _scores(
    texts: Sequence[str], cuts: Sequence[Sequence[int]], words: Sequence[str]
) -> list[list[float]]:
    """The BM25 score of each piece of each text."""
    scores = [[0.0] * (len(found) - 1) for found in cuts]
    lowered = [_lower(text) for text in texts]
    pieces = sum(map(len, scores))
    mean = max(1.0, sum(map(len, texts)) / max(1, pieces))
    for word in words:
        counts = [_counts(low, word, found) for low, found in zip(lowered, cuts, strict=True)]
        with_it = sum(map(len, counts))
        idf = math.log(1 + (pieces - with_it + 0.5) / (with_it + 0.5))
        for found, own, count in zip(scores, cuts, counts, strict=True):
            for at, times in count.items():
                length = (own[at + 1] - own[at]) / mean
                found[at] += idf * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length))
    return scores


def _lower(text: str) -> str:
    low = text.lower()
    # Some capitals have two small letters; places must stay what they are.
    return low if len(low) == len(text) else "".join(c.lower()[0] for c in text)


def _counts(text: str, word: str, cuts: Sequence[int]) -> Counter[int]:
    """How often words that begin with `word` are in each piece of `text`."""
    found: Counter[int] = Counter()
    inside, at, step = bool(CHINESE.match(word)), text.find(word), len(word)
    while at >= 0:
        if inside or not at or not text[at - 1].isalnum():
            found[bisect_right(cuts, at) - 1] += 1
        at = text.find(word, at + step)
    return found


def _partial(a: Attachment, cuts: Sequence[int], chosen: Sequence[int]) -> Attachment:
    """The chosen pieces, neighbours joined; a line before each says where it is from."""
    if len(chosen) == len(cuts) - 1:
        return a
    ranges: list[list[int]] = []
    for at in chosen:
        if ranges and ranges[-1][1] == cuts[at]:
            ranges[-1][1] = cuts[at + 1]
        else:
            ranges.append([cuts[at], cuts[at + 1]])
    starts = [match.end() for match in re.finditer("\n", a.text)]
    pieces: list[str] = []
    positions: list[tuple[int, int]] = []
    line = 0
    for begin, end in ranges:
        first = bisect_right(starts, begin)
        number = number_at(a.unit, a.positions, first)
        piece = a.text[begin:end].rstrip("\n")
        if begin:
            where = f" from {a.unit} {number}" if number is not None else ""
            piece = f"[…{where}]\n{piece}"
        last = first + piece.count("\n")
        inside = [place for place in a.positions if first < place[0] <= last]
        within = first - (1 if begin else 0)  # of the mark, which counts as the line before
        positions += [
            (line + max(0, at - within), n) for at, n in [(first, number), *inside] if n is not None
        ]
        pieces.append(piece)
        line += piece.count("\n") + 1
    text = "\n".join(pieces) + "\n[…]"
    kept = sum(end - begin for begin, end in ranges)
    share = "the beginning"
    if [*chosen] != [0]:
        of_it = f"{kept / len(a.text):.0%}" if 100 * kept >= len(a.text) else "under 1%"
        share = f"the most relevant {counted(len(ranges), 'part')}, {of_it} of it"
    return replace(
        a,
        text=text,
        cut=share,
        tokens=estimate_tokens(text),
        hash=digest(a.hash, text),
        positions=tuple(positions),
    )
