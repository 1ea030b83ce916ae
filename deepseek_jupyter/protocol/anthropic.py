"""The Messages wire, ``POST /v1/messages``: Anthropic's, spoken by DeepSeek, CometAPI and others.

A request is built in the words of chat completions and then said in this wire's: the system prompt
apart, pictures, thinking, calls and results as blocks of a message, ``max_tokens`` always.

Thinking goes back as blocks, each with the signature that it came with. Of a block only its size
and signature are kept (`reasoning_details`): its text is the turn's, which passes redaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Completion, Delta
from .dialect import Dialect
from .messages import read_arguments
from .model_facts import facts_of
from .request import Built, ChatRequest, build, passed_on
from .stream import CompletionStream, read_whole

# max_tokens must be said; DeepSeek's own default where the user says none.
LONGEST_PLAIN, LONGEST_THINKING = 8_192, 65_536
_LEAST_THINKING = 1024  # tokens: Anthropic's least budget_tokens; DeepSeek ignores the field
_MOST_BLOCKS = 256

_DATA_URL = re.compile(r"data:([\w/+.-]+);base64,", re.ASCII)
_CHOICES = {"required": "any", "auto": "auto", "none": "none"}
_NAMES = {"stop": "stop_sequences"}
# Fields of chat completions that have other words here, and fields that are made of them.
_CALLING = ("tools", "tool_choice", "parallel_tool_calls")
_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking")
_FORMS = ("response_format", "structured_outputs", "stream_options")
_SAID = frozenset(("messages", "max_tokens", "user_id", *_CALLING, *_THINKING, *_FORMS))
_MADE = frozenset(("system", "output_config", "metadata", "stop_sequences"))
_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
}


def build_messages(request: ChatRequest, dialect: Dialect) -> Built:
    """The body of ``/v1/messages``. Raises `ParameterError` for what the wire cannot say."""
    built = build(request, dialect)
    body = built.body
    if not body.get("max_tokens"):
        longest = LONGEST_THINKING if built.thinks else LONGEST_PLAIN
        most = facts_of(dialect.like, str(body["model"])).output or longest
        body = {**body, "max_tokens": min(longest, most)}
    if (body.get("response_format") or {}).get("type") == "json_schema":
        raise ParameterError(
            "The messages wire has no response_format json_schema.",
            "Use --schema, which asks in other words, or wire chat or responses.",
        )
    return replace(built, body=body, beta=False, posted=_translated(body))


def _translated(body: Mapping[str, Any]) -> dict[str, Any]:
    """A chat completions body in the words of this wire; unknown fields as they are."""
    made = passed_on(body, _SAID, _MADE, "messages")
    said: dict[str, Any] = {"model": body["model"], "max_tokens": body["max_tokens"]}
    messages = body["messages"]
    system = [m["content"] for m in messages if m["role"] == "system" and m.get("content")]
    if system:
        said["system"] = "\n\n".join(system)
    said["messages"] = list(_messages(messages, "claude" not in str(body["model"])))
    said |= {_NAMES.get(name, name): value for name, value in made.items()}
    said |= _thinking(body)
    if tools := body.get("tools"):
        said["tools"] = [_tool(tool) for tool in tools]
    choice = _choice(body) if tools else None
    if choice:
        said["tool_choice"] = choice
    if body.get("user_id"):
        said["metadata"] = {"user_id": body["user_id"]}
    return said


def _messages(messages: list[dict[str, Any]], unsigned: bool) -> Iterator[dict[str, Any]]:
    """The messages but for the system's, those of one role in a row as one."""
    role, blocks = "", list[dict[str, Any]]()
    for message in messages:
        if message["role"] == "system":
            continue
        speaker = "assistant" if message["role"] == "assistant" else "user"
        if speaker != role and blocks:
            yield _message(role, blocks)
            blocks = []
        role = speaker
        blocks += _blocks(message, unsigned)
    if blocks:
        yield _message(role, blocks)


def _message(role: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    plain = len(blocks) == 1 and blocks[0]["type"] == "text"
    return {"role": role, "content": blocks[0]["text"] if plain else blocks}


def _blocks(message: Mapping[str, Any], unsigned: bool) -> Iterator[dict[str, Any]]:
    """A message's blocks; Claude refuses thinking that is not signed."""
    content = message.get("content") or ""
    if message["role"] == "tool":
        yield {
            "type": "tool_result",
            "tool_use_id": message["tool_call_id"],
            "content": content,
        }
        return
    yield from _thoughts(message, unsigned)
    parts: list[dict[str, Any]] = [{"text": content}] if isinstance(content, str) else content
    for part in parts:
        if url := (part.get("image_url") or {}).get("url"):
            yield {"type": "image", "source": _source(url)}
        elif text := part.get("text"):
            yield {"type": "text", "text": text}
    for call in message.get("tool_calls") or ():
        function = call["function"]
        given = _object(function["arguments"])
        yield {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _thoughts(message: Mapping[str, Any], unsigned: bool) -> Iterator[dict[str, Any]]:
    details = message.get("reasoning_details") or ()
    text = message.get("reasoning_content")
    if text is not None:
        kept = [d for d in details if d["type"] == "thinking"]
        if not kept or sum(d["size"] for d in kept) != len(text):  # another wire's, or masked
            kept = [{"signature": "", **(kept[-1] if kept else {}), "size": len(text)}]
        at = 0
        for detail in kept:
            thought, at = text[at : at + detail["size"]], at + detail["size"]
            if detail["signature"] or unsigned:
                yield {"type": "thinking", "thinking": thought, "signature": detail["signature"]}
    yield from (
        {"type": d["type"], "data": d["data"]} for d in details if d["type"] == "redacted_thinking"
    )


def _source(url: str) -> dict[str, str]:
    found = _DATA_URL.match(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found[1], "data": url[found.end() :]}


def _object(arguments: str) -> dict[str, Any]:
    """A call's arguments as the object that the wire wants, also where the model wrote none."""
    try:
        value = read_arguments(arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": arguments} if arguments else {}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return dict(tool)
    said = {"name": function["name"], "description": function.get("description")}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {name: v for name, v in said.items() if v} | {"input_schema": schema}


def _choice(body: Mapping[str, Any]) -> dict[str, Any] | None:
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    if choice is None and parallel is not False:
        return None
    said: dict[str, Any] = (
        {"type": _CHOICES.get(choice or "auto", "auto")}
        if not isinstance(choice, Mapping)
        else {"type": "tool", "name": choice["function"]["name"]}
    )
    return {**said, "disable_parallel_tool_use": True} if parallel is False else said


def _thinking(body: Mapping[str, Any]) -> dict[str, Any]:
    """The thinking mode, where the body says one; effort beside a disabled one is refused."""
    reasoning = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or reasoning.get("effort")
    said = [(body.get("thinking") or {}).get("type"), body.get("enable_thinking")]
    modes = {"enabled": True, "adaptive": True, "disabled": False, True: True, False: False}
    on = next((modes[m] for m in [*said, reasoning.get("enabled")] if m in modes), None)
    if effort == "none" or on is False:
        return {"thinking": {"type": "disabled"}}
    fields: dict[str, Any] = {"output_config": {"effort": effort}} if effort else {}
    if not on:
        return fields
    budget = body["max_tokens"] * 3 // 4
    mode = {"type": "enabled", "budget_tokens": budget} if budget >= _LEAST_THINKING else None
    return {**fields, "thinking": mode or {"type": "enabled"}}


class MessagesStream(CompletionStream):
    """Events of a message: its beginning, blocks begun, added to and ended, its end."""

    text_fields = ('"text":', '"thinking":')

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__(think_implied=think_implied)
        self._counts: dict[str, Any] = {}
        self._slots: dict[Any, int] = {}
        self._given: set[int] = set()  # calls that have arguments
        self._thought = 0  # characters of thinking before the present block
        self._signature: str | None = None  # of the present block, where it is thinking

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        kind, at = chunk.get("type"), chunk.get("index")
        if kind == "content_block_delta":
            self._add(chunk.get("delta") or {}, at, deltas)
        elif kind == "content_block_start":
            self._begin(chunk.get("content_block") or {}, at, deltas)
        elif kind == "content_block_stop":
            self._end_block(at, deltas)
        elif kind == "message_start":
            message = chunk.get("message") or {}
            self._count(message.get("usage"))
            super()._take({"model": message.get("model"), "id": message.get("id")}, deltas)
        elif kind == "message_delta":
            self._count(chunk.get("usage"))
            self._end((chunk.get("delta") or {}).get("stop_reason"), deltas)
        elif kind == "message_stop":
            self.done = True
        elif kind == "message":
            self._whole(chunk, deltas)
        elif kind == "error":
            super()._take({"error": chunk.get("error") or chunk}, deltas)
        elif kind != "ping":
            super()._take(chunk, deltas)

    def _say(self, said: Mapping[str, Any], deltas: list[Delta]) -> None:
        super()._take({"choices": [{"delta": said}]}, deltas)

    def _begin(self, block: Mapping[str, Any], at: Any, deltas: list[Delta]) -> None:
        kind = block.get("type")
        if kind == "tool_use":
            slot = self._slots.setdefault(at, len(self._slots))
            given = json.dumps(block["input"], ensure_ascii=False) if block.get("input") else ""
            self._call(slot, {"name": block.get("name"), "arguments": given}, deltas, block["id"])
        elif kind == "thinking":
            self._thought, self._signature = self._thinking_size(), ""
            self._add({**block, "type": "thinking_delta"}, at, deltas)
            self._add({**block, "type": "signature_delta"}, at, deltas)
        elif kind == "redacted_thinking" and len(self._details) < _MOST_BLOCKS:
            self._details.append({"type": kind, "data": str(block.get("data") or "")})
        elif block.get("text"):
            self._say({"content": block["text"]}, deltas)

    def _add(self, delta: Mapping[str, Any], at: Any, deltas: list[Delta]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            self._say({"content": delta.get("text")}, deltas)
        elif kind == "thinking_delta":
            self._say({"reasoning_content": delta.get("thinking")}, deltas)
        elif kind == "signature_delta" and self._signature is not None:
            self._signature += delta.get("signature") or ""
            self._size += len(delta.get("signature") or "")
        elif kind == "input_json_delta" and at in self._slots:
            self._call(self._slots[at], {"arguments": delta.get("partial_json") or ""}, deltas)

    def _call(
        self, slot: int, function: Mapping[str, Any], deltas: list[Delta], id: str | None = None
    ) -> None:
        if function["arguments"]:
            self._given.add(slot)
        self._say({"tool_calls": [{"index": slot, "id": id, "function": function}]}, deltas)

    def _end_block(self, at: Any, deltas: list[Delta]) -> None:
        slot = self._slots.get(at)
        if slot is not None and slot not in self._given:  # a function without parameters
            self._call(slot, {"arguments": "{}"}, deltas)
        if self._signature is None:
            return
        if len(self._details) < _MOST_BLOCKS:
            size = self._thinking_size() - self._thought
            kept = {"type": "thinking", "signature": self._signature, "size": size}
            self._details.append(kept)
        self._signature = None

    def _thinking_size(self) -> int:
        return sum(map(len, self._reasoning or ()))

    def _count(self, usage: object) -> None:
        if isinstance(usage, Mapping):
            self._counts |= {name: n for name, n in usage.items() if n is not None}

    def _end(self, reason: object, deltas: list[Delta]) -> None:
        """The end of the message, with its counts: prompt tokens are those that no cache had."""
        chunk: dict[str, Any] = {}
        if counts := self._counts:
            read = counts.get("cache_read_input_tokens") or 0
            new = counts.get("input_tokens") or 0
            new += counts.get("cache_creation_input_tokens") or 0
            chunk["usage"] = {**counts, "prompt_tokens": new + read}
        if isinstance(reason, str) and reason:
            chunk["choices"] = [{"finish_reason": _ENDS.get(reason, reason)}]
        super()._take(chunk, deltas)

    def _whole(self, message: Mapping[str, Any], deltas: list[Delta]) -> None:
        super()._take({"model": message.get("model"), "id": message.get("id")}, deltas)
        for at, block in enumerate(message.get("content") or ()):
            self._begin(block, at, deltas)
            self._end_block(at, deltas)
        self._count(message.get("usage"))
        self._end(message.get("stop_reason"), deltas)


def read_message(body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
    """A reply in one piece; None when `body` is something else."""
    stream = MessagesStream(think_implied=dialect.think_implied)
    return read_whole(stream, body) if isinstance(body.get("content"), list) else None
