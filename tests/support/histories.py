"""Messages as recorded requests have them, brought into the form that the package holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepseek_jupyter.protocol.messages import Message, Role, ToolCall, arguments_text

__all__ = ["flat", "from_wire"]


def from_wire(wire: dict[str, Any]) -> Message:
    """A message as other tools write it, brought into the form every host accepts.

    ``developer`` becomes ``system`` (DeepSeek refuses the role), a list of text parts becomes one
    string joined by blank lines, null content "", and ``arguments`` given as an object JSON text.
    """
    role: Role = "system" if wire["role"] == "developer" else wire["role"]
    calls = tuple(
        ToolCall(
            call["id"], call["function"]["name"], arguments_text(call["function"]["arguments"])
        )
        for call in wire.get("tool_calls") or ()
    )
    return Message(
        role,
        flat(wire.get("content")),
        wire.get("reasoning_content"),
        calls,
        wire.get("tool_call_id"),
        bool(wire.get("prefix")),
    )


def flat(content: object) -> str:
    """Message content as one string; text parts are joined with a blank line."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n\n".join(str(part["text"]) for part in content if part.get("type") == "text")
    raise TypeError(f"message content is a string or a list of parts, not {type(content).__name__}")
