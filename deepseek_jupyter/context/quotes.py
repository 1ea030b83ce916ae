"""Where the quotes of an answer are found in the documents that were sent, and their marks. Pure.

The model quotes and says nothing of places; a quote is looked for here, letter by letter. Letters,
digits and the signs of numbers count; case, blanks, line ends and other punctuation do not. A quote
that differs in up to one letter of twenty, within longer words, is marked as near; a quote with an
ellipsis is found where its pieces occur in order, close together. Anything else was not found.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from .documents import number_at
from .prompt import CODE
from .relevance import CHINESE

WORDS = (
    "Support each claim about the documents with a short quote from them, in double quotation "
    "marks and copied word for word. Do not say where it stands (no names of files, no lines or "
    "pages): that is found and added here."
)
_QUOTED = re.compile(
    r"""(?<!\w)"(?=\S)(?P<a>(?:[^"\n]|\n(?!\s*\n)){2,3000}?)"(?!\w)"""
    r"""|[“„”](?P<b>[^“”„]{2,3000})[”“]|«(?P<c>[^«»]{2,3000})»|»(?P<d>[^«»]{2,3000})«"""
    r"""|「(?P<e>[^「」]{2,3000})」|『(?P<f>[^『』]{2,3000})』"""
    r"""|(?<!\w)['‘](?=\w)(?P<g>[^\n"‘“”]{2,3000}?)['’](?!\w)"""
    r"""|^[ \t]*>[ \t]?(?P<h>.{2,3000}(?:\n[ \t]*>.*){0,50})$""",
    re.MULTILINE,
)
_GAP = re.compile(r"\s*(?:\[[^\]\n]{0,80}\]|…|\.{3,})\s*")
# Signs that count: of money and percent, within a number, before one. As letters they stay.
_SIGNS = str.maketrans("‐‑‒–—−%$€£¥", "------ʰʱʲʳʴ")
_WITHIN = re.compile(r"(?<=\d)[.,/:](?=\d)|-(?=\d)|[<>≤≥≠±](?==?\s?[-.\d])")
_LETTERS = dict(zip(".,/:-<>≤≥≠±", "ʵʶʷˑʸʹʺʻʼʽˠ", strict=True))
_CUT_NUMBER = re.compile(r"(?:\d[.,/:]|(?<!\w)[-−–])$")  # before a digit
_NEGATION = re.compile(r"\b(?:not?|never|without|nicht|kein\w*|pas|не)\b|n['’]t\b|[不没未无]", re.I)
_HEADING = re.compile(r"^\[(?:page|cell) \d+\]$", re.MULTILINE)
_SPAN = re.compile(r"[^\n]{0,400}\S{0,80}\n?")
_LEAST = 12  # letters that a piece between ellipses needs to be found near
_NEAR = 20  # one of so many letters may differ
_APART = 3_000  # letters between the pieces of one quote
_SHOWN = 300  # characters of a source under an answer
_SKIPPED = 60  # characters that are left out, in which a negation is looked for


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
        quote = re.sub(r"\n[ \t]*>", "\n", quote) if match["h"] else quote
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


def _placed(end: int, quote: str, haystacks: Sequence[_Haystack]) -> QuotePlace:
    ways = [([quote], False)]  # brackets and dots may be the source's own
    pieces = [piece for piece in _GAP.split(quote) if _plain(piece)]
    if pieces and not any(map(_NEGATION.search, _GAP.findall(quote))):
        ways += [(pieces, False), (pieces, True)]
    for pieces, nearly in ways if _plain(quote) else ():
        for haystack in haystacks:
            if (span := haystack.find(pieces, nearly)) is not None:
                mark, lines = haystack.said(*span)
                near = " ≈" if nearly else ""
                return QuotePlace(end, f"[{mark}{near}]", lines, "near" if nearly else "exact")
    return QuotePlace(end, "[not found]")


def _plain(text: str) -> str:
    """What of a text counts, in one piece."""
    folded = unicodedata.normalize("NFKC", text).lower().translate(_SIGNS)
    kept = _WITHIN.sub(lambda sign: _LETTERS[sign[0]], folded)
    return re.sub(r"[\W_]+", "", kept)


def _words(text: str) -> list[str]:
    return list(filter(None, map(_plain, text.split())))


def _spelled_alike(quote: str, there: str, text: str) -> bool:
    """Whether `quote` has the words that stand `there` in `text`, but for slips and endings:
    another word, figure or negation is another statement.
    """
    own, others = _words(quote), _words(there)
    for _, a, b, c, d in SequenceMatcher(None, own, others, autojunk=False).get_opcodes():
        one, other = "".join(own[a:b]), "".join(others[c:d])
        if one != other and not (
            min(len(one), len(other)) > 4
            and one[:2] == other[:2]
            and f"{one}{other}".isalpha()
            and not CHINESE.search(one + other)
            and one.endswith("nt") == other.endswith("nt")  # isn't
            and _edits(one, other)[0] < 3
            and not re.search(rf"\b{one}\b", text, re.IGNORECASE)  # employer, employee
        ):
            return False
    return True


def _edits(one: str, other: str) -> tuple[int, int, int]:
    """Letters that differ, one for another being one, where `one` stands in `other`; the place."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return len(one), 0, 0
    begin, end = blocks[0].b, blocks[-1].b + blocks[-1].size
    return max(len(one), end - begin) - sum(block.size for block in blocks), begin, end


class _Haystack:
    """A source to look in. Its `plain` is looked in; places are those in the source's text."""

    def __init__(self, source: QuoteSource) -> None:
        self.source = source
        # A quote may go on over the end of a page.
        self.text = _HEADING.sub(lambda line: " " * len(line[0]), source.text)
        spans = [(_plain(span), len(span)) for span in _SPAN.findall(self.text)]
        self.plain = "".join(plain for plain, _ in spans)
        # Where spans of a few hundred letters end, in the plain text and in the text.
        sizes = ((len(plain), size) for plain, size in spans)
        self._ends = [*accumulate(sizes, lambda a, b: (a[0] + b[0], a[1] + b[1]))]

    def find(self, pieces: Sequence[str], nearly: bool) -> tuple[int, int] | None:
        """Where `pieces` stand, in order and close together."""
        exact = self._exact(_plain(pieces[0]), 0, None)
        for first in filter(None, [self._near(pieces[0])]) if nearly else exact:
            spans = [first]
            for piece in pieces[1:]:
                end = spans[-1][1]
                within = end, end + _APART + len(piece)
                span = next(self._exact(_plain(piece), *within), None)
                span = span or (self._near(piece, *within) if nearly else None)
                if span is None:
                    break
                spans.append(span)
            gaps = [self.text[self._at(a[1] - 1) + 1 : self._at(b[0])] for a, b in pairwise(spans)]
            hidden = any(len(gap) < _SKIPPED and _NEGATION.search(gap) for gap in gaps)
            if len(spans) == len(pieces) and not hidden:
                return self._at(spans[0][0]), self._at(spans[-1][1] - 1) + 1
        return None

    def _exact(self, plain: str, start: int, stop: int | None) -> Iterator[tuple[int, int]]:
        """Where it stands in the plain text as whole words and numbers."""
        while (at := self.plain.find(plain, start, stop)) >= 0:
            if not self._cuts(at) and not self._cuts(at + len(plain)):
                yield at, at + len(plain)
            start = at + 1

    def _cuts(self, place: int) -> bool:
        """Whether a place of the plain text is within a word or number."""
        if not 0 < place < len(self.plain):
            return False
        if (sign := self.plain[place]) in _LETTERS.values():
            return sign in "ʵʶʷˑ"  # within a number
        at = self._at(place)
        before, after = self.text[max(0, at - 3) : at], self.text[at]
        if after.isdigit() and _CUT_NUMBER.search(before):
            return True
        return before[-1:].isalnum() and after.isalnum() and not CHINESE.search(before[-1] + after)

    def _near(self, piece: str, start: int = 0, stop: int | None = None) -> tuple[int, int] | None:
        """The place that differs least from `piece`, if that is little enough."""
        quote = _plain(piece)
        if found := next(self._exact(quote, start, stop), None):
            return found
        allowed = len(quote) // _NEAR
        if len(quote) < _LEAST or not allowed:
            return None
        tried, best = set[int](), (allowed + 1, 0, 0)
        for offset in range(0, len(quote) - 7, 4):
            at = self.plain.find(quote[offset : offset + 8], start, stop)
            while at >= 0 and len(tried) < 200:
                begin = max(0, at - offset - allowed)
                if not any(abs(begin - other) <= allowed for other in tried):
                    tried.add(begin)
                    window = self.plain[begin : begin + len(quote) + 2 * allowed]
                    edits, first, last = _edits(quote, window)
                    best = min(best, (edits, begin + first, begin + last))
                at = self.plain.find(quote[offset : offset + 8], at + 1, stop)
        edits, first, last = best
        while edits <= allowed and self._cuts(first):
            first -= 1
        while edits <= allowed and self._cuts(last):
            last += 1
        if edits > allowed:
            return None
        there = self.text[self._at(first) : self._at(last - 1) + 1]
        return (first, last) if _spelled_alike(piece, there, self.text) else None

    def said(self, start: int, end: int) -> tuple[str, str]:
        """The mark of a place in the text, without brackets, and what stands there."""
        source = self.source
        first, last = source.text.count("\n", 0, start), source.text.count("\n", 0, end)
        begin = max(source.text.rfind("\n", 0, start) + 1, start - _SHOWN // 2)
        stop = source.text.find("\n", end)
        lines = source.text[begin : stop if stop >= 0 else None]
        lines = lines if len(lines) <= _SHOWN else lines[:_SHOWN] + "…"
        one, other = (number_at(source.unit, source.positions, at) for at in (first, last))
        if one is None or other is None:
            return source.name, lines
        number = f"{one}" if one == other else f"{one}-{other}"
        form = {"line": ":{}", "page": " p.{}", "paragraph": " ¶{}", "cell": " cell {}"}
        return source.name + form[source.unit].format(number), lines

    def _at(self, place: int) -> int:
        """Where a letter of the plain text stands in the text."""
        at = bisect_right(self._ends, place, key=lambda end: end[0])
        done, begin = self._ends[at - 1] if at else (0, 0)
        span = self.text[begin : self._ends[at][1]]
        found = bisect_right(range(len(span)), place - done, key=lambda n: len(_plain(span[:n])))
        return begin + found - 1
