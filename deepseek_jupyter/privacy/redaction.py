"""`Redactor`: what every text passes before it leaves, and on its way back.

Out: what detectors find and what a policy withholds becomes a pseudonym such as ``<email-1>``, the
same for the same text as long as the conversation lasts. Back: pseudonyms in what the model wrote
become the originals again, for the user's eyes. Secrets alone do not come back: a key has no
business in an output.

Pseudonyms such as ``<email-1>``: their form, and the way back. Pure.

`privacy.redaction` gives them out; whatever shows a turn puts the originals back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import blake2b

from .detectors import DETECTORS, find
from .withheld import NOTHING_RELEASED, Released, WithheldValues

_BEGUN = re.compile(r"<(?:[a-z]{0,12}|[a-z]{2,12}-\d{0,7})\Z")


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text that may leave, and how often what was taken out of it."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)


class Redactor:
    """One per conversation, and of it one `for_request`: both give the same pseudonyms. `known`
    maps pseudonyms to originals, as an earlier redactor left them; it holds no secret's original,
    only that the number is taken. What is `withheld` becomes a pseudonym, but for what is
    `released`.
    """

    def __init__(
        self, detectors: Iterable[str] = DETECTORS, known: Mapping[str, str] | None = None
    ) -> None:
        self.detectors = frozenset(detectors)
        self.withheld: tuple[WithheldValues, ...] = ()
        self.released = NOTHING_RELEASED
        self._originals: dict[str, str] = {}
        self._pseudonyms: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self.remember(known or {})

    @property
    def known(self) -> Mapping[str, str]:
        """Pseudonym to original, secrets as ""."""
        return self._originals

    def remember(self, known: Mapping[str, str]) -> None:
        """Take over pseudonyms that were given before; one that is known here stays as it is."""
        for pseudonym, original in known.items():
            match = PSEUDONYM.fullmatch(pseudonym)
            if match is None or pseudonym in self._originals:
                continue
            kind, number = match[1], int(match[2])
            self._originals[pseudonym] = original
            self._numbers[kind] = max(self._numbers[kind], number)
            if original:
                self._pseudonyms.setdefault((kind, original), pseudonym)

    def for_request(
        self, withheld: Iterable[WithheldValues], released: Released = NOTHING_RELEASED
    ) -> Redactor:
        """A redactor with the pseudonyms of this one that withholds and releases this."""
        other = copy(self)
        other.withheld, other.released = tuple(withheld), released
        return other

    def withhold(self, values: Mapping[str, str], *, soft: bool = False) -> WithheldValues:
        """Let none of these texts leave; each comes with the word for its pseudonym. What is
        `soft` leaves where it is released.
        """
        index = WithheldValues(values, soft=soft)
        known = next((other for other in self.withheld if other.holds(index)), None)
        if known is None and index:
            self.withheld = (*self.withheld, index)
        return known or index

    def release(self, released: Released) -> None:
        """Let these texts leave, of those that are withheld softly."""
        self.released = self.released | released

    def pseudonym(self, kind: str, original: str) -> str:
        """The pseudonym of `original`, a new one if it has none."""
        key = (kind, _digest(original) if kind == "secret" else original)
        if key not in self._pseudonyms:
            self._numbers[kind] += 1
            name = f"<{kind}-{self._numbers[kind]}>"
            self._pseudonyms[key] = name
            self._originals[name] = "" if kind == "secret" else original
        return self._pseudonyms[key]

    def redact(self, text: str) -> str:
        """`text` as it may leave. A text that has passed before passes unchanged."""
        return self.redacted(text).text

    def redacted(self, text: str) -> Redacted:
        """`text` as it may leave, with counts of what was replaced by kind."""
        known = [m.span() for m in PSEUDONYM.finditer(text) if m[0] in self._originals]
        found = (match for index in self.withheld for match in index.find(text, self.released))
        spans = [(m.start, m.end, m.label) for m in found]
        spans += [(f.start, f.end, f.kind) for f in find(text, self.detectors)]
        pieces: list[str] = []
        counts: Counter[str] = Counter()
        at = 0
        for start, end, kind in _joined(s for s in spans if not _inside(known, s)):
            pieces += (text[at:start], self.pseudonym(kind, text[start:end]))
            counts[kind] += 1
            at = end
        return Redacted("".join([*pieces, text[at:]]), counts)

    def restore(self, text: str) -> str:
        """`text` with the originals in place of their pseudonyms; secrets stay masked."""
        return restore(text, self._originals)

    def count(self, text: str) -> dict[str, int]:
        """How many pseudonyms of each kind are in `text`."""
        found = (m for m in PSEUDONYM.finditer(text) if m[0] in self._originals)
        return dict(sorted(Counter(match[1] for match in found).items()))

    @property
    def has_pseudonyms(self) -> bool:
        """Whether anything has got a pseudonym yet."""
        return bool(self._originals)

    def used(self, *texts: str | None) -> dict[str, str]:
        """The part of `known` that is in `texts`."""
        names = {match[0] for text in texts if text for match in PSEUDONYM.finditer(text)}
        return {name: self._originals[name] for name in sorted(names) if name in self._originals}


class Restorer:
    """`Redactor.restore` for a text that comes in pieces: a pseudonym may be split between them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after `piece`."""
        if not self._held and "<" not in piece:
            return piece
        text = self._held + piece
        begun = _BEGUN.search(text)
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return self._redactor.restore(text[:cut])

    def flush(self) -> str:
        """What was held back, at the end."""
        held, self._held = self._held, ""
        return held


def _joined(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """`spans` in order; those that overlap become one, under the kind of the longest."""
    joined: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans):
        if joined and start < joined[-1][1]:
            first, last, other = joined[-1]
            kept = kind if kind == "secret" or end - start > last - first else other
            joined[-1] = (first, max(end, last), "secret" if other == "secret" else kept)
        else:
            joined.append((start, end, kind))
    return joined


def _inside(known: Iterable[tuple[int, int]], span: tuple[int, int, str]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in known)


def _digest(secret: str) -> str:
    return blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


PSEUDONYM = re.compile(r"<([a-z]{2,12})-(\d{1,7})>")


def restore(text: str, known: Mapping[str, str]) -> str:
    """`text` with the originals in place of their pseudonyms; one without an original stays."""
    if not known or "<" not in text:
        return text
    return PSEUDONYM.sub(lambda match: known.get(match[0]) or match[0], text)
