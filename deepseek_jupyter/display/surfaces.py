"""Where an answer is shown while it grows: notebook, terminal, capture, panel, or nowhere.

`Notebook` updates one output, whole each time, as often as `Throttle` allows: for every front end.
`Deltas` sends what is new over the data comm, to pages with our extension and to panels; there is
no output, for a turn that was asked in the panel. `Card` does so and updates an output at
checkpoints only; streaming costs what the text costs, and a reload still finds most of it.
`Watched` is an output for a page without our extension, and deltas for the panel in it.

All of it runs on the thread that asked: output sent from another thread would land in the cell
that runs at that moment.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from deepseek_jupyter.errors import DeepSeekError, one_line
from deepseek_jupyter.protocol.output import TURN_MIME
from deepseek_jupyter.words import said

from .calls import calls
from .frontend import Output, can_type, captured, has_frontend, in_jupyter, publish, shell
from .pages import Tell, pages
from .render import Bundle, final_bundle, streaming_bundle, waiting_words
from .report import sentence
from .terminal import TerminalStyler
from .transcript import Fresh, GrowingText, Throttle, Transcript

_SILENT_TICK = 1.0  # seconds between updates that only move the clock
_DELTA_GAP = 0.02  # seconds between messages to a page, which paints at most 60 times a second

# A question that is not settled yet, as a record without an id: no turn.
UNSETTLED = {"id": "", "model": "", "status": "waiting", "format": "md", "notices": []}


class Surface:
    """A place to show one turn on; `visible` is False where it is not seen in the running cell."""

    visible = True
    raises = True  # an error is the cell's own output, too, which all but a card show

    def open(self, prompt: str) -> None:
        """Enter was pressed; what the question needs is being settled."""

    def wait(self, waiting: Mapping[str, Any]) -> None:
        """Settling it takes a while: `waiting` says for what, see `render.waiting_words`."""

    def refuse(self, error: BaseException) -> None:
        """The question cannot be sent."""

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """The question is about to be sent; `stop` ends it, from any thread."""

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        """Something arrived, or a tenth of a second passed. `fresh` is the new text."""

    def end(self, record: Mapping[str, Any]) -> None:
        """The last word: the whole record."""


def surface(show: bool | None) -> Surface:
    """The surface that fits where we run.

    `show` None means: in a notebook or IPython terminal yes, in a plain script no.
    """
    if show is False or (show is None and shell() is None):
        return Nowhere()
    if not has_frontend():
        return Terminal(sys.stdout)
    if captured():
        return Once()
    if pages.connected:
        return Card()
    return Watched() if pages.heard else Notebook()


def markdown_is_seen() -> bool:
    """Whether a user is there, and their page has no renderer for the record."""
    return can_type() and not pages.connected


@contextmanager
def preparing(on: Surface, prompt: str) -> Iterator[None]:
    """While a question is settled `on` shows what that waits for, and what ends it."""
    on.open(prompt)
    try:
        yield
    except BaseException as error:
        on.refuse(error)
        raise


class Nowhere(Surface):
    """Shows nothing."""

    visible = False


NOWHERE = Nowhere()


class FromThread(Nowhere):
    """For a thread that settles a question: what it waits for is shown `on` the caller's loop."""

    def __init__(self, on: Surface) -> None:
        self.on = on
        self._loop = asyncio.get_running_loop()

    def wait(self, waiting: Mapping[str, Any]) -> None:
        self._loop.call_soon_threadsafe(lambda: self.on.wait(waiting))


class Once(Surface):
    """One output at the end: ``%%capture`` would keep every update as an output of its own."""

    def end(self, record: Mapping[str, Any]) -> None:
        publish(final_bundle(record, seen=markdown_is_seen(), raised=self.raises))


class Terminal(Surface):
    """Text as it comes, with thinking dimmed; the footer below."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        width = shutil.get_terminal_size().columns if out.isatty() else 0
        self._styler = TerminalStyler(colour=out.isatty(), width=width)
        self._status = "waiting"
        self._notices = 0
        self._called: set[tuple[int, int]] = set()

    def wait(self, waiting: Mapping[str, Any]) -> None:
        self._print(self._styler.muted(waiting_words(waiting)) + "\n")

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        self._print_notices(record["notices"])

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        reasoning, answer = fresh
        if not any(fresh):
            self._print(self._styler.pause())
        self._print_calls(transcript.steps)
        self._print_notices(transcript.notices)
        if transcript.waiting:
            self.wait(transcript.waiting)
            transcript.waiting = None  # a line is printed once
        if reasoning:
            if self._status == "waiting":
                self._say("Thinking…")
            self._status = "thinking"
            self._print(self._styler.thinking(reasoning))
        if answer:
            if self._status == "thinking":
                self._print(self._styler.close() + "\n\n")
            self._status = "answering"
            self._print(self._styler.answer(answer))

    def end(self, record: Mapping[str, Any]) -> None:
        self._print(self._styler.close())
        if self._status != "waiting":
            self._print("\n")
        self._print_notices(record["notices"])
        self._say(record["footer"])

    def _print_notices(self, notices: Sequence[str]) -> None:
        for notice in notices[self._notices :]:
            self._say(notice)
        self._notices = len(notices)

    def _say(self, line: str) -> None:
        self._print(self._styler.muted(said(line)) + "\n")

    def _print_calls(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """A line for each call that has a result, once."""
        for place, step in enumerate(steps):
            for number, call in enumerate(calls(step)):
                result = "; ".join(map(", ".join, call.rows)) + "\n" + call.rest
                if not result.strip() or (place, number) in self._called:
                    continue
                self._called.add((place, number))
                start = "" if self._status == "waiting" else "\n"
                self._status = "waiting"
                line = f"→ {said(call.line)}: {one_line(call.code, 60)} → {one_line(result, 80)}"
                self._print(f"{self._styler.close()}{start}{self._styler.muted(line)}\n")

    def _print(self, text: str) -> None:
        if not text:
            return
        try:
            self._out.write(text)
        except UnicodeEncodeError as error:  # a pipe on Windows, LC_ALL=C
            self._out.write(text.encode(error.encoding, "replace").decode(error.encoding))
        self._out.flush()


class _PageTurn(Surface):
    """A turn that the pages may ask about and stop while it grows."""

    has_output = True
    _text: GrowingText

    def __init__(self, output: Output | None = None) -> None:
        self._output = output or Output()
        self._record: dict[str, Any] = {}
        self._rounds = self._steps_seen = 0
        self._stop: Callable[[], None] = lambda: None

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        self._record, self._stop = dict(record), stop
        self._text = self._empty_text()
        pages.begin(record["id"], self)

    def end(self, record: Mapping[str, Any]) -> None:
        pages.end(record["id"])
        if self.has_output:
            answer = self._text.finish(record["answer"])
            final = final_bundle(record, answer, seen=markdown_is_seen(), raised=self.raises)
            self._output.end(final, record, answer.html)

    def stop(self) -> None:
        self._stop()

    def skip(self) -> None:
        if skip := getattr(self._stop, "skip", None):  # only a kept answer has it
            skip()

    def catch_up(self, tell: Tell) -> None:
        """No deltas are sent."""

    def _empty_text(self) -> GrowingText:
        return GrowingText(self._record["format"], rendered=self.has_output)


class Notebook(_PageTurn):
    """One output, updated."""

    def __init__(self, output: Output | None = None) -> None:
        super().__init__(output)
        self._throttle = Throttle()
        self._status = "waiting"
        self._published = 0.0
        self._unseen = False

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        super().begin(record, stop)
        self._output.show(self._bundle(0.0, record["notices"]))

    def open(self, prompt: str) -> None:
        if in_jupyter() and not self._output.begun:  # the page may have our renderer
            self.wait({})

    def wait(self, waiting: Mapping[str, Any]) -> None:
        words = streaming_bundle("", "", status="waiting", elapsed=0, notices=[], waiting=waiting)
        if in_jupyter():
            words[TURN_MIME] = {**UNSETTLED, "waiting": waiting}
        self._output.show(words)

    def refuse(self, error: BaseException) -> None:
        if self._output.begun and not self._record:  # the cell's own error says it all
            self._output.end({"text/html": "", "text/plain": ""})

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        called = self._take_steps(transcript)
        self._text.take(*fresh)
        self._unseen = self._unseen or any(fresh)
        entered = transcript.status != self._status
        silent = now - self._published >= _SILENT_TICK and transcript.status == "waiting"
        if not (called or entered or silent or (self._unseen and self._throttle.due(now))):
            return
        self._status = transcript.status
        self._unseen = False
        self._record["waiting"] = transcript.waiting
        bundle = self._bundle(transcript.elapsed(now), transcript.notices)
        self._output.show(bundle)
        self._published = now
        size = len(bundle["text/html"]) + (self._text.length if TURN_MIME in bundle else 0)
        self._throttle.published(now, size, self._text.length)

    def _take_steps(self, transcript: Transcript) -> bool:
        """Whether calls changed, or a new round emptied what was shown of the last."""
        if transcript.rounds != self._rounds:
            self._text = self._empty_text()
        elif transcript.steps_seen == self._steps_seen:
            return False
        self._output.share()
        self._steps_seen, self._rounds = transcript.steps_seen, transcript.rounds
        self._record["steps"] = transcript.steps
        return True

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
            waiting=self._record.get("waiting"),
        )
        if in_jupyter():
            # The type that the final bundle is shown by: a change of type rebuilds the output.
            so_far = {"reasoning": text.reasoning, "answer": text.answer, "status": self._status}
            bundle[TURN_MIME] = {**self._record, **so_far}
        return bundle


class Deltas(_PageTurn):
    """Deltas to the pages and no output: for a turn that no cell asked."""

    visible = has_output = False

    @property
    def asks(self) -> bool:
        """Whether a page can be asked; a click may take its time, no cell waits for it."""
        return pages.heard

    def __init__(self, output: Output | None = None) -> None:
        super().__init__(output)
        self._lock = threading.Lock()
        self._unsent: list[Fresh] = []
        self._seq = 0
        self._sent = 0.0

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        self._send_news(transcript, fresh, now)

    def stop(self) -> None:
        super().stop()
        # The answer keeps the page from interrupting the kernel instead.
        self._send("status", status="interrupted")

    def catch_up(self, tell: Tell) -> None:
        with self._lock:  # between two messages, and while pages join
            so_far = {"seq": self._seq, "record": self._so_far()}
            tell({"type": "snapshot", "id": self._record["id"], **so_far})

    def _send(self, type: str, **more: Any) -> None:
        pages.send({"type": type, "id": self._record["id"], **more})

    def _record_and_send(self, type: str, **news: Any) -> None:
        with self._lock:
            self._record.update(news)
            self._send(type, **news)

    def _send_news(self, transcript: Transcript, fresh: Fresh, now: float) -> bool:
        """Send what is new, at most fifty times a second; whether it was sent."""
        if transcript.rounds != self._rounds:
            self._begin_round(transcript)
            self.catch_up(pages.send)
        if transcript.steps_seen != self._steps_seen:
            self._output.share()
            self._steps_seen = transcript.steps_seen
            self._record_and_send("steps", steps=transcript.steps, asking=transcript.asking)
        if any(fresh):
            self._unsent.append(fresh)
        so_far = {"status": transcript.status, "waiting": transcript.waiting}
        if any(self._record.get(name) != value for name, value in so_far.items()):
            self._record_and_send("status", **so_far)
        elif now - self._sent < _DELTA_GAP:
            return False
        self._send_delta()
        self._record["notices"] = list(transcript.notices)
        self._sent = now
        return True

    def _begin_round(self, transcript: Transcript) -> None:
        """A new round empties what was shown of the last: all of that is in its step."""
        self._rounds = transcript.rounds
        with self._lock:
            self._text = self._empty_text()
            self._record["steps"] = transcript.steps
        self._unsent.clear()

    def _send_delta(self) -> None:
        if not self._unsent:
            return
        reasoning, answer = map("".join, zip(*self._unsent, strict=True))
        self._unsent.clear()
        texts = {"reasoning": reasoning, "answer": answer}
        with self._lock:
            self._text.take(reasoning, answer)
            seq, self._seq = self._seq, self._seq + 1
            self._send("delta", seq=seq, **{name: text for name, text in texts.items() if text})

    def _so_far(self) -> dict[str, Any]:
        return {**self._record, "reasoning": self._text.reasoning, "answer": self._text.answer}


class Card(Deltas):
    """Deltas to the pages, checkpoints to the output."""

    visible = has_output = True

    @property
    def asks(self) -> bool:
        """Whether its buttons can be heard while the cell runs, and stay in it as tools run."""
        return pages.can_answer and pages.updates

    def __init__(self, output: Output | None = None) -> None:
        super().__init__(output)
        self._checkpoints = Throttle(rate=10_000, shortest=2.0, short=0)

    def open(self, prompt: str) -> None:
        if not self._record:
            self._record = {**UNSETTLED, "prompt": prompt}
            self._text = self._empty_text()
            self._output.show(self._checkpoint())

    def wait(self, waiting: Mapping[str, Any]) -> None:
        self._record["waiting"] = waiting
        self._output.show(self._checkpoint())

    def refuse(self, error: BaseException) -> None:
        if not self._record.get("id") and self._record.get("status") == "waiting":
            status = "error" if isinstance(error, Exception) else "interrupted"
            known = error.record if isinstance(error, DeepSeekError) else None
            self._record.update(status=status, finish_reason=status, error=known)
            self._output.end(final_bundle(self._so_far(), raised=True))

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        super().begin(record, stop)
        self._output.show(self._checkpoint())

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        if self._send_news(transcript, fresh, now) and self._checkpoints.due(now):
            self._output.show(self._checkpoint())
            self._checkpoints.published(now, self._text.length, self._text.length)

    def _begin_round(self, transcript: Transcript) -> None:
        super()._begin_round(transcript)
        self._output.show(self._checkpoint())

    def _checkpoint(self) -> Bundle:
        return {TURN_MIME: self._so_far(), "text/plain": "…"}


class Asking(Card):
    """A card with a question that is not the model's; what came of it stays as one line."""

    def ask(
        self, record: Mapping[str, Any], asking: Mapping[str, str], stop: Callable[[], None]
    ) -> None:
        self.begin(record, stop)
        transcript = Transcript(0.0)
        transcript.show_steps((), asking)
        self._send_news(transcript, ("", ""), 0.0)

    def close(self, line: str) -> None:
        pages.end(self._record["id"])
        self._output.end(sentence(line))


class Watched(Notebook):
    """One output, updated; then deltas for the panel, which is answered with what it was sent."""

    def __init__(self, output: Output | None = None) -> None:
        super().__init__(output)
        self._deltas = Deltas()

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        super().begin(record, stop)
        self._deltas.begin(record, stop)

    def refresh(self, transcript: Transcript, fresh: Fresh, now: float) -> None:
        super().refresh(transcript, fresh, now)
        self._deltas.refresh(transcript, fresh, now)

    def end(self, record: Mapping[str, Any]) -> None:
        super().end(record)
        self._deltas.end(record)
