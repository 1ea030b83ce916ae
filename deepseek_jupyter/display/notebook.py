"""The ways in which a notebook's page shows a turn that grows.

`Notebook` updates one output, whole each time, as often as `Throttle` allows: for every front end.
`Card` sends what is new over the data comm, to pages with our extension, and updates the output
only at checkpoints; so streaming costs what the text costs, and a reload still finds most of it.
`Beside` sends the same deltas for a turn without an output, one that was asked in the panel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from .frontend import in_jupyter, publish
from .growing import Growing, Plain
from .pages import pages
from .render import TURN_MIME, Bundle, final_bundle, streaming_bundle
from .throttle import Throttle
from .transcript import Transcript

__all__ = ["Beside", "Card", "Notebook"]

_SILENT_TICK = 1.0  # seconds between updates that only move the clock
_DELTA_GAP = 0.02  # seconds between messages to a page, which paints at most 60 times a second


class Notebook:
    """One output, updated."""

    visible = True

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._throttle = Throttle()
        self._text = Growing()
        self._status = "waiting"
        self._published = 0.0
        self._fresh = False
        self._steps_seen = self._rounds = 0
        self._record: dict[str, Any] = {}
        self._stop: Callable[[], None] = lambda: None

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """Open the output."""
        self._record, self._stop = dict(record), stop
        pages.begin(record["id"], self)
        self._text.begin(record["format"])
        publish(self._bundle(0.0, []), self._id)

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Update it, if it is time."""
        called = self._take_steps(transcript)
        reasoning, answer = transcript.take_fresh()
        self._text.take(reasoning, answer)
        self._fresh = self._fresh or bool(reasoning or answer)
        entered = transcript.status != self._status
        silent = now - self._published >= _SILENT_TICK and transcript.status == "waiting"
        if not (called or entered or silent or (self._fresh and self._throttle.due(now))):
            return
        self._status = transcript.status
        self._fresh = False
        bundle = self._bundle(transcript.elapsed(now), transcript.notices)
        publish(bundle, self._id, update=True)
        self._published = now
        size = len(bundle["text/html"]) + (self._text.length if TURN_MIME in bundle else 0)
        self._throttle.published(now, size, self._text.length)

    def _take_steps(self, transcript: Transcript) -> bool:
        """Whether calls changed, or a new round emptied what was shown of the last."""
        changed = transcript.steps_seen != self._steps_seen or transcript.rounds != self._rounds
        if transcript.rounds != self._rounds:
            self._text = Growing()
            self._text.begin(self._record["format"])
        self._steps_seen, self._rounds = transcript.steps_seen, transcript.rounds
        if changed:
            self._record["steps"] = transcript.steps
        return changed

    def end(self, record: Mapping[str, Any]) -> None:
        """The last update: all forms of the whole turn."""
        pages.end(record["id"])
        publish(final_bundle(record, self._text.finish(record["answer"])), self._id, update=True)

    def stop(self) -> None:
        """A page asks to stop."""
        self._stop()

    def snapshot(self) -> Mapping[str, Any] | None:
        """None: no deltas are sent."""
        return None

    def _bundle(self, elapsed: float, notices: list[str]) -> Bundle:
        text = self._text
        bundle = streaming_bundle(
            text.html(),
            text.reasoning,
            status=self._status,
            elapsed=elapsed,
            notices=notices,
            is_open="thinking" in self._record.get("policy", ()),
            steps=self._record.get("steps", ()),
        )
        if in_jupyter():
            # The type that the final bundle is shown by: a change of type rebuilds the output.
            so_far = {"reasoning": text.reasoning, "answer": text.answer, "status": self._status}
            bundle[TURN_MIME] = {**self._record, **so_far}
        return bundle


class Card:
    """Deltas to the pages, checkpoints to the output."""

    visible = True
    _new_text: type[Growing] = Growing

    @property
    def asks(self) -> bool:
        """Whether its buttons can be heard while the cell runs."""
        return pages.can_answer

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._lock = threading.Lock()
        self._checkpoints = Throttle(rate=10_000, shortest=2.0, short=0)
        self._text = self._new_text()
        self._record: dict[str, Any] = {}
        self._seq = 0
        self._sent = 0.0
        self._steps_seen = self._rounds = 0
        self._stop: Callable[[], None] = lambda: None

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """Open the output with an empty record."""
        self._record, self._stop = dict(record), stop
        pages.begin(record["id"], self)
        self._text.begin(record["format"])
        publish(self._checkpoint(), self._id)

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Send what is new, at most fifty times a second; sometimes a checkpoint."""
        if self._news(transcript, now) and self._checkpoints.due(now):
            self._save()
            self._checkpoints.published(now, self._text.length, self._text.length)

    def end(self, record: Mapping[str, Any]) -> None:
        """The last update: all forms of the whole turn."""
        pages.end(record["id"])
        publish(final_bundle(record, self._text.finish(record["answer"])), self._id, update=True)

    def stop(self) -> None:
        """A page asks to stop; the answer keeps it from interrupting the kernel instead."""
        self._stop()
        pages.send({"type": "status", "id": self._record["id"], "status": "interrupted"})

    def snapshot(self) -> Mapping[str, Any] | None:
        """Everything so far, between two deltas."""
        with self._lock:
            return {
                "type": "snapshot",
                "id": self._record["id"],
                "seq": self._seq,
                "record": self._so_far(),
            }

    def _show_steps(self, transcript: Transcript) -> None:
        """Send the calls as they stand; a new round empties what was shown of the last."""
        if transcript.rounds != self._rounds:
            self._rounds = transcript.rounds
            with self._lock:
                self._text = self._new_text()
                self._text.begin(self._record["format"])
                self._record["steps"] = transcript.steps
            self._save()
            if snapshot := self.snapshot():
                pages.send(snapshot)
        if transcript.steps_seen == self._steps_seen:
            return
        self._steps_seen = transcript.steps_seen
        self._record["steps"], self._record["asking"] = transcript.steps, transcript.asking
        steps = {"steps": transcript.steps, "asking": transcript.asking}
        pages.send({"type": "steps", "id": self._record["id"], **steps})

    def _save(self) -> None:
        publish(self._checkpoint(), self._id, update=True)

    def _news(self, transcript: Transcript, now: float) -> bool:
        """Send what is new, unless something was sent just now."""
        self._show_steps(transcript)
        if transcript.status != self._record["status"]:
            self._record["status"] = transcript.status
            status = {"type": "status", "id": self._record["id"], "status": transcript.status}
            pages.send(status)
        elif now - self._sent < _DELTA_GAP:
            return False
        self._delta(*transcript.take_fresh())
        self._record["notices"] = list(transcript.notices)
        self._sent = now
        return True

    def _delta(self, reasoning: str, answer: str) -> None:
        texts = {"reasoning": reasoning, "answer": answer}
        new = {name: text for name, text in texts.items() if text}
        if not new:
            return
        with self._lock:
            self._text.take(reasoning, answer)
            seq, self._seq = self._seq, self._seq + 1
            # Inside the lock: a snapshot from another thread must not overtake it.
            pages.send({"type": "delta", "id": self._record["id"], "seq": seq, **new})

    def _checkpoint(self) -> Bundle:
        return {TURN_MIME: self._so_far(), "text/plain": "…"}

    def _so_far(self) -> dict[str, Any]:
        return {**self._record, "reasoning": self._text.reasoning, "answer": self._text.answer}


class Beside(Card):
    """Deltas to the pages and no output: for a turn that no cell asked."""

    visible = False
    _new_text = Plain

    @property
    def asks(self) -> bool:
        """Whether anybody can be asked; a click may take its time, no cell waits for it."""
        return pages.heard

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """Let pages ask about it."""
        self._record, self._stop = dict(record), stop
        pages.begin(record["id"], self)

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Send what is new, at most fifty times a second."""
        self._news(transcript, now)

    def end(self, record: Mapping[str, Any]) -> None:
        """The record is told by whoever asked."""
        pages.end(record["id"])

    def _save(self) -> None:
        """There is no output."""
