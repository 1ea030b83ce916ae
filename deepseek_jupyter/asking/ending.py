"""How an answer ended: its status, its error in the record, and what helps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deepseek_jupyter.errors import DeepSeekError, TransportError, TruncatedError
from deepseek_jupyter.protocol.deltas import Completion

__all__ = ["advice", "ending"]


def ending(
    completion: Completion, problem: DeepSeekError | None, stopped: bool
) -> tuple[str, str | None]:
    """Status and finish_reason of the record."""
    if stopped:
        return "interrupted", "interrupted"
    if isinstance(problem, TruncatedError):
        return "truncated", "truncated"
    if problem is not None:
        return "error", "error"
    return "done", completion.finish_reason


def advice(completion: Completion, problem: DeepSeekError | None, stopped: bool) -> Iterator[str]:
    """What the user should know about how the answer ended."""
    if isinstance(problem, TransportError) and completion.answer:
        yield "The answer is incomplete; --continue goes on from here."
    if problem is not None or stopped:
        return
    if completion.empty and completion.reasoning:
        yield (
            "The model only thought and gave no answer; raise --max-tokens, lower --effort, "
            "or use --no-think."
        )
    elif completion.finish_reason == "length":
        yield "The answer was cut at the token limit; raise --max-tokens or use --continue."
    elif completion.finish_reason == "content_filter":
        yield "The provider's content filter cut the answer."
    elif completion.finish_reason in ("insufficient_system_resource", "aborted"):
        yield "The server gave up before the end of the answer; run the cell again."
    if completion.leaked_tool_call:
        yield "The answer contains tool-call markup that the host did not parse; nothing was run."
