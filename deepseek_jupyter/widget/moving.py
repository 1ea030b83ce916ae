"""Requests that move the tip or change the conversation. Each answers with where it stands then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepseek_jupyter.errors import ConversationError
from deepseek_jupyter.session.alternatives import go_on_from

from .fields import text, turn_id, whole
from .watching import tell
from .whereabouts import whereabouts

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session

__all__ = ["checkout", "new", "open", "switch"]


def switch(session: Session, request: Request) -> dict[str, Any]:
    """``{turn, step}``: go on with the sibling so many places further, where it was left."""
    conversation = session.conversation
    turn = turn_id(request.body, "turn")
    step = whole(request.body, "step", -1000, 1000, 1)
    if turn not in conversation:
        raise ConversationError("This turn is no part of the conversation.")
    siblings = [sibling.id for sibling in conversation.siblings(turn)]
    place = min(max(siblings.index(turn) + step, 0), len(siblings) - 1)
    go_on_from(conversation, siblings[place])
    return _moved(conversation)


def checkout(session: Session, request: Request) -> dict[str, Any]:
    """``{to}``: go on with a branch, or from a turn."""
    session.conversation.checkout(text(request.body, "to", 200))
    return _moved(session.conversation)


def open(session: Session, request: Request) -> dict[str, Any]:
    """``{conversation}``: go on with another conversation of this notebook."""
    wanted = turn_id(request.body, "conversation")
    present = session.conversation
    if present.id != wanted:
        rows = present.journal.conversations(present.notebook) if present.journal else []
        if wanted not in [row.id for row in rows] or present.journal is None:
            raise ConversationError("The journal has no such conversation of this notebook.")
        session.memory.open(wanted)
    return _moved(session.conversation)


def new(session: Session, request: Request) -> dict[str, Any]:
    """Begin a new conversation; the journal keeps the present one."""
    session.memory.conversation = session.memory.another()
    return _moved(session.conversation)


def _moved(conversation: Conversation) -> dict[str, Any]:
    tell()
    return whereabouts(conversation)
