"""One turn while it grows. Pure: the clock is passed in.

`Transcript` reduces events to what is to be seen, `GrowingText` renders the text so far, `Throttle`
says when it may be published.

The TypeScript twin is ``labextension/src/kernel/transcript.ts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from deepseek_jupyter.protocol.deltas import (
    Detail,
    Event,
    Fault,
    Finish,
    Notice,
    ReasoningDelta,
    Retry,
    TextDelta,
    ToolCallDelta,
)
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.sanitizer.sanitizer import Sanitized, Sanitizer, sanitize

from .render import OPENING, rendered, shaped

Fresh = tuple[str, str]  # thinking and answer that have not been shown yet


class Transcript:
    """The state of one turn on screen.

    `status` is the record's: waiting, thinking, answering, then what `end` says. Text is kept only
    until `take_fresh`: surfaces append.
    """

    def __init__(self, began: float) -> None:
        self.status = "waiting"
        self.notices: list[str] = []
        self.details: list[str] = []
        self.waiting: Mapping[str, Any] | None = None  # for what, where not for the first word
        self.usage: Usage | None = None
        self.rounds = 0  # the times that the answer has begun again
        self.steps: list[Mapping[str, Any]] = []
        self.asking: Mapping[str, str] | None = None
        self.steps_seen = 0  # counts what changed in them, for displays that send changes
        self._began = began
        # Seconds since then; None until it happened.
        self._first: float | None = None
        self._answer_began: float | None = None
        self._ended: float | None = None
        self._fresh_reasoning: list[str] = []
        self._fresh_answer: list[str] = []

    def apply(self, *events: Event, now: float) -> None:
        """Take events in. `now` is on the clock that gave `began`."""
        for event in events:
            if isinstance(event, TextDelta):
                if self.status != "answering":
                    self._enter("answering", now)
                self._fresh_answer.append(event.text)
            elif isinstance(event, ReasoningDelta):
                if self.status == "waiting":
                    self._enter("thinking", now)
                self._fresh_reasoning.append(event.text)
            elif isinstance(event, ToolCallDelta | Finish | Fault):
                self._first_token(now)
            elif isinstance(event, Usage):
                self.usage = event
            elif isinstance(event, Notice):
                self.note(event.text)
            elif isinstance(event, Retry):
                self.waiting = {"reason": "retry", **asdict(event)}

    def note(self, text: str) -> None:
        """Keep a sentence for the user, as a notice or a detail."""
        (self.details if isinstance(text, Detail) else self.notices).append(text)

    def take_fresh(self) -> Fresh:
        """Thinking and answer that came since the last call."""
        fresh = "".join(self._fresh_reasoning), "".join(self._fresh_answer)
        self._fresh_reasoning.clear()
        self._fresh_answer.clear()
        return fresh

    def show_steps(
        self, steps: Sequence[Mapping[str, Any]], asking: Mapping[str, str] | None
    ) -> None:
        """The rounds of tool calls so far, in the record's form, the last one as far as it is.

        `asking` is the call that waits for the user's decision: ``{call, text}``.
        """
        self.steps, self.asking = list(steps), asking
        self.steps_seen += 1

    def begin_round(self) -> None:
        """What was said so far belongs to a step; the answer begins again."""
        self.take_fresh()
        self.status = "waiting"
        self.rounds += 1

    def pause(self, seconds: float) -> None:
        """Leave these seconds, in which the user decided, out of the answer's time."""
        self._began += seconds

    def end(self, status: str, now: float) -> None:
        self.status = status
        self._ended = self.elapsed(now)

    @property
    def timing(self) -> dict[str, float | None]:
        """The record's: `thinking` is the time between first token and answer."""
        until = self._ended if self._answer_began is None else self._answer_began
        thinking = None if self._first is None or until is None else until - self._first
        times = {"first_token": self._first, "thinking": thinking, "total": self._ended}
        return {name: None if t is None else round(t, 3) for name, t in times.items()}

    def elapsed(self, now: float) -> float:
        return now - self._began

    def _enter(self, status: str, now: float) -> None:
        self.status = status
        self._first_token(now)
        if status == "answering":
            self._answer_began = self.elapsed(now)

    def _first_token(self, now: float) -> None:
        self.waiting = None
        if self._first is None:
            self._first = self.elapsed(now)


class GrowingText:
    """Thinking and answer so far, of the record's `answer_format`.

    Raw, and the answer sanitized as it comes, each block once, also between updates: so a stop in a
    flood does not find all of it undone. With `rendered` False it is not: there is no output.
    """

    def __init__(self, answer_format: str, *, rendered: bool = True) -> None:
        self.length = 0
        self._format = answer_format
        self._rendered = rendered
        self._sanitizer = Sanitizer()
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._feed(OPENING.get(answer_format, ""))

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def answer(self) -> str:
        return "".join(self._answer)

    def take(self, reasoning: str, answer: str) -> None:
        self._reasoning.append(reasoning)
        self._answer.append(answer)
        self.length += len(reasoning) + len(answer)
        if answer and self._rendered:
            self._feed(answer)

    def _feed(self, text: str) -> None:
        try:
            self._sanitizer.feed(text)
            self._sanitizer.render()
        except Exception:  # a flaw costs the looks, not the rest of the answer
            self._rendered = False

    def html(self) -> str:
        if self._rendered:
            return self._sanitizer.html()
        return rendered(lambda: sanitize(shaped(self.answer, self._format)), self.answer).html

    def finish(self, answer: str) -> Sanitized:
        """The whole `answer`, of which all but the end is rendered already."""
        return rendered(lambda: self._finish(answer), answer)

    def _finish(self, answer: str) -> Sanitized:
        shown = self.answer
        # What was shown may have been taken back: JSON asked for again.
        if not self._rendered or not answer.startswith(shown):
            return sanitize(shaped(answer, self._format))
        opening = OPENING.get(self._format, "")
        self._sanitizer.feed(shaped(answer, self._format)[len(opening) + len(shown) :])
        return self._sanitizer.finish()


@dataclass(slots=True)
class Throttle:
    """How often a growing output may be published.

    Every update carries the whole text so far, so updates must become rarer as it grows: a budget
    of `rate` bytes a second keeps the total linear in time. Texts of up to `short` characters are
    exempt, because what is read as it comes must move at least five times a second.

    A text that counts as short may be several times its length once it is HTML and, in a record,
    itself again. JupyterLab's server passes at most 1,000 messages a second, and a page needs some
    10 ms for each, so ten a second are the most that is ever useful.
    """

    rate: float = 29_500.0
    shortest: float = 0.1
    short: int = 8_400
    longest_for_short: float = 0.18
    _last: float = field(default=float("-inf"), init=False)
    _size: int = field(default=0, init=False)
    _length: int = field(default=0, init=False)

    def due(self, now: float) -> bool:
        return now - self._last >= self.interval

    @property
    def interval(self) -> float:
        """Seconds that the last update pays for."""
        wait = max(self.shortest, self._size / self.rate)
        return min(wait, self.longest_for_short) if self._length <= self.short else wait

    def published(self, now: float, size: int, length: int) -> None:
        """Something went out: `size` in bytes, `length` characters of text among them."""
        self._last, self._size, self._length = now, size, length
