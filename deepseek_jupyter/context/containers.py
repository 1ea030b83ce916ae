"""Dicts, lists, sets, texts, numbers and whatever is made of them, as an attachment."""

from __future__ import annotations

import dataclasses
import decimal
import re
from collections.abc import Mapping
from typing import Any

from .attachment import Attachment
from .cutting import counted, fitting
from .gate import Gate
from .making import digest, made, type_name
from .outline import SCALARS, SEQUENCES, Limits, Outline, fields_of, in_words, sampled
from .policy import FULL, SAMPLE, Policy

__all__ = ["attach", "fingerprint", "fits"]

_DEEPEST = 8
_MOST_KEPT = 50_000
_LADDER = [
    Limits(10_000, 100_000, _DEEPEST),
    Limits(1_000, 2_000, _DEEPEST),
    Limits(200, 500, _DEEPEST),
    Limits(60, 200, 6),
    Limits(25, 120, 5),
    Limits(10, 80, 4),
    Limits(5, 60, 3),
    Limits(3, 40, 2),
]


def fits(value: Any) -> bool:
    """Whether it is a plain value, or an object that consists of named fields."""
    return isinstance(value, (*SCALARS, *SEQUENCES, Mapping)) or fields_of(value) is not None


def attach(name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
    """Values as Python writes them, as many as the budget holds."""
    kept = _kept_back(value, policy)
    gate.protect(kept)
    if isinstance(value, str):
        lines = counted(value.count("\n") + 1, "line")
        kind, head = "text", f"str, {counted(len(value), 'character')} in {lines}"
        body = _text(value, policy, gate)
    else:
        kind, head = _kind(value), in_words(value)
        room = int(policy.budget * 0.95) - 30  # the rest is for the head
        body = fitting(lambda limits: Outline(policy, limits, gate.text).draw(value), _LADDER, room)
    attachment = made(name, kind, head, body, policy, gate, hash=fingerprint(value))
    return dataclasses.replace(attachment, protected=kept)


def fingerprint(value: Any) -> str:
    """By type and content; of a very large container by what of it could be shown."""
    if isinstance(value, str):
        return digest("str", value)
    drawn = Outline(Policy(default=FULL), _LADDER[0], str).draw(value)
    return digest(type_name(value), in_words(value), drawn)


def _kind(value: Any) -> str:
    if fields_of(value) is not None:
        return "dict"
    return "list" if isinstance(value, SEQUENCES) else "number"


def _text(value: str, policy: Policy, gate: Gate) -> str:
    level = policy.whole
    if level < SAMPLE:
        return ""
    if sampled(level) and value.count("\n") >= level.rows:
        lines = value.split("\n", level.rows)
        left = counted(lines[-1].count("\n") + 1, "more line")
        return "\n".join([gate.text("\n".join(lines[:-1])), f"[… {left}]"])
    return value


def _kept_back(value: Any, policy: Policy) -> dict[str, str]:
    """The texts and numbers that the policy keeps here, with the word of their key."""
    kept: dict[str, str] = {}
    todo: list[tuple[Any, str, int]] = [(value, "" if policy.whole >= SAMPLE else "value", 0)]
    while todo and len(kept) < _MOST_KEPT:
        item, label, depth = todo.pop()
        fields = fields_of(item) if depth < _DEEPEST else None
        if fields is not None:
            for key, inner in fields.items():
                own = label or ("" if policy.level(str(key)) >= SAMPLE else _word(str(key)))
                todo.append((inner, own, depth + 1))
        elif isinstance(item, SEQUENCES) and depth < _DEEPEST:
            todo += [(inner, label, depth + 1) for inner in item]
        elif label and isinstance(item, str | int | float | decimal.Decimal):
            kept[str(item)] = label
    return kept


def _word(key: str) -> str:
    """A key as the word of a pseudonym: 2 to 12 small letters."""
    word = re.sub(r"[^a-z]", "", key.lower())[:12]
    return word if len(word) > 1 else "value"
