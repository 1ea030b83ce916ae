"""`WithheldValues`: texts that must not leave, found again in any other text. Pure.

The values of a column that the policy keeps here are also in tracebacks, reprs and tool results.
They are looked for as follows, in time that grows with the text and not with their number:

* a value of eight characters or more, or with anything but letters in it: anywhere;
* a shorter one of four letters or more: as a word of its own;
* one of up to three characters: between quotes only, as a repr writes it;
* a number: not as a part of a longer number; and only with five digits or more, for smaller ones
  are everywhere;
* a piece of a long value (cut by a display, wrapped, quoted in part): any run of 12 characters at
  its beginning, any of 23 within it;
* an identifier inside a value (letters with digits): as a value of its own.

What a program has changed (upper case, other number formats, a hash) is not found.

`Released`: texts that a question's cards print. A value that merely lies below its level is not
withheld where it is within one of them.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

MOST = 200_000  # values of one attachment; each takes some 500 bytes
_GRAM = 12
_LONG = 8
_SHORT = 4
_LONGEST = 2_000  # characters of one value
_DIGITS_OF_A_NUMBER = 5
_LONGEST_NUMBER = 64  # characters

# Words that say nothing, and those of which cards are made.
_WORDS = """
true false none null unknown other values value text date datetime time duration float bool
integer decimal binary list struct object category mixed index column columns rows missing
distinct characters range quartiles first last more from with each this that frame dataframe
series pandas polars pyarrow sample schema stats full user assistant system policy read only lazy
table shown empty email phone card iban secret person name data length lengths nothing
"""
_COMMON = frozenset(_WORDS.split())
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
_BEGUN_NUMBER = re.compile(r"(?<![\d.])\d")
_NUMBER_ENDS = re.compile(r"[.,eE][+-]?\d+")
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{4,7}(?![^\W_])")
_RUN = re.compile(r"\w[\w-]{5,}")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d{6,}")
_ESCAPED = re.compile(r"[\\'\"]")
_NUMERIC = frozenset("+-0123456789")
_QUOTED = re.compile(r"(?<=(['\"`]))(?=[\s\S]{1,3}?\1)")


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """Characters `start` to `end` are a withheld text of the kind `label`, or a piece of one."""

    start: int
    end: int
    label: str


class Longest:
    """Texts of `width` characters or more; `at` finds the longest that begins at a place.

    Texts with the same first characters are a group. The search in a group is a binary one over
    its lengths (Waldvogel et al. 1997, "Scalable high speed IP routing lookups"): a marker says
    that a longer text begins so, and how long the longest text is that begins the marker.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._groups: dict[str, list[str]] = {}
        self._searches: dict[str, tuple[list[int], dict[str, int]]] = {}

    def add(self, text: str) -> None:
        self._groups.setdefault(text[: self._width], []).append(text)

    @property
    def heads(self) -> Iterable[str]:
        """The first characters of the texts."""
        return self._groups.keys()

    def begins(self, text: str, places: Iterable[int] | None = None) -> list[int]:
        """Those of `places` of `text` (None: all) at which one of the texts may begin."""
        width, groups = self._width, self._groups
        if not groups:
            return []
        every = range(len(text) - width + 1) if places is None else places
        return [at for at in every if text[at : at + width] in groups]

    def at(self, text: str, at: int) -> int:
        """The length of the longest that begins at `at`, 0 for none."""
        head = text[at : at + self._width]
        search = self._searches.get(head)
        if search is None:
            if head not in self._groups:
                return 0
            search = self._searches[head] = self._search(self._groups[head])
        return _longest(search, text, at)

    @staticmethod
    def _search(texts: Iterable[str]) -> tuple[list[int], dict[str, int]]:
        ordered = sorted(set(texts), key=len)
        lengths = sorted({len(text) for text in ordered})
        marks: dict[str, int] = {}
        search = lengths, marks
        for text in ordered:  # the shorter ones first, so that a marker knows what begins it
            low, high = 0, len(lengths) - 1
            while low <= high:
                middle = (low + high) // 2
                length = lengths[middle]
                if length < len(text):
                    if text[:length] not in marks:
                        marks[text[:length]] = _longest(search, text[:length], 0)
                    low = middle + 1
                elif length == len(text):
                    marks[text] = length
                    break
                else:
                    high = middle - 1
        return search


def _longest(search: tuple[list[int], dict[str, int]], text: str, at: int) -> int:
    lengths, marks = search
    low, high, found = 0, len(lengths) - 1, 0
    while low <= high:
        middle = (low + high) // 2
        length = marks.get(text[at : at + lengths[middle]])
        if length is None:
            high = middle - 1
        else:
            found, low = max(found, length), middle + 1
    return found


@dataclass(frozen=True, slots=True)
class _Forms:
    """Forms of withheld texts, by the way in which they are looked for."""

    labels: dict[str, str]
    heads: frozenset[str]  # of all that the next two hold
    longs: Longest
    shorts: Longest
    grams: dict[str, tuple[str, int]]  # twelve characters -> (form, place in it)
    numbers: bool
    tiny: bool

    @classmethod
    def of(cls, values: Mapping[str, str]) -> _Forms:
        labels: dict[str, str] = {}
        for original, label in values.items():
            labels.setdefault(original[:_LONGEST], label)
            if not original.isalnum():
                for form in filter(_worth, _other_forms(original[:_LONGEST])):
                    labels.setdefault(form, label)
        longs, shorts, grams = Longest(_LONG), Longest(_SHORT), dict[str, tuple[str, int]]()
        numbers = tiny = False
        for form in labels:
            if _is_number(form):
                numbers = True
                continue
            tiny = tiny or len(form) < _SHORT
            if len(form) >= _LONG:
                longs.add(form)
            elif len(form) >= _SHORT and not form.isalpha():
                shorts.add(form)
            for at in range(0, len(form) - _GRAM + 1, _GRAM) if len(form) > _GRAM else ():
                grams.setdefault(form[at : at + _GRAM], (form, at))
        for gram in grams:
            longs.add(gram)
        heads = frozenset({head[:_SHORT] for head in longs.heads} | {*shorts.heads})
        return cls(labels, heads, longs, shorts, grams, numbers, tiny)


class WithheldValues:
    """Texts and the search for them; `values` maps each to its label.

    `soft` ones merely lie below their level, and are withheld but for what is released. `dropped`
    counts those for which there was no room. The index is made by the first search.
    """

    def __init__(self, values: Mapping[str, str], *, soft: bool = False) -> None:
        worth = {text: label for text, label in values.items() if _worth(text)}
        self.values = dict(list(worth.items())[:MOST])
        self.soft = soft
        self.dropped = len(worth) - len(self.values)
        self._forms: _Forms | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __or__(self, other: WithheldValues) -> WithheldValues:
        if self.holds(other):
            return self
        if other.holds(self):
            return other
        return WithheldValues({**self.values, **other.values}, soft=self.soft)

    def holds(self, other: WithheldValues) -> bool:
        """Whether it withholds all that `other` does, in the same manner."""
        return self.soft == other.soft and other.values.items() <= self.values.items()

    def find(self, text: str, released: Released | None = None) -> list[Match]:
        """Where withheld texts are in `text`, in order; those that overlap are one.

        What is `released` passes if these are `soft`.
        """
        if not self.values or not text:
            return []
        self._forms = self._forms or _Forms.of(self.values)
        found = sorted(_Search(self._forms, text).matches())
        if self.soft and released:
            found = [match for match in found if not released.covers(text, match, self._whole)]
        matches: list[Match] = []
        for match in found:
            while matches and matches[-1].end > match.start:
                last = matches.pop()
                longer = max(last, match, key=lambda m: m.end - m.start)
                ends = max(last.end, match.end)
                match = replace(longer, start=min(last.start, match.start), end=ends)
            matches.append(match)
        return matches

    def _whole(self, text: str) -> bool:
        """Whether `text` is a value, and not a piece of one."""
        return self._forms is not None and text in self._forms.labels


class _Search:
    """One search in one text."""

    def __init__(self, forms: _Forms, text: str) -> None:
        self._forms = forms
        self._text = text

    def matches(self) -> Iterator[Match]:
        """The longest at each place."""
        forms, text = self._forms, self._text
        heads = forms.heads
        every = range(len(text) - _SHORT + 1) if heads else ()
        begun = [at for at in every if text[at : at + _SHORT] in heads]
        longs, shorts = forms.longs.begins(text, begun), forms.shorts.begins(text, begun)
        tiny = [m.start() for m in _QUOTED.finditer(text)] if forms.tiny else []
        numbers = [m.start() for m in _BEGUN_NUMBER.finditer(text)] if forms.numbers else []
        for at in {*longs, *shorts, *tiny}:
            if match := self._text_at(at):
                yield match
        for word in _WORD.finditer(text):
            if label := forms.labels.get(word[0]):
                yield Match(*word.span(), label)
        for at in numbers:
            yield from self._number_at(at)

    def _text_at(self, at: int) -> Match | None:
        """The longest text, or piece of one, at `at`."""
        forms, text = self._forms, self._text
        length = forms.longs.at(text, at) or forms.shorts.at(text, at)
        label = forms.labels.get(text[at : at + length])
        match = Match(at, at + length, label) if label else None
        if gram := forms.grams.get(text[at : at + _GRAM]):
            piece = self._piece(at, *gram)
            match = piece if match is None or piece.end > match.end else match
        return match or self._tiny_at(at)

    def _tiny_at(self, at: int) -> Match | None:
        quote = self._text[at - 1] if at else ""
        for end in range(at + 1, at + _SHORT) if quote in ("'", '"', "`") else ():
            label = self._forms.labels.get(self._text[at:end])
            if label and self._text[end : end + 1] == quote:
                return Match(at, end, label)
        return None

    def _number_at(self, at: int) -> Iterator[Match]:
        """The longest number at a digit, with a sign before it or without."""
        text = self._text
        signed = at > 0 and text[at - 1] in "+-" and not (at > 1 and text[at - 2] in ".0123456789")
        for start in (at - 1, at) if signed else (at,):
            whole = _NUMBER.match(text, start, start + _LONGEST_NUMBER)
            ends = [m.start() for m in _NUMBER_ENDS.finditer(whole[0])] if whole else []
            for end in [whole.end(), *(start + e for e in reversed(ends))] if whole else ():
                label = self._forms.labels.get(text[start:end])
                if label and not text[end : end + 1].isdigit() and not _decimals(text, end):
                    yield Match(start, end, label)
                    return

    def _piece(self, at: int, form: str, place: int) -> Match:
        """The run around `at` that text and `form` have in common."""
        text, start, begin = self._text, at, place
        while start > 0 and begin > 0 and at - start < _GRAM and text[start - 1] == form[begin - 1]:
            start, begin = start - 1, begin - 1
        end, offset = at + _GRAM, place + _GRAM
        for step in (256, 32, 1):
            while offset < len(form) and text[end : end + step] == form[offset : offset + step]:
                end, offset = end + len(form[offset : offset + step]), offset + step
        return Match(start, end, self._forms.labels[form])


class Released:
    """What this question's cards print: `names` of columns, as whole words, and other `texts`."""

    def __init__(self, names: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        self.names = frozenset(filter(None, names))
        self.texts = frozenset(filter(None, texts))
        self._together = ""
        self._longest: Longest | None = None
        self._spans: tuple[str, list[tuple[int, int]]] = ("", [])

    def __bool__(self) -> bool:
        return bool(self.names or self.texts)

    def __or__(self, other: Released) -> Released:
        return Released(self.names | other.names, self.texts | other.texts)

    def printed(self, card: str) -> Released:
        """The part that is in `card`; of a text cut there, the part before the cut."""
        cuts = {part for text in self.texts if (part := _printed(text, card))}
        return Released({name for name in self.names if name in card}, cuts)

    def covers(self, text: str, match: Match, whole: Callable[[str], bool]) -> bool:
        """Whether a released text surrounds `match`; for a mere piece of a value, whether it
        is a piece of a released text too.
        """
        found = text[match.start : match.end]
        if found in self.texts:
            return True
        if found in self.names and _is_word(text, match.start, match.end):
            return True
        self._together = self._together or "\0".join(self.texts)
        if not whole(found) and found in self._together:
            return True
        spans = self._found(text)
        at = bisect_right(spans, (match.start, len(text))) - 1
        return at >= 0 and spans[at][0] <= match.start and match.end <= spans[at][1]

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where they are in `text`, the longest of those that begin at a place."""
        if self._longest is None:
            self._longest = Longest(_SHORT)
            for released in self.names | self.texts:
                self._longest.add(released)
        known, spans = self._spans
        if known != text:
            spans = []
            for at in self._longest.begins(text):
                end = at + self._longest.at(text, at)
                name = text[at:end] not in self.texts
                reaches = end > (spans[-1][1] if spans else at)
                if reaches and not (name and not _is_word(text, at, end)):
                    spans.append((at, end))
            self._spans = (text, spans)
        return spans


NOTHING_RELEASED = Released()


def too_short(values: Iterable[object]) -> int:
    """How many of these values cannot be recognised in other texts."""
    return sum(len(text) < _SHORT or not _worth(text) for text in map(str, values))


def _printed(text: str, card: str) -> str:
    """`text`, or as much of its beginning as `card` has before it cuts it."""
    if text in card or len(text) <= _GRAM:
        return text if text in card else ""
    lengths = range(_GRAM, len(text))
    return text[: bisect_left(lengths, True, key=lambda n: text[:n] not in card) + _GRAM - 1]


def _worth(value: str) -> bool:
    if value[:1] in _NUMERIC and _NUMBER.fullmatch(value):
        return sum(map(str.isdigit, value)) >= _DIGITS_OF_A_NUMBER
    return bool(value.strip()) and value.strip().lower() not in _COMMON


def _is_number(form: str) -> bool:
    short = len(form) <= _LONGEST_NUMBER and form[0] in _NUMERIC
    return short and bool(_NUMBER.fullmatch(form))


def _other_forms(value: str) -> Iterator[str]:
    """`value` as texts write it otherwise: escaped by repr and by JSON; and identifiers in it."""
    if (stripped := value.strip()) != value:
        yield stripped
    if not value.isascii() or not value.isprintable() or _ESCAPED.search(value):
        yield from {repr(value)[1:-1], json.dumps(value)[1:-1]} - {value}
    yield from _identifiers(value)


def _identifiers(value: str) -> Iterator[str]:
    """What in it has letters and digits, and runs of digits alone."""
    for run in _RUN.findall(value) if _DIGIT.search(value) else ():
        if not _LETTER.search(run):
            yield from _DIGITS.findall(run)
        elif any(map(str.isdecimal, run)):
            yield run


def _is_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() or after.isalnum())


def _decimals(text: str, end: int) -> bool:
    return text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
