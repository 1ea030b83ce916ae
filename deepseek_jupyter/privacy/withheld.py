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
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

MOST = 200_000  # values of one attachment; each takes some 500 bytes
_GRAM = 12
_LONG = 8
_SHORT = 4
_LONGEST = 2_000  # characters of one value
_DIGITS_OF_A_NUMBER = 5
_LONGEST_NUMBER = 64  # characters

# Words that say nothing, and those of which cards are made.
_COMMON = frozenset(Path(__file__).with_name("common_words.txt").read_text("utf-8").split())
_LONGEST_COMMON = max(map(len, _COMMON))
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
_BEGUN_NUMBER = re.compile(r"(?<![\d.])\d")
_NUMBER_ENDS = re.compile(r"[.,eE][+-]?\d+")
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{4,7}(?![^\W_])")
_RUN = re.compile(r"\w[\w-]{5,}")
_LETTER = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d{6,}")
_ESCAPED = re.compile(r"[^ -~]|[\\'\"]")  # by repr or by JSON
_NUMERIC = frozenset("+-0123456789")
_QUOTED = re.compile(r"(?<=(['\"`]))(?=([\s\S]{1,3}?)\1)")


class Match(NamedTuple):
    """Characters `start` to `end` are a withheld text of the kind `label`, or a piece of one."""

    start: int
    end: int
    label: str


class Longest:
    """Texts of `width` characters or more; `at` finds the longest that begins at a place."""

    def __init__(self, width: int, texts: Iterable[str]) -> None:
        self._width = width
        self._most = 0
        self.groups: dict[str, list[str]] = {}  # in order, by the first characters
        for text in sorted(texts):
            self._most = max(self._most, len(text))
            self.groups.setdefault(text[:width], []).append(text)

    def begins(self, text: str, places: Iterable[int] | None = None) -> list[int]:
        """Those of `places` of `text` (None: all) at which one of the texts may begin."""
        width, groups = self._width, self.groups
        if not groups:
            return []
        every = range(len(text) - width + 1) if places is None else places
        return [at for at in every if text[at : at + width] in groups]

    def at(self, text: str, at: int) -> int:
        """The length of the longest that begins at `at`, 0 for none."""
        group = self.groups.get(text[at : at + self._width], ())
        if len(group) < 2:
            return len(group[0]) if group and text.startswith(group[0], at) else 0
        rest = text[at : at + self._most]
        # What begins `rest` also begins the last text before it in order, or is that.
        while place := bisect_right(group, rest):
            last = group[place - 1]
            if rest.startswith(last):
                return len(last)
            rest = rest[: next(at for at, char in enumerate(last) if char != rest[at])]
        return 0


class _Forms:
    """The forms of withheld texts, by the way in which they are looked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        labels = {text[:_LONGEST]: label for text, label in values.items()}
        for form, label in [*_other_forms(labels)]:
            labels.setdefault(form, label)
        self.labels = labels
        texts = [form for form in labels if form[0] not in _NUMERIC or not _is_number(form)]
        self.numbers = len(texts) < len(labels)
        self.tiny = any(len(form) < _SHORT for form in texts)
        self.longs = Longest(_GRAM, (form for form in texts if len(form) > _GRAM))
        self.middles = Longest(_LONG, (form for form in texts if _LONG <= len(form) <= _GRAM))
        self.shorts = Longest(
            _SHORT, (f for f in texts if _SHORT <= len(f) < _LONG and not f.isalpha())
        )
        # Their pieces of twelve characters; where each is follows from its place in all of them.
        # The pieces of one that begins the next are among those of the next.
        groups = self.longs.groups.values()
        pairs = (pair for group in groups for pair in pairwise([*group, ""]))
        self._cut = [form for form, after in pairs if not after.startswith(form)]
        pieces = "".join([form.ljust(-(-len(form) // _GRAM) * _GRAM, "\0") for form in self._cut])
        places = range(0, len(pieces), _GRAM)
        self.grams = dict(zip((pieces[at : at + _GRAM] for at in places), places, strict=True))
        self._begins = [0, *accumulate(-(-len(form) // _GRAM) * _GRAM for form in self._cut)]
        # One look at a place tells whether any long form or piece may begin there.
        self.heads = {*self.middles.groups, *(gram[:_LONG] for gram in self.grams)}

    def piece(self, place: int) -> tuple[str, int]:
        """The form whose piece is at `place` of all pieces, and where in it."""
        number = bisect_right(self._begins, place) - 1
        return self._cut[number], place - self._begins[number]


class WithheldValues:
    """Texts and the search for them; `values` maps each to its label.

    `soft` ones merely lie below their level, and are withheld but for what is released. `dropped`
    counts those for which there was no room. The index is made by the first search.
    """

    def __init__(self, values: Mapping[str, str], *, soft: bool = False) -> None:
        worth = {text: label for text, label in values.items() if _worth(text)}
        self.values = dict(list(worth.items())[:MOST]) if len(worth) > MOST else worth
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

    def keeps(self, text: str, released: Released) -> bool:
        """Whether a text that is a value of its own is withheld."""
        shown = self.soft and (text in released.texts or text in released.names)
        return text in self.values and not shown

    def find(self, text: str, released: Released | None = None) -> list[Match]:
        """Where withheld texts are in `text`, in order; those that overlap are one.

        What is `released` passes if these are `soft`.
        """
        if not self.values or not text:
            return []
        self._forms = self._forms or _Forms(self.values)
        found = sorted(_Search(self._forms, text).matches())
        if self.soft and released:
            found = [match for match in found if not released.covers(text, match, self._whole)]
        matches: list[Match] = []
        for match in found:
            if matches and matches[-1].end > match.start:
                last = matches.pop()
                longer = max(last, match, key=lambda m: m.end - m.start)
                match = Match(last.start, max(last.end, match.end), longer.label)
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
        forms, text, labels = self._forms, self._text, self._forms.labels
        heads, grams = forms.heads, forms.grams
        every = range(len(text) - _LONG + 1) if heads else ()
        begun = [at for at in every if text[at : at + _LONG] in heads]
        pieces = [at for at in begun if text[at : at + _GRAM] in grams]
        tried = ((forms.longs, pieces), (forms.middles, begun), (forms.shorts, None))
        for longest, places in tried:
            for at in longest.begins(text, places):
                if length := longest.at(text, at):
                    yield Match(at, at + length, labels[text[at : at + length]])
        yield from self._pieces(pieces)
        for word in _WORD.finditer(text):
            if label := labels.get(word[0]):
                yield Match(*word.span(), label)
        for quoted in _QUOTED.finditer(text) if forms.tiny else ():
            if label := labels.get(quoted[2]):
                yield Match(*quoted.span(2), label)
        for begun_number in _BEGUN_NUMBER.finditer(text) if forms.numbers else ():
            yield from self._number_at(begun_number.start())

    def _number_at(self, at: int) -> Iterator[Match]:
        """The longest number at a digit, with a sign before it or without."""
        text = self._text
        signed = at > 0 and text[at - 1] in "+-" and not (at > 1 and text[at - 2] in ".0123456789")
        for start in (at - 1, at) if signed else (at,):
            whole = _NUMBER.match(text, start, start + _LONGEST_NUMBER)
            ends = [m.start() for m in _NUMBER_ENDS.finditer(whole[0])] if whole else []
            for end in [whole.end(), *(start + e for e in reversed(ends))] if whole else ():
                written, labels = text[start:end], self._forms.labels
                label = labels.get(written) or labels.get(_unpadded(written))
                if label and not text[end : end + 1].isdigit() and not _decimals(text, end):
                    yield Match(start, end, label)
                    return

    def _pieces(self, places: Iterable[int]) -> Iterator[Match]:
        """The runs around `places` that text and forms have in common."""
        text, labels = self._text, self._forms.labels
        for at in places:
            form, place = self._forms.piece(self._forms.grams[text[at : at + _GRAM]])
            back = 0
            most = min(at, place, _GRAM)
            while back < most and text[at - back - 1] == form[place - back - 1]:
                back += 1
            end, offset = at + _GRAM, place + _GRAM
            for step in (256, 32, 1):
                while offset < len(form) and text[end : end + step] == form[offset : offset + step]:
                    end, offset = end + len(form[offset : offset + step]), offset + step
            yield Match(at - back, end, labels[form])


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
        start, end = match.start, match.end
        found, piece = text[start:end], not whole(text[start:end])
        if found in self.texts or _unpadded(found) in self.texts:
            return True
        if found in self.names and _is_word(text, start, end):
            return True
        self._together = self._together or "\0".join(self.texts)
        if piece and found in self._together:
            return True
        spans = self._found(text)
        at = bisect_right(spans, (start, len(text))) - 1
        if at >= 0 and spans[at][0] <= start and end <= spans[at][1]:
            return True
        # Beside the names in it a piece has to be long enough to be one.
        within = spans[bisect_left(spans, (start, 0)) : bisect_right(spans, (end, 0))]
        names = [(a, b) for a, b in within if b <= end and text[a:b] in self.names]
        begins, ends = [start, *(b for _, b in names)], [*(a for a, _ in names), end]
        rest = (b - a for a, b in zip(begins, ends, strict=True))
        return piece and bool(names) and max(rest) < _GRAM

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where they are in `text`, the longest of those that begin at a place."""
        self._longest = self._longest or Longest(_SHORT, self.names | self.texts)
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
    if value.isdecimal():
        return len(value) >= _DIGITS_OF_A_NUMBER
    if value[:1] in _NUMERIC and _NUMBER.fullmatch(value):
        return sum(map(str.isdigit, value)) >= _DIGITS_OF_A_NUMBER
    short = len(value) <= _LONGEST_COMMON
    return not value.isspace() and not (short and value.strip().lower() in _COMMON)


def _is_number(form: str) -> bool:
    plain = form.isdecimal()
    return len(form) <= _LONGEST_NUMBER and (plain or bool(_NUMBER.fullmatch(form)))


def _other_forms(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The texts as others write them, escaped by repr and by JSON; and identifiers in them: what
    has letters and digits, and runs of digits alone.
    """
    kinds: dict[str, list[str]] = {}
    for text, label in labels.items():
        if not text.isalnum() or not text.isascii():
            kinds.setdefault(label, []).append(text)
    for label, texts in kinds.items():
        written = [stripped for text in texts if (stripped := text.strip()) != text]
        for text in filter(_ESCAPED.search, texts):
            written += (repr(text)[1:-1], json.dumps(text)[1:-1])
        yield from ((form, label) for form in written if form and _worth(form))
        for run in {*_RUN.findall("\0".join(texts))}:  # one search: it is ten times as fast
            if run.isdecimal():
                yield run, label
            elif not run.isalpha() and any(map(str.isdecimal, run)):
                found = (run,) if _LETTER.search(run) else _DIGITS.findall(run)
                yield from ((form, label) for form in found)


def _is_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() or after.isalnum())


def _unpadded(number: str) -> str:
    """A number without the zeros that displays put behind it, as in a column of 1.25 and 1.50."""
    padded = "." in number and number[-1] == "0" and _NUMBER.fullmatch(number)
    return number.rstrip("0").rstrip(".") if padded and "e" not in number.lower() else number


def _decimals(text: str, end: int) -> bool:
    return text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
