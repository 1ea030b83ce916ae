"""The other answers to a question, for the ``< 2/3 >`` of a card.

A page looks at one (``sibling``), which changes nothing, or goes on from it (``use``). It is
sent the whole mimebundle, so that its output can be saved as if the question had been answered so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.errors import ConversationError

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.conversation.turn import Turn

__all__ = ["go_on_from", "newest_after", "sibling", "use"]


def sibling(conversation: Conversation, id: str, step: int) -> dict[str, Any]:
    """The answer `step` places beside the turn `id`: its bundle, and whether it is the active one.

    Raises `ConversationError` where there is none.
    """
    answers, at = _answers(conversation, id)
    at += step
    if not 0 <= at < len(answers):
        raise ConversationError("There is no other answer there.")
    return _shown(conversation, answers, at)


def use(conversation: Conversation, id: str) -> dict[str, Any]:
    """`go_on_from` the turn `id`; its bundle."""
    answers, at = _answers(conversation, id)
    go_on_from(conversation, id)
    return _shown(conversation, answers, at)


def go_on_from(conversation: Conversation, id: str) -> None:
    """Go on from the turn `id`, and from what was asked after it the last time.

    A branch that ends there is gone back to; otherwise the active branch moves.
    """
    leaf = newest_after(conversation, id)
    named = (name for name, tip in conversation.branches.items() if tip == leaf)
    conversation.checkout(next(named, leaf))


def newest_after(conversation: Conversation, id: str) -> str:
    """The newest turn among `id` and all that follows it."""
    below = {id}
    newest = id
    for node in conversation.nodes():  # in the order in which they were asked
        if node.parent in below:
            below.add(node.id)
            newest = node.id
    return newest


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
    turn = replace(answers[at], branch={"index": at + 1, "count": len(answers)})
    return {"bundle": Reply(turn).bundle(), "active": _on_the_way(conversation, turn.id)}


def _on_the_way(conversation: Conversation, id: str) -> bool:
    """Whether the turn is one of those that the next question goes on from."""
    return any(node.id == id for node in conversation.way())
