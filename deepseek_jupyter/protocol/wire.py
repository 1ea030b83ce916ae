"""The wires by name: where a request is posted, how it is built and how the reply is read.

Another wire (Anthropic Messages, Responses) is one more row, named in the provider's profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .deltas import Completion
from .dialect import Dialect
from .fim import InfillStream, TextStream, build_fim, build_infill, read_text
from .request import Built, build
from .stream import CompletionStream, parse_response, read_whole


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire format; `path` is below the provider's base URL.

    `build` makes the body of a request (the wire's own kind) and raises `ParameterError`. `stream`
    makes a decoder for one streamed reply. `parse` reads a reply in one piece, None when the body
    is something else.
    """

    path: str
    build: Callable[[Any, Dialect], Built]
    stream: Callable[[Dialect], CompletionStream]
    parse: Callable[[Mapping[str, Any], Dialect], Completion | None]


WIRES: Mapping[str, Wire] = {
    "chat": Wire(
        "chat/completions",
        build,
        lambda dialect: CompletionStream(think_implied=dialect.think_implied),
        lambda body, dialect: parse_response(body, think_implied=dialect.think_implied),
    ),
    "fim": Wire("completions", build_fim, lambda _: TextStream(), lambda body, _: read_text(body)),
    "infill": Wire(
        "infill",
        build_infill,
        lambda _: InfillStream(),
        lambda body, _: read_whole(InfillStream(), body) if "content" in body else None,
    ),
}
