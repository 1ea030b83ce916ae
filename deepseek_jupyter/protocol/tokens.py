"""How many tokens a text is: estimated, or counted where a tokenizer is given.

`estimate_*` costs nothing and is what every question passes. DeepSeek's rule of thumb: an English
character is about 0.3 token, a Chinese one about 0.6
(api-docs.deepseek.com/quick_start/token_usage). Good to some 20 percent on prose.

`count_*` is for whoever promises a figure. It may load a tokenizer, which takes a third of a second
and 60 MB, so no plain question may need it: ask `surely_within` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .messages import Message

__all__ = [
    "count_messages",
    "count_tokens",
    "count_with",
    "estimate_messages",
    "estimate_tokens",
    "most_tokens",
    "surely_within",
]

_PER_MESSAGE = 4  # what the chat template adds around each message
_PER_IMAGE = 1_000  # within a factor of two for a picture of some hundred pixels a side


_counter: Callable[[str], int] | None = None


def count_with(counter: Callable[[str], int] | None) -> None:
    """From now on let `counter` count (None: estimate)."""
    global _counter
    _counter = counter


def estimate_tokens(text: str) -> int:
    """Tokens in `text`, about, rounded up."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return int(ascii_count * 0.3 + (len(text) - ascii_count) * 0.6 + 0.999)


def count_tokens(text: str) -> int:
    """Tokens in `text`, counted where a tokenizer is given."""
    return estimate_tokens(text) if _counter is None else _counter(text)


def most_tokens(text: str) -> int:
    """What no tokenizer goes beyond: each of its tokens is one byte of UTF-8 at least."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimate_messages(messages: Iterable[Message]) -> int:
    """Tokens in `messages`, about: those of their calls and the template's own included.

    Thinking is not counted: whether it goes back is the provider's, and what goes back of earlier
    turns most of them drop.
    """
    return _in(messages, estimate_tokens)


def count_messages(messages: Iterable[Message]) -> int:
    """Tokens in `messages`, counted where a tokenizer is given."""
    return _in(messages, count_tokens)


def surely_within(messages: Iterable[Message], limit: float) -> bool:
    """Whether `messages` are at most `limit` tokens, whatever they say; False: perhaps not."""
    return _in(messages, most_tokens) <= limit


def _in(messages: Iterable[Message], measure: Callable[[str], int]) -> int:
    return sum(
        _PER_MESSAGE
        + measure(m.content)
        + sum(measure(call.name + call.arguments) for call in m.tool_calls)
        + _PER_IMAGE * len(m.images)
        for m in messages
    )
