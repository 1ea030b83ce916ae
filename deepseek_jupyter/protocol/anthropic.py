"""The Messages wire, ``POST /v1/messages``: Anthropic's, spoken by DeepSeek, CometAPI and others.

A request is built in the words of chat completions and then said in this wire's: the system prompt
apart, pictures, thinking, calls and results as blocks of a message, ``max_tokens`` always.

Thinking goes back with the signature that it came with. Only that and its size are kept beside the
turn (`reasoning_details`): the text is the turn's, which passes redaction.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Delta
from .dialect import Dialect
from .items import ItemStream, passed_on, thinking_in
from .messages import read_arguments
from .model_facts import facts_of
from .request import Built, ChatRequest, build, thinking_of
from .usage import first_int

# max_tokens must be said; DeepSeek's own default where the user says none.
LONGEST_PLAIN, LONGEST_THINKING = 8_192, 65_536
_LEAST_THINKING = 1024  # tokens: Anthropic's least budget_tokens; DeepSeek ignores the field

_DATA_URL = re.compile(r"data:([\w/+.-]+);base64,", re.ASCII)
_NAMES = {"stop": "stop_sequences"}
_MADE = ("system", "output_config", "metadata")
_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
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
    said: dict[str, Any] = passed_on(body, _NAMES, _MADE)
    parallel, user = said.pop("parallel_tool_calls", None), said.pop("user_id", None)
    system = [m["content"] for m in body["messages"] if m["role"] == "system" and m["content"]]
    if system:
        said["system"] = "\n\n".join(system)
    others = (m for m in body["messages"] if m["role"] != "system")
    said["messages"] = []
    for assistant, run in itertools.groupby(others, lambda m: m["role"] == "assistant"):
        content = [block for m in run for block in _blocks(m, "claude" in str(body["model"]))]
        role = "assistant" if assistant else "user"
        if [block["type"] for block in content] == ["text"]:
            said["messages"].append({"role": role, "content": content[0]["text"]})
        elif content:
            said["messages"].append({"role": role, "content": content})
    on, effort = thinking_of(body)
    if on is not None:
        said["thinking"] = {"type": "enabled" if on else "disabled"}
    if on and (budget := body["max_tokens"] * 3 // 4) >= _LEAST_THINKING:
        said["thinking"]["budget_tokens"] = budget
    if effort:
        said["output_config"] = {"effort": effort}
    if tools := body.get("tools"):
        said["tools"] = list(map(_tool, tools))
        choice = _choice(body.get("tool_choice"))
        if parallel is False:
            choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
        said |= {"tool_choice": choice} if choice else {}
    return {**said, "metadata": {"user_id": user}} if user else said


def _blocks(message: Mapping[str, Any], signed: bool) -> Iterator[dict[str, Any]]:
    """A message's blocks; `signed`: thinking without a signature is refused."""
    content = message.get("content") or ""
    if message["role"] == "tool":
        id = message["tool_call_id"]
        yield {"type": "tool_result", "tool_use_id": id, "content": content}
        return
    for thought, came_with in thinking_in(message, "thinking", "redacted_thinking"):
        signature = came_with.get("signature", "")
        if "data" in came_with:
            yield {"type": "redacted_thinking", "data": came_with["data"]}
        elif signature or not signed:
            yield {"type": "thinking", "thinking": thought, "signature": signature}
    parts: list[dict[str, Any]] = [{"text": content}] if isinstance(content, str) else content
    for part in parts:
        if "image_url" in part:
            yield {"type": "image", "source": _source(part["image_url"]["url"])}
        elif part["text"]:
            yield {"type": "text", "text": part["text"]}
    for call in message.get("tool_calls") or ():
        function = call["function"]
        given = _object(function["arguments"])
        yield {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


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
    said = {name: function[name] for name in ("name", "description") if function.get(name)}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {**said, "input_schema": schema}


def _choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, Mapping):
        return {"type": "tool", "name": choice["function"]["name"]}
    return {"type": "any" if choice == "required" else choice} if choice else {}


class MessagesStream(ItemStream):
    """Events of a message: its beginning, blocks begun, added to and ended, its end."""

    text_fields = ('"text":', '"thinking":')

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__(think_implied=think_implied)
        self._counts: dict[str, Any] = {}
        self._signature: str | None = None  # of the present block, where it is thinking

    @staticmethod
    def _chunk(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return {"type": "message", **body} if isinstance(body.get("content"), list) else None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        kind, at = chunk.get("type"), chunk.get("index")
        if kind == "content_block_delta":
            self._add(chunk["delta"], at, deltas)
        elif kind == "content_block_start":
            self._begin(chunk["content_block"], at, deltas)
        elif kind == "content_block_stop":
            self._end_block(at, deltas)
        elif kind == "message_start":
            self._take({**chunk["message"], "type": "message"}, deltas)
        elif kind == "message_delta":
            self._end({**chunk, **chunk["delta"]}, deltas)
        elif kind == "message":  # one that has begun, or a whole one
            for place, block in enumerate(chunk.get("content") or ()):
                self._begin(block, place, deltas)
                self._end_block(place, deltas)
            self._end(chunk, deltas)
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            super()._take({"error": chunk.get("error") or chunk}, deltas)
        elif kind != "ping":
            super()._take(chunk, deltas)

    def _begin(self, block: Mapping[str, Any], at: Any, deltas: list[Delta]) -> None:
        kind = block.get("type")
        if kind == "tool_use":
            given = json.dumps(block["input"], ensure_ascii=False) if block.get("input") else ""
            function = {"name": block.get("name"), "arguments": given}
            self._call(at, function, deltas, block.get("id"))
        elif kind == "redacted_thinking":
            self._seal(kind, data=str(block["data"]))
        elif kind in ("text", "thinking"):
            self._signature = block.get("signature") or "" if kind == "thinking" else None
            self._add({**block, "type": f"{kind}_delta"}, at, deltas)

    def _add(self, delta: Mapping[str, Any], at: Any, deltas: list[Delta]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            self._say({"content": delta.get("text")}, deltas)
        elif kind == "thinking_delta":
            self._say({"reasoning_content": delta.get("thinking")}, deltas)
        elif kind == "signature_delta" and self._signature is not None:
            self._signature += delta["signature"]
            self._size += len(delta["signature"])
        elif kind == "input_json_delta" and at in self._slots:
            self._call(at, {"arguments": delta.get("partial_json")}, deltas)

    def _end_block(self, at: Any, deltas: list[Delta]) -> None:
        self._end_call(at, "", deltas)
        if self._signature is not None:
            self._seal("thinking", signature=self._signature)
            self._signature = None

    def _end(self, message: Mapping[str, Any], deltas: list[Delta]) -> None:
        """Names, counts and end, as far as they are known; a cache's tokens come beside the new."""
        chunk: dict[str, Any] = {name: message.get(name) for name in ("model", "id")}
        reason = message.get("stop_reason")
        self._counts |= {n: v for n, v in (message.get("usage") or {}).items() if v is not None}
        if reason:
            parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
            read = sum(first_int(self._counts.get(name)) for name in parts)
            chunk["usage"] = self._counts and {**self._counts, "prompt_tokens": read}
            chunk["choices"] = [{"finish_reason": _ENDS.get(reason, reason)}]
        super()._take(chunk, deltas)
