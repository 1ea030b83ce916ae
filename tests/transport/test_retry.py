"""Which failures are tried again, and when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter import errors
from deepseek_jupyter.transport.retry import RetryPolicy, retry_after, retryable

POLICY = RetryPolicy()
BUSY = errors.OverloadedError("busy", status=503)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 524, 529])
def test_passing_failures_are_tried_again(status):
    assert retryable(errors.ServerError("x", status=status))


@pytest.mark.parametrize(
    "error",
    [
        errors.BadRequestError("x", status=400),
        errors.AuthenticationError("x", status=401),
        errors.InsufficientBalanceError("x", status=402),
        errors.InsufficientBalanceError("x", status=429),
        errors.PermissionDeniedError("x", status=403),
        errors.EndpointError("x", status=404),
        errors.BadRequestError("x", status=422),
        errors.BadRequestError("x", status=500),
        errors.ServerError("x", status=501),
        errors.TimedOutError("x"),
        errors.TruncatedError("x"),
        errors.InvalidResponseError("x"),
        errors.ConfigurationError("x"),
        errors.EmptyAnswerError("x"),
    ],
    ids=lambda e: f"{type(e).__name__} {getattr(e, 'status', '')}",
)
def test_lasting_ones_are_not(error):
    assert not retryable(error)


@given(st.integers(1, 4), st.floats(0, 1, exclude_max=True))
def test_each_wait_has_a_floor_of_twice_the_last_ones(attempt, draw):
    delay = POLICY.delay(BUSY, attempt, draw)
    assert delay is not None
    floor = {1: 1, 2: 2, 3: 4, 4: 8}[attempt]
    assert floor <= delay <= 1.5 * floor
    assert RetryPolicy(base=0.01).delay(BUSY, attempt, draw) == pytest.approx(delay / 100)


def test_bounds_are_capped():
    assert RetryPolicy(attempts=99).delay(BUSY, 50, 0.999) <= POLICY.cap


def test_after_the_last_attempt_there_is_none():
    assert POLICY.delay(BUSY, POLICY.attempts, 0.5) is None


def test_the_server_s_wish_wins_within_patience():
    assert POLICY.delay(BUSY, 1, 0.0, asked=7.0) == 7.0
    assert POLICY.delay(BUSY, 1, 0.0, asked=POLICY.patience + 1) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 13:00:30 +0100", 30.0),
        ("Sat, 21 Nov 2026 12:00:30", 30.0),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("Sat, 99999999999999999999 Nov 2026 12:00:00 GMT", None),
        ("nan", 0.0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value, seconds):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert retry_after({"retry-after": value}, now) == seconds


def test_no_header_is_none():
    assert retry_after({}) is None
