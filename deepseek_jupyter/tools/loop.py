"""The plan of one round: which of the model's calls can run, and what it is told about the others.

Pure: what runs, when and with whose consent is decided above (`asking.round`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deepseek_jupyter.errors import ToolArgumentsError, ToolError
from deepseek_jupyter.protocol.deltas import Completion
from deepseek_jupyter.protocol.messages import ToolCall

from .functions import tool_of
from .tool import Tool

__all__ = ["DENIED", "Planned", "as_text", "plan", "runnable", "toolbox", "written_call"]

DENIED = (
    "denied: the user did not agree to this call. Do not try it again; go on without it, or say "
    "what you would have needed."
)
# Ends that say the calls are whole. Some hosts end a round of calls with "stop".
_WHOLE = frozenset({"tool_calls", "stop", "function_call"})
_NAME_KEYS = ("name", "function", "tool")
_ARGUMENT_KEYS = frozenset({"arguments", "parameters", "args", "input"})
_LOOKED_AT = 50  # braces of an answer at which a call may begin


@dataclass(frozen=True, slots=True)
class Planned:
    """One call of a round. `problem` is what the model is told instead of a result.

    `arguments` are as the model gave them, `keywords` as the function takes them.
    """

    call: ToolCall
    tool: Tool | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def toolbox(tools: Iterable[Any]) -> dict[str, Tool]:
    """Tools by name. Raises `ToolError` for two of one name, and for what `tool_of` refuses."""
    found: dict[str, Tool] = {}
    for tool in map(tool_of, tools):
        if tool.name in found:
            raise ToolError(
                f"Two tools are called {tool.name}.", "Rename one: the model calls by name."
            )
        found[tool.name] = tool
    return found


def runnable(completion: Completion) -> bool:
    """Whether the calls of a completion may run: none that a limit or a filter cut off.

    Markup in the text that a host failed to parse is text: it never becomes a call.
    """
    reason = completion.finish_reason
    whole = reason in _WHOLE if reason else completion.ended
    return bool(completion.tool_calls) and whole and completion.fault is None


def written_call(text: str, names: Collection[str]) -> str:
    """The one of `names` that a call written as JSON in `text` means; "" without one.

    Small models write ``{"name": "sql", "arguments": {…}}`` into their answer. That is text and
    never runs, but whoever reads it should know that.
    """
    decoder, end = json.JSONDecoder(), 0
    for _ in range(_LOOKED_AT):
        begin = text.find("{", end)
        if begin < 0:
            break
        try:
            value, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            value, end = None, begin + 1
        if name := _called(value, names):
            return name
    return ""


def _called(value: Any, names: Collection[str]) -> str:
    """The name in a call, which may lie within other values."""
    if isinstance(value, dict):
        if value.keys() & _ARGUMENT_KEYS:
            found = (value[key] for key in _NAME_KEYS if isinstance(value.get(key), str))
            if name := next((name for name in found if name in names), ""):
                return str(name)
        value = list(value.values())
    inner = value if isinstance(value, list) else ()
    return next((name for item in inner if (name := _called(item, names))), "")


def plan(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], reveal: Callable[[str], str] = str
) -> list[Planned]:
    """Every call with its tool and checked arguments, or with what is wrong.

    `reveal` puts back what was masked on the way out, so that a function gets the real value.
    """
    return [_planned(call, tools, reveal) for call in _identified(calls)]


def as_text(planned: Planned) -> str:
    """All that the call would run, for the eyes of who is asked."""
    assert planned.tool is not None
    return planned.tool.shown(planned.arguments)


def _identified(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Each with an id of its own: some hosts send none, or one for all."""
    taken: set[str] = set()
    found = []
    for place, call in enumerate(calls, 1):
        id = call.id
        while not id or id in taken:
            id = f"{call.id or 'call'}_{place}"
            place += len(calls)
        taken.add(id)
        found.append(replace(call, id=id))
    return found


def _planned(call: ToolCall, tools: Mapping[str, Tool], reveal: Callable[[str], str]) -> Planned:
    tool = tools.get(call.name)
    if tool is None:
        known = ", ".join(tools) or "none"
        return Planned(call, problem=f"There is no function {call.name!r}; there is: {known}.")
    try:
        arguments = json.loads(call.arguments) if call.arguments.strip() else {}
    except (ValueError, RecursionError) as error:
        return Planned(call, tool, problem=f"The arguments are not JSON: {error}.")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return Planned(call, tool, problem="The arguments must be one JSON object.")
    if not tool.masked:
        arguments = _revealed(arguments, reveal)
    try:
        keywords = tool.check(arguments) if tool.check else arguments
    except ToolArgumentsError as error:
        return Planned(call, tool, arguments, problem=error.what)
    return Planned(call, tool, arguments, keywords)


def _revealed(value: Any, reveal: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return reveal(value)
    if isinstance(value, list):
        return [_revealed(item, reveal) for item in value]
    if isinstance(value, dict):
        return {name: _revealed(item, reveal) for name, item in value.items()}
    return value
