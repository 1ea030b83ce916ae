"""Dicts, lists, sets, texts, numbers and whatever is made of them, as Python literals.

They are drawn as far as the policy and the budget allow. A key of a dict counts as a column: the
policy's rules for columns hold for it, at any depth. What lies inside and has a kind of its own (a
frame, an array, a model) is named and not unfolded.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import re
import types
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.levels import (
    FULL,
    NONE,
    SAMPLE,
    STATS,
    WHOLE,
    Level,
    Policy,
    label_of,
)
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import Released

from .attachment import Attachment, digest, excerpt, fitting, made, placed, type_name

SCALARS = (
    *(str, bytes, bytearray, bool, int, float, complex, type(None), type(...), slice),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(decimal.Decimal, fractions.Fraction, uuid.UUID, enum.Enum, range),
)
SEQUENCES = (list, tuple, set, frozenset, collections.deque)
_WIDE = 88
_SHORT = 12
_DEEPEST = 8
_MOST_KEPT = 50_000


class OutlineLimits(NamedTuple):
    """How much is drawn: entries of one container, characters of one text, depth."""

    entries: int
    characters: int
    depth: int


_UNLIMITED = OutlineLimits(1 << 40, 1 << 40, _DEEPEST)
_LADDER = [
    OutlineLimits(10_000, 100_000, _DEEPEST),
    OutlineLimits(1_000, 2_000, _DEEPEST),
    OutlineLimits(200, 500, _DEEPEST),
    OutlineLimits(60, 200, 6),
    OutlineLimits(25, 120, 5),
    OutlineLimits(10, 80, 4),
    OutlineLimits(5, 60, 3),
    OutlineLimits(3, 40, 2),
]


def fits(value: Any) -> bool:
    """Whether it is a plain value, or an object that consists of named fields."""
    return isinstance(value, (*SCALARS, *SEQUENCES, Mapping)) or fields_of(value) is not None


def leaves_whole(value: Any) -> bool:
    """Whether it is a text, or a flat container of texts."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    some = isinstance(items, SEQUENCES) and len(items) > 0
    return isinstance(value, str) or (some and all(isinstance(item, str) for item in items))


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """Values as Python writes them, as many as the budget holds."""
    hard, soft, released, labels = _kept_back(value, policy)
    kept = redactor.withhold(hard), redactor.withhold(soft, soft=True)
    redactor.release(released)
    if isinstance(value, str):
        lines = counted(value.count("\n") + 1, "line")
        kind, head = "text", f"str, {counted(len(value), 'character')} in {lines}"
        body, cut = text_within(value, policy, redactor)
    else:
        kind = "list" if isinstance(value, SEQUENCES) else "number"
        kind, head = "dict" if fields_of(value) is not None else kind, in_words(value)
        room = int(policy.budget * 0.95) - 30  # the rest is for the head
        ladder = [_UNLIMITED] if policy.budget == WHOLE else _LADDER
        outlines = {limits: Outline(policy, limits, redactor.redact) for limits in ladder}
        body, limits = fitting(lambda limits: outlines[limits].draw(value), ladder, room)
        cut = "; ".join(outlines[limits].left)
    hash = fingerprint(value)
    attachment = made(name, kind, head, body, policy, redactor, hash=hash, cut=cut)
    if isinstance(value, str):
        attachment = placed(attachment, "line", ((0, 1),), body)
    withheld = tuple(filter(None, kept))
    return dataclasses.replace(attachment, withheld=withheld, released=released, labels=labels)


def fingerprint(value: Any) -> str:
    """By type and content; of a very large container by what of it could be shown."""
    if isinstance(value, str):
        return digest("str", value)
    limits = _UNLIMITED if leaves_whole(value) else _LADDER[0]
    drawn = Outline(Policy(default=FULL), limits, str).draw(value)
    return digest(type_name(value), in_words(value), drawn)


def text_within(value: str, policy: Policy, redactor: Redactor) -> tuple[str, str]:
    """What of a text the policy lets out, and in words how much that is where it is a part."""
    level = policy.whole
    if level < SAMPLE:
        return "", ""
    if sampled(level) and value.count("\n") >= level.rows:
        lines = value.split("\n", level.rows)
        left = counted(lines[-1].count("\n") + 1, "more line")
        cut = f"{level.rows:,} of {counted(value.count(chr(10)) + 1, 'line')}"
        return "\n".join([redactor.redact("\n".join(lines[:-1])), f"[… {left}]"]), cut
    return value, ""


def _kept_back(
    value: Any, policy: Policy
) -> tuple[dict[str, str], dict[str, str], Released, tuple[str, ...]]:
    """The texts and numbers that the policy keeps here, with the word of their key: those of
    which nothing is shown, and those of which figures are; these, with the keys that are shown; and
    all keys.
    """
    keys = dict[str, None]()
    hard, soft = dict[str, str](), dict[str, str]()
    names, figures = set[str](), set[str]()
    todo: list[tuple[Any, Level, str, int]] = [(value, policy.whole, "value", 0)]
    while todo and len(hard) + len(soft) < _MOST_KEPT:
        item, level, label, depth = todo.pop()
        fields = fields_of(item) if depth < _DEEPEST else None
        if fields is not None:
            for key, inner in fields.items():
                own = min(level, policy.level(label_of(key)))
                keys[label_of(key)] = None
                names |= {str(key)} if own > NONE else set()
                todo.append((inner, own, _word(str(key)) if level >= SAMPLE else label, depth + 1))
        elif isinstance(item, SEQUENCES) and depth < _DEEPEST:
            todo += [(inner, level, label, depth + 1) for inner in item]
            if level == STATS:
                figures.update(_range(_ordered(item)).removeprefix(", ").split(" to "))
        elif level < SAMPLE and isinstance(item, str | int | float | decimal.Decimal):
            (soft if level == STATS else hard)[str(item)] = label
    return hard, soft, Released(names, figures), tuple(keys)


def _word(key: str) -> str:
    """A key as the word of a pseudonym: 2 to 12 small letters."""
    word = re.sub(r"[^a-z]", "", key.lower())[:12]
    return word if len(word) > 1 else "value"


@dataclasses.dataclass(frozen=True, slots=True)
class Outline:
    """How to draw: every text goes through `mask` before it is shortened. `left` says in words of
    what only a part was drawn.
    """

    policy: Policy
    limits: OutlineLimits
    mask: Callable[[str], str]
    left: dict[str, None] = dataclasses.field(default_factory=dict)

    def draw(
        self, value: Any, level: Level | None = None, depth: int = 0, above: tuple[int, ...] = ()
    ) -> str:
        """`value` at `level` (None: the policy's), inside of the objects with the ids `above`."""
        level = self.policy.whole if level is None else level
        fields = fields_of(value)
        if fields is None and not isinstance(value, SEQUENCES):
            return self._scalar(value, level)
        if id(value) in above:
            return "<itself>"
        if depth >= self.limits.depth:
            self.left[f"the first {self.limits.depth} levels"] = None
            return f"<{in_words(value)}>"
        inside = (*above, id(value))
        if fields is not None:
            return self._mapping(value, fields, level, depth, inside)
        return self._sequence(value, level, depth, inside)

    def _mapping(
        self,
        value: Any,
        fields: Mapping[Any, Any],
        level: Level,
        depth: int,
        inside: tuple[int, ...],
    ) -> str:
        drawn = []
        for place, key in enumerate(fields):
            if place >= self.limits.entries:
                drawn.append(f"… {counted(len(fields) - place, 'more key')}")
                self._leave(place, counted(len(fields), "key"), depth)
                break
            own = min(level, self.policy.level(label_of(key)))
            if own == NONE:
                drawn.append(f"<key-{place + 1}>")
                continue
            label = self._short(self.mask(_repr(key)), max(self.limits.characters, 40))
            drawn.append(f"{label}: {self.draw(fields[key], own, depth + 1, inside)}")
        begin = "{" if isinstance(value, Mapping) else f"{type(value).__name__} {{"
        return _bracketed(begin, drawn, "}", depth)

    def _sequence(self, value: Any, level: Level, depth: int, inside: tuple[int, ...]) -> str:
        items = _ordered(value)
        if level < SAMPLE:
            return f"<{in_words(value)}{_range(items) if level >= STATS else ''}>"
        most = min(self.limits.entries, level.rows) if sampled(level) else self.limits.entries
        drawn = [self.draw(item, level, depth + 1, inside) for item in items[:most]]
        if len(items) > most:
            drawn.append(f"… {counted(len(items) - most, 'more item')}")
            self._leave(most, counted(len(items), "item"), depth)
        begin, end = ("(", ",)" if len(items) == 1 else ")") if isinstance(value, tuple) else "[]"
        if isinstance(value, set | frozenset):
            begin, end = "{}"
        return _bracketed(begin, drawn, end, depth)

    def _scalar(self, value: Any, level: Level) -> str:
        if not isinstance(value, SCALARS):
            return _named(value)
        if isinstance(value, bytes | bytearray) or (level < SAMPLE and value is not None):
            if isinstance(value, str | bytes | bytearray) and level >= STATS:
                return f"<{type_name(value)}, length {len(value):,}>"
            return f"<{type_name(value)}>"
        text = value if isinstance(value, str) else _repr(value)
        text = self._short(self.mask(text), self.limits.characters)
        return repr(text) if isinstance(value, str) else text

    def _leave(self, most: int, every: str, depth: int) -> None:
        what = f"{most:,} of {every}" if not depth else f"{most:,} entries of each inner value"
        self.left[what] = None

    def _short(self, text: str, most: int) -> str:
        if len(text) > most:
            self.left[f"{most:,} characters of each text"] = None
        return excerpt(text, most)


def sampled(level: Level) -> bool:
    """Whether a number of values was named: ``sample`` alone leaves it to the budget."""
    return level.rank == SAMPLE.rank and level != Policy().default


def in_words(value: Any) -> str:
    """What it is in a few words, without any value."""
    if isinstance(value, Mapping):
        return f"{type_name(value)}, {counted(len(value), 'key')}"
    if fields_of(value) is None and isinstance(value, SEQUENCES):
        kinds = {type(item) for item in value}
        of_what = f" of {kinds.pop().__name__}" if len(kinds) == 1 else ""
        return f"{type_name(value)}, {counted(len(value), 'item')}{of_what}"
    return type_name(value)


def fields_of(value: Any) -> Mapping[Any, Any] | None:
    """The named fields of a mapping, dataclass, namespace, named tuple or pydantic model; None for
    others.
    """
    if isinstance(value, type):
        return None
    if isinstance(value, Mapping):
        return value
    if isinstance(value, types.SimpleNamespace) or type(value).__module__ == "argparse":
        return dict(vars(value))
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        names = list(value._fields)
    elif isinstance(getattr(type(value), "model_fields", None), dict):
        names = list(type(value).model_fields)
    else:
        return None
    return {name: getattr(value, name, None) for name in names}


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        return f"<{type_name(value)}, too long to write>"


def _named(value: Any) -> str:
    """An object that has a kind of its own, by type and shape."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape):
        return f"<{type_name(value)} {' x '.join(map(str, shape))}>"
    if callable(value):
        return f"<{getattr(value, '__qualname__', type_name(value))}>"
    return f"<{type_name(value)}>"


def _range(items: Sequence[Any]) -> str:
    if items and all(isinstance(item, int | float) and item == item for item in items):
        return f", {min(items)!r} to {max(items)!r}"
    return ""


def _ordered(value: Any) -> Sequence[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda item: (type_name(item), repr(item)))
    return list(value)


def _bracketed(begin: str, drawn: list[str], end: str, depth: int) -> str:
    line = f"{begin}{', '.join(drawn)}{end}"
    if len(line) + 2 * depth <= _WIDE and "\n" not in line:
        return line
    indent = "  " * (depth + 1)
    rows = [f"{indent}{item}," for item in drawn]
    if all(len(item) <= _SHORT and "\n" not in item for item in drawn[:-1]):
        rows = _packed(drawn, indent)
    return "\n".join([begin, *rows, "  " * depth + end])


def _packed(drawn: list[str], indent: str) -> list[str]:
    rows = [indent]
    for item in drawn:
        if len(rows[-1]) + len(item) > _WIDE:
            rows[-1] = rows[-1].rstrip()
            rows.append(indent)
        rows[-1] += f"{item}, "
    return [row.rstrip() for row in rows]
