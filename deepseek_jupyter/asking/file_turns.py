"""Turns that came with the notebook's file: before the first request leaves, the user says whether
to go on with them. By the buttons of a card or by `input`; where no one can answer they stay out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deepseek_jupyter.conversation.turn import Turn, new_id
from deepseek_jupyter.display.frontend import can_type
from deepseek_jupyter.display.pages import ConsentAnswer
from deepseek_jupyter.display.report import tell
from deepseek_jupyter.display.surfaces import Asking, Card, Surface
from deepseek_jupyter.errors import one_line
from deepseek_jupyter.sanitizer.listing import visible
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.engine import Stop

from .consent import ConsentRequest, typed
from .prepare import Placed, place

_CALL = "file"
_SHOWN = 5  # prompts
_WIDTH = 80  # characters of each


def ask_of_file(session: Session, placed: Placed, on: Surface) -> Placed:
    """`placed`, or placed again where the user goes on with the file's turns.

    The user is to be asked: see `is_to_be_asked`.
    """
    if _by_card(on):
        with _card(session, placed) as (request, stop):
            return _settled(session, placed, request.meet(stop))
    tell(_text(session))
    return _settled(session, placed, typed("Go on with them? [y]es, [n]o, start without: "))


async def aask_of_file(session: Session, placed: Placed, on: Surface) -> Placed:
    """`ask_of_file` on the caller's loop."""
    if not _by_card(on):
        return ask_of_file(session, placed, on)
    with _card(session, placed) as (request, stop):
        return _settled(session, placed, await request.ameet(stop))


def is_to_be_asked(session: Session, placed: Placed, on: Surface) -> bool:
    """Whether the user is to say what becomes of the file's turns."""
    memory = session.memory
    here = placed.turn.history and placed.conversation is memory.conversation
    return memory.undecided and here and on.visible and (_by_card(on) or can_type())


def _by_card(on: Surface) -> bool:
    return isinstance(on, Card) and on.asks


@contextmanager
def _card(session: Session, placed: Placed) -> Iterator[tuple[ConsentRequest, Stop]]:
    stop, card, text = Stop(), Asking(), _text(session)
    turn = Turn(new_id(), placed.conversation.id, "", history=False)
    card.ask(turn.record, {"call": _CALL, "text": text, "kind": "file"}, stop)
    try:
        yield ConsentRequest(turn.id, _CALL, "", text, on_card=True), stop
    finally:
        card.close(text.partition("\n")[0].replace(":", "."))


def _settled(session: Session, placed: Placed, answer: ConsentAnswer) -> Placed:
    if answer == "yes":
        session.memory.trust()
        return place(session, placed.question)
    if answer == "no":
        session.memory.start_without()
    return placed


def _text(session: Session) -> str:
    """How many they are, and the newest of their prompts, in characters that hide nothing."""
    turns = session.memory.foreign
    many = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
    newest = sorted(turns, key=lambda turn: turn.created)[-_SHOWN:]
    lines = [f"  {one_line(visible(turn.prompt), _WIDTH)}" for turn in newest]
    left_out = [f"  … {len(turns) - _SHOWN} earlier"] if len(turns) > _SHOWN else []
    return "\n".join([f"{many} came with this notebook's file:", *left_out, *lines])
