"""What one chunk of a stream adds.

A chunk is the JSON of one ``chat.completion.chunk`` event. The variants read here were counted
over recorded streams of DeepSeek (2025 and 2026), Azure, OpenRouter, llama.cpp and others:

* ``content`` and ``reasoning_content`` may be null, "" or absent; only absence of text counts;
* thinking arrives as ``reasoning_content``, ``reasoning`` or ``reasoning_details[].text``, by
  some hosts as two of them with the same text: the first that holds text is taken;
* usage may ride on any chunk, with or without choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .halves import word
from .messages import json_text
from .usage import Usage

__all__ = [
    "Delta",
    "Event",
    "Fault",
    "Finish",
    "Logprobs",
    "Notice",
    "ReasoningDelta",
    "TextDelta",
    "ToolCallDelta",
    "Waiting",
    "decode_delta",
    "merge_details",
    "reasoning_text",
]


@dataclass(slots=True, frozen=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(slots=True, frozen=True)
class ReasoningDelta:
    """More of the chain of thought."""

    text: str


@dataclass(slots=True, frozen=True)
class ToolCallDelta:
    """More of one tool call; None where this chunk says nothing."""

    index: int | None
    id: str | None
    name: str | None
    arguments: str


@dataclass(slots=True, frozen=True)
class Logprobs:
    """Log probabilities of the tokens in this chunk, as the API words them."""

    content: list[dict[str, Any]]
    reasoning_content: list[dict[str, Any]]


@dataclass(slots=True, frozen=True)
class Finish:
    """Why the model stopped, verbatim."""

    reason: str


@dataclass(slots=True, frozen=True)
class Fault:
    """An error object inside a stream that had begun with HTTP 200."""

    message: str
    code: str


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Logprobs | Finish | Fault | Usage


def reasoning_text(delta: Mapping[str, Any]) -> str | None:
    """The thinking in a delta or message, by whichever name the host gives it.

    None when the host speaks of none; "" when it names the field without text.
    """
    named = None
    for name in ("reasoning_content", "reasoning"):
        value = delta.get(name)
        if isinstance(value, str):
            if value:
                return value
            named = ""
    details = delta.get("reasoning_details")
    if isinstance(details, list):
        texts = (d.get("text") or d.get("summary") for d in details if isinstance(d, Mapping))
        return "".join(t for t in texts if isinstance(t, str)) or named
    return named


def merge_details(kept: list[dict[str, Any]], new: Iterable[Mapping[str, Any]]) -> None:
    """Join OpenRouter's ``reasoning_details`` pieces, so that they can be sent back whole."""
    for item in new:
        last = kept[-1] if kept else None
        if last and (last.get("type"), last.get("index")) == (item.get("type"), item.get("index")):
            for key, value in item.items():
                if key in ("text", "summary", "data") and isinstance(value, str):
                    last[key] = (last.get(key) or "") + value
                elif value is not None:
                    last[key] = value
        else:
            kept.append(dict(item))


def decode_delta(delta: Mapping[str, Any]) -> Iterator[Delta]:
    """The deltas in a ``delta`` (or whole ``message``) object: thinking, text, calls."""
    reasoning = reasoning_text(delta)
    if reasoning is not None:
        yield ReasoningDelta(reasoning)
    content = delta.get("content")
    if content:
        yield TextDelta(content)
    elif delta.get("refusal"):  # OpenAI's field for "I will not": the only answer there is
        yield TextDelta(delta["refusal"])
    for call in delta.get("tool_calls") or ():
        function = call.get("function") or {}
        arguments = function.get("arguments")
        yield ToolCallDelta(
            call.get("index"),
            word(call.get("id")) or None,
            word(function.get("name")) or None,
            "" if arguments is None else json_text(arguments),
        )


@dataclass(slots=True, frozen=True)
class Waiting:
    """Not from the model: a sign that the server is alive while the request waits its turn."""

    comments: int


@dataclass(slots=True, frozen=True)
class Notice:
    """Not from the model: one sentence that the user should read, `once` in a session if so."""

    text: str
    once: bool = False


Event = Delta | Waiting | Notice
