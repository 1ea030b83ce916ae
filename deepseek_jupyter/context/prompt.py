r"""What a prompt says of the notebook: ``{{ expression }}``, evaluated, and ``@name``, found. Pure.

``{{ }}`` is the only interpolation there is: single braces, ``$`` and ``%`` are the user's own
text, so JSON, LaTeX and f-strings need no escaping. ``\{{`` is two literal braces.

``@name`` may mean an object of the notebook, but not as a decorator above its function, or behind
a letter or digit, as in an e-mail address. Code (fenced or between backticks) is left as it is: a
pasted Jinja template, workflow file or decorator is no request of ours.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from deepseek_jupyter.errors import TemplateError, did_you_mean

_OPEN = re.compile(r"\\?\{\{")
_CLOSE = "}}"
_TRIES = 200  # closing braces within one expression
_MENTION = re.compile(
    r"(?<![\w@/\\.`-])@(?P<said>\"[^\"\n]{1,300}\"|"
    r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]\n]{1,100}\])*)"
)
CODE = re.compile(r"^[ \t]*(```+|~~~+)[\s\S]*?(?:^[ \t]*\1|\Z)|(`+)[^`\n]+\2", re.MULTILINE)
_DECORATED = re.compile(r"[^\n]*\n\s*(?:@|def |class |async def )")
_BLANK = re.compile(r"\s*")
_TAIL = re.compile(r"(?:\.[^\W\d]\w*|\[[^\[\]\n]*\])\Z")

Keep = Callable[[str, Any], str | None]


def fill(text: str, namespace: Mapping[str, Any], keep: Keep = lambda source, value: None) -> str:
    """`text` with each ``{{ expression }}`` replaced by the text of its value.

    `keep` is asked first, with the expression and its value: what it returns replaces a value
    that has no business in a text, such as a whole frame.

    Raises `TemplateError` for an unclosed or malformed expression, an unknown name, or an
    expression that raises.
    """
    if not _OPEN.search(text):
        return text
    pieces: list[str] = []
    at, in_code = 0, _code_in(text)
    while match := _OPEN.search(text, at):
        if end := in_code(match.start()):
            pieces.append(text[at:end])
            at = end
            continue
        pieces.append(text[at : match.start()])
        if match[0].startswith("\\"):
            pieces.append("{{")
            at = match.end()
            continue
        code, source, at = _expression(text, match.end())
        pieces.append(_value(code, source, namespace, keep))
    return "".join([*pieces, text[at:]])


def _code_in(text: str) -> Callable[[int], int]:
    """A function from a place in `text` to the end of the code that it is in, 0 outside of code."""
    code = [match.span() for match in CODE.finditer(text)]

    def end_of(place: int) -> int:
        before = bisect_right(code, place, key=lambda span: span[0])
        return code[before - 1][1] if before and place < code[before - 1][1] else 0

    return end_of


def _expression(text: str, start: int) -> tuple[CodeType, str, int]:
    """The expression that begins at `start`, and where the text goes on after it.

    The first ``}}`` that makes it compile ends it, so that ``{{ {"a": {"b": 1}} }}`` works.
    """
    end = start
    for _ in range(_TRIES):
        if (end := text.find(_CLOSE, end)) == -1:
            break
        source = text[start:end].strip()
        try:
            return compile(source, "{{ }}", "eval"), source, end + len(_CLOSE)
        except (SyntaxError, ValueError):
            end += 1
    first_line = text[start:].split("\n", 1)[0].strip()[:60]
    raise TemplateError(
        f"{{{{ {first_line} … is not a complete expression.",
        "Close it with }}, or write \\{{ for two literal braces.",
    )


def _value(code: CodeType, source: str, namespace: Mapping[str, Any], keep: Keep) -> str:
    try:
        value = eval(code, dict(namespace))
        kept = keep(source, value)
        return str(value) if kept is None else kept
    except NameError as error:
        raise TemplateError(
            f"{{{{ {source} }}}}: there is no {error.name!r} in this notebook.",
            _suggestion(error.name or source, namespace),
        ) from None
    except Exception as error:
        raise TemplateError(
            f"{{{{ {source} }}}} raised {type(error).__name__}: {error}",
            "Correct the expression, or write \\{{ for two literal braces.",
        ) from error


def _suggestion(name: str, namespace: Mapping[str, Any]) -> str:
    meant = did_you_mean(name, (n for n in namespace if not n.startswith("_")))
    return f"{meant or 'Run the cell that defines it.'} For two literal braces write \\{{{{."


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters `start` to `end` of a prompt say ``@expression``."""

    start: int
    end: int
    expression: str


def mentions(text: str) -> Iterator[Mention]:
    """The places in `text` that may mean an object, in order."""
    if "@" not in text:
        return
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    in_code = _code_in(text)
    for match in _MENTION.finditer(text):
        start = match.start()
        if in_code(start):
            continue
        line = lines[bisect_right(lines, start) - 1]
        if _BLANK.fullmatch(text, line, start) and _DECORATED.match(text, match.end()):
            continue
        yield Mention(start, match.end(), match["said"])


def readings(expression: str) -> Iterator[str]:
    """What `expression` may mean, the longest first: a sentence may go on behind the name.

    >>> list(readings("df.price.Then"))
    ['df.price.Then', 'df.price', 'df']
    """
    yield expression
    while tail := _TAIL.search(expression):
        expression = expression[: tail.start()]
        yield expression
