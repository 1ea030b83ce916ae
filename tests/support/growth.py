"""What a text costs as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def assert_linear(work: Callable[[int], T], size: int) -> T:
    """Four times as much costs four times as long, where a square would cost sixteen.

    Returns what `work` gives for the larger size.

    CPU of this process, the best of a few: what else the machine does can only make it more.
    """
    few = many = float("inf")
    for _ in range(5):
        few = min(few, _timed(work, size)[0])
        took, made = _timed(work, 4 * size)
        many = min(many, took)
        if many < 9 * few:
            return made
    raise AssertionError(f"{size}: {few:.4f} s, four times as much: {many:.4f} s")


def _timed(work: Callable[[int], T], size: int) -> tuple[float, T]:
    began = time.process_time()
    made = work(size)
    return time.process_time() - began, made
