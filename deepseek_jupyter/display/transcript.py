"""`Transcript`: events in, what is to be seen out. A pure reducer; the clock is passed in.

The TypeScript twin is ``labextension/src/kernel/transcript.ts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.protocol.deltas import (
    Event,
    Fault,
    Finish,
    Notice,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Waiting,
)
from deepseek_jupyter.protocol.usage import Usage

__all__ = ["Timing", "Transcript"]


@dataclass(slots=True)
class Timing:
    """Seconds since the question was sent; None until it happened."""

    first_token: float | None = None
    answer_began: float | None = None
    ended: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """The record's form; `thinking` is the time between first token and answer."""
        thinking = None
        until = self.answer_began if self.answer_began is not None else self.ended
        if self.first_token is not None and until is not None:
            thinking = round(until - self.first_token, 3)
        return {
            "first_token": _rounded(self.first_token),
            "thinking": thinking,
            "total": _rounded(self.ended),
        }


class Transcript:
    """The state of one turn on screen.

    `status` is the record's: waiting, thinking, answering, then whatever `end` says. `fresh`
    collects text since the last call of `take_fresh`, for displays that append.
    """

    def __init__(self, began: float) -> None:
        self.status = "waiting"
        self.notices: list[str] = []
        self.timing = Timing()
        self.usage: Usage | None = None
        self.comments = 0
        self.rounds = 0  # the times that the answer has begun anew
        self.steps: list[Mapping[str, Any]] = []
        self.asking: Mapping[str, str] | None = None
        self.steps_seen = 0  # counts what changed in them, for displays that send changes
        self._began = began
        self._fresh_reasoning: list[str] = []
        self._fresh_answer: list[str] = []

    def apply(self, *events: Event, now: float) -> None:
        """Take events in. `now` is on the clock that gave `began`."""
        for event in events:
            if type(event) is TextDelta and self.status == "answering":  # nearly always
                self._fresh_answer.append(event.text)
            else:
                self._apply(event, now)

    def _apply(self, event: Event, now: float) -> None:
        if isinstance(event, TextDelta):
            if self.status != "answering":
                self._enter("answering", now)
            self._fresh_answer.append(event.text)
        elif isinstance(event, ReasoningDelta):
            if self.status == "waiting":
                self._enter("thinking", now)
            self._fresh_reasoning.append(event.text)
        elif isinstance(event, ToolCallDelta | Finish | Fault):
            if self.timing.first_token is None:
                self.timing.first_token = now - self._began
        elif isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Notice):
            self.notices.append(event.text)
        elif isinstance(event, Waiting):
            self.comments = event.comments

    def take_fresh(self) -> tuple[str, str]:
        """Thinking and answer that came since the last call."""
        fresh = "".join(self._fresh_reasoning), "".join(self._fresh_answer)
        self._fresh_reasoning.clear()
        self._fresh_answer.clear()
        return fresh

    def show_steps(
        self, steps: Sequence[Mapping[str, Any]], asking: Mapping[str, str] | None
    ) -> None:
        """The rounds of tool calls so far, in the record's form, the last one as it stands.

        `asking` is the call that waits for the user's word: ``{call, text}``.
        """
        self.steps, self.asking = list(steps), asking
        self.steps_seen += 1

    def begin_round(self) -> None:
        """What was said so far belongs to a step; the answer begins anew."""
        self.take_fresh()
        self.status = "waiting"
        self.rounds += 1

    def end(self, status: str, now: float) -> None:
        """Nothing more will come."""
        self.status = status
        self.timing.ended = now - self._began

    def elapsed(self, now: float) -> float:
        """Seconds since the question was sent."""
        return now - self._began

    def _enter(self, status: str, now: float) -> None:
        self.status = status
        if self.timing.first_token is None:
            self.timing.first_token = now - self._began
        if status == "answering":
            self.timing.answer_began = now - self._began


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
