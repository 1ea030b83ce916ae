"""The one seam between a wire format and the rest.

Chat completions is the first wire. Another (Anthropic Messages, Responses) is one more module
with these three functions and a name in the provider's profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .deltas import Completion
from .dialect import Dialect
from .fim import FimCompletions, Infill
from .request import Built, ChatRequest, build
from .stream import CompletionStream, parse_response


class Wire(Protocol):
    """A wire format: where to post, what to post, how to read what comes back."""

    @property
    def path(self) -> str:
        """Path below the provider's base URL."""

    def build(self, request: Any, dialect: Dialect) -> Built:
        """The body for `request`, a value of the wire's own kind. Raises `ParameterError`."""

    def stream(self, dialect: Dialect) -> CompletionStream:
        """A fresh decoder for one streamed reply."""

    def parse(self, body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
        """A reply that was not streamed; None when `body` is something else."""


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """OpenAI-compatible chat completions."""

    path: str = "chat/completions"

    def build(self, request: ChatRequest, dialect: Dialect) -> Built:
        """See `request.build`."""
        return build(request, dialect)

    def stream(self, dialect: Dialect) -> CompletionStream:
        """See `CompletionStream`."""
        return CompletionStream(think_implied=dialect.think_implied)

    def parse(self, body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
        """See `parse_response`."""
        return parse_response(body, think_implied=dialect.think_implied)


WIRES: Mapping[str, Wire] = {
    "chat": ChatCompletions(),
    "fim": FimCompletions(),
    "infill": Infill(),
}
