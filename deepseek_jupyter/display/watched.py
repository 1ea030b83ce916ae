"""A turn in a page without our extension, where a panel stands as a widget.

The output is updated as for every front end; the panel is sent what is new, as a page would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from .notebook import Beside, Notebook
from .transcript import Transcript

__all__ = ["Watched"]


class Watched(Notebook):
    """One output, updated, and deltas to the panels."""

    def __init__(self) -> None:
        super().__init__()
        self._panels = Beside()
        self._copies: tuple[_Copy, _Copy] | None = None

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        """Open the output. A panel that asks about the turn is answered with what it was sent."""
        super().begin(record, stop)
        self._panels.begin(record, stop)

    def refresh(self, transcript: Transcript, now: float) -> None:
        """Update the output and send what is new, each if it is time."""
        if self._copies is None:
            self._copies = _Copy(transcript), _Copy(transcript)
        fresh = transcript.take_fresh()
        for copy in self._copies:
            copy.add(*fresh)
        shown, told = self._copies
        super().refresh(cast(Transcript, shown), now)
        self._panels.refresh(cast(Transcript, told), now)


class _Copy:
    """A transcript as one of two readers sees it: each takes what is new to it."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._rounds = transcript.rounds
        self._new = ("", "")

    def add(self, reasoning: str, answer: str) -> None:
        # What was left of the last round is in its step.
        if self._rounds != self._transcript.rounds:
            self._rounds, self._new = self._transcript.rounds, ("", "")
        self._new = self._new[0] + reasoning, self._new[1] + answer

    def take_fresh(self) -> tuple[str, str]:
        new, self._new = self._new, ("", "")
        return new

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transcript, name)
