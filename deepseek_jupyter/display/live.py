"""Where an answer is shown while it grows: notebook, terminal, capture, or nowhere.

The one place of this folder that knows IPython. All of it runs on the thread of whoever
asked: output sent from another thread would land in whichever cell runs at that moment.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import IO, Any, Protocol
from uuid import uuid4

from .render import OPENING, Bundle, final_bundle, shaped, streaming_bundle
from .safe import Neutraliser
from .terminal import TerminalStyler
from .throttle import Throttle
from .transcript import Transcript

__all__ = ["Surface", "current_cell", "has_frontend", "publish", "surface"]

_SILENT_TICK = 1.0  # seconds between updates that only move the clock


class Surface(Protocol):
    """A place to show one turn on; `visible` is False where nobody sees it."""

    visible: bool

    def begin(self, record: Mapping[str, Any]) -> None:
        """The question is about to be sent."""

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Something arrived, or a tenth of a second passed."""

    def end(self, record: Mapping[str, Any]) -> None:
        """The last word: the whole record."""


def surface(show: bool | None) -> Surface:
    """The surface that fits where we run.

    `show` None means: in a notebook or IPython terminal yes, in a plain script no.
    """
    shell = _shell()
    if show is False or (show is None and shell is None):
        return Nowhere()
    if not has_frontend():
        return Terminal(sys.stdout)
    if _captured(shell):
        return Once()
    return Notebook()


class Nowhere:
    """Shows nothing."""

    visible = False

    def begin(self, record: Mapping[str, Any]) -> None:
        """Nothing."""

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Nothing, but the text does not pile up."""
        transcript.take_fresh()

    def end(self, record: Mapping[str, Any]) -> None:
        """Nothing."""


class Once(Nowhere):
    """One output at the end: ``%%capture`` would keep every update as an output of its own."""

    visible = True

    def end(self, record: Mapping[str, Any]) -> None:
        """Publish the finished turn."""
        publish(final_bundle(record))


class Notebook:
    """One output, updated as often as `Throttle` allows."""

    visible = True

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._throttle = Throttle()
        self._answer = Neutraliser()
        self._reasoning = ""
        self._status = ""
        self._published = 0.0
        self._fed: list[str] = []

    def begin(self, record: Mapping[str, Any]) -> None:
        """Open the output."""
        self._feed(OPENING.get(record["format"], ""))
        bundle = streaming_bundle("", "", status="waiting", elapsed=0.0, notices=[])
        publish(bundle, self._id)

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Update it, if it is time."""
        entered = transcript.status != self._status and self._status != ""
        silent = now - self._published >= _SILENT_TICK and transcript.status == "waiting"
        if not (entered or self._throttle.due(now)):
            return
        reasoning, answer = transcript.take_fresh()
        if not (reasoning or answer or entered or silent):
            return
        self._status = transcript.status
        self._reasoning += reasoning
        self._feed(answer)
        bundle = streaming_bundle(
            self._answer.snapshot(html_only=True).html,
            self._reasoning,
            status=transcript.status,
            elapsed=transcript.elapsed(now),
            notices=transcript.notices,
        )
        publish(bundle, self._id, update=True)
        self._published = now
        self._throttle.published(now, len(bundle["text/html"]))

    def end(self, record: Mapping[str, Any]) -> None:
        """The last update: all forms of the whole turn."""
        shown, answer = "".join(self._fed), shaped(record["answer"], record["format"])
        if not answer.startswith(shown):  # what was shown was taken back: JSON asked for again
            self._answer, shown = Neutraliser(), ""
        self._answer.feed(answer[len(shown) :])
        publish(final_bundle(record, self._answer.finish()), self._id, update=True)

    def _feed(self, text: str) -> None:
        self._answer.feed(text)
        self._fed.append(text)


class Terminal:
    """Text as it comes, with thinking dimmed; the footer below."""

    visible = True

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._styler = TerminalStyler(colour=out.isatty())
        self._status = "waiting"
        self._notices = 0

    def begin(self, record: Mapping[str, Any]) -> None:
        """Nothing: there is no line to take back later."""

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Print what is new."""
        reasoning, answer = transcript.take_fresh()
        for notice in transcript.notices[self._notices :]:
            self._print(self._styler.muted(notice) + "\n")
        self._notices = len(transcript.notices)
        if reasoning:
            if self._status == "waiting":
                self._print(self._styler.muted("Thinking…") + "\n")
            self._status = "thinking"
            self._print(self._styler.thinking(reasoning))
        if answer:
            if self._status == "thinking":
                self._print("\n\n")
            self._status = "answering"
            self._print(self._styler.answer(answer))

    def end(self, record: Mapping[str, Any]) -> None:
        """The footer."""
        self._print(self._styler.close())
        if self._status != "waiting":
            self._print("\n")
        for notice in record["notices"][self._notices :]:
            self._print(self._styler.muted(notice) + "\n")
        self._print(self._styler.muted(record["footer"]) + "\n")

    def _print(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()


def publish(bundle: Bundle, display_id: str = "", *, update: bool = False) -> None:
    """Send `bundle` as an output of the running cell, or as an update of an earlier one."""
    if not has_frontend():
        print(bundle["text/plain"])
        return
    shell = _shell()
    transient = {"display_id": display_id} if display_id else {}
    shell.display_pub.publish(bundle, {}, transient=transient, update=update)


def current_cell() -> int | None:
    """What tells the running cell from others; None outside IPython."""
    shell = _shell()
    return shell.execution_count if shell is not None else None


def _shell() -> Any:
    """The running IPython shell, without importing IPython into a plain script."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def has_frontend() -> bool:
    """Whether outputs are mimebundles: a kernel's shell, not a terminal's or a script."""
    shell = _shell()
    if shell is None:
        return False
    return getattr(shell, "kernel", None) is not None or _captured(shell)


def _captured(shell: Any) -> bool:
    return type(shell.display_pub).__name__ == "CapturingDisplayPublisher"
