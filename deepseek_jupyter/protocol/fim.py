"""Fill-in-the-middle: code before and after the cursor goes out, what belongs there comes back.

Two wires carry it. DeepSeek's ``POST /beta/completions`` never thinks and writes at most 4096
tokens (api-docs.deepseek.com/guides/fim_completion); Ollama's ``/v1/completions`` is the same.
llama.cpp's ``POST /infill`` is outside its ``/v1`` and puts the model's own FIM tokens around both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Delta
from .dialect import Dialect
from .request import Built
from .stream import CompletionStream


@dataclass(frozen=True, slots=True)
class FimRequest:
    """What to fill. `parameters` are max_tokens, temperature, top_p, stop and seed."""

    model: str
    prefix: str
    suffix: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `ParameterError` for what a server would bill for nothing."""
        if not self.prefix.strip() and not self.suffix.strip():
            raise ParameterError("There is no code to complete.")


def build_fim(request: FimRequest, dialect: Dialect) -> Built:
    """The body of ``/completions``. An empty suffix some hosts take for an end of file."""
    request.check()
    body: dict[str, Any] = {"model": request.model, "prompt": request.prefix}
    if request.suffix:
        body["suffix"] = request.suffix
    body |= {**request.parameters, "stream": True, "stream_options": {"include_usage": True}}
    return Built(body, beta=dialect.beta)


def build_infill(request: FimRequest, dialect: Dialect) -> Built:
    request.check()
    body: dict[str, Any] = {"input_prefix": request.prefix, "input_suffix": request.suffix}
    names = {"max_tokens": "n_predict"}
    body |= {names.get(name, name): value for name, value in request.parameters.items()}
    return Built({**body, "cache_prompt": True, "stream": True})


class TextStream(CompletionStream):
    """Chunks whose choices hold ``text``. Code is taken verbatim: a tag in it is code."""

    finds_thinking = False

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__()
        self._splitter = None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        choices = [
            {"delta": {"content": choice.get("text")}, "finish_reason": choice.get("finish_reason")}
            for choice in chunk.get("choices") or ()
            if not choice.get("index")
        ]
        super()._take({**chunk, "choices": choices}, deltas)


class InfillStream(TextStream):
    """llama.cpp's chunks ``{content, stop}``; the last one has the counts."""

    @staticmethod
    def _chunk(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return body if "content" in body else None

    def _take(self, chunk: Mapping[str, Any], deltas: list[Delta]) -> None:
        choice = {"text": chunk.get("content")}
        if not chunk.get("stop"):
            super()._take({**chunk, "choices": [choice], "usage": None}, deltas)
            return
        choice["finish_reason"] = "length" if chunk.get("stop_type") == "limit" else "stop"
        usage = {
            "prompt_tokens": chunk.get("tokens_evaluated"),
            "completion_tokens": chunk.get("tokens_predicted"),
        }
        super()._take({**chunk, "choices": [choice], "usage": usage}, deltas)
