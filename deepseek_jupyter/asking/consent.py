"""What the user decides: whether a call runs, and whether turns of a notebook's file are used.

A call is decided by the tool, the question, the user now, or the user earlier:

| `approve`    | a function the user passed, and a tool that only reads | a tool that acts        |
|--------------|--------------------------------------------------------|-------------------------|
| not given    | runs                                                   | the user is asked       |
| ``ask``      | the user is asked                                      | the user is asked       |
| ``always``   | runs                                                   | runs                    |
| ``never``    | denied                                                 | denied                  |

For a tool that acts ``always`` counts only as an option of the question itself: a setting may come
from a file, and an "always" that the user said once may have been meant for another notebook.

The user is asked by the buttons of the card or by `input`, and shown everything that would run, in
characters that cannot hide or reorder anything. Where no one can answer (nbclient, papermill, a
script without a terminal) it is no, and turns that came with a file stay out.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deepseek_jupyter.conversation.turn import Turn, new_id
from deepseek_jupyter.display.frontend import can_type, reads_plain_text
from deepseek_jupyter.display.pages import ConsentAnswer, pages
from deepseek_jupyter.display.report import tell
from deepseek_jupyter.display.surfaces import Asking, Card, Surface
from deepseek_jupyter.errors import counted, one_line
from deepseek_jupyter.sanitizer.listing import framed, visible
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.engine import Stop
from deepseek_jupyter.words import said

from .prepare import Placed, place

if TYPE_CHECKING:
    from deepseek_jupyter.tools.functions import Consent


Decision = Literal[
    "not asked",  # ran: no consent was needed
    "approved",  # ran: the user said yes
    "approved for the conversation",  # ran: the user said yes, also for later calls
    "denied",  # the user said no
    "nobody to ask",  # no one could answer, which is a no
    "not run",  # unknown function, wrong arguments, cut off, or over the step limit
    "result kept here",  # ran; what came out holds rows, and there was no yes to sending them
]
REFUSALS = frozenset({"denied", "nobody to ask"})
DECISIONS: dict[ConsentAnswer, Decision] = {
    "yes": "approved",
    "always": "approved for the conversation",
    "no": "denied",
    "nobody": "nobody to ask",
    "gone": "nobody to ask",
}
_TICK = 0.1  # seconds


def known_decision(
    consent: Consent, *, asked: str | None, setting: str = "", remembered: bool = False
) -> Decision | None:
    """The decision on a call of a tool with this `consent`; None: the user has to be asked.

    `asked` is the question's own `approve`, `setting` the configured one; `remembered` says that
    the user allowed the tool for the conversation.
    """
    mode = asked or setting
    if mode == "never":
        return "denied"
    if asked == "always":
        return "not asked"
    if remembered:
        return "approved for the conversation"
    if mode == "ask" or consent == "ask":
        return None
    return "not asked"


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """Asks the user whether one call may run; `text` is all that it would run. Or, of a `result`,
    whether that may be sent.

    With `on_card` the card of the turn shows the request and has the buttons for it.
    """

    turn: str
    call: str
    name: str
    text: str
    on_card: bool
    result: bool = False

    def meet(self, stop: Stop) -> ConsentAnswer:
        """The answer, waited for on this thread; a stop ends the wait as an interrupt does."""
        if not self.on_card:
            return by_input(self.name, self.text, self.result)
        with self._expected():
            while (answer := pages.answer(self.turn, self.call, _TICK)) is None:
                if stop.asked:
                    raise KeyboardInterrupt
            return answer

    async def ameet(self, stop: Stop) -> ConsentAnswer:
        """The answer, waited for on the caller's loop; a stop ends the wait by cancelling it."""
        if not self.on_card:
            return by_input(self.name, self.text, self.result)
        with self._expected():
            while (answer := pages.answer(self.turn, self.call, 0.0)) is None:
                if stop.asked:
                    raise asyncio.CancelledError
                await asyncio.sleep(_TICK / 2)
            return answer

    @contextmanager
    def _expected(self) -> Iterator[None]:
        pages.expect(self.turn, self.call)
        try:
            yield
        finally:
            pages.expect_no_more(self.turn, self.call)


def by_input(name: str, text: str, result: bool = False) -> ConsentAnswer:
    """Ask at the prompt whether `text` may run, or be sent as a result; only a yes is one."""
    if not can_type():
        return "nobody"
    code, count = framed(text, shutil.get_terminal_size().columns)
    what = f"{visible(name)}, {counted(count, 'line')}"
    verb, says = ("Send the result of", "Result of") if result else ("Run", "The model asks to run")
    print(f"{_said(f'{says} {what}:')}\n\n{code}\n", flush=True)
    return typed(f"{verb} {what}? [y]es, [n]o, [a]lways in this conversation: ", always=True)


def typed(question: str, *, always: bool = False) -> ConsentAnswer:
    """What the user answers to a question that takes y, n, or a for `always`; no by default."""
    try:
        answer = input(_said(question)).strip().lower()
    except (EOFError, NotImplementedError):
        return "nobody"
    if always and answer in ("a", "always"):
        return "always"
    return "yes" if answer in ("y", "yes") else "no"


def _said(text: str) -> str:
    """In the user's language, where no notebook keeps the prompt for models to read."""
    return said(text) if reads_plain_text() else text


_FILE = "file"  # in the place of a call's id
_PROMPTS, _WIDTH = 5, 80  # of the file's turns that are shown; characters of each


def ask_of_file(session: Session, placed: Placed, on: Surface) -> Placed:
    """`placed`, or placed again where the user goes on with the file's turns.

    The user is to be asked: see `is_to_be_asked`.
    """
    if _asks_by_card(on):
        with _file_card(session, placed) as (request, stop):
            answer = request.meet(stop)
    else:
        tell(_file_text(session))
        answer = typed("Go on with them? [y]es, [n]o, start without: ")
    return _placed_again(session, placed, answer)


async def aask_of_file(session: Session, placed: Placed, on: Surface) -> Placed:
    """`ask_of_file` on the caller's loop."""
    if not _asks_by_card(on):
        return ask_of_file(session, placed, on)
    with _file_card(session, placed) as (request, stop):
        answer = await request.ameet(stop)
    return _placed_again(session, placed, answer)


def is_to_be_asked(session: Session, placed: Placed, on: Surface) -> bool:
    """Whether the user has to decide about the file's turns."""
    memory = session.memory
    here = placed.turn.history and placed.conversation is memory.conversation
    return memory.undecided and here and on.visible and (_asks_by_card(on) or can_type())


def _asks_by_card(on: Surface) -> bool:
    return isinstance(on, Card) and on.asks


@contextmanager
def _file_card(session: Session, placed: Placed) -> Iterator[tuple[ConsentRequest, Stop]]:
    stop, card, text = Stop(), Asking(), _file_text(session)
    turn = Turn(new_id(), placed.conversation.id, "", history=False)
    card.ask(turn.record, {"call": _FILE, "text": text, "kind": "file"}, stop)
    try:
        yield ConsentRequest(turn.id, _FILE, "", text, on_card=True), stop
    finally:
        card.close(text.partition("\n")[0].replace(":", "."))


def _placed_again(session: Session, placed: Placed, answer: ConsentAnswer) -> Placed:
    if answer == "yes":
        session.memory.trust()
        return place(session, placed.question)
    if answer == "no":
        session.memory.start_without()
    return placed


def _file_text(session: Session) -> str:
    """How many they are, and the newest of their prompts, in characters that hide nothing."""
    turns = session.memory.foreign
    newest = sorted(turns, key=lambda turn: turn.created)[-_PROMPTS:]
    lines = [f"  {one_line(visible(turn.prompt), _WIDTH)}" for turn in newest]
    left_out = [f"  … {len(turns) - _PROMPTS} earlier"] if len(turns) > _PROMPTS else []
    return "\n".join(
        [f"{counted(len(turns), 'turn')} came with this notebook's file:", *left_out, *lines]
    )
