"""What servers say, as bytes: chunks, whole replies and errors in the shapes that hosts use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MODEL = "deepseek-flash"
USAGE: Mapping[str, Any] = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 19,
    "prompt_cache_hit_tokens": 4,
    "prompt_cache_miss_tokens": 8,
    "completion_tokens_details": {"reasoning_tokens": 3},
}
DONE = b"data: [DONE]\n\n"


def event(data: object) -> bytes:
    """One server-sent event; a str is taken as it is, anything else as JSON."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return b"data: " + text.encode() + b"\n\n"


def chunk(
    delta: Mapping[str, Any] | None = None,
    *,
    finish: str | None = None,
    usage: Mapping[str, Any] | None = None,
    **top: Any,
) -> dict[str, Any]:
    """One ``chat.completion.chunk`` as DeepSeek writes it."""
    return {
        "id": "0b7a9f52-0000-4000-8000-000000000000",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": MODEL,
        "system_fingerprint": "fp_test",
        "choices": [
            {"index": 0, "delta": dict(delta or {}), "logprobs": None, "finish_reason": finish}
        ],
        "usage": usage,
        **top,
    }


def pieces(text: str, size: int = 4) -> Iterable[str]:
    """`text` in token-sized pieces."""
    return (text[i : i + size] for i in range(0, len(text), size))


def answer_chunks(
    text: str,
    reasoning: str | None = None,
    tool_calls: Sequence[Mapping[str, Any]] = (),
    *,
    usage: Mapping[str, Any] | None = USAGE,
    finish: str | None = "stop",
) -> list[dict[str, Any]]:
    """The chunks of a whole answer in DeepSeek's order: role, thinking, text, calls, finish."""
    if reasoning is None:
        chunks = [chunk({"role": "assistant", "content": ""})]
        chunks += [chunk({"content": piece}) for piece in pieces(text)]
        last: dict[str, Any] = {"content": ""}
    else:
        chunks = [chunk({"role": "assistant", "content": None, "reasoning_content": ""})]
        chunks += [chunk({"content": None, "reasoning_content": p}) for p in pieces(reasoning)]
        chunks += [chunk({"content": p, "reasoning_content": None}) for p in pieces(text)]
        last = {"content": "", "reasoning_content": None}
    for index, call in enumerate(tool_calls):
        begin = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        chunks.append(chunk({"tool_calls": [begin]}))
        for piece in pieces(call["function"]["arguments"]):
            more = {"index": index, "function": {"arguments": piece}}
            chunks.append(chunk({"tool_calls": [more]}))
    if finish:
        chunks.append(chunk(last, finish=finish, usage=usage))
    return chunks


def tool_call(id: str, name: str, arguments: str) -> dict[str, Any]:
    """An element of ``tool_calls``."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def whole_body(
    text: str,
    reasoning: str | None = None,
    tool_calls: Sequence[Mapping[str, Any]] = (),
    *,
    usage: Mapping[str, Any] | None = USAGE,
    finish: str | None = "stop",
) -> dict[str, Any]:
    """A reply that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if tool_calls:
        message["tool_calls"] = [{**call, "index": i} for i, call in enumerate(tool_calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "id": "0b7a9f52-0000-4000-8000-000000000000",
        "object": "chat.completion",
        "created": 1790000000,
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
    }


def error_body(message: str, kind: str = "invalid_request_error", code: str = "") -> dict[str, Any]:
    """DeepSeek's error envelope."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code or kind}}


HTML = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>nginx</body></html>"
