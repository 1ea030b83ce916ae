"""The short form of `make soak`: random faults for half a minute; SOAK_SECONDS for more."""

from __future__ import annotations

import os
import random

import pytest

from .soak import soak, summary

SECONDS = float(os.environ.get("SOAK_SECONDS", "30"))


@pytest.mark.soak
@pytest.mark.timeout(120 + 2 * SECONDS)
def test_nothing_is_lost_and_nothing_leaks_whatever_happens():
    seed = random.randrange(10**6)
    books = soak(SECONDS, seed)
    assert [line for book in books for line in book.tally.wrong] == [], summary(
        books, SECONDS, seed
    )
    assert sum(book.tally.counts["asks"] for book in books) > SECONDS / 5
