"""Pinned answers: a question that was asked before is answered from what was kept of it.

Nothing is sent for it, no key is needed and nothing is billed. `question.request_hash` decides
which questions are equal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.errors import InvalidResponseError, ReplayError
from deepseek_jupyter.protocol.deltas import Delta, ReasoningDelta, TextDelta

from .reply import Reply

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.schemas import Shape

    from .prepare import Placed


def replayed(session: Session, placed: Placed, on: Surface) -> Reply | None:
    """The kept answer to a question, shown; None where it has to be asked.

    Raises `ReplayError` where the user wants nothing but kept answers and there is none.
    """
    question, conversation, turn = placed.question, placed.conversation, placed.turn
    wanted = question.replay or session.config.replay
    if wanted == "never":
        return None
    kept = _kept(conversation, turn)
    shape = None
    if question.schema is not None:
        from deepseek_jupyter.tools.schemas import shape_of

        shape = shape_of(question.schema)
    if kept is not None and shape is not None and not _has_shape(kept, shape):
        kept = None  # the type has changed since
    if kept is None:
        if wanted == "always":
            raise ReplayError(
                "This question has no kept answer; --replay always sends nothing.",
                "%deepseek trust lets the turns of this file answer too."
                if session.memory.foreign
                else "",
            )
        return None
    if question.new:
        session.memory.conversation = conversation
    if turn.history and kept.id in conversation and kept.parent == turn.parent:
        conversation.put_on_branch(kept.id, question.branch)
        shown = replace(kept, replayed=True)
    else:  # a turn of its own, which cost nothing
        own = ("id", "conversation", "parent", "cell_id", "created", "history", "branch", "prompt")
        mine = {name: getattr(turn, name) for name in own}
        shown = replace(kept, **mine, replayed=True, usage=None, cost=None)
        session.memory.finish_turn(shown, question.branch)
    return _played(Reply(shown, shape=shape), on)


def deltas_of(reply: Reply) -> Iterator[Delta]:
    """A kept answer as a stream gives it: its thinking, then its text."""
    if reply.reasoning:
        yield ReasoningDelta(reply.reasoning)
    if reply.text:
        yield TextDelta(reply.text)


def _kept(conversation: Conversation, turn: Turn) -> Turn | None:
    """The newest whole answer: of this conversation, of the notebook's file, of the journal."""
    for kept in reversed(conversation.children(turn.parent)):
        if kept.request_hash == turn.request_hash and kept.status == "done":
            return kept
    journal = conversation.journal
    return journal.find_by_request(str(turn.request_hash)) if journal is not None else None


def _has_shape(kept: Turn, shape: Shape) -> bool:
    try:
        shape.validate(Reply(kept).data)
    except InvalidResponseError:
        return False
    return True


def _played(reply: Reply, on: Surface) -> Reply:
    """`reply`, shown as one that has just come."""
    record = reply.record
    transcript = Transcript(time.monotonic())
    on.begin({**record, "status": "waiting", "answer": "", "reasoning": ""}, lambda: None)
    transcript.apply(*deltas_of(reply), now=time.monotonic())
    on.refresh(transcript, transcript.take_fresh(), time.monotonic())
    transcript.end(reply.turn.status, time.monotonic())
    on.end(record)
    return reply
