"""`Completion`: what a model returned, whole or so far."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .deltas import Delta, Fault, Finish, Logprobs, ReasoningDelta, TextDelta, ToolCallDelta
from .messages import Message, ToolCall
from .usage import Usage

__all__ = ["Completion", "deltas_of"]

# Tool-call markup that a host's parser failed to take out of the text: DeepSeek's DSML with
# full-width or ASCII bars, its older tokens, and the Hermes form.
_LEAKED_CALL = re.compile(
    r"<[｜|]{1,2}\s*(?:DSML|tool[▁_]calls?[▁_]begin)|<tool_call>", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model returned, whole or so far.

    `reasoning` is None when the model did not think, "" when it thought nothing aloud.
    `finish_reason` is the server's word, or None where it gave none. `ended` says that the
    server ended the stream properly. `fault` is an error object met in the stream.
    """

    answer: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    logprobs: dict[str, list[dict[str, Any]]] | None = None
    reasoning_details: tuple[dict[str, Any], ...] = ()
    ended: bool = False
    fault: Fault | None = None

    @property
    def empty(self) -> bool:
        """Neither an answer nor a tool call, blanks apart."""
        return not self.answer.strip() and not self.tool_calls

    @property
    def leaked_tool_call(self) -> bool:
        """Whether the answer holds tool-call markup that the host failed to parse."""
        return bool(_LEAKED_CALL.search(self.answer))

    def message(self) -> Message:
        """The assistant message that stands for this completion in the history."""
        return Message(
            "assistant",
            self.answer,
            self.reasoning,
            self.tool_calls,
            reasoning_details=self.reasoning_details,
        )


def deltas_of(completion: Completion) -> Iterator[Delta]:
    """A whole completion as the deltas that a stream would have brought."""
    if completion.reasoning:
        yield ReasoningDelta(completion.reasoning)
    if completion.answer:
        yield TextDelta(completion.answer)
    for index, call in enumerate(completion.tool_calls):
        yield ToolCallDelta(index, call.id, call.name, call.arguments)
    if completion.logprobs:
        content = completion.logprobs.get("content", [])
        yield Logprobs(content, completion.logprobs.get("reasoning_content", []))
    if completion.usage:
        yield completion.usage
    if completion.finish_reason:
        yield Finish(completion.finish_reason)
