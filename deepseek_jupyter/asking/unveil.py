"""Deltas for the user's eyes: pseudonyms become the originals again, also those in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from deepseek_jupyter.privacy.redaction import Gate, Revealer
from deepseek_jupyter.protocol.deltas import (
    Event,
    Fault,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)

__all__ = ["Unveil"]


class Unveil:
    """One answer's way from the gate to the screen."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._revealers = {kind: Revealer(gate) for kind in (ReasoningDelta, TextDelta)}

    def events(self, batch: list[Event]) -> list[Event]:
        """`batch` as it is shown. What may be the beginning of a pseudonym waits for its end."""
        if not self._gate.masks:  # nearly always; a flood of deltas must not pay for it
            return batch
        return [shown for event in batch for shown in self._event(event)]

    def rest(self, but: type | None = None) -> Iterator[ReasoningDelta | TextDelta]:
        """What still waits; the answer has gone on to something else, or ended."""
        for kind, revealer in self._revealers.items():
            if kind is not but and (held := revealer.flush()):
                yield kind(held)

    def _event(self, event: Event) -> Iterator[Event]:
        kind = type(event)
        if isinstance(event, ReasoningDelta | TextDelta):
            yield from self.rest(but=kind)
            if text := self._revealers[type(event)].feed(event.text):
                yield type(event)(text)
            return
        if isinstance(event, Finish | Fault | ToolCallDelta):
            yield from self.rest()
        yield event
