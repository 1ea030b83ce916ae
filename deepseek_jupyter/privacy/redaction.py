"""`Redactor`: what every text passes before it leaves, and on its way back.

Out: what detectors find and what a policy withholds becomes a pseudonym such as ``<email-1>``, the
same for the same text as long as the conversation lasts. Back: pseudonyms in what the model wrote
become the originals again, for the user's eyes. Only secrets do not come back: a key must not be in
an output. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import blake2b

from .detectors import DETECTORS, Found, find
from .withheld import NOTHING_RELEASED, Released, WithheldValues

_LONG = 20_000  # characters; the detectors search a longer text once
_REMEMBERED = 20_000_000  # characters of long texts, together
_EDGE = 1_000  # characters in which a text and its neighbour may make something up together
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
        self._searched: dict[tuple[frozenset[str], str], list[Found]] = {}  # of long texts
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

    def apart(self, taken: Mapping[str, str]) -> Redactor:
        """A redactor that does as this one, but numbers its pseudonyms after those `taken`."""
        other = Redactor(self.detectors, taken)
        other.withheld, other.released = self.withheld, self.released
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
        key = (kind, original)
        if kind == "secret":
            key = (kind, blake2b(original.encode("utf-8", "surrogatepass")).hexdigest())
        if key not in self._pseudonyms:
            self._numbers[kind] += 1
            name = f"<{kind}-{self._numbers[kind]}>"
            self._pseudonyms[key] = name
            self._originals[name] = "" if kind == "secret" else original
        return self._pseudonyms[key]

    def redact(self, text: str) -> str:
        """`text` as it may leave. A text that has passed before passes unchanged."""
        return self.redacted(text).text if text else ""

    def redact_value(self, text: str) -> str:
        """`redact` for a text that is a cell or a label: values that are too short to be found in
        other texts are recognised too.
        """
        kept = (i.values[text] for i in self.withheld if i.keeps(text, self.released))
        label = next(kept, None)
        return self.pseudonym(label, text) if label else self.redact(text)

    def redacted(self, text: str) -> Redacted:
        """`text` as it may leave, with counts of what was replaced by kind."""
        known = [m.span() for m in PSEUDONYM.finditer(text) if m[0] in self._originals]
        found = (match for index in self.withheld for match in index.find(text, self.released))
        spans = [(m.start, m.end, m.label) for m in found]
        spans += [(f.start, f.end, f.kind) for f in self._detected(text)]
        pieces: list[str] = []
        counts: Counter[str] = Counter()
        at = 0
        free = (s for s in spans if not any(a <= s[0] and s[1] <= b for a, b in known))
        for start, end, kind in _joined(free):
            pieces += (text[at:start], self.pseudonym(kind, text[start:end]))
            counts[kind] += 1
            at = end
        redacted = "".join([*pieces, text[at:]])
        if len(redacted) >= _LONG:
            self._searched.setdefault((self.detectors, redacted), [])
        return Redacted(redacted, counts)

    def _detected(self, text: str) -> list[Found]:
        """What detectors find in `text`. Of a long text that is known, or a known one in it that
        holds nothing, as a document of a message, only the edges are searched.
        """
        key = (self.detectors, text)
        if len(text) < _LONG:
            return find(text, self.detectors)
        if key in self._searched:
            return self._searched[key]
        inside = (
            (at, at + len(known))
            for (detectors, known), found in reversed(self._searched.items())
            if not found
            and detectors == self.detectors
            and (at := text.find(known[:_EDGE])) >= 0
            and text.startswith(known, at)
        )
        start, end = next(inside, (0, 0))
        first, last = text.find("\n", start + _EDGE, end), text.rfind("\n", start, end - _EDGE)
        if 0 <= first < last:
            after = (
                Found(f.start + last, f.end + last, f.kind) for f in self._detected(text[last:])
            )
            found = [*find(text[:first], self.detectors), *after]
        else:
            found = find(text, self.detectors)
        self._searched[key] = found
        while sum(len(known) for _, known in self._searched) > _REMEMBERED:
            del self._searched[next(iter(self._searched))]
        return found

    def restore(self, text: str) -> str:
        """`text` with the originals in place of their pseudonyms; secrets stay masked."""
        return restore(text, self._originals)

    def count(self, text: str) -> dict[str, int]:
        """How many pseudonyms of each kind are in `text`."""
        found = (m for m in PSEUDONYM.finditer(text) if m[0] in self._originals)
        return dict(sorted(Counter(match[1] for match in found).items()))

    def used(self, *texts: str | None) -> dict[str, str]:
        """The part of `known` that is in `texts`."""
        names = {match[0] for text in texts if text for match in PSEUDONYM.finditer(text)}
        return {name: self._originals[name] for name in sorted(names) if name in self._originals}


class Restorer:
    """Restores a text that comes in pieces: a pseudonym may be split between them.

    What would become part of a link's target stays masked, unless `in_links`: the provider has not
    seen it, and a click would send it to a host that the model chose.
    """

    def __init__(self, known: Mapping[str, str], *, in_links: bool = False) -> None:
        self._known = known
        self._held = ""
        self._target = None if in_links else _LinkTarget()

    def feed(self, piece: str) -> str:
        text = self._held + piece
        begun = _BEGUN.search(text) if "<" in text else None
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        if self._target is None:
            return restore(text[:cut], self._known)
        parts: list[str] = []
        at = 0
        for match in PSEUDONYM.finditer(text, 0, cut):
            parts.append(text[at : match.start()])
            self._target.feed(parts[-1])
            original = "" if self._target.inside else self._known.get(match[0])
            parts.append(original or match[0])
            self._target.feed(parts[-1])  # an original may itself begin a link
            at = match.end()
        parts.append(text[at:cut])
        self._target.feed(parts[-1])
        return "".join(parts)

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held


# What opens a link's target in any dialect of Markdown or HTML; and words that may be a bare one,
# also where entities hide it.
_OPENS = r"(?P<opens>\]\(|\]:|(?:href|src)\s*=)"
_BEGINS = re.compile(_OPENS + r"|http|://|www\.|mailto:|&#?\w{1,8};", re.IGNORECASE)
_ENDS = re.compile(_OPENS + r"|\s", re.IGNORECASE)
_UNREAD = re.compile(r"[^\x20-\x5b\x5d-\x7e\t\n\r]+")  # parsers drop some of these
_QUOTES = {"<": re.compile(r"[>\n]"), "'": re.compile("'"), '"': re.compile('"')}
_LONGEST_MARK = 12


class _LinkTarget:
    """Whether what follows a text may be part of a link's target, as any parser reads it.

    In doubt it may: a word that has had an address in it counts up to the next space, a quoted
    attribute up to its quote.
    """

    def __init__(self) -> None:
        self.inside = False
        self._quote: re.Pattern[str] | None = None
        self._opened = False
        self._tail = ""

    def feed(self, text: str) -> None:
        text, at = self._tail + _UNREAD.sub("", text), len(self._tail)
        while at < len(text):
            if self._quote:
                end = self._quote.search(text, at)
                self._quote, at = (None, end.end()) if end else (self._quote, len(text))
            elif self._opened:
                self._opened = text[at].isspace()
                self.inside = not self._opened
                self._quote = _QUOTES.get(text[at])
                at += 1
            else:
                at = self._unquoted(text, at)
        self._tail = re.sub(r"\s+", " ", text[-4 * _LONGEST_MARK :])[-_LONGEST_MARK:]

    def _unquoted(self, text: str, at: int) -> int:
        """Reads to the next mark, which may have begun before `at`."""
        for match in (_ENDS if self.inside else _BEGINS).finditer(text, max(0, at - _LONGEST_MARK)):
            if match.end() > at:
                self._opened = match["opens"] is not None
                if not self._opened:
                    self.inside = not self.inside
                return match.end()
        return len(text)


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


PSEUDONYM = re.compile(r"<([a-z]{2,12})-(\d{1,7})>")


def restore(text: str, known: Mapping[str, str]) -> str:
    """`text` with the originals in place of their pseudonyms; one without an original stays."""
    if not known or "<" not in text:
        return text
    return PSEUDONYM.sub(lambda match: known.get(match[0]) or match[0], text)


def restore_shown(text: str, known: Mapping[str, str]) -> str:
    """`restore` for a text that may hold links, but not in their targets."""
    if not known or "<" not in text:
        return text
    restorer = Restorer(known)
    return restorer.feed(text) + restorer.flush()
