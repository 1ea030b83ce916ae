"""Which failures are tried again, and after how long. Pure: the driver sleeps.

Backoff is exponential with full jitter (the wait is drawn from zero to the bound), so that many
kernels do not come back in step. Nothing is ever tried again after output was seen or a tool ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from deepseek_jupyter.errors import (
    DeepSeekError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnreachableError,
)

__all__ = ["RetryPolicy", "retry_after"]

_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 524, 529})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; the n-th wait is at most `base` * 2**(n-1) seconds, and `cap`.

    A server's own Retry-After is honoured up to `patience` seconds; a longer one ends the tries.
    """

    attempts: int = 4
    base: float = 0.5
    cap: float = 20.0
    patience: float = 60.0

    def delay(
        self, error: DeepSeekError, attempt: int, draw: float, asked: float | None = None
    ) -> float | None:
        """Seconds to wait after the failure of try number `attempt` (from 1); None to give up.

        `draw` is a random number in [0, 1); `asked` is the server's Retry-After.
        """
        if attempt >= self.attempts or not retryable(error):
            return None
        if asked is not None:
            return asked if asked <= self.patience else None
        bound: float = min(self.cap, self.base * 2 ** (attempt - 1))
        return bound * draw


def retryable(error: DeepSeekError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, OverloadedError | UnreachableError):
        return True
    if not isinstance(error, ServerError | RateLimitError):
        return False
    return error.status is None or error.status in _STATUSES  # None: said inside a stream


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # a date without zone means UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
