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
    """`rate` in bytes a second; intervals in seconds; `small` in bytes.

    JupyterLab's server passes at most 1,000 messages a second, and a page needs some 10 ms for
    each, so ten a second are the most that is ever useful.
    """

    rate: float = 34_000.0
    shortest: float = 0.1
    small: int = 14_000
    longest_for_small: float = 0.18
    _last: float = field(default=float("-inf"), init=False)
    _size: int = field(default=0, init=False)

    def due(self, now: float) -> bool:
        """Whether the next update may go out."""
        return now - self._last >= self.interval

    @property
    def interval(self) -> float:
        """Seconds that the last update pays for."""
        wait = max(self.shortest, self._size / self.rate)
        return min(wait, self.longest_for_small) if self._size <= self.small else wait

    def published(self, now: float, size: int) -> None:
        """Tell it what went out."""
        self._last, self._size = now, size
