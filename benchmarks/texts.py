"""Answers to stream: made up, the same each time, in the mixtures that models write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice

__all__ = ["KINDS", "answer", "tokens"]

_TEXT = (
    "the sky scatters short waves of light more than long ones which is why it looks blue by day "
    "and red in the evening when its path through the air grows long enough to lose them all"
)
_WORDS = _TEXT.split()


def _sentence(n: int, words: int = 14) -> str:
    start = n * 5 % len(_WORDS)
    picked = [_WORDS[(start + i) % len(_WORDS)] for i in range(words)]
    return " ".join([picked[0].capitalize(), *picked[1:]]) + "."


def _paragraph(n: int) -> str:
    return " ".join(_sentence(n + i) for i in range(4)) + "\n\n"


def _prose() -> Iterator[str]:
    return (_paragraph(n) for n in count())


def _code() -> Iterator[str]:
    for n in count():
        yield _sentence(n) + "\n\n```python\n"
        for line in range(40):
            yield f"    total_{n} += weights[{line}] * values[{line}] < {n}"
            yield f"  # {_sentence(line, 5)}\n"
        yield "```\n\n"


def _table() -> Iterator[str]:
    for n in count():
        yield f"### Table {n}\n\n| name | value | share |\n| --- | ---: | ---: |\n"
        yield from (f"| row *{i}* of {n} | {i * n} | {i / 31:.2f} |\n" for i in range(30))
        yield "\n"


def _list() -> Iterator[str]:
    """One long list, as for "name a hundred …": a single block to its end."""
    return (f"{n}. **{_sentence(n, 3)}** {_sentence(n)} See `item_{n}`.\n" for n in count(1))


def _mixed() -> Iterator[str]:
    for n in count():
        yield f"## {_sentence(n, 5)}\n\n{_paragraph(n)}"
        yield "".join(f"- **{_sentence(i, 2)}** {_sentence(i)} `x_{i}`\n" for i in range(5)) + "\n"
        yield f"The length is $\\frac{{a_{{{n}}}}}{{b}}$, see [the notes](https://example.org).\n\n"
        yield "$$\n\\int_0^1 x^2\\,dx = \\tfrac13\n$$\n\n```python\n"
        yield "".join(f"value[{i}] = {i} * {n} < 100\n" for i in range(12)) + "```\n\n"
        yield "| a | b |\n|---|---|\n" + "".join(f"| {i} | {i * n} |\n" for i in range(6)) + "\n"


def _line() -> Iterator[str]:
    """No line end ever: the worst for a display that works block by block."""
    return (f"{n} " for n in count())


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "mixed": _mixed,
    "prose": _prose,
    "code": _code,
    "tables": _table,
    "one list": _list,
    "one line": _line,
}


def answer(kind: str, size: int) -> str:
    """`size` characters of a kind."""
    parts, length = [], 0
    for part in KINDS[kind]():
        parts.append(part)
        length += len(part)
        if length >= size:
            break
    return "".join(parts)[:size]


def tokens(kind: str, number: int, size: int = 4) -> Iterator[str]:
    """The first `number` pieces of `size` characters."""
    text = answer(kind, number * size)
    return islice((text[i : i + size] for i in range(0, len(text), size)), number)
