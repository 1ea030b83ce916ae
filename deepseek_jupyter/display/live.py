"""Where an answer is shown while it grows: notebook, terminal, capture, or nowhere.

All of it runs on the thread of whoever asked: output sent from another thread would land in
whichever cell runs at that moment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

from .frontend import captured, has_frontend, publish, shell
from .notebook import Card, Notebook
from .pages import pages
from .render import calls, final_bundle
from .terminal import TerminalStyler
from .transcript import Transcript
from .watched import Watched

__all__ = ["Surface", "surface"]


class Surface(Protocol):
    """A place to show one turn on; `visible` is False where nobody sees it."""

    visible: bool

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """The question is about to be sent; `stop` ends it, from any thread."""

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Something arrived, or a tenth of a second passed."""

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


class Nowhere:
    """Shows nothing."""

    visible = False

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
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


class Terminal:
    """Text as it comes, with thinking dimmed; the footer below."""

    visible = True

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._styler = TerminalStyler(colour=out.isatty())
        self._status = "waiting"
        self._notices = 0
        self._told: set[tuple[int, int]] = set()

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """Nothing: there is no line to take back later."""

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Print what is new."""
        reasoning, answer = transcript.take_fresh()
        self._calls(transcript.steps)
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

    def _calls(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """A line for each call that has a result, once."""
        for place, step in enumerate(steps):
            for number, (line, arguments, result) in enumerate(calls(step)):
                if not result or (place, number) in self._told:
                    continue
                self._told.add((place, number))
                first, _, more = result.strip().partition("\n")
                gist = f"{first[:80]}…" if more or len(first) > 80 else first
                start = "" if self._status == "waiting" else "\n"
                self._status = "waiting"
                said = " ".join(f"→ {line} {arguments}: {gist}".split())
                self._print(f"{self._styler.close()}{start}{self._styler.muted(said)}\n")

    def _print(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()
