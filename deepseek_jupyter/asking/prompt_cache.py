"""What a provider's cache can find again, and what broke it. Pure.

Providers bill a prompt's tokens at a fraction where it begins with the bytes of an earlier one
for one model. The conversation is kept so that it does: history goes out as it went out before.
Where a user's own change breaks it, the answer says which change that was.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from deepseek_jupyter.protocol.deltas import Detail
from deepseek_jupyter.protocol.messages import Message
from deepseek_jupyter.protocol.tokens import count_tokens, estimate_messages

_WORTH_TELLING = 1024  # tokens; less is not worth a sentence


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a request begins with; `dropped` counts the turns that its window left out."""

    conversation: str
    provider: str
    model: str
    messages: tuple[Message, ...]
    tools: str = ""
    dropped: int = 0

    def text_of(self, *, system: bool) -> str:
        """The text of the system prompt, or of the first message after it; "" without one."""
        found = (m.content for m in self.messages if (m.role == "system") is system)
        return next(found, "")


def in_cache(before: object, now: Prefix) -> int:
    """Estimated tokens at the beginning of `now` with which `before` began too."""
    if not isinstance(before, Prefix) or before.tools != now.tools:
        return 0
    if (before.provider, before.model) != (now.provider, now.model):
        return 0
    pairs = [*zip(before.messages, now.messages, strict=False)]
    equal = next((n for n, (old, new) in enumerate(pairs) if old != new), len(pairs))
    found = estimate_messages(now.messages[:equal], measure=count_tokens)
    if equal == len(pairs) or pairs[equal][0].role != pairs[equal][1].role:
        return found
    old, new = (message.content for message in pairs[equal])
    same = bisect_left(range(len(new)), True, key=lambda end: not old.startswith(new[: end + 1]))
    return found + count_tokens(new[:same])


def what_broke(before: object, now: Prefix) -> str:
    """One sentence on why `now` finds nothing of `before` in the cache; "" where it may."""
    if not isinstance(before, Prefix) or before.conversation != now.conversation:
        return ""
    provider = f"{now.provider} answers now, {before.provider} did before"
    model = f"the model is {now.model} now, it was {before.model}"
    old, new = before.text_of, now.text_of
    changes = (
        (provider, before.provider != now.provider),
        (model, before.model != now.model),
        ("the tools or the form of the answer changed", before.tools != now.tools),
        ("the system prompt changed", old(system=True) != new(system=True)),
        ("the oldest turns were left out", before.dropped != now.dropped),
        ("the first turn changed", old(system=False) != new(system=False)),
    )
    reason = next((reason for reason, changed in changes if changed), "")
    if not reason or estimate_messages(before.messages) < _WORTH_TELLING:
        return ""
    return Detail(f"The cache starts over: {reason}.")
