"""Messages as the chat completions API knows them, and the repairs that keep a history legal.

The rules are those of the API reference's message checks
(api-docs.deepseek.com/api/create-chat-completion and DeepSeek's request validator):

* assistant content is a string, never null;
* ``tool_calls`` is absent or has at least one entry, its arguments are a string;
* an assistant message with tool calls is followed at once by one tool message per id.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]

# Kinds of `reasoning_details` that hold no text: what other wires than chat want back in addition.
SIGNED = frozenset(("thinking", "redacted_thinking", "reasoning"))


def signed(details: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Those of `details` that later turns may send back: they hold no text beside the turn's."""
    return tuple(dict(d) for d in details if str(d.get("type")) in SIGNED)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call of the model. `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str

    def to_wire(self) -> dict[str, Any]:
        """The element of ``tool_calls`` that says this call."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Message:
    """One message on the wire: a pure value without identity."""

    role: Role
    content: str
    reasoning: str | None = None  # "" where the server sent it empty: replay tells that from None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    prefix: bool = False  # go on from this assistant message (chat prefix completion)
    reasoning_details: tuple[dict[str, Any], ...] = ()
    images: tuple[str, ...] = ()  # https or data URLs of a user message, for models that see


def system(content: str) -> Message:
    return Message("system", content)


def user(content: str, images: Iterable[str] = ()) -> Message:
    return Message("user", content, images=tuple(images))


def assistant(
    content: str, *, reasoning: str | None = None, tool_calls: Iterable[ToolCall] = ()
) -> Message:
    return Message("assistant", content, reasoning, tuple(tool_calls))


def tool(content: str, tool_call_id: str) -> Message:
    return Message("tool", content, tool_call_id=tool_call_id)


def legal(messages: Sequence[Message]) -> list[Message]:
    """`messages` repaired to a sequence that every chat endpoint accepts.

    Calls left unanswered by an interruption, calls that repeat an id, and results without a call
    are dropped; an assistant message that is then empty is dropped too; neighbouring user
    messages are merged, as R1-era hosts refuse two in a row; `prefix` counts on the last message
    alone.
    """
    repaired: list[Message] = []
    rest = deque(messages)
    while rest:
        message = rest.popleft()
        if message.role == "tool":
            continue  # an orphan: those that belong to a call are taken with it below
        if message.prefix and rest:
            message = replace(message, prefix=False)
        if message.tool_calls:
            results = _take_results(rest, message)
            answered = {result.tool_call_id for result in results}
            calls: dict[str, ToolCall] = {}
            for call in message.tool_calls:
                if call.id in answered:
                    calls.setdefault(call.id, call)
            message = replace(message, tool_calls=tuple(calls.values()))
            if calls or message.content:
                repaired += [message, *results]
            continue
        if message.role == "assistant" and not message.content and not message.prefix:
            continue
        if repaired and repaired[-1].role == message.role == "user":
            first = repaired[-1]
            content = "\n\n".join(filter(None, (first.content, message.content)))
            repaired[-1] = replace(first, content=content, images=first.images + message.images)
        else:
            repaired.append(message)
    return repaired


def _take_results(rest: deque[Message], caller: Message) -> list[Message]:
    """Remove the tool messages at the head of `rest`; those that answer `caller`, once each."""
    wanted = {call.id for call in caller.tool_calls}
    results = []
    while rest and rest[0].role == "tool":
        result = rest.popleft()
        if result.tool_call_id in wanted:
            wanted.discard(result.tool_call_id)
            results.append(result)
    return results


def read_arguments(text: str) -> Any:
    """The value that the arguments of a call are, as far as no guess is needed.

    Line breaks within strings, ``\\'``, and arguments that were encoded twice are read. Raises
    `ValueError`.
    """
    try:
        value = json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        unescaped = re.sub(r"(?<!\\)((?:\\\\)*)\\'", r"\1'", text)
        if unescaped == text:
            raise
        value = json.loads(unescaped, strict=False)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return json.loads(value, strict=False)
    return value


def arguments_text(arguments: object) -> str:
    """Tool arguments as the JSON text the API wants; some hosts send an object."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
