"""The Responses wire, ``POST /responses``: OpenAI's, spoken by DeepSeek since July 2026.

A request is built in the words of chat completions and then said in this wire's items. It is
stateless: everything goes with each request, and nothing is kept there (``store`` is never sent).

A stream has no ``[DONE]``: it ends with ``response.completed``, ``incomplete`` or ``failed``.
Thinking goes back as a reasoning item. Only its id, size and sealed content are kept beside the
turn (`reasoning_details`): the text is the turn's, which passes redaction.

The web search runs on the server. Its events are written after the API's reference; no recorded
exchange has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .deltas import Delta, Search, WebPage, word
from .dialect import Dialect
from .items import ItemStream, passed_on, thinking_in
from .request import Built, ChatRequest, build, thinking_of
from .stream import ChunkTemplate

WEB_SEARCH: Mapping[str, Any] = {"type": "web_search"}

_MOST = 256  # searches, pages or citations of one answer
_NAMES = {"max_tokens": "max_output_tokens", "user_id": "user"}
_MADE = ("input", "instructions", "text", "previous_response_id")
_SEQUENCE = re.compile(r'"sequence_number":\s*\d+')
_DELTAS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "content",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}
_WHOLE = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ENDS = {"max_output_tokens": "length", "": "length"}


def build_responses(request: ChatRequest, dialect: Dialect) -> Built:
    """The body of ``/responses``. Raises `ParameterError` for what the wire cannot say."""
    built = build(request, dialect)
    return replace(built, beta=False, posted=_translated(built.body, dialect))


def _translated(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A chat completions body in the words of this wire; unknown fields as they are."""
    said: dict[str, Any] = passed_on(body, _NAMES, _MADE)
    messages = list(body["messages"])
    if messages and messages[0]["role"] == "system":
        said["instructions"] = messages.pop(0)["content"]
    said["input"] = [item for message in messages for item in _items(message)]
    if tools := body.get("tools"):
        said["tools"] = list(map(_flat, tools))
    if choice := body.get("tool_choice"):
        said["tool_choice"] = _flat(choice) if isinstance(choice, Mapping) else choice
    if form := body.get("response_format"):
        said["text"] = {"format": {"type": form["type"], **(form.get("json_schema") or {})}}
        if dialect.schema == "json_schema":  # llama.cpp reads it by chat's name alone
            said["response_format"] = form
    on, effort = thinking_of(body)
    if on is not None or effort:  # this wire has no other switch
        said["reasoning"] = {"effort": "none" if on is False else effort or "high"}
    return said


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function, or the choice of one, without the object around it."""
    function = tool.get("function")
    return {"type": "function", **function} if isinstance(function, Mapping) else dict(tool)


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
    for thought, came_with in thinking_in(message, "reasoning"):
        # Of calls made without thinking too: an empty text counts as none.
        text = {"type": "reasoning_text", "text": thought or " "}
        more = {name: came_with[name] for name in ("id", "encrypted_content") if name in came_with}
        yield {"type": "reasoning", "summary": [], "content": [text], **more}
    if content:
        part = {"type": "output_text", "text": str(content), "annotations": list[Any]()}
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


class ResponsesStream(ItemStream):
    """Named events: items begun, added to and done, then the response."""

    text_fields = ('"delta":',)

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__(think_implied=think_implied)
        self._template = _NumberedTemplate(self.text_fields)
        self._begun: set[Any] = set()
        self._id_at: dict[Any, Any] = {}  # by the item's place, which some hosts name alone
        self._told: set[Any] = set()  # items whose text has come

    @staticmethod
    def _chunk(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        whole = isinstance(body.get("output"), list)
        return {"type": "response.completed", "response": body} if whole else None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        kind = word(chunk.get("type"))
        item = chunk.get("item") or {}
        at = chunk.get("output_index")
        key = chunk.get("item_id") or item.get("id") or self._id_at.get(at, at)
        if kind in _DELTAS:
            self._told.add(key)
            self._say({_DELTAS[kind]: chunk.get("delta")}, deltas)
        elif kind == "response.function_call_arguments.delta":
            self._call(key, {"arguments": chunk.get("delta")}, deltas)
        elif kind == "response.output_item.added":
            self._id_at[at] = key
            self._begin(item, key, deltas)
        elif kind == "response.output_item.done":
            self._done(item, key, deltas)
        elif kind == "response.output_text.annotation.added":
            self._cite(chunk["annotation"], deltas)
        elif kind == "response.created":
            self._named(chunk["response"], deltas)
        elif kind in _WHOLE:
            self._end(chunk["response"], deltas)
        elif kind == "error" or not kind:
            super()._take({"error": chunk.get("error") or chunk}, deltas)

    def _named(self, response: Mapping[str, Any], deltas: list[Delta], **more: Any) -> None:
        named = {"model": "model", "id": "id", "created": "created_at"}
        chunk = {name: response.get(theirs) for name, theirs in named.items()}
        super()._take({**chunk, **more}, deltas)

    def _begin(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        kind = item.get("type")
        self._begun.add(key)
        if kind == "function_call":
            self._call(key, {"name": item.get("name")}, deltas, item.get("call_id"))
        elif kind == "message" and self._answer:
            self._say({"content": "\n\n"}, deltas)  # a comment on the way, then the answer
        elif kind == "web_search_call":
            self._search(item, key, deltas)

    def _done(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        """The whole item: what no delta has brought is taken from it."""
        kind = item.get("type")
        if key not in self._begun:
            self._begin(item, key, deltas)
        parts = item.get("content") or item.get("summary") or ()
        if key not in self._told and kind in ("message", "reasoning"):
            name = "content" if kind == "message" else "reasoning_content"
            for part in parts:
                self._say({name: part.get("text") or part.get("refusal")}, deltas)
        if kind == "function_call":
            self._end_call(key, item.get("arguments") or "", deltas)
        elif kind == "message":
            for part in parts:
                for citation in part.get("annotations") or ():
                    self._cite(citation, deltas)
        elif kind == "reasoning":
            names = ("id", "encrypted_content")
            self._seal(kind, **{name: str(item[name]) for name in names if item.get(name)})
        elif kind == "web_search_call":
            self._search(item, key, deltas)

    def _search(self, item: Mapping[str, Any], key: Any, deltas: list[Delta]) -> None:
        """A search, a page that was opened, or one that was looked through, as far as it is."""
        action = item.get("action") or {}
        sources = [s for s in action.get("sources") or () if isinstance(s, Mapping)][:_MOST]
        queries = list(map(word, action.get("queries") or ()))
        found = Search(
            word(item.get("id")) or str(key),
            word(action.get("query") or action.get("pattern")) or "; ".join(queries),
            word(action.get("url")),
            tuple(WebPage(word(s.get("url")), word(s.get("title"))) for s in sources),
            word(item.get("status")),
        )
        if found.id in self._searches or len(self._searches) < _MOST:
            self._size += len(str(item))
            self._searches[found.id] = found
            deltas.append(found)

    def _cite(self, annotation: Mapping[str, Any], deltas: list[Delta]) -> None:
        cited = WebPage(word(annotation.get("url")), word(annotation.get("title")))
        if annotation.get("type") != "url_citation" or not cited.url:
            return
        if cited not in self._citations and len(self._citations) < _MOST:
            self._size += len(cited.url) + len(cited.title)
            self._citations.append(cited)
            deltas.append(cited)

    def _end(self, response: Mapping[str, Any], deltas: list[Delta]) -> None:
        if not (self._begun or self._told):  # a response in one piece
            for at, item in enumerate(response.get("output") or ()):
                self._done(item, item.get("id") or at, deltas)
        chunk: dict[str, Any] = {}
        if usage := response.get("usage"):
            theirs = {"prompt": "input", "completion": "output"}
            details = {
                f"{o}_tokens_details": usage.get(f"{t}_tokens_details") for o, t in theirs.items()
            }
            chunk["usage"] = {**usage, **details}
        status = response.get("status")
        if status == "failed" or response.get("error"):
            chunk["error"] = response.get("error") or {"message": "The response failed."}
        else:
            reason = word((response.get("incomplete_details") or {}).get("reason"))
            end = "tool_calls" if self._calls else "stop"
            end = _ENDS.get(reason, reason) if status == "incomplete" else end
            chunk["choices"] = [{"finish_reason": end}]
        self._named(response, deltas, **chunk)
        self.done = True
