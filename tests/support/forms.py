"""One case in many forms: all are tried, and those that fail are named."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def check_all(forms: Iterable[Callable[..., Any]], *case: Any) -> None:
    """Call each form with the case, one from a running loop where it is a coroutine function."""
    failed: dict[str, Exception] = {}
    for form in forms:
        try:
            done = form(*case)
            if inspect.iscoroutine(done):
                asyncio.run(done)
        except Exception as error:
            failed[form.__name__] = error
    if failed:
        raise ExceptionGroup(f"fails: {', '.join(failed)}", list(failed.values()))
