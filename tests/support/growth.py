"""What a text costs as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Four times as much costs four times as long, where a square would cost sixteen.

    CPU of this process, the best of a few: what else the machine does can only make it more.
    """
    few = many = float("inf")
    for _ in range(5):
        few = min(few, _seconds(work, size))
        many = min(many, _seconds(work, 4 * size))
        if many < 9 * few:
            return
    raise AssertionError(f"{size}: {few:.4f} s, four times as much: {many:.4f} s")


def _seconds(work: Callable[[int], object], size: int) -> float:
    began = time.process_time()
    work(size)
    return time.process_time() - began
