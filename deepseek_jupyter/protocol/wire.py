"""The wires by name: where a request is posted, how it is built and how the reply is read.

A wire is one file and a row here. A provider's profile names those that it speaks; nothing above
this package knows which one carries a question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .anthropic import MessagesStream, build_messages, read_message
from .deltas import Completion
from .dialect import Dialect
from .fim import InfillStream, TextStream, build_fim, build_infill, read_text
from .request import Built, build
from .responses import ResponsesStream, build_responses, read_response
from .stream import CompletionStream, parse_response, read_whole


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire format; `path` is below the provider's base URL.

    `build` makes a request ready (the wire's own kind) and raises `ParameterError`. `stream`
    makes a decoder for one streamed reply. `parse` reads a reply in one piece, None when the body
    is something else. `key` is the header of the key and what comes before it; `headers` go with
    every request. `takes` are the parameters that it can say, None for any.
    """

    path: str
    build: Callable[[Any, Dialect], Built]
    stream: Callable[[Dialect], CompletionStream]
    parse: Callable[[Mapping[str, Any], Dialect], Completion | None]
    key: tuple[str, str] = ("Authorization", "Bearer ")
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: frozenset[str] | None = None


_BOTH = "temperature top_p max_tokens tools tool_choice parallel_tool_calls user_id thinking "
_BOTH += "reasoning_effort reasoning enable_thinking chat_template_kwargs response_format"

WIRES: Mapping[str, Wire] = {
    "chat": Wire(
        "chat/completions",
        build,
        lambda dialect: CompletionStream(think_implied=dialect.think_implied),
        lambda body, dialect: parse_response(body, think_implied=dialect.think_implied),
    ),
    "responses": Wire(
        "responses",
        build_responses,
        lambda dialect: ResponsesStream(think_implied=dialect.think_implied),
        read_response,
        takes=frozenset(_BOTH.split()),
    ),
    "messages": Wire(
        "messages",
        build_messages,
        lambda dialect: MessagesStream(think_implied=dialect.think_implied),
        read_message,
        key=("x-api-key", ""),
        headers={"anthropic-version": "2023-06-01"},
        takes=frozenset(f"{_BOTH} stop top_k".split()),
    ),
    "fim": Wire("completions", build_fim, lambda _: TextStream(), lambda body, _: read_text(body)),
    "infill": Wire(
        "infill",
        build_infill,
        lambda _: InfillStream(),
        lambda body, _: read_whole(InfillStream(), body) if "content" in body else None,
    ),
}


def on_wire(dialect: Dialect, name: str) -> Dialect:
    """`dialect` as its host speaks it on another wire than chat.

    Both have DeepSeek's switch of thinking, and take thinking back as they sent it. On `responses`
    a schema is a form of the answer; on `messages` a function holds it where the host forces one
    in the same way, else the prompt asks for it.
    """
    takes = WIRES[name].takes
    if takes is None:
        return dialect
    rows = {row: parameter for row, parameter in dialect.rows.items() if row in takes}
    schema = dialect.schema
    if name == "responses" and schema != "json_schema":
        schema = "strict json_schema"
    elif name == "messages" and schema != "strict function":
        schema = "json mode"
    told = dialect.thinking in ("by_id", "extra", "template")
    return replace(
        dialect,
        rows=rows,
        schema=schema,
        schema_flag=False,
        thinking=dialect.thinking if told else "deepseek",
        replay="none" if dialect.replay == "none" else "signed",
        prefix="",
        stream_usage=False,
    )
