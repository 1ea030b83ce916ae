"""The Responses wire, ``POST /responses``: OpenAI's, spoken by DeepSeek since July 2026.

A request is built in the words of chat completions and then said in this wire's items. It is
stateless: everything goes with each request, and nothing is kept there (``store`` is never sent).

A stream has no ``[DONE]``: it ends with ``response.completed``, ``incomplete`` or ``failed``.
Thinking goes back as reasoning items. Of one only its id, size and sealed content are kept
(`reasoning_details`): its text is the turn's, which passes redaction.

The web search runs on the server. Its events are written after the API's reference; no recorded
exchange has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .deltas import Citation, Completion, Delta, Search, word
from .dialect import Dialect
from .request import Built, ChatRequest, build, passed_on
from .stream import ChunkTemplate, CompletionStream, read_whole

WEB_SEARCH: Mapping[str, Any] = {"type": "web_search"}

_MOST = 256  # searches, pages or citations of one answer
_NAMES = {"max_tokens": "max_output_tokens", "user_id": "user"}
# Fields of chat completions that have other words here, and fields that are made of them.
_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking")
_FORMS = ("tools", "tool_choice", "response_format", "structured_outputs", "stream_options")
_SAID = frozenset(("messages", *_THINKING, *_FORMS))
_MADE = frozenset(
    ("input", "instructions", "text", "max_output_tokens", "user", "previous_response_id")
)
_SEQUENCE = re.compile(r'"sequence_number":\s*\d+')
_WHOLE = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ENDS = {"max_output_tokens": "length"}


def build_responses(request: ChatRequest, dialect: Dialect) -> Built:
    """The body of ``/responses``. Raises `ParameterError` for what the wire cannot say."""
    built = build(request, dialect)
    return replace(built, beta=False, posted=_translated(built.body, dialect))


def _translated(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A chat completions body in the words of this wire; unknown fields as they are."""
    same = passed_on(body, _SAID, _MADE, "responses")
    said = {_NAMES.get(name, name): value for name, value in same.items()}
    messages = list(body["messages"])
    if messages and messages[0]["role"] == "system":
        said["instructions"] = messages.pop(0)["content"]
    said["input"] = [item for message in messages for item in _items(message)]
    if tools := body.get("tools"):
        said["tools"] = [_flat(tool) for tool in tools]
    if choice := body.get("tool_choice"):
        said["tool_choice"] = _flat(choice) if isinstance(choice, Mapping) else choice
    if form := body.get("response_format"):
        schema = form.get("json_schema") or {}
        said["text"] = {"format": {"type": form["type"], **schema}}
        if dialect.schema == "json_schema":  # llama.cpp reads it by chat's name alone
            said["response_format"] = form
    if effort := _effort(body):
        said["reasoning"] = {"effort": effort}
    return said


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function, or the choice of one, without the object around it."""
    function = tool.get("function")
    return {"type": "function", **function} if isinstance(function, Mapping) else dict(tool)


def _effort(body: Mapping[str, Any]) -> str | None:
    """How much to think, where the body says so: this wire has no other switch."""
    reasoning = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or reasoning.get("effort")
    mode = (body.get("thinking") or {}).get("type")
    if mode == "disabled" or False in (body.get("enable_thinking"), reasoning.get("enabled")):
        return "none"
    on = mode or body.get("enable_thinking") or reasoning.get("enabled")
    return effort or ("high" if on else None)


def _items(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A message as items: thinking, text, then calls; results follow all calls of their batch."""
    role, content = message["role"], message.get("content") or ""
    if role == "tool":
        call = message["tool_call_id"]
        yield {"type": "function_call_output", "call_id": call, "output": content}
        return
    if role != "assistant":
        yield {"role": role, "content": content if isinstance(content, str) else _parts(content)}
        return
    yield from _reasoning(message)
    if content:
        part: dict[str, Any] = {"type": "output_text", "text": content, "annotations": []}
        yield {"type": "message", "role": role, "status": "completed", "content": [part]}
    for call in message.get("tool_calls") or ():
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _parts(content: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "input_image", "image_url": part["image_url"]["url"]}
        if "image_url" in part
        else {"type": "input_text", "text": part["text"]}
        for part in content
    ]


def _reasoning(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    text: str | None = message.get("reasoning_content")
    if text is None:
        return
    kept = [d for d in message.get("reasoning_details") or () if d["type"] == "reasoning"]
    if not kept or sum(d["size"] for d in kept) != len(text):  # another wire's, or masked
        text = text or " "  # of calls made without thinking: an empty text counts as none
        kept = [{"size": len(text)}]
    at = 0
    for detail in kept:
        thought, at = text[at : at + detail["size"]], at + detail["size"]
        more = {name: detail[name] for name in ("id", "encrypted_content") if detail.get(name)}
        item: dict[str, Any] = {"type": "reasoning", "summary": [], **more}
        if detail.get("summary"):
            yield {**item, "summary": [{"type": "summary_text", "text": thought}]}
        else:
            yield {**item, "content": [{"type": "reasoning_text", "text": thought}]}


class _NumberedTemplate(ChunkTemplate):
    """The template of events that differ in their sequence number too."""

    _form: re.Pattern[str] | None = None

    def text(self, data: str) -> str | None:
        found = self._form.fullmatch(data) if self._form else None
        return found[1] if found else None

    def learn(self, data: str, brought: Any) -> None:
        before = self._before
        super().learn(data, brought)
        if self._before != before:
            around = (_SEQUENCE.split(part) for part in (self._before, self._after))
            begin, end = (r'"sequence_number":\s*\d+'.join(map(re.escape, one)) for one in around)
            self._form = re.compile(f'{begin}([^"\\\\\x00-\x1f]+){end}')


class ResponsesStream(CompletionStream):
    """Named events: items begun, added to and done, then the response."""

    text_fields = ('"delta":',)

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__(think_implied=think_implied)
        self._template = _NumberedTemplate(self.text_fields)
        self._begun: dict[Any, int] = {}  # item -> size of its kind's text when it began
        self._slots: dict[Any, int] = {}
        self._given: set[int] = set()  # calls that have arguments

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        kind = word(chunk.get("type"))
        item = chunk.get("item") or {}
        key = chunk.get("item_id") or item.get("id") or chunk.get("output_index")
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            if key not in self._begun:
                self._begun[key] = self._length("message")
            self._say({"content": chunk.get("delta")}, deltas)
        elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
            if key not in self._begun:
                self._begun[key] = self._length("reasoning")
            self._say({"reasoning_content": chunk.get("delta")}, deltas)
        elif kind == "response.function_call_arguments.delta":
            self._arguments(key, chunk.get("delta"), deltas)
        elif kind == "response.output_item.added":
            self._begin(item, key, deltas)
        elif kind == "response.output_item.done":
            self._done(item, key, deltas)
        elif kind == "response.output_text.annotation.added":
            self._cite(chunk.get("annotation") or {}, deltas)
        elif kind == "response.created":
            self._named(chunk.get("response") or {}, deltas)
        elif kind in _WHOLE:
            self._end(chunk.get("response") or {}, deltas)
        elif kind == "error" or not kind:
            super()._take({"error": chunk.get("error") or chunk}, deltas)

    def _say(self, said: Mapping[str, Any], deltas: list[Delta]) -> None:
        super()._take({"choices": [{"delta": said}]}, deltas)

    def _named(self, response: Mapping[str, Any], deltas: list[Delta]) -> None:
        named = {"model": "model", "id": "id", "created": "created_at"}
        super()._take({name: response.get(theirs) for name, theirs in named.items()}, deltas)

    def _begin(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        kind = item.get("type")
        self._begun[key] = self._length(kind)
        if kind == "function_call":
            slot = self._slots.setdefault(key, len(self._slots))
            id, name = item.get("call_id") or item.get("id"), item.get("name")
            said = {"index": slot, "id": id, "function": {"name": name, "arguments": ""}}
            self._say({"tool_calls": [said]}, deltas)
        elif kind == "message" and self._answer:
            self._say({"content": "\n\n"}, deltas)  # a comment on the way, then the answer
            self._begun[key] = self._length(kind)
        elif kind == "web_search_call":
            self._search(item, key, deltas)

    def _arguments(self, key: Any, text: Any, deltas: list[Delta]) -> None:
        slot = self._slots[key]
        self._given.add(slot)
        self._say({"tool_calls": [{"index": slot, "function": {"arguments": text}}]}, deltas)

    def _done(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        """The whole item: what no delta has brought is taken from it."""
        kind = item.get("type")
        if key not in self._begun:
            self._begin(item, key, deltas)
        before = self._begun[key]
        if kind == "function_call":
            if self._slots[key] not in self._given:
                self._arguments(key, item.get("arguments") or "{}", deltas)
        elif kind == "message":
            parts = [p for p in item.get("content") or () if isinstance(p, Mapping)]
            if self._length(kind) == before:
                for part in parts:
                    self._say({"content": part.get("text") or part.get("refusal")}, deltas)
            for part in parts:
                for citation in part.get("annotations") or ():
                    self._cite(citation, deltas)
        elif kind == "reasoning":
            self._thought(item, before, deltas)
        elif kind == "web_search_call":
            self._search(item, key, deltas)

    def _thought(self, item: Mapping[str, Any], before: int, deltas: list[Delta]) -> None:
        content, summary = item.get("content") or (), item.get("summary") or ()
        if self._length("reasoning") == before:
            texts = [str(part.get("text") or "") for part in content or summary]
            self._say({"reasoning_content": "\n\n".join(texts)}, deltas)
        if len(self._details) < _MOST:
            size = self._length("reasoning") - before
            kept = {"type": "reasoning", "size": size, "summary": bool(summary and not content)}
            names = [n for n in ("id", "encrypted_content") if item.get(n)]
            self._details.append({**kept, **{name: str(item[name]) for name in names}})

    def _length(self, kind: Any) -> int:
        return sum(map(len, (self._reasoning if kind == "reasoning" else self._answer) or ()))

    def _search(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        """A search, a page that was opened, or one that was looked through, as far as it is."""
        action = item.get("action") or {}
        sources = [s for s in action.get("sources") or () if isinstance(s, Mapping)][:_MOST]
        found = Search(
            word(item.get("id")) or str(key),
            word(action.get("query") or action.get("pattern")),
            word(action.get("url")),
            tuple(Citation(word(s.get("url")), word(s.get("title"))) for s in sources),
            word(item.get("status")),
        )
        if found.id in self._searches or len(self._searches) < _MOST:
            self._size += len(str(item))
            self._searches[found.id] = found
            deltas.append(found)

    def _cite(self, annotation: Mapping[str, Any], deltas: list[Delta]) -> None:
        cited = Citation(word(annotation.get("url")), word(annotation.get("title")))
        if annotation.get("type") != "url_citation" or not cited.url:
            return
        if cited not in self._citations and len(self._citations) < _MOST:
            self._size += len(cited.url) + len(cited.title)
            self._citations.append(cited)
            deltas.append(cited)

    def _end(self, response: Mapping[str, Any], deltas: list[Delta]) -> None:
        self._named(response, deltas)
        streamed = bool(self._begun)
        for at, item in enumerate(response.get("output") or ()):
            if not streamed:
                self._done(item, item.get("id") or at, deltas)
        usage = response.get("usage") or {}
        chunk: dict[str, Any] = {}
        if usage:
            details = usage.get("input_tokens_details"), usage.get("output_tokens_details")
            names = "prompt_tokens_details", "completion_tokens_details"
            chunk["usage"] = {**usage, **dict(zip(names, details, strict=True))}
        status = response.get("status")
        if status == "failed" or response.get("error"):
            chunk["error"] = response.get("error") or {"message": "The response failed."}
        else:
            reason = word((response.get("incomplete_details") or {}).get("reason"))
            end = _ENDS.get(reason, reason) or "length" if status == "incomplete" else "stop"
            calls = self._calls and end == "stop"
            chunk["choices"] = [{"finish_reason": "tool_calls" if calls else end}]
        super()._take(chunk, deltas)
        self.done = True


def read_response(body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
    """A reply in one piece; None when `body` is something else."""
    if not isinstance(body.get("output"), list):
        return None
    stream = ResponsesStream(think_implied=dialect.think_implied)
    return read_whole(stream, {"type": "response.completed", "response": body})
