"""The rhythm of an answer: when which of its characters came. Kept packed, played at a pace. Pure.

Packed it is one text: base64 of zlib of marks like ``4a3``, for 4 steps of 10 ms after the last
mark, 3 characters of the answer. Moments are rounded, not gaps, so that no error adds up.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from deepseek_jupyter.errors import ParameterError

from .deltas import Event, ReasoningDelta, TextDelta

THINKING, ANSWER, CALLS = "tac"  # what a mark is of; after CALLS another round begins
_KINDS = {ReasoningDelta: THINKING, TextDelta: ANSWER}

_STEP = 0.01  # seconds
_SILENCE = 2.0  # seconds; longer ones are cut
_MOST = 4_000_000  # characters of marks, which a file may claim
_MARK = re.compile(r"(\d{1,9})([tac])(\d{0,9})")
_PACE = re.compile(r"(?P<real>real)|((?P<of>think)=)?(?P<speed>\d{1,3}(\.\d+)?)")


class Mark(NamedTuple):
    """`length` characters of a kind, `at` seconds after the question was sent."""

    at: float
    kind: str
    length: int = 0


class Rhythm:
    """Takes down an answer as it comes. `now` is on the clock that gave `began`."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._marks: list[tuple[float, str, int]] = []  # a `Mark` each, made often

    def take(self, events: Iterable[Event], now: float) -> None:
        at, marks = now - self._began, self._marks
        for event in events:
            if not isinstance(event, TextDelta | ReasoningDelta):
                continue
            kind, length = _KINDS[type(event)], len(event.text)
            if marks and marks[-1][:2] == (at, kind):
                marks[-1] = (at, kind, marks[-1][2] + length)
            elif length:
                marks.append((at, kind, length))

    def end_round(self, now: float) -> None:
        """The calls of a round have run, and the answer begins again."""
        self._marks.append((now - self._began, CALLS, 0))

    def packed(self) -> str:
        """All of it as a short text; "" for nothing."""
        texts, before = list[str](), 0
        for at, kind, length in self._marks:
            steps = round(at / _STEP)
            texts.append(f"{steps - before}{kind}{length or ''}")
            before = steps
        return b64encode(zlib.compress(" ".join(texts).encode(), 9)).decode() if texts else ""


def unpacked(packed: str) -> list[Mark]:
    """The marks in `packed`, which may have been forged: what makes no sense is left out."""
    try:
        data = zlib.decompressobj().decompress(b64decode(packed, validate=True), _MOST)
    except (ValueError, zlib.error):
        return []
    marks, steps = list[Mark](), 0
    for gap, kind, length in _MARK.findall(data.decode("ascii", "ignore")):
        steps += int(gap)
        marks.append(Mark(steps * _STEP, kind, int(length or 0)))
    return marks


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times faster than they came text and thinking are played; 0 is at once."""

    text: float = 1.0
    thinking: float = 1.0
    real: bool = False  # no silence is cut

    @classmethod
    def parse(cls, said: str | float) -> Pace:
        """The pace of ``1``, ``4``, ``0``, ``real``, ``think=8`` or ``2,think=8``.

        Raises `ParameterError`.
        """
        found = [_PACE.fullmatch(part.strip()) for part in str(said).split(",")]
        if None in found:
            raise ParameterError(
                f"pace cannot be {said!r}.",
                "Use 1 as it came, 4 four times as fast, 0 at once, think=8, real, or 2,think=8.",
            )
        speeds = {m["of"]: float(m["speed"]) for m in found if m and m["speed"]}
        text = speeds.get(None, 1.0)
        return cls(text, speeds.get("think", text), any(m and m["real"] for m in found))

    def played(self, marks: Iterable[Mark]) -> Iterator[Mark]:
        """`marks` at this pace: their moments are those of the replay."""
        before = at = 0.0
        for mark in marks:
            gap = mark.at - before if self.real else min(mark.at - before, _SILENCE)
            speed = self.thinking if mark.kind == THINKING else self.text
            at += gap / speed if speed else 0.0
            before = mark.at
            yield mark._replace(at=at)
