"""How often a growing output may be published. Pure: the clock and the sizes are passed in.

Every update carries the whole text so far, so updates must become rarer as it grows: a constant
budget of bytes a second keeps the total linear in time. Short texts are exempt, because what is
read as it comes must move at least five times a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Throttle"]


@dataclass(slots=True)
class Throttle:
    """`rate` in bytes a second; intervals in seconds; `short` in characters of the text itself.

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
        """Whether the next update may go out."""
        return now - self._last >= self.interval

    @property
    def interval(self) -> float:
        """Seconds that the last update pays for."""
        wait = max(self.shortest, self._size / self.rate)
        return min(wait, self.longest_for_short) if self._length <= self.short else wait

    def published(self, now: float, size: int, length: int) -> None:
        """Tell it what went out: bytes in all, characters of text among them."""
        self._last, self._size, self._length = now, size, length
