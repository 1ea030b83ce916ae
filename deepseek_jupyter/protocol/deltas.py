"""What one chunk of a stream adds (`Delta`), and what all of them come to (`Completion`).

A chunk is the JSON of one ``chat.completion.chunk`` event. The variants read here were counted
over recorded streams of DeepSeek (2025 and 2026), Azure, OpenRouter, llama.cpp and others:

* ``content`` and ``reasoning_content`` may be null, "" or absent; only absence of text counts;
* thinking arrives as ``reasoning_content``, ``reasoning``, ``thinking``, ``reasoning_text``,
  ``reasoning_details[].text`` or ``thinking_blocks[].thinking``, by some hosts as two of them with
  the same text: the first that holds text is taken;
* usage may ride on any chunk, with or without choices.

JSON may write a character beyond U+FFFF (an emoji) as two escapes, ``\\ud83d\\ude00``, and a relay
that counts in UTF-16 may cut between them. Python reads each half as a lone surrogate, which no
output can encode: `SurrogateJoiner` and `joined` put them together again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .messages import Message, ToolCall, arguments_text
from .usage import Usage

# Tool-call markup that a host's parser failed to take out of the text: DeepSeek's DSML with
# full-width or ASCII bars, its older tokens, and the Hermes form.
_LEAKED_CALL = re.compile(
    r"<[｜|]{1,2}\s*(?:DSML|tool[▁_]calls?[▁_]begin)|<tool_call>", re.IGNORECASE
)
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    """Why the model stopped, in the API's word where there is one."""

    reason: str


@dataclass(slots=True, frozen=True)
class Fault:
    """An error object inside a stream that had begun with HTTP 200; `whole` is its JSON."""

    message: str
    code: str
    whole: str = field(default="", compare=False)


@dataclass(slots=True, frozen=True)
class Retry:
    """Not from the model: after an error of class `kind` the request goes out again."""

    why: str
    kind: str
    seconds: float
    number: int
    of: int


class Detail(str):
    """A notice that asks nothing of the user: it is kept, and shown on demand."""


@dataclass(slots=True, frozen=True)
class Notice:
    """Not from the model: one sentence for the user, `once` in a session if so."""

    text: str
    once: bool = False


@dataclass(slots=True, frozen=True)
class WebPage:
    """A page that the answer names as its source."""

    url: str
    title: str = ""


@dataclass(slots=True, frozen=True)
class Search:
    """A search of the web that the server runs, or a page it opens, as far as it is."""

    id: str
    query: str = ""  # what it looks for
    url: str = ""  # the page
    pages: tuple[WebPage, ...] = ()  # what it found
    status: str = ""


_Said = TextDelta | ReasoningDelta | ToolCallDelta | Logprobs
Delta = _Said | Finish | Fault | Usage | Search | WebPage
Event = Delta | Notice | Retry


def reasoning_text(delta: Mapping[str, Any]) -> str | None:
    """The thinking in a delta or message, by whichever name the host gives it.

    None when the host speaks of none; "" when it names the field without text.
    """
    names = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
    fields = (delta.get(name) for name in names)
    said = [text for text in fields if isinstance(text, str)]
    named = next(filter(None, said), "" if said else None)
    details = delta.get("reasoning_details") or delta.get("thinking_blocks")
    if named or not isinstance(details, list):
        return named
    kinds = ("text", "summary", "thinking")
    texts = (d.get(kind) for d in details if isinstance(d, Mapping) for kind in kinds)
    return "".join(t for t in texts if isinstance(t, str)) or named


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
    if isinstance(content, list | Mapping):
        yield from _parts(content)
    elif content:
        yield TextDelta(content)
    elif delta.get("refusal"):  # OpenAI's field for "I will not": the only answer there is
        yield TextDelta(delta["refusal"])
    calls = delta.get("tool_calls") or ()
    for call in [calls] if isinstance(calls, Mapping) else calls:
        function = call.get("function") or call
        arguments = function.get("arguments")
        yield ToolCallDelta(
            call.get("index"),
            word(call.get("id")) or None,
            word(function.get("name")) or None,
            "" if arguments is None else arguments_text(arguments),
        )


def _parts(content: object) -> Iterator[TextDelta | ReasoningDelta]:
    """Content as parts, ``[{"type": "text", "text": …}]``; thinking may be one."""
    for part in content if isinstance(content, list) else [content]:
        part = part if isinstance(part, Mapping) else {"text": part}
        text = part.get("thinking") or part.get("text") or part.get("refusal")
        if isinstance(text, list):  # thinking as parts
            yield from (ReasoningDelta(said.text) for said in _parts(text))
        elif isinstance(text, str) and text:
            thinks = part.get("type") in ("thinking", "reasoning")
            yield ReasoningDelta(text) if thinks else TextDelta(text)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model returned, whole or so far."""

    answer: str = ""
    reasoning: str | None = None  # None when it did not think, "" when its thinking was empty
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None  # the server's word
    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    logprobs: dict[str, list[dict[str, Any]]] | None = None
    reasoning_details: tuple[dict[str, Any], ...] = ()
    ended: bool = False  # properly, by the server
    fault: Fault | None = None  # met in the stream
    searches: tuple[Search, ...] = ()
    citations: tuple[WebPage, ...] = ()
    # For audits: ``fingerprint`` (which configuration answered), ``created``,
    # ``native_finish_reason`` (what the host behind a gateway said).
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Neither an answer nor a tool call, blanks apart."""
        return not self.answer.strip() and not self.tool_calls

    @property
    def leaked_tool_call(self) -> bool:
        """Whether the answer holds tool-call markup that the host failed to parse."""
        return bool(_LEAKED_CALL.search(self.answer))

    def message(self) -> Message:
        """The assistant message of the history that this completion becomes."""
        return Message(
            "assistant",
            self.answer,
            self.reasoning,
            self.tool_calls,
            reasoning_details=self.reasoning_details,
        )


def deltas_of(completion: Completion) -> Iterator[Delta]:
    """A whole completion as the deltas that a stream would have brought."""
    if completion.reasoning:
        yield ReasoningDelta(completion.reasoning)
    yield from completion.searches
    if completion.answer:
        yield TextDelta(completion.answer)
    yield from completion.citations
    for index, call in enumerate(completion.tool_calls):
        yield ToolCallDelta(index, call.id, call.name, call.arguments)
    if completion.logprobs:
        content = completion.logprobs.get("content", [])
        yield Logprobs(content, completion.logprobs.get("reasoning_content", []))
    if completion.usage:
        yield completion.usage
    if completion.finish_reason:
        yield Finish(completion.finish_reason)


def joined(text: str) -> str:
    """`text` with neighbouring halves joined; a half without its other becomes U+FFFD."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def word(value: object) -> str:
    """A name or id of a server's as text that can be kept: numbers too, "" for anything else."""
    if isinstance(value, str):
        return joined(value)
    return str(value) if type(value) is int else ""


class SurrogateJoiner:
    """Text in, text out; a first half of a pair at the end is `held` until the next call."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        """What is certain of `text`; that very object where it has no halves."""
        if self.held:
            text, self.held = self.held + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self.held = text[:-1], text[-1]
        return joined(text)

    def close(self) -> str:
        """What is left when no more will come."""
        held, self.held = self.held, ""
        return joined(held)
