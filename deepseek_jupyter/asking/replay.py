"""Pinned answers: a question that was asked before is answered from what was kept of it.

Nothing is sent for it, no key is needed and nothing is billed. `question.request_hash` decides
which questions are equal. A kept answer is shown at once, or as it came: in its rhythm, at a pace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.errors import Interrupted, InvalidResponseError, ReplayError
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.deltas import Delta, Event, ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.rhythm import CALLS, THINKING, Pace, unpacked

from .reply import Reply
from .run import RestoredEvents, interrupts_held

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.schemas import Shape

    from .prepare import Placed

_TICK = 0.05  # seconds, in which a stop is noticed


def kept_answer(session: Session, placed: Placed, on: Surface) -> Replay | None:
    """The kept answer to a question, ready to be played; None where it has to be asked.

    Raises `ReplayError` where the user wants nothing but kept answers and there is none.
    """
    question, config = placed.question, session.config
    wanted = session.recordings.wanted(question.replay or config.replay)
    pace = Pace.parse(question.pace or config.pace)
    if wanted == "never":
        return None
    kept = _found(session, placed)
    shape = None
    if question.schema is not None:
        from deepseek_jupyter.tools.schemas import shape_of

        shape = shape_of(question.schema)
    if kept is not None and shape is not None and not _has_shape(kept, shape):
        kept = None  # the type has changed since
    if kept is not None:
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
    return replace(recorded, **ours, parameters=turn.parameters, pseudonyms=used)


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
        self._session, self._placed, self._kept, self._on = session, placed, kept, on
        turn, conversation = placed.turn, placed.conversation
        self._in_place = turn.history and kept.id in conversation and kept.parent == turn.parent
        shown = replace(kept, replayed=True, recorded=kept.recorded or kept.created)
        if not self._in_place:  # a turn of its own, which cost nothing
            own = ["id", "conversation", "parent", "cell_id", "created"]
            own += ["history", "branch", "prompt"]
            mine = {name: getattr(turn, name) for name in own}
            shown = replace(shown, **mine, usage=None, cost=None)
        self.reply = Reply(shown, shape=shape)
        self._marks = [*pace.played(unpacked(kept.rhythm))]
        self._restored = RestoredEvents(Redactor(known=kept.pseudonyms))
        self._rest = [(s.reasoning or "", s.answer) for s in kept.steps]
        self._rest.append((kept.reasoning or "", kept.answer))
        self._round, self._so_far = 0, ["", ""]
        self._stopped = self._skipped = False
        self._shown: list[Delta] = []

    def __call__(self) -> None:
        self._stopped = True

    def skip(self) -> None:
        """Show the rest at once."""
        self._skipped = True

    def take(self) -> list[Delta]:
        """What was shown since the last call."""
        shown, self._shown = self._shown, []
        return shown

    def __enter__(self) -> Replay:
        record = {**self.reply.record, "status": "waiting", "answer": "", "reasoning": ""}
        if self._timed:  # the figures are those of an answer that is there
            record |= {"steps": [], "timing": {}, "usage": None, "cost": None, "footer": ""}
        self._on.begin(record, self)
        self._began = time.monotonic()
        self._transcript = Transcript(self._began)
        return self

    @property
    def _timed(self) -> bool:
        return bool(self._marks) and self._marks[-1].at > 0

    def __iter__(self) -> Iterator[float]:
        if self._timed:
            yield from self._played()
        else:
            self._show(*_deltas(self.reply.reasoning, self.reply.text))

    def _played(self) -> Iterator[float]:
        at = 0
        while at < len(self._marks) and not self._skipped:
            passed = time.monotonic() - self._began
            due = at
            while due < len(self._marks) and self._marks[due].at <= passed:
                due += 1
            for mark in self._marks[at:due]:
                self._show_mark(mark.kind, mark.length)
            self._refresh()
            at = due
            if at < len(self._marks):
                yield min(_TICK, max(0.0, self._marks[at].at - passed))
            if self._stopped:
                raise Interrupted
        for number in range(self._round, len(self._rest)):
            if number > self._round:
                self._begin_round()
            for delta in _deltas(*self._rest[number]):
                self._apply(delta)
        self._show(*self._restored.rest())

    def _show_mark(self, kind: str, length: int) -> None:
        if kind == CALLS:
            if self._round + 1 < len(self._rest):
                self._refresh()
                self._begin_round()
            return
        thinking, answer = self._rest[self._round]
        at = 0 if kind == THINKING else 1
        text = (thinking, answer)[at][:length]
        left = (thinking[length:], answer) if at == 0 else (thinking, answer[length:])
        self._rest[self._round] = left
        self._so_far[at] += text
        if text:
            self._apply((TextDelta if at else ReasoningDelta)(text))

    def _begin_round(self) -> None:
        self._round += 1
        self._so_far = ["", ""]
        steps = self.reply.record["steps"][: self._round]
        self._transcript.show_steps(steps, None)
        self._transcript.begin_round()
        self._refresh()

    def _apply(self, event: Event) -> None:
        self._transcript.apply(*self._restored.events([event]), now=time.monotonic())

    def _show(self, *events: Delta) -> None:
        self._transcript.apply(*events, now=time.monotonic())
        self._refresh()

    def _refresh(self) -> None:
        fresh, now = self._transcript.take_fresh(), time.monotonic()
        self._shown += _deltas(*fresh)
        self._on.refresh(self._transcript, fresh, now)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with interrupts_held():
            if error is None:
                self._keep()
            else:
                thinking, answer = self._so_far
                turn = replace(
                    self.reply.turn, reasoning=thinking, answer=answer, history=False,
                    status="interrupted", finish_reason="interrupted",
                    steps=self.reply.turn.steps[: self._round],
                )  # fmt: skip
                self.reply = Reply(turn)
            self._transcript.end(self.reply.turn.status, time.monotonic())
            self._on.end(self.reply.record)
        if isinstance(error, KeyboardInterrupt):
            interrupted = Interrupted()
            interrupted.reply = self.reply
            raise interrupted from None

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


def _deltas(thinking: str | None, answer: str) -> Iterator[ReasoningDelta | TextDelta]:
    """Texts in one piece: thinking first."""
    if thinking:
        yield ReasoningDelta(thinking)
    if answer:
        yield TextDelta(answer)
