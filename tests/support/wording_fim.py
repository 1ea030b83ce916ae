"""What fill-in-the-middle servers say: DeepSeek's ``text_completion`` chunks, llama.cpp's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .scripted import Reply, plain, sse
from .wording import MODEL, pieces

__all__ = ["USAGE", "fim", "fim_chunks", "fim_whole", "infill", "infill_chunks"]

USAGE: Mapping[str, Any] = {
    "prompt_tokens": 20,
    "completion_tokens": 6,
    "total_tokens": 26,
    "prompt_cache_hit_tokens": 12,
    "prompt_cache_miss_tokens": 8,
}


def fim_chunks(text: str, finish: str = "stop") -> list[dict[str, Any]]:
    """The chunks of ``POST /beta/completions``."""
    made = [_chunk(piece) for piece in pieces(text)]
    return [*made, {**_chunk("", finish), "usage": USAGE}]


def _chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "5b1d7f0a-0000-4000-8000-000000000000",
        "object": "text_completion",
        "created": 1790000000,
        "model": MODEL,
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}],
    }


def fim(text: str, finish: str = "stop", **how: Any) -> Reply:
    """A streamed completion."""
    return sse(*fim_chunks(text, finish), **how)


def fim_whole(text: str) -> Reply:
    """One that is not streamed."""
    return plain({**_chunk(text, "stop"), "usage": USAGE})


def infill_chunks(text: str, stop_type: str = "eos") -> list[dict[str, Any]]:
    """The chunks of llama.cpp's ``POST /infill``."""
    made = [{"index": 0, "content": piece, "stop": False} for piece in pieces(text)]
    last = {
        "index": 0,
        "content": "",
        "stop": True,
        "stop_type": stop_type,
        "model": "qwen",
        "tokens_predicted": 6,
        "tokens_evaluated": 20,
        "timings": {"cache_n": 12, "prompt_n": 8, "predicted_n": 6},
    }
    return [*made, last]


def infill(text: str, stop_type: str = "eos") -> Reply:
    """A streamed infill: it has no end mark."""
    return sse(*infill_chunks(text, stop_type), done=False)
