"""Texts that should not leave by accident: e-mail, phone, payment card, IBAN, secret. Pure.

Each detector asks for more than a shape where shape is weak: a card number must pass Luhn's check
and belong to an issuer, an IBAN the remainder of 97, a password must follow a name that says
so. Plain numbers, dates, times, versions and hashes are left alone.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DETECTORS = ("email", "phone", "card", "iban", "secret")
_SHORTEST = 6  # characters: a@b.cd


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """Characters `start` to `end` of a text are of this `kind`."""

    start: int
    end: int
    kind: str


def find(text: str, kinds: Iterable[str] = DETECTORS) -> list[Found]:
    """What is found in `text`, in order, without overlaps; a secret wins over all others."""
    kept: list[Found] = []
    if len(text) < _SHORTEST:
        return kept
    wanted = frozenset(kinds)
    for kind, detect in _DETECTORS.items():
        if kind in wanted:
            for start, end in sorted(detect(text)):
                _add(Found(start, end, kind), kept, text)
    return kept


def _add(item: Found, kept: list[Found], text: str) -> None:
    """Add `item`, or what of it is one beside the others: a number may run into an address."""
    # In order and without overlaps: those that `item` meets are neighbours.
    first = bisect_right(kept, item.start, key=lambda other: other.end)
    met = kept[first : bisect_left(kept, item.end, key=lambda other: other.start)]
    if not met:
        insort(kept, item)
        return
    begins = [item.start, *(other.end for other in met)]
    ends = [*(other.start for other in met), item.end]
    for begin, end in zip(begins, ends, strict=True):
        for start, stop in _DETECTORS[item.kind](text[begin:end]) if begin < end else ():
            _add(Found(begin + start, begin + stop, item.kind), kept, text)


# `marks`: keys by their issuers' own marks, each ending in a rare character; lengths are lower
# bounds: issuers have lengthened them before. `assigned`, `phones`: what `_ASSIGNED` and
# `_NEAR_PHONE` begin with. `columns`: names that say of which kind all values of a column are.
_TABLES = json.loads(Path(__file__).with_name("detectors.json").read_text("utf-8"))
_MARKS: dict[str, str] = _TABLES["marks"]
# A pattern begins with one rare character, before its boundary, here and below: `re` skips to it.
_MARKED = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----)){0,20000}"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?|"
    + "|".join(f"{m[-1]}(?<={m})(?<!\\w{m})({rest})" for m, rest in _MARKS.items())
)
_BEFORE = (0, *(len(mark) - 1 for mark in _MARKS))  # characters, by the group that matched
_BEARER = re.compile(r"B(?<!\wB)(?:earer|asic)\s+([A-Za-z0-9._~+/=-]{20,})")
_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,100}:([^\s/@]{3,200})@")
_ASSIGNED = re.compile(
    r"(?i)(?<![a-z])(api_?key|access[_-]?key|secret(?:[_-]?key)?|authtoken|token|passwd|password"
    r"|passphrase|pwd|credentials?)"
    r"[\"']?\s{0,3}(?::=|=|:)\s{0,3}(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]{6,300})(?P=quote)"
    r"|(?P<bare>[^\s\"',;(){}\[\]<>]{10,300}))"
)


def _at_words(pattern: re.Pattern[str], words: Iterable[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of `pattern`, which begins with one of `words` in any case: finding these first
    takes a tenth of the time.
    """
    low, places = text.replace("İ", "I").lower(), list[int]()  # as long as the text
    for word in words:
        at = low.find(word)
        while at >= 0:
            places.append(at)
            at = low.find(word, at + 1)
    end = 0
    for at in sorted(places):
        if at >= end and (match := pattern.match(text, at)):
            yield match
            end = match.end()


def _around(pattern: re.Pattern[str], mark: str, text: str, before: int) -> Iterator[re.Match[str]]:
    """The matches of `pattern`, in which `mark` follows `before` characters at most without one;
    all of it is shorter than 500.
    """
    at, after = text.find(mark), 0
    while at >= 0:
        match = pattern.search(text, max(after, at - before), at + 1_000)
        whole = match is not None and match.start() < at + 500  # and not cut by the search's end
        if match and whole:
            yield match
        after = match.end() if match and whole else at + 500
        at = text.find(mark, after)


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    for match in _MARKED.finditer(text):
        yield match.start() - _BEFORE[match.lastindex or 0], match.end()
    yield from (match.span(1) for match in _BEARER.finditer(text))
    yield from (match.span(1) for match in _around(_IN_URL, "://", text, 21))
    for match in _at_words(_ASSIGNED, _TABLES["assigned"], text):
        group = "quoted" if match["quoted"] is not None else "bare"
        value = match[group]
        spoken = match[1].lower().startswith(("pass", "pwd"))
        if (group == "quoted" and spoken and not _PLACEHOLDER.search(value)) or _random(value):
            yield match.span(group)


_PLACEHOLDER = re.compile(r"(?i)^(?:your|my|the|change|example|enter|x{3,}|\*{3,}|\.{3})|[<>{}$ ]")


def _random(value: str) -> bool:
    """Whether `value` looks drawn by lot and not written by hand."""
    mixed = bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value))
    if len(value) < 10 or not mixed or _PLACEHOLDER.search(value):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 3.0


_IBAN = re.compile(
    r"[A-Z](?<![A-Za-z0-9][A-Z])[A-Z]\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        value = match[0].replace(" ", "")
        moved = value[4:] + value[:4]
        if len(value) >= 15 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:
            yield match.span()


_NUMBERS = r"[\d(+][\d ()./-]{8,}"  # which cards and telephone numbers are in, whole
_IN_TEXT, _IN_ASCII = re.compile(_NUMBERS), re.compile(_NUMBERS, re.ASCII)


def _in_numbers(text: str, *patterns: re.Pattern[str]) -> Iterator[re.Match[str]]:
    for run in (_IN_ASCII if text.isascii() else _IN_TEXT).finditer(text):
        for pattern in patterns:
            yield from pattern.finditer(text, run.start(), run.end() + 2)  # they look ahead


_CARD = re.compile(
    r"\d(?<![\w.-]\d)(?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{3}([ -])\d{6}\2\d{4,5})"
    r"(?!\w|[.-]\d)"
)
# Visa; Mastercard; American Express; Discover, UnionPay and Maestro; JCB; Diners.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[0-8]\d{14}|2[2-7]\d{14}|3[47]\d{13}"
    r"|6(?:[0457]\d{14}|2\d{14,17})|35\d{14}|3[068]\d{12}"
)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _in_numbers(text, _CARD):
        digits = re.sub(r"\D", "", match[0])
        if _ISSUERS.fullmatch(digits) and _luhn(digits):
            yield match.span()


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])(?!\.\w)"
)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _around(_EMAIL, "@", text, 64):
        yield match.start() + len(match[0]) - len(match[0].lstrip("'.-")), match.end()


_PHONES = (
    re.compile(r"\+(?<![\w+.]\+)\d[\d ()./-]{6,20}\d(?!\w)"),  # +49 (0)30 123456
    re.compile(  # (415) 555-2671
        r"(?:\((?<![\w.-]\()|1(?<![\w.-]1)[ -]\()\d{3}\) ?\d{3}[-. ]\d{4}(?!\w)"
    ),
    re.compile(  # 415-555-2671
        r"\d(?<![\w.-]\d)(?:(?<=1)-\d{3}|\d\d)([-.])\d{3}\1\d{4}(?![\w-]|\.\d)"
    ),
    re.compile(r"1(?<![\w.-]1)[3-9]\d([ -])\d{4}\1\d{4}(?![\w-])"),  # 138 0013 8000
    re.compile(  # 030 1234567
        r"0(?<![\w.:/-]0)\d{1,4}[ /]\d{2,8}(?: \d{2,4}){0,4}(?![\w:/.-])"
    ),
)
_NEAR_PHONE = re.compile(
    r"(?i)(?:\b(?:phone|tel|telephone|telefon|mobile|cell|fax|whatsapp)\b|手机号?|电话)"
    r"[^\d+\n]{0,12}(\+?\d[\d ()/-]{5,16}\d)(?!\w)"
)
_DATE = re.compile(r"\d{1,2}[ /.-]\d{1,2}[ /.-](?:19|20)\d\d|(?:19|20)\d\d[ /.-]\d\d[ /.-]\d\d")


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _in_numbers(text, *_PHONES):
        digits = re.sub(r"\D", "", match[0])
        enough = 9 <= len(digits) + match[0].startswith("+") <= 16 and len(set(digits)) > 2
        if enough and not _DATE.search(match[0]):
            yield match.span()
    for match in _at_words(_NEAR_PHONE, _TABLES["phones"], text):
        if 7 <= sum(map(str.isdigit, match[1])) <= 15 and not _DATE.search(match[1]):
            yield match.span(1)


_DETECTORS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "secret": _secrets,
    "iban": _ibans,
    "card": _cards,
    "email": _emails,
    "phone": _phones,
}

_COLUMNS = {kind: re.compile(pattern) for kind, pattern in _TABLES["columns"].items()}


def column_kind(name: str) -> str | None:
    """What all values of a column are, by its name: secret, person, phone, id; None for most."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[\s.\-]+", "_", plain).lower()
    return next((kind for kind, pattern in _COLUMNS.items() if pattern.search(plain)), None)
