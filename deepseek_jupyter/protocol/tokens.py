"""How many tokens a text is: estimated, or counted where a tokenizer is given.

DeepSeek's rule of thumb: an English character is about 0.3 token, a Chinese one about 0.6
(api-docs.deepseek.com/quick_start/token_usage). Good to some 20 percent on prose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .messages import Message

__all__ = ["count_with", "estimate_messages", "estimate_tokens"]

_PER_MESSAGE = 4  # what the chat template adds around each message
_PER_IMAGE = 1_000  # within a factor of two for a picture of some hundred pixels a side


_counter: Callable[[str], int] | None = None


def count_with(counter: Callable[[str], int] | None) -> None:
    """From now on ask `counter` (None: estimate)."""
    global _counter
    _counter = counter


def estimate_tokens(text: str) -> int:
    """Tokens in `text`, rounded up."""
    if _counter is not None:
        return _counter(text)
    ascii_count = len(text.encode("ascii", "ignore"))
    return int(ascii_count * 0.3 + (len(text) - ascii_count) * 0.6 + 0.999)


def estimate_messages(messages: Iterable[Message]) -> int:
    """Tokens in `messages`, those of their calls and the template's own included.

    Thinking is not counted: whether it goes back is the provider's, and what goes back of earlier
    turns most of them drop.
    """
    return sum(
        _PER_MESSAGE
        + estimate_tokens(m.content)
        + sum(estimate_tokens(call.name + call.arguments) for call in m.tool_calls)
        + _PER_IMAGE * len(m.images)
        for m in messages
    )
