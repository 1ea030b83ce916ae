"""`WithheldValues`: texts that must not leave, found again in any other text. Pure.

The values of a column that the policy keeps here also stand in tracebacks, reprs and tool results.
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
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MOST = 200_000  # values remembered of one session; each takes some 200 bytes
_GRAM = 12
_LONGEST = 2_000  # characters of one value

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
_RUN = re.compile(r"\w[\w-]{5,}")
_LETTER = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d{6,}")
_QUOTES = frozenset("'\"`")


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """Characters `start` to `end` are a protected text of the kind `label`, or a piece of one."""

    start: int
    end: int
    label: str


class WithheldValues:
    """A set of texts and the search for them. `dropped` counts those it had no room for."""

    def __init__(self) -> None:
        self.dropped = 0
        self._labels: dict[str, str] = {}  # form -> label
        self._lengths: dict[str, list[int]] = {}  # first characters -> lengths, longest first
        self._grams: dict[str, tuple[str, int]] = {}  # twelve characters -> (form, place in it)
        self._originals = 0

    def clear(self) -> None:
        """Protect nothing any more."""
        self.__init__()  # type: ignore[misc]

    def __len__(self) -> int:
        return self._originals

    def add(self, values: Mapping[str, str]) -> None:
        """Protect each text; the mapping's values are labels."""
        for original, label in values.items():
            if not _worth(original) or original in self._labels:
                continue
            if self._originals >= MOST:
                self.dropped += 1
                continue
            self._originals += 1
            for form in _forms(original):
                self._add(form, label)

    def _add(self, form: str, label: str) -> None:
        if not _worth(form) or form in self._labels:
            return
        self._labels[form] = label
        lengths = self._lengths.setdefault(form[:4], [])
        if len(form) not in lengths:
            lengths.append(len(form))
            lengths.sort(reverse=True)
        if len(form) > _GRAM and not _NUMBER.fullmatch(form):
            for at in range(0, len(form) - _GRAM + 1, _GRAM):
                self._grams.setdefault(form[at : at + _GRAM], (form, at))

    def find(self, text: str) -> list[Match]:
        """Where protected texts stand in `text`, in order, without overlaps."""
        if not self._labels:
            return []
        matches: list[Match] = []
        at, size = 0, len(text)
        while at < size:
            match = self._at(text, at)
            if match is None:
                at += 1
                continue
            while matches and matches[-1].end > match.start:  # a piece that reaches back
                match = replace(match, start=min(matches.pop().start, match.start))
            matches.append(match)
            at = match.end
        return matches

    def _at(self, text: str, at: int) -> Match | None:
        for width in (4, 3, 2, 1):
            for length in self._lengths.get(text[at : at + width], ()):
                label = self._labels.get(text[at : at + length])
                if label and _stands_alone(text, at, at + length):
                    return Match(at, at + length, label)
        gram = self._grams.get(text[at : at + _GRAM])
        return self._piece(text, at, *gram) if gram else None

    def _piece(self, text: str, at: int, form: str, place: int) -> Match:
        """The whole run around `at` that `text` and `form` have in common."""
        start, end, offset = at, at + _GRAM, place + _GRAM
        while start > 0 and place > 0 and text[start - 1] == form[place - 1]:
            start, place = start - 1, place - 1
        while end < len(text) and offset < len(form) and text[end] == form[offset]:
            end, offset = end + 1, offset + 1
        return Match(start, end, self._labels[form])


def _worth(value: str) -> bool:
    if _NUMBER.fullmatch(value):
        return sum(map(str.isdigit, value)) >= 5
    return bool(value.strip()) and value.strip().lower() not in _COMMON


def _forms(value: str) -> Iterator[str]:
    """`value` as texts write it: plain, escaped by repr and by JSON; and identifiers in it."""
    value = value[:_LONGEST]
    yield value
    if stripped := value.strip():
        yield stripped
    if not value.isalnum():
        yield from {repr(value)[1:-1], json.dumps(value)[1:-1]} - {value}
        yield from (found for found in _identifiers(value) if found != value)


def _identifiers(value: str) -> Iterator[str]:
    """What in it has letters and digits, and runs of digits alone."""
    for run in _RUN.findall(value):
        if not _LETTER.search(run):
            yield from _DIGITS.findall(run)
        elif any(map(str.isdecimal, run)):
            yield run


def _stands_alone(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if _NUMBER.fullmatch(value):
        decimals = after == "." and text[end + 1 : end + 2].isdigit()
        return not (before.isdigit() or before == "." or after.isdigit() or decimals)
    if len(value) <= 3:
        return before in _QUOTES and after == before
    if len(value) < 8 and value.isalpha():
        return not (before.isalnum() or after.isalnum())
    return True
