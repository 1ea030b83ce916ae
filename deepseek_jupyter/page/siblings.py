"""Other answers to a question, and other turns to go on from.

For the ``< 2/3 >`` of a card a page looks at another answer (`sibling`), which changes nothing, or
goes on from it (`use`); it is sent the whole mimebundle, so that its output can be saved as if the
question had been answered so. The panel moves the tip or changes the conversation; each of its
requests answers with the `position` after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.errors import ConversationError

from .fields import flag, text, turn_id, whole
from .state import forget_failed, position, send_state

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.conversation.turn import Turn
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session


# Of a card


def sibling(session: Session, request: Request) -> dict[str, Any]:
    """``{id, step}``: the answer `step` places further than the turn `id`."""
    step = whole(request.body, "step", -1000, 1000, 0)
    return neighbour(session.conversation, str(request.body.get("id")), step)


def use(session: Session, request: Request) -> dict[str, Any]:
    """``{id}``: go on from the turn; the panel moves along."""
    answers, at = _answers(session.conversation, str(request.body.get("id")))
    go_on_from(session.conversation, answers[at].id)
    send_state()
    return _shown(session.conversation, answers, at)


def ended(session: Session, request: Request) -> dict[str, Any]:
    """``{id}``: whether the turn runs; its bundle, once it has ended; the page's `rank`."""
    id = turn_id(request.body, "id")
    runs, bundle = pages.last_word(id)
    found = [] if runs or bundle else session.conversation.turns_of([id])
    for turn in found:
        if turn.status not in ("waiting", "thinking", "answering"):
            bundle = Reply(turn).bundle()
    return {"runs": runs, "bundle": bundle, "rank": pages.rank(request.body.get("page"))}


def neighbour(conversation: Conversation, id: str, step: int) -> dict[str, Any]:
    """The answer `step` places from the turn `id`. Raises `ConversationError` for none."""
    answers, at = _answers(conversation, id)
    at += step
    if not 0 <= at < len(answers):
        raise ConversationError("There is no other answer there.")
    return _shown(conversation, answers, at)


def go_on_from(conversation: Conversation, id: str) -> None:
    """Go on from the turn `id`, and from what was asked after it the last time.

    A branch that ends there is gone back to; otherwise the active branch moves.
    """
    leaf = conversation.newest_after(id)
    named = (name for name, tip in conversation.branches.items() if tip == leaf)
    conversation.checkout(next(named, leaf))


def _answers(conversation: Conversation, id: str) -> tuple[list[Turn], int]:
    """The answers, and which of them `id` is."""
    answers = conversation.siblings(id) if id in conversation else []
    at = next((index for index, turn in enumerate(answers) if turn.id == id), None)
    if at is None:
        raise ConversationError(
            "This answer is not in the notebook's conversation.",
            "Run the cell again to make it part of it.",
        )
    return answers, at


def _shown(conversation: Conversation, answers: list[Turn], at: int) -> dict[str, Any]:
    """The bundle of an answer, and whether the next question goes on from it."""
    turn = replace(answers[at], branch={"index": at + 1, "count": len(answers)})
    active = any(node.id == turn.id for node in conversation.way())
    return {"bundle": Reply(turn).bundle(), "active": active}


# Of the panel


def switch(session: Session, request: Request) -> dict[str, Any]:
    """``{turn, step}``: go on with the sibling so many places further, where it was left."""
    answers, at = _answers(session.conversation, turn_id(request.body, "turn"))
    at += whole(request.body, "step", -1000, 1000, 1)
    go_on_from(session.conversation, answers[min(max(at, 0), len(answers) - 1)].id)
    return _moved(session.conversation)


def checkout(session: Session, request: Request) -> dict[str, Any]:
    """``{to}``: go on with a branch, or from a turn."""
    session.conversation.checkout(text(request.body, "to", 200))
    return _moved(session.conversation)


def carry_over(session: Session, request: Request) -> dict[str, Any]:
    """``{turn}``: the turns of the seam at the turn follow the newest answer."""
    session.conversation.carry_over(turn_id(request.body, "turn"))
    return _moved(session.conversation)


def open(session: Session, request: Request) -> dict[str, Any]:
    """``{conversation}``: go on with another conversation of this notebook."""
    wanted = turn_id(request.body, "conversation")
    present = session.conversation
    if present.id != wanted:
        rows = present.journal.conversations(present.notebook) if present.journal else []
        if wanted not in [row.id for row in rows]:
            raise ConversationError("The journal has no such conversation of this notebook.")
        session.memory.open(wanted)
    return _moved(session.conversation)


def new(session: Session, request: Request) -> dict[str, Any]:
    """Begin a new conversation; the journal keeps the present one."""
    session.memory.conversation = session.memory.another()
    return _moved(session.conversation)


def trust(session: Session, request: Request) -> dict[str, Any]:
    """``{take}``: go on with the turns that came with the notebook's file, or start without."""
    memory = session.memory
    memory.trust() if flag(request.body, "take") else memory.start_without()
    return _moved(session.conversation)


def _moved(conversation: Conversation) -> dict[str, Any]:
    forget_failed()
    send_state()
    return position(conversation)
