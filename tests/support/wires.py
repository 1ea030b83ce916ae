"""One answer as each wire says it, after the APIs' references; no web search is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .scripted import Reply, Step, answer, plain, send, whole
from .wording import DONE, MODEL, USAGE, answer_chunks, event, pieces, whole_body

PIECE = 4  # characters of a delta, see `pieces`
ID = "resp-0b7a9f52"
Call = Mapping[str, Any]


def named(data: Mapping[str, Any]) -> bytes:
    """An event with its name, as both wires send it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {data['type']}\ndata: {text}\n\n".encode()


def _messages_usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    hit = usage["prompt_cache_hit_tokens"]
    return {
        "input_tokens": usage["prompt_tokens"] - hit,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": hit,
        "output_tokens": usage["completion_tokens"],
    }


def _responses_usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return usage and {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": usage["prompt_cache_hit_tokens"]},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
    }


_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def _block(at: int, begun: Mapping[str, Any], deltas: Iterable[Mapping[str, Any]]) -> list[Any]:
    events = [{"type": "content_block_start", "index": at, "content_block": begun}]
    events += [{"type": "content_block_delta", "index": at, "delta": d} for d in deltas]
    return [*events, {"type": "content_block_stop", "index": at}]


def messages_events(
    text: str,
    reasoning: str | None = None,
    calls: Sequence[Call] = (),
    *,
    finish: str = "stop",
    usage: Mapping[str, Any] | None = USAGE,
) -> list[dict[str, Any]]:
    """The events of ``POST /v1/messages``."""
    counts = _messages_usage(usage)
    message = {"id": ID, "type": "message", "role": "assistant", "model": MODEL, "content": []}
    events: list[Any] = [
        {"type": "message_start", "message": {**message, "usage": counts}},
        {"type": "ping"},
    ]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if reasoning is not None:
        thinking = [{"type": "thinking_delta", "thinking": p} for p in pieces(reasoning)]
        signed = {"type": "signature_delta", "signature": "c2lnbmVk"}
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, [*thinking, signed]))
    if text:
        said = [{"type": "text_delta", "text": piece} for piece in pieces(text)]
        blocks.append(({"type": "text", "text": ""}, said))
    for call in calls:
        function = call["function"]
        begun = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
        parts = pieces(function["arguments"])
        blocks.append((begun, [{"type": "input_json_delta", "partial_json": p} for p in parts]))
    for at, (begun, deltas) in enumerate(blocks):
        events += _block(at, begun, deltas)
    stop = {"stop_reason": _STOPS.get(finish, finish), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": counts})
    return [*events, {"type": "message_stop"}]


def messages_body(
    text: str, reasoning: str | None = None, calls: Sequence[Call] = (), finish: str = "stop"
) -> dict[str, Any]:
    """A reply of that wire in one piece."""
    content: list[dict[str, Any]] = []
    if reasoning is not None:
        content.append({"type": "thinking", "thinking": reasoning, "signature": "c2lnbmVk"})
    content += [{"type": "text", "text": text}] if text else []
    for call in calls:
        name, given = call["function"]["name"], json.loads(call["function"]["arguments"])
        content.append({"type": "tool_use", "id": call["id"], "name": name, "input": given})
    return {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": _STOPS.get(finish, finish),
        "usage": _messages_usage(USAGE),
    }


def _items(text: str, reasoning: str | None, calls: Sequence[Call]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reasoning is not None:
        content = [{"type": "reasoning_text", "text": reasoning}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": [], "content": content})
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
        items.append(said)
    for at, call in enumerate(calls):
        made = {"type": "function_call", "id": f"fc_{at}", "call_id": call["id"]}
        items.append({**made, **call["function"]})
    return items


_DELTAS = {"reasoning": "response.reasoning_text", "message": "response.output_text"}


def _item_events(item: Mapping[str, Any], at: int) -> list[dict[str, Any]]:
    where, kind = {"output_index": at, "item_id": item["id"]}, item["type"]
    if kind == "function_call":
        begun, text = {**item, "arguments": ""}, item["arguments"]
        name = "response.function_call_arguments"
    elif kind in _DELTAS:
        begun, text = {**item, "content": []}, item["content"][0]["text"]
        name, where = _DELTAS[kind], {**where, "content_index": 0}
    else:
        begun, text, name = {**item, "status": "in_progress"}, "", ""
    events = [{"type": "response.output_item.added", "output_index": at, "item": begun}]
    events += [{"type": f"{name}.delta", **where, "delta": piece} for piece in pieces(text)]
    done = {"type": "response.output_item.done", "output_index": at, "item": dict(item)}
    return [*events, done]


def responses_body(
    text: str,
    reasoning: str | None = None,
    calls: Sequence[Call] = (),
    finish: str = "stop",
    *,
    before: Sequence[Mapping[str, Any]] = (),
    usage: Mapping[str, Any] | None = USAGE,
) -> dict[str, Any]:
    """A response in one piece; `before` the text it has these items."""
    cut = finish not in ("stop", "tool_calls")
    reason = "max_output_tokens" if finish == "length" else finish
    return {
        "id": ID,
        "object": "response",
        "model": MODEL,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": reason} if cut else None,
        "error": None,
        "output": [*before, *_items(text, reasoning, calls)],
        "usage": _responses_usage(usage),
    }


def responses_events(
    text: str,
    reasoning: str | None = None,
    calls: Sequence[Call] = (),
    *,
    finish: str = "stop",
    before: Sequence[Mapping[str, Any]] = (),
    usage: Mapping[str, Any] | None = USAGE,
) -> list[dict[str, Any]]:
    """The events of ``POST /responses``; there is no ``[DONE]``."""
    body = responses_body(text, reasoning, calls, finish, before=before, usage=usage)
    begun = {**body, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, item in enumerate(body["output"]):
        events += _item_events(item, at)
    events.append({"type": f"response.{body['status']}", "response": body})
    return [{**one, "sequence_number": at} for at, one in enumerate(events)]


def search(query: str, *pages: tuple[str, str], id: str = "ws_1") -> dict[str, Any]:
    """A search of the server's as an item: pages are (title, url)."""
    sources = [{"type": "url", "title": title, "url": url} for title, url in pages]
    action = {"type": "search", "query": query, "sources": sources}
    return {"type": "web_search_call", "id": id, "status": "completed", "action": action}


EVENTS: Mapping[str, Callable[..., list[dict[str, Any]]]] = {
    "chat": answer_chunks,
    "responses": responses_events,
    "messages": messages_events,
}
BODIES: Mapping[str, Callable[..., dict[str, Any]]] = {
    "chat": lambda text, reasoning=None, calls=(), finish="stop": whole_body(
        text, reasoning, calls, finish=finish
    ),
    "responses": responses_body,
    "messages": messages_body,
}


def bytes_of(wire: str, *said: Any, **how: Any) -> bytes:
    """A stream of this wire, to its end."""
    if wire == "chat":
        return b"".join(map(event, EVENTS[wire](*said, **how))) + DONE
    return b"".join(map(named, EVENTS[wire](*said, **how)))


def reply(wire: str, *said: Any, after: Iterable[Step] = (), **how: Any) -> Reply:
    """A streamed answer on this wire."""
    if wire == "chat":
        return answer(*said, after=after, **how)
    return Reply(send(bytes_of(wire, *said, **how)), after)


def whole_reply(wire: str, *said: Any, **how: Any) -> Reply:
    """One that is not streamed."""
    return whole(*said, **how) if wire == "chat" else plain(BODIES[wire](*said, **how))
