"""Who decides whether a call runs: the tool, the question, the user, what the user said before.

| `approve`    | a function the user passed, and a tool that only reads | a tool that acts        |
|--------------|--------------------------------------------------------|-------------------------|
| not given    | runs                                                   | the user is asked       |
| ``ask``      | the user is asked                                      | the user is asked       |
| ``always``   | runs                                                   | runs                    |
| ``never``    | denied                                                 | denied                  |

``always`` for a tool that acts counts only where it stands on the question itself: a setting may
come from a file, and "always" said once may have been meant for another notebook.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .tool import Tool

__all__ = ["Decision", "Memory", "first_word"]

Decision = Literal[
    "not asked",  # ran: no consent was needed
    "approved",  # ran: the user said yes
    "approved for the conversation",  # ran: the user said yes, also for later calls
    "denied",  # the user said no
    "nobody to ask",  # nobody could answer, which is a no
    "not run",  # unknown function, wrong arguments, cut off, or over the step limit
]


@dataclass(slots=True)
class Memory:
    """The tools that the user has allowed for the rest of a conversation, in this kernel."""

    allowed: set[tuple[str, str]] = field(default_factory=set)

    def allow(self, conversation: str, tool: str) -> None:
        """Ask no more for this tool in this conversation."""
        self.allowed.add((conversation, tool))

    def allows(self, conversation: str, tool: str) -> bool:
        """Whether the user has said so."""
        return (conversation, tool) in self.allowed


def first_word(
    tool: Tool, *, asked: str | None, setting: str = "", remembered: bool = False
) -> Decision | None:
    """The decision where it stands already; None: ask the user.

    `asked` is the question's own `approve`, `setting` the configured one.
    """
    mode = asked or setting
    if mode == "never":
        return "denied"
    if asked == "always":
        return "not asked"
    if remembered:
        return "approved for the conversation"
    if mode == "ask" or tool.consent == "ask":
        return None
    return "not asked"
