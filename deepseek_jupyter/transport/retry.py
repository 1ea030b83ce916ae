"""Which failures are tried again, and after how long. Pure; the client sleeps.

Each wait is twice the last one and up to half as long again, so that many kernels do not come back
in step, and none comes back at once. Nothing is ever tried again after output was seen or a tool
ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from deepseek_jupyter import errors
from deepseek_jupyter.errors import DeepSeekError

_RETRIED = frozenset({408, 429, 500, 502, 503, 504, 524, 529})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after how long: the n-th wait is at least `base` * 2**(n-1) seconds."""

    attempts: int = 5  # in all
    base: float = 1.0
    cap: float = 20.0  # seconds of a wait
    patience: float = 60.0  # seconds; a server's own Retry-After beyond them ends the tries

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
        return min(self.cap, self.base * 2.0 ** (attempt - 1) * (1 + draw / 2))


def retryable(error: DeepSeekError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, errors.OverloadedError | errors.UnreachableError | errors.RateLimitError):
        return True
    # None: said with HTTP 200
    return isinstance(error, errors.ServerError) and error.status in (None, *_RETRIED)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    with suppress(ValueError):
        return max(0.0, float(value))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # a date without zone means UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
