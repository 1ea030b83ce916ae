"""The wires by name: where a request is posted, how it is built and how the reply is read.

A wire is one file and a row here. A provider's profile names those that it speaks; nothing above
this package knows which one carries a question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .anthropic import MessagesStream, build_messages
from .deltas import Completion
from .dialect import Dialect
from .fim import InfillStream, TextStream, build_fim, build_infill
from .request import Built, build
from .responses import ResponsesStream, build_responses
from .stream import CompletionStream


@dataclass(frozen=True, slots=True)
class Wire:
    """How requests are built and posted, and replies read."""

    path: str  # below the provider's base URL
    build: Callable[[Any, Dialect], Built]  # of the wire's own kind; raises `ParameterError`
    decoder: type[CompletionStream]
    key: tuple[str, str] = ("Authorization", "Bearer ")  # its header, and what comes before it
    headers: Mapping[str, str] = field(default_factory=dict)  # of every request
    takes: frozenset[str] | None = None  # the parameters that it can say, None for any

    def stream(self, dialect: Dialect) -> CompletionStream:
        return self.decoder(think_implied=dialect.think_implied)

    def parse(self, body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
        """A reply in one piece; None when the body is something else."""
        return self.decoder.whole(body, think_implied=dialect.think_implied)


_BOTH = "temperature top_p max_tokens tools tool_choice parallel_tool_calls user_id thinking "
_BOTH += "reasoning_effort reasoning enable_thinking chat_template_kwargs response_format"

WIRES: Mapping[str, Wire] = {
    "chat": Wire("chat/completions", build, CompletionStream),
    "responses": Wire(
        "responses", build_responses, ResponsesStream, takes=frozenset(_BOTH.split())
    ),
    "messages": Wire(
        "messages",
        build_messages,
        MessagesStream,
        ("x-api-key", ""),
        {"anthropic-version": "2023-06-01"},
        frozenset(f"{_BOTH} stop top_k".split()),
    ),
    "fim": Wire("completions", build_fim, TextStream),
    "infill": Wire("infill", build_infill, InfillStream),
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
