"""Where the quotes of an answer are found in the documents that were sent, and their marks. Pure.

The model quotes and says nothing of places; a quote is looked for here, letter by letter. Letters,
digits and the signs of numbers count; case, blanks, line ends and other punctuation do not. A quote
that differs in up to one letter of twenty, and in no digit, is marked as near; a quote with an
ellipsis is found where its pieces occur in order, close together. Anything else was not found.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, pairwise

from .documents import number_at
from .prompt import CODE

WORDS = (
    "Support each claim about the documents with a short quote from them, in double quotation "
    "marks and copied word for word. Do not say where it stands (no names of files, no lines or "
    "pages): that is found and added here."
)
_QUOTED = re.compile(
    r"""(?<!\w)"(?=\S)(?P<a>(?:[^"\n]|\n(?!\s*\n)){2,3000}?)"(?!\w)"""
    r"""|[“„](?P<b>[^“”„]{2,3000})[”“]|«(?P<c>[^«»]{2,3000})»|「(?P<d>[^「」]{2,3000})」"""
    r"""|『(?P<e>[^『』]{2,3000})』|^[ \t]*>[ \t]?(?P<f>.{2,3000}(?:\n[ \t]*>.*){0,50})$""",
    re.MULTILINE,
)
_GAP = re.compile(r"\s*(?:\[[^\]\n]{0,80}\]|…|\.{3,})\s*")
# Signs that count: of money and percent, within a number, and a minus. As letters they stay.
_SIGNS = str.maketrans("‐‑‒–—−%$€£¥", "------ʰʱʲʳʴ")
_WITHIN = re.compile(r"(?<=\d)[.,/](?=\d)|-(?=\d)")
_LETTERS = {".": "ʵ", ",": "ʶ", "/": "ʷ", "-": "ʸ"}
_FIGURES = re.compile(r"\d+(?:[ʵʶʷ]\d+)*|ʸ(?=\d)")
_NEGATIONS = re.compile("no|never|without|nicht|kein|[不没未无]")
_LEAST = 12  # letters that a piece between ellipses needs to be found near
_NEAR = 20  # one of so many letters may differ
_APART = 3_000  # letters between the pieces of one quote
_SHOWN = 300  # characters of a source under an answer


@dataclass(frozen=True, slots=True)
class QuoteSource:
    """A document as it was sent, or a part of it. `positions` as an attachment has them."""

    name: str
    text: str
    unit: str = "line"
    positions: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, slots=True)
class QuotePlace:
    """A quote of an answer, which ends at character `end` there, and where it was found.

    `mark` is what is written behind it, `lines` what stands there, "" for a quote without a source;
    `found` is ``exact``, ``near`` or ``no``.
    """

    end: int
    mark: str
    lines: str = ""
    found: str = "no"


def cited(answer: str, sources: Iterable[QuoteSource]) -> list[QuotePlace]:
    """The quotes of `answer`, each with its place in the first of `sources` that has it."""
    looked_in = [_Haystack(source) for source in sources]
    return [_placed(end, quote, looked_in) for end, quote in quotes(answer)]


def quotes(answer: str) -> Iterator[tuple[int, str]]:
    """End and text of each quote that can be looked for: two words, or a figure, at least."""
    blank = CODE.sub(lambda code: " " * len(code[0]), answer)
    for match in _QUOTED.finditer(blank):
        quote = next(group for group in match.groups() if group is not None)
        quote = re.sub(r"\n[ \t]*>", "\n", quote) if match["f"] else quote
        words = len(re.findall(r"\w+", quote))
        if words > 1 or re.search(r"\d|[\u3400-\u9fff]{3}", quote):
            yield match.end(), quote


def notice(citations: Sequence[QuotePlace]) -> str:
    """How many quotes were not found, in words; "" where all were."""
    missing = sum(citation.found == "no" for citation in citations)
    if not citations:
        return "The answer quotes nothing, so that nothing in it could be checked (--cite)."
    verb = "is" if missing == 1 else "are"
    count = f"{missing} of {len(citations)} quotes {verb} not in the documents."
    return count if missing else ""


def _placed(end: int, quote: str, haystacks: Iterable[_Haystack]) -> QuotePlace:
    pieces = [piece for piece in map(_plain, _GAP.split(quote)) if piece]
    if not pieces:
        return QuotePlace(end, "[not found]")
    looked = list(haystacks)
    for look, found in ((_Haystack.exactly, "exact"), (_Haystack.nearly, "near")):
        for haystack in looked:
            if (span := look(haystack, pieces)) is not None:
                mark, lines = haystack.said(*span)
                near = " ≈" if found == "near" else ""
                return QuotePlace(end, f"[{mark}{near}]", lines, found)
    return QuotePlace(end, "[not found]")


def _plain(text: str) -> str:
    """What of a text counts, in one piece."""
    folded = unicodedata.normalize("NFKC", text).lower().translate(_SIGNS)
    kept = _WITHIN.sub(lambda sign: _LETTERS[sign[0]], folded)
    return re.sub(r"[\W_]+", "", kept)


def _decisive(plain: str) -> tuple[list[str], list[str]]:
    """The figures and negations of a plain text: one more or less is another statement."""
    return _FIGURES.findall(plain), _NEGATIONS.findall(plain)


class _Haystack:
    """A source to look in; places are those in its plain text."""

    def __init__(self, source: QuoteSource) -> None:
        self.source = source
        self.plain = _plain(source.text)

    def exactly(self, pieces: Sequence[str]) -> tuple[int, int] | None:
        start = self.plain.find(pieces[0])
        while start >= 0:
            end: int = start + len(pieces[0])
            for piece in pieces[1:]:
                at = self.plain.find(piece, end, end + _APART + len(piece))
                if at < 0:
                    break
                end = at + len(piece)
            else:
                return start, end
            start = self.plain.find(pieces[0], start + 1)
        return None

    def nearly(self, pieces: Sequence[str]) -> tuple[int, int] | None:
        spans = [span for span in map(self._near, pieces) if span]
        if len(spans) < len(pieces):
            return None
        close = all(0 <= b[0] - a[1] <= _APART for a, b in pairwise(spans))
        return (spans[0][0], spans[-1][1]) if close else None

    def _near(self, quote: str) -> tuple[int, int] | None:
        """The place that differs least from `quote`, if that is little enough."""
        if (at := self.plain.find(quote)) >= 0:
            return at, at + len(quote)
        allowed = len(quote) // _NEAR
        if len(quote) < _LEAST or not allowed:
            return None
        tried, best = set[int](), (allowed + 1, 0, 0)
        for offset in range(0, len(quote) - 7, 4):
            at = self.plain.find(quote[offset : offset + 8])
            while at >= 0 and len(tried) < 200:
                start = max(0, at - offset - allowed)
                if not any(abs(start - other) <= allowed for other in tried):
                    tried.add(start)
                    best = min(best, self._distance(quote, start, allowed))
                at = self.plain.find(quote[offset : offset + 8], at + 1)
        distance, start, end = best
        if distance > allowed or _decisive(quote) != _decisive(self.plain[start:end]):
            return None
        return start, end

    def _distance(self, quote: str, start: int, allowed: int) -> tuple[int, int, int]:
        """Letters to insert and delete between `quote` and what stands about `start`; the place."""
        window = self.plain[start : start + len(quote) + 2 * allowed]
        blocks = SequenceMatcher(None, quote, window, autojunk=False).get_matching_blocks()[:-1]
        if not blocks:
            return len(quote), 0, 0
        begin, end = blocks[0].b, blocks[-1].b + blocks[-1].size
        same = sum(block.size for block in blocks)
        edits = max(len(quote), end - begin) - same  # one letter for another is one edit
        return edits, start + begin, start + end

    def said(self, start: int, end: int) -> tuple[str, str]:
        """The mark of a place, without brackets, and what stands there."""
        source, every = self.source, self.source.text.split("\n")
        first, last = (bisect_right(self._ends, place) for place in (start, end - 1))
        line, before = every[first], self._ends[first - 1] if first else 0
        ends = range(len(line) + 1)
        begin = bisect_right(ends, start - before, key=lambda n: len(_plain(line[:n]))) - 1
        lines = "\n".join([line[max(0, begin - _SHOWN // 2) :], *every[first + 1 : last + 1]])
        lines = lines if len(lines) <= _SHOWN else lines[:_SHOWN] + "…"
        one, other = (number_at(source.unit, source.positions, at) for at in (first, last))
        if one is None or other is None:
            return source.name, lines
        number = f"{one}" if one == other else f"{one}-{other}"
        form = {"line": ":{}", "page": " p.{}", "paragraph": " ¶{}", "cell": " cell {}"}
        return source.name + form[source.unit].format(number), lines

    @cached_property
    def _ends(self) -> list[int]:
        """Where each line of the text ends in the plain text."""
        return list(accumulate(len(_plain(line)) for line in self.source.text.split("\n")))
