"""What a request may set, with the type and range that the providers document.

`STANDARD` is the table (``parameters.json``); a provider's `Dialect` names the rows it takes and
replaces those that it defines otherwise. Sources: api-docs.deepseek.com/api/create-chat-completion
for DeepSeek, openrouter.ai/docs/parameters for OpenRouter and for wcode.net, which repeats it, each
provider's own page for its additions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import ParameterError, did_you_mean, shortened


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row: a kind, and the range or choices within it."""

    kind: str  # of `_KINDS`
    low: float | None = None
    high: float | None = None
    open_low: bool = False  # `low` itself is excluded
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def describe(self) -> str:
        """The row in words, for error messages and help."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = _KINDS[self.kind][0]
        if self.low is not None and self.high is not None:
            over = "above" if self.open_low else "from"
            return f"{words} {over} {self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"{words} of at least {self.low:g}"
        return f"{words} matching {self.pattern}" if self.pattern else words


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_stop(value: object) -> bool:
    texts = [value] if isinstance(value, str) else value
    return isinstance(texts, list) and 1 <= len(texts) <= 16 and all(map(_is_text, texts))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "float": ("a number", lambda v: (isinstance(v, float) or _is_int(v)) and v == v),
    "int": ("a whole number", _is_int),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("a text", lambda v: isinstance(v, str)),
    "object": ("a JSON object", lambda v: isinstance(v, dict)),
    "array": ("a JSON array", lambda v: isinstance(v, list)),
    "stop": ("a text, or up to 16 texts", _is_stop),
    "choice": (
        "none, auto, required or a JSON object",
        lambda v: v in ("none", "auto", "required") or isinstance(v, dict),
    ),
    "flag or object": ("true, false or a JSON object", lambda v: isinstance(v, bool | dict)),
}

_FORMATS = ("text", "json_object", "json_schema")
_BIAS = Parameter("float", -100, 100)

# `rows`, each with the default where one is documented (`default`), and what it does (`says`); and
# the names that each profile takes, as its pages document them (`taken`).
_TABLE: Any = json.loads(Path(__file__).with_name("parameters.json").read_text("utf-8"))
# The help on each: the default, and what it does.
MEANINGS: Mapping[str, tuple[str, str]] = {
    name: (row.pop("default", ""), row.pop("says")) for name, row in _TABLE["rows"].items()
}
STANDARD: Mapping[str, Parameter] = {
    name: Parameter(**{**row, "choices": tuple(row.get("choices", ()))})
    for name, row in _TABLE["rows"].items()
}
TAKEN: Mapping[str, str] = _TABLE["taken"]
# An answer without them is still an answer to the question; without other parameters it is not.
DRAWING = frozenset(_TABLE["drawing"].split())

# Names that have a flag of their own, or are built from the rest.
_ELSEWHERE = {
    "stream": "Use --stream or --no-stream; in Python stream=False.",
    "stream_options": "It is set automatically; %config DeepSeek.extra_body overrides it.",
    "model": "Use -m; in Python model=.",
    "messages": "The messages are the conversation: --system, --history and the prompt make them.",
}
SYNONYMS = {"max_completion_tokens": "max_tokens"}  # DeepSeek ignores the newer name silently


def parse_value(text: str) -> Any:
    """The value in ``--param name=text``: JSON, or Python's True, False and None, else a text."""
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except ValueError:
        return text


def plain_value(value: Any) -> Any:
    """`value` as JSON has it: scalars and arrays of numpy and pandas, decimals, tuples."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    for method in ("item", "tolist", "to_list"):  # item() raises for more than one
        try:
            return plain_value(getattr(value, method)())
        except (AttributeError, TypeError, ValueError):
            continue
    return float(value) if isinstance(value, Real | Decimal) else value


def check_parameters(
    values: Mapping[str, Any], rows: Mapping[str, Parameter], provider: str
) -> dict[str, Any]:
    """`values` under their wire names, each checked against its row; None means not set.

    Raises `ParameterError` for a name that the provider does not take, a value out of range, and
    values that contradict each other.
    """
    checked: dict[str, Any] = {}
    for given, value in values.items():
        name, value = SYNONYMS.get(given, given), plain_value(value)
        if value is None:
            continue
        row = rows.get(name)
        if row is None:
            raise ParameterError(
                f"{provider} has no parameter {given!r}.", _suggestion(given, rows)
            )
        if not _fits(row, value):
            unquoted = isinstance(value, str) and value[:1] in ("{", "[")
            raise ParameterError(
                f"{name} = {_shown(value)} does not fit: {provider} takes {row.describe()}.",
                f"Quote it, so that the quotes in it stay: --param '{name}=…'." if unquoted else "",
            )
        if problem := _structure(name, value):
            raise ParameterError(f"{name} = {_shown(value)} does not fit: {problem}.")
        checked[name] = [value] if name == "stop" and isinstance(value, str) else value
    if checked.get("top_logprobs") is not None:
        if checked.get("logprobs") is False:
            raise ParameterError("top_logprobs needs logprobs, which is false.", "Leave one out.")
        checked["logprobs"] = True  # the API refuses top_logprobs alone
    return checked


def _structure(name: str, value: Any) -> str:
    """What is wrong inside a structured value, "" for nothing."""
    if name == "response_format" and value.get("type") not in _FORMATS:
        return f"its type is one of {', '.join(_FORMATS)}"
    if name == "tools" and not all(map(_is_tool, value)):
        return 'a function is {"type": "function", "function": {"name": …}}'
    if name == "tool_choice" and isinstance(value, dict) and not _is_tool(value):
        return 'it is {"type": "function", "function": {"name": …}}'
    if name == "logit_bias":
        fits = (str(k).isdecimal() and _fits(_BIAS, v) for k, v in value.items())
        return "" if all(fits) else "it maps ids of tokens to numbers from -100 to 100"
    return ""


def _is_tool(value: object) -> bool:
    """Whether it may be a tool, or the choice of one: hosts have other types than functions."""
    if not isinstance(value, dict) or not (value.get("type") or "function" in value):
        return False
    function = value.get("function")
    return "function" not in value or (
        isinstance(function, dict) and _is_text(function.get("name"))
    )


def _fits(row: Parameter, value: object) -> bool:
    if not _KINDS[row.kind][1](value):
        return False
    if row.choices:
        return value in row.choices
    if row.pattern:
        return re.fullmatch(row.pattern, str(value)) is not None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    if row.low is not None and (value <= row.low if row.open_low else value < row.low):
        return False
    return row.high is None or value <= row.high


def _shown(value: object) -> str:
    return shortened(json.dumps(value, ensure_ascii=False, default=str), 60)


def _suggestion(name: str, rows: Iterable[str]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if takers := [taker for taker, taken in TAKEN.items() if name in taken.split()]:
        return f"It is taken by {', '.join(takers)}: -p asks one of them."
    names = sorted(rows)
    return did_you_mean(name, names) or (
        f"It takes {', '.join(names)}. %config DeepSeek.extra_body passes any other field as it is."
    )
