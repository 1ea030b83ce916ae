"""Pinned answers: a question that was asked before is answered from what was kept of it.

Nothing is sent for it, no key is needed and nothing is billed. `question.request_hash` decides
which questions are equal. A kept answer is shown at once, or as it came: in its rhythm, at a pace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.errors import Interrupted, InvalidResponseError, ReplayError
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.deltas import Delta, ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.rhythm import ANSWER, CALLS, Pace, unpacked
from deepseek_jupyter.session.session import Session

from .long_texts import citations
from .prepare import Placed
from .reply import Reply
from .run import RestoredEvents, interrupts_held

if TYPE_CHECKING:
    from deepseek_jupyter.tools.schemas import Shape

_TICK = 0.05  # seconds, in which a stop is noticed


def kept_answer(session: Session, placed: Placed, on: Surface) -> Replay | None:
    """The kept answer, ready to be played. Raises `ReplayError` where nothing else may answer."""
    question, config = placed.question, session.config
    wanted = session.recordings.wanted(question.replay, config.replay)
    if wanted == "never":
        return None
    pace = Pace.parse(question.pace or config.pace)
    kept = _found(session, placed)
    shape = None
    if question.schema is not None:
        from deepseek_jupyter.tools.schemas import shape_of

        shape = shape_of(question.schema)
    if kept is not None and (shape is None or _has_shape(kept, shape)):  # else it has changed
        return Replay(session, placed, kept, shape, pace, on)
    if wanted == "always":
        trust = "%deepseek trust lets the turns of this file answer too."
        hint = session.recordings.hint or (trust if session.memory.foreign else "")
        raise ReplayError("This question has no kept answer; --replay always sends nothing.", hint)
    return None


def _found(session: Session, placed: Placed) -> Turn | None:
    """The newest whole answer: of this conversation, of the journal, of a recording."""
    conversation, turn = placed.conversation, placed.turn
    for kept in reversed(conversation.children(turn.parent)):
        if kept.request_hash == turn.request_hash and kept.status == "done":
            return kept
    recorded = session.recordings.turn(str(turn.request_hash))
    if recorded is None or not recorded.from_file:
        return recorded
    path = conversation.path(turn.parent) if turn.history else []
    written, _ = placed.written(turn, path, None)
    texts = [text for step in recorded.steps for _, text in step.results]
    used = placed.redactor.used(recorded.answer, recorded.reasoning, *texts)
    ours = {name: getattr(written, name) for name in ("sent", "images", "attachments", "sending")}
    kept = replace(recorded, **ours, parameters=turn.parameters, pseudonyms=used)
    if not kept.sending.get("cite"):
        return kept
    places, _ = citations(kept.answer, [*path, kept])
    return replace(kept, sending={**kept.sending, "citations": places})


def _has_shape(kept: Turn, shape: Shape) -> bool:
    try:
        shape.validate(Reply(kept).data)
    except InvalidResponseError:
        return False
    return True


class Replay:
    """A kept answer that is shown once more: a context manager around the iteration over it.

    Each step shows what is due, and yields the seconds to wait for what follows; `take` is what
    was shown since. Calling it stops it, which raises `Interrupted` and changes nothing: the answer
    is whole where it was kept. `skip` shows the rest at once. Both may come from any thread.
    """

    def __init__(
        self,
        session: Session,
        placed: Placed,
        kept: Turn,
        shape: Shape | None,
        pace: Pace,
        on: Surface,
    ) -> None:
        self._session, self._placed, self._on = session, placed, on
        turn, conversation = placed.turn, placed.conversation
        self._in_place = turn.history and kept.id in conversation and kept.parent == turn.parent
        shown = replace(kept, replayed=True, recorded=kept.recorded or kept.created)
        if not self._in_place:  # a turn of its own, which cost nothing
            own = ["id", "conversation", "parent", "cell_id", "created"]
            own += ["history", "branch", "prompt", "compare"]
            mine = {name: getattr(turn, name) for name in own}
            shown = replace(shown, **mine, usage=None, cost=None)
        self.reply = Reply(shown, shape=shape)
        self._due = _schedule(kept, pace)
        self._restored = RestoredEvents(Redactor(known=kept.pseudonyms))
        self._said: list[Delta] = []  # in the last round, as the model wrote it
        self._stopped = self._skipped = False
        self._shown: list[Delta] = []

    def __call__(self) -> None:
        self._stopped = True

    def skip(self) -> None:
        self._skipped = True

    def take(self) -> list[Delta]:
        shown, self._shown = self._shown, []
        return shown

    def __enter__(self) -> Replay:
        record = {**self.reply.record, "status": "waiting", "timing": {}, "steps": []}
        record |= {"answer": "", "reasoning": "", "footer": "", "usage": None, "cost": None}
        record |= {"notices": []}  # they belong below the answer
        self._on.begin(record, self)
        self._began = time.monotonic()
        self._transcript = Transcript(self._began)
        return self

    def __iter__(self) -> Iterator[float]:
        for moment, delta in self._due:
            while (wait := self._began + moment - time.monotonic()) > 0 and not self._skipped:
                self._refresh()
                yield min(_TICK, wait)
                if self._stopped:
                    raise Interrupted
            if delta is None:
                self._begin_round()
            else:
                self._said.append(delta)
                self._transcript.apply(*self._restored.events([delta]), now=time.monotonic())
        self._transcript.apply(*self._restored.rest(), now=time.monotonic())
        self._refresh()

    def _begin_round(self) -> None:
        self._refresh()
        self._said.clear()
        rounds = self._transcript.rounds + 1
        self._transcript.show_steps(self.reply.record["steps"][:rounds], None)
        self._transcript.begin_round()
        self._refresh()

    def _refresh(self) -> None:
        fresh = self._transcript.take_fresh()
        self._shown += _deltas(*fresh)
        self._on.refresh(self._transcript, fresh, time.monotonic())

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        with interrupts_held():
            if error is None:
                self._keep()
            else:
                self.reply = Reply(self._broken_off())
            self._transcript.end(self.reply.turn.status, time.monotonic())
            self._on.end(self.reply.record)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(reply=self.reply) from None

    def _broken_off(self) -> Turn:
        """The turn with what was seen; outside the conversation, which has the whole answer."""
        thinking = "".join(d.text for d in self._said if isinstance(d, ReasoningDelta))
        answer = "".join(d.text for d in self._said if isinstance(d, TextDelta))
        turn, rounds = self.reply.turn, self._transcript.rounds
        turn = replace(turn, reasoning=thinking, answer=answer, steps=turn.steps[:rounds])
        return replace(turn, status="interrupted", finish_reason="interrupted", history=False)

    def _keep(self) -> None:
        session, placed, turn = self._session, self._placed, self.reply.turn
        if placed.question.new:
            session.memory.conversation = placed.conversation
        if self._in_place:
            placed.conversation.put_on_branch(turn.id, placed.question.branch)
        else:
            session.memory.finish_turn(turn, placed.question.branch)
        session.last = self.reply
        session.withholding.add(placed.gathered.held)


def _schedule(kept: Turn, pace: Pace) -> list[tuple[float, ReasoningDelta | TextDelta | None]]:
    """What comes when; None where calls have run. The texts are the turn's in any case."""
    rounds = [[step.reasoning or "", step.answer] for step in kept.steps]
    rounds.append([kept.reasoning or "", kept.answer])
    due, moment = list[tuple[float, ReasoningDelta | TextDelta | None]](), 0.0
    for moment, kind, length in pace.played(unpacked(kept.rhythm)):
        if kind == CALLS and len(rounds) > 1:
            due.append((moment, None))
            del rounds[0]
        elif kind != CALLS:
            texts, at = rounds[0], int(kind == ANSWER)
            text, texts[at] = texts[at][:length], texts[at][length:]
            if text:
                due.append((moment, TextDelta(text) if at else ReasoningDelta(text)))
    for texts in rounds:
        due += [(moment, delta) for delta in _deltas(*texts)]
        due.append((moment, None))
    return due[:-1]


def _deltas(thinking: str | None, answer: str) -> Iterator[ReasoningDelta | TextDelta]:
    """Texts in one piece: thinking first."""
    if thinking:
        yield ReasoningDelta(thinking)
    if answer:
        yield TextDelta(answer)
