"""Reading a turn back from its record (docs/record.md). The record may have been forged.

`read_record` is the one parser, for the journal's rows and for notebooks of strangers alike: it
checks every type and size, leaves out what is malformed, and raises nothing. What identifies a turn
and what it says must be sound, or there is no turn; every other field falls back to its default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from deepseek_jupyter.protocol.messages import ToolCall, signed
from deepseek_jupyter.protocol.usage import BUCKETS, Usage

from .turn import SCHEMA, Step, Turn

T = TypeVar("T")

STATUSES = frozenset(
    {"waiting", "thinking", "answering", "done", "interrupted", "truncated", "error"}
)

# What was asked of thinking, and what the reply said of itself.
AUDITED = frozenset(
    {"think", "effort", "id", "request_id", "fingerprint", "created", "native_finish_reason"}
)

# Characters. The largest context in use is a million tokens, about 4 million characters.
LONGEST_TEXT = 8_000_000
_LONGEST_NAME = 500
_LONGEST_OBJECT = 256_000  # of JSON
_MOST_ITEMS = 1_000

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,18})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST = 2**53


def read_record(record: object) -> Turn | None:
    """The turn that `record` says, or None where it says none. `sent` and the like stay empty."""
    if not isinstance(record, Mapping) or not 1 <= _count(record.get("schema")) <= SCHEMA:
        return None
    prompt, answer = _text(record.get("prompt")), _text(record.get("answer"))
    id, conversation = sound_id(record.get("id")), sound_id(record.get("conversation"))
    parent = sound_id(record.get("parent"))
    if prompt is None or answer is None or id is None or conversation is None:
        return None
    if parent == id or (parent is None and record.get("parent") is not None):
        return None
    return Turn(
        id=id,
        conversation=conversation,
        prompt=prompt,
        parent=parent,
        cell_id=_name(record.get("cell_id")) or None,
        created=_matching(_MOMENT, record.get("created")) or "",
        status=status if (status := _name(record.get("status"))) in STATUSES else "done",
        provider=_name(record.get("provider")) or "",
        model=_name(record.get("model")) or "",
        served_model=_name(record.get("served_model")),
        parameters=_object(record.get("parameters")) or {},
        attachments=_each(_object, record.get("attachments")),
        reasoning=_text(record.get("reasoning")) or None,
        answer=answer,
        tool_calls=_each(_call, record.get("tool_calls")),
        usage=_usage(record.get("usage")),
        cost=_cost(record.get("cost")),
        timing=_seconds(record.get("timing")),
        finish_reason=_name(record.get("finish_reason")),
        notices=_each(_sentence, record.get("notices")),
        details=_each(_sentence, record.get("details")),
        error=_error(record.get("error")),
        history=record.get("history") is not False,
        format=_name(record.get("format")) or "md",
        branch=_branch(record.get("branch")),
        compare=_compare(record.get("compare")),
        request_hash=sound_id(record.get("request_hash")),
        steps=_each(_step, record.get("steps")),
        replayed=record.get("replayed") is True,
        recorded=_matching(_MOMENT, record.get("recorded")) or "",
        policy=_each(_name, record.get("policy")),
        offer=_name(record.get("offer")) or "",
        audit=_audit(record.get("audit")),
        tokens=_tokens(record.get("tokens")),
    )


def dump(value: object) -> str:
    """`value` as JSON that can be stored and read back, lone surrogates (escaped) included."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=str)
    return text


def sound_id(value: object) -> str | None:
    """`value` where it can be an id of ours or a front end's, else None."""
    return _matching(_ID, value)


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    return value if isinstance(value, str) and len(value) <= longest else None


_name = partial(_text, longest=_LONGEST_NAME)
_sentence = partial(_text, longest=10_000)


def _list(value: object) -> list[Any]:
    return value[:_MOST_ITEMS] if isinstance(value, list) else []


def _each(read: Callable[[object], T | None], value: object) -> tuple[T, ...]:
    """The entries of a list that can be read."""
    return tuple(found for found in map(read, _list(value)) if found)


def _object(value: object) -> dict[str, Any] | None:
    """A JSON object of bearable size, as plain values."""
    if not isinstance(value, dict):
        return None
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return json.loads(text) if len(text) <= _LONGEST_OBJECT else None


def mapping(value: object) -> Mapping[str, Any]:
    """`value`, or an empty one where it is no mapping."""
    return value if isinstance(value, Mapping) else {}


def _call(value: object) -> ToolCall | None:
    given = mapping(value)
    id, name = _name(given.get("id")), _name(given.get("name"))
    arguments = _text(given.get("arguments"))
    return ToolCall(id, name, arguments) if id and name and arguments is not None else None


def _step(value: object) -> Step | None:
    given = mapping(value)
    calls = _each(_call, given.get("tool_calls"))
    results, decisions, facts = [], [], []
    for entry in map(mapping, _list(given.get("results"))):
        id, text = _name(entry.get("id")), _text(entry.get("text"))
        if id and text is not None:
            results.append((id, text))
        if id and (decision := _name(entry.get("decision"))):
            decisions.append((id, decision))
        if id and (found := _facts(entry)):
            facts.append((id, found))
    said, reasoning = _text(given.get("answer")) or "", _text(given.get("reasoning")) or None
    if not calls:
        return None
    return Step(calls, tuple(results), said, reasoning, tuple(decisions), tuple(facts))


def read_details(value: object) -> tuple[dict[str, Any], ...]:
    """What thinking came with (`Turn.reasoning_details`), as the journal keeps it."""
    return _each(_detail, value)


def _detail(value: object) -> dict[str, Any] | None:
    found = _object(value) or {}
    texts = [text for name, text in found.items() if name != "size"]
    size = found.get("size")
    sound = type(size) is int and size >= 0 and all(isinstance(text, str) for text in texts)
    return found if isinstance(found.get("type"), str) and (sound or not signed([found])) else None


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _seconds(entry, ("seconds",))
    if type(entry.get("rows")) is int:
        found["rows"] = _count(entry["rows"])
    return found | {name: True for name in ("failed", "more") if entry.get(name) is True}


def _count(value: object) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < _LARGEST else 0  # type: ignore[operator, return-value]


def _usage(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    counts: dict[str, Any] = {name: _count(value.get(name)) for name in BUCKETS}
    return Usage(**counts, estimated=value.get("estimated") is True)


def _cost(value: object) -> dict[str, str] | None:
    given = mapping(value)
    amount = _matching(_AMOUNT, given.get("amount"))
    currency = _matching(_CURRENCY, given.get("currency"))
    if not amount or not currency:
        return None
    return {"amount": format(Decimal(amount), "f"), "currency": currency}


def _seconds(
    value: object, names: Sequence[str] = ("first_token", "thinking", "total")
) -> dict[str, float | None]:
    given, found = mapping(value), dict[str, float | None]()
    for name in names:
        if name in given:
            seconds = given[name]
            number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
            found[name] = seconds if number and 0 <= seconds < 1e9 else None
    return found


def _error(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        return None
    said = {name: _sentence(value.get(name)) or "" for name in ("type", "message", "hint")}
    details = _sentence(value.get("details"))
    return {**said, "details": details} if details else said


def _audit(value: object) -> dict[str, Any]:
    return {
        name: said
        for name, said in mapping(value).items()
        if name in AUDITED and (isinstance(said, bool) or _name(said))
    }


def _compare(value: object) -> dict[str, Any] | None:
    given = mapping(value)
    id, variant = sound_id(given.get("id")), _name(given.get("variant"))
    turns = _each(sound_id, given.get("turns"))
    sound = id and variant and turns
    return {"id": id, "variant": variant, "turns": list(turns)} if sound else None


def _tokens(value: object) -> dict[str, str] | None:
    given = mapping(value)
    packed = _text(given.get("packed"), _LONGEST_OBJECT)
    return {"says": _sentence(given.get("says")) or "", "packed": packed} if packed else None


def _branch(value: object) -> dict[str, int] | None:
    given = mapping(value)
    index, count = _count(given.get("index")), _count(given.get("count"))
    return {"index": index, "count": count} if 1 <= index <= count else None
