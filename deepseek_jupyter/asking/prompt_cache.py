"""What a provider's cache can find again, and what broke it. Pure.

Providers bill a prompt's tokens at a fraction where it begins with the bytes of an earlier one
for one model. The conversation is kept so that it does: history goes out as it went out before.
Where a user's own change breaks it, the answer says which change that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepseek_jupyter.protocol.messages import Message
from deepseek_jupyter.protocol.tokens import estimate_messages

_WORTH_TELLING = 1024  # tokens; less is not worth a sentence


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a request of a conversation begins with. `dropped` counts the turns that its window left
    out.
    """

    conversation: str
    provider: str
    model: str
    messages: tuple[Message, ...]
    tools: str = ""
    dropped: int = 0

    @property
    def system(self) -> str:
        """The system prompt, "" without one."""
        first = self.messages[0] if self.messages else None
        return first.content if first is not None and first.role == "system" else ""


def what_broke(before: object, now: Prefix) -> str:
    """One sentence on why `now` finds nothing of `before` in the cache; "" where it may, and where
    a new conversation is begun.
    """
    if not isinstance(before, Prefix) or before.conversation != now.conversation:
        return ""
    reason = _reason(before, now)
    if not reason or estimate_messages(before.messages) < _WORTH_TELLING:
        return ""
    return f"The cache starts over: {reason}."


def _reason(before: Prefix, now: Prefix) -> str:
    if before.provider != now.provider:
        return f"{now.provider} answers now, {before.provider} did before"
    if before.model != now.model:
        return f"the model is {now.model} now, it was {before.model}"
    if before.tools != now.tools:
        return "the tools or the form of the answer changed"
    if before.system != now.system:
        return "the system prompt changed"
    if before.dropped != now.dropped:
        return "the oldest turns were left out"
    return "" if _shared(before.messages, now.messages) else "the first turn changed"


def _shared(before: Sequence[Message], now: Sequence[Message]) -> bool:
    """Whether the first messages after the system prompt are equal."""
    first = [
        next((m.content for m in messages if m.role != "system"), "") for messages in (before, now)
    ]
    return first[0] == first[1]
