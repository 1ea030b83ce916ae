"""How hard the property tests try: a little in `make test`, for long in `make fuzz`.

`make fuzz` sets ``HYPOTHESIS_PROFILE=fuzz``; ``FUZZ_SCALE`` (50) multiplies the examples of every
property, of which `make test` tries half. What failed once is kept in ``.make/hypothesis`` and
tried first the next time.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

__all__ = ["FUZZING", "examples", "load_profile", "rounds"]

FUZZING = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
SCALE = int(os.environ.get("FUZZ_SCALE", "50")) if FUZZING else 0.5
_KEPT = Path(__file__).parents[2] / ".make" / "hypothesis"


def load_profile() -> None:
    """Settings for every property. A loaded machine is no failure, so there is no deadline."""
    settings.register_profile("here", deadline=None, database=None, max_examples=int(100 * SCALE))
    settings.register_profile(
        "fuzz",
        deadline=None,
        max_examples=int(100 * SCALE),
        database=DirectoryBasedExampleDatabase(_KEPT),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    settings.load_profile("fuzz" if FUZZING else "here")


def examples(count: int) -> settings:
    """A decorator: half as many examples in `make test`, more in `make fuzz`."""
    return settings(max_examples=int(count * SCALE))


def rounds(count: int) -> int:
    """Rounds of a test that draws its cases itself: all in `make fuzz`, a fifth in `make test`."""
    return count if FUZZING else count // 5
