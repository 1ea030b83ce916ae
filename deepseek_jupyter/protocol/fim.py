"""Fill-in-the-middle: the code before and after the cursor in, what stands between them out.

Two wires carry it. DeepSeek's ``POST /beta/completions`` never thinks and writes at most 4096
tokens (api-docs.deepseek.com/guides/fim_completion); Ollama's ``/v1/completions`` is the same.
llama.cpp has ``POST /infill`` beside its ``/v1`` and puts the model's own FIM tokens around both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Completion, Delta
from .dialect import Dialect
from .request import Built
from .stream import CompletionStream

MOST_TOKENS = 4096

_NAMES = {"max_tokens", "temperature", "top_p", "stop", "seed"}
_INFILL_NAMES = {"max_tokens": "n_predict"}
_INFILL_ENDS = {"limit": "length"}  # llama.cpp's stop_type; every other one is a stop


@dataclass(frozen=True, slots=True)
class FimRequest:
    """What to fill. `parameters` are max_tokens, temperature, top_p, stop and seed."""

    model: str
    prefix: str
    suffix: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True

    def check(self) -> None:
        """Raise `ParameterError` for what a server would refuse, or bill for nothing."""
        if not self.prefix.strip() and not self.suffix.strip():
            raise ParameterError("There is no code to complete.")
        unknown = sorted(set(self.parameters) - _NAMES)
        if unknown:
            raise ParameterError(
                f"{unknown[0]} is no parameter of fill-in-the-middle.",
                f"It takes {', '.join(sorted(_NAMES))}.",
            )
        if not 1 <= self.parameters.get("max_tokens", 1) <= MOST_TOKENS:
            raise ParameterError(
                f"max_tokens must be between 1 and {MOST_TOKENS} in fill-in-the-middle."
            )


@dataclass(frozen=True, slots=True)
class FimCompletions:
    """``/completions`` with a suffix."""

    path: str = "completions"

    def build(self, request: FimRequest, dialect: Dialect) -> Built:
        """The body. An empty suffix is left out: some hosts take it for an end of file."""
        request.check()
        body: dict[str, Any] = {"model": request.model, "prompt": request.prefix}
        if request.suffix:
            body["suffix"] = request.suffix
        body.update(request.parameters)
        if request.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        return Built(body, beta=dialect.beta)

    def stream(self, dialect: Dialect) -> CompletionStream:
        """A decoder of ``text_completion`` chunks."""
        return _TextStream()

    def parse(self, body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
        """A reply in one piece."""
        return _whole(_TextStream(), body) if body.get("choices") else None


@dataclass(frozen=True, slots=True)
class Infill:
    """llama.cpp's ``/infill``."""

    path: str = "infill"

    def build(self, request: FimRequest, dialect: Dialect) -> Built:
        """The body in llama.cpp's words."""
        request.check()
        body: dict[str, Any] = {"input_prefix": request.prefix, "input_suffix": request.suffix}
        for name, value in request.parameters.items():
            body[_INFILL_NAMES.get(name, name)] = value
        body["cache_prompt"] = True
        body["stream"] = request.stream
        return Built(body)

    def stream(self, dialect: Dialect) -> CompletionStream:
        """A decoder of llama.cpp's own chunks."""
        return _InfillStream()

    def parse(self, body: Mapping[str, Any], dialect: Dialect) -> Completion | None:
        """A reply in one piece."""
        return _whole(_InfillStream(), body) if "content" in body else None


class _TextStream(CompletionStream):
    """Chunks whose choices hold ``text``. Code is taken verbatim: a tag in it is code."""

    def __init__(self) -> None:
        super().__init__()
        self._splitter = None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        choices = [
            {"delta": {"content": choice.get("text")}, "finish_reason": choice.get("finish_reason")}
            for choice in chunk.get("choices") or ()
            if not choice.get("index")
        ]
        super()._take({**chunk, "choices": choices}, deltas)


class _InfillStream(CompletionStream):
    """Chunks ``{content, stop}``; the last one has the counts."""

    def __init__(self) -> None:
        super().__init__()
        self._splitter = None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        ended = bool(chunk.get("stop"))
        kind = str(chunk.get("stop_type") or "")
        choice = {
            "delta": {"content": chunk.get("content")},
            "finish_reason": _INFILL_ENDS.get(kind, "stop") if ended else None,
        }
        usage = {
            "prompt_tokens": chunk.get("tokens_evaluated"),
            "completion_tokens": chunk.get("tokens_predicted"),
        }
        read = {**chunk, "choices": [choice], "usage": usage if ended else None}
        super()._take(read, deltas)


def _whole(stream: CompletionStream, body: Mapping[str, Any]) -> Completion | None:
    """A reply in one piece, read as the one event of a stream; None where it is malformed."""
    stream.feed(b"data: " + json.dumps(body).encode() + b"\n\ndata: [DONE]\n\n")
    stream.close()
    return None if stream.unparsable else stream.completion
