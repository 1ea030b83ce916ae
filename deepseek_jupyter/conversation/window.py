"""Which turns of a long conversation still fit the model's window. Pure.

When it is full, the oldest turns are dropped in one deep cut, to half; never one by one. A provider
bills a repeated prefix at a fraction, and a window that slides a turn at a time changes the prefix
with every question; one that is cut to half keeps it until it is full again.

The cut is a function of the turns' sizes alone, found by going through the conversation as it grew.
So it needs no memory: the same history gives the same cut, after a restart too, and the messages
behind it are the same bytes as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from deepseek_jupyter.protocol.messages import Message

from .turn import Turn

__all__ = ["Window", "dropped", "messages_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """The messages that go out, and how many of the oldest turns do not."""

    messages: tuple[Message, ...]
    dropped: int = 0


def dropped(sizes: Iterable[int], limit: int) -> int:
    """How many of the oldest turns are dropped so that the rest is at most `limit` tokens.

    `sizes` are the turns' tokens, oldest first. What is kept after a cut is at most half of
    `limit`, or the newest turn alone where that is longer than half; one longer than `limit` is
    dropped too. `limit` should leave room for the question and the answer, and be the same each
    time.
    """
    sizes = list(sizes)
    first = kept = 0
    for end, size in enumerate(sizes, 1):
        kept += size
        if kept > limit:
            while first < end and kept > limit // 2 and (first < end - 1 or kept > limit):
                kept -= sizes[first]
                first += 1
    return first


def messages_of(turn: Turn, mask: Callable[[str], str] | None) -> list[Message]:
    """What `turn` adds to the history; texts that were never sent from here go through `mask`."""
    if turn.sent or mask is None:
        return turn.messages()
    return [
        replace(
            message,
            content=mask(message.content),
            reasoning=message.reasoning and mask(message.reasoning),
            tool_calls=tuple(
                replace(call, arguments=mask(call.arguments)) for call in message.tool_calls
            ),
        )
        for message in turn.messages()
    ]
