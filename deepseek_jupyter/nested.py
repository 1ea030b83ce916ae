"""``asyncio.run()`` inside cells, for those who ask for it.

Nothing of this package needs it: see `transport.engine`. Code brought from a script may, and
``nest-asyncio2`` (the maintained fork of the archived nest-asyncio) lets it run. It patches asyncio
for the whole process, so it is never applied at import, and refused where it does harm:

* on uvloop, which cannot be patched;
* when the original nest_asyncio has been applied: on ipykernel 7.1 and later, cells queued behind
  an ``asyncio.run()`` then vanish, and a second patch cannot repair the first.

nest-asyncio2 before 1.7.3 loses queued cells likewise (its pull request 4); ours is newer.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

from .errors import UnsafeSettingError


def enable_nested() -> None:
    """Let ``asyncio.run()`` and ``loop.run_until_complete()`` work while a loop runs.

    Raises `UnsafeSettingError` where that would do harm. It lasts until the process ends.
    """
    if obstacle := _obstacle():
        raise UnsafeSettingError(*obstacle)
    import nest_asyncio2

    nest_asyncio2.apply()


def nested_state() -> str:
    """What has been done to asyncio in this process, in words."""
    if getattr(asyncio, "_nest_asyncio2", None):
        return "on (nest-asyncio2)"
    if getattr(asyncio, "_nest_patched", None):
        return "patched by nest_asyncio (the original): queued cells can be lost"
    return "off"


def _obstacle() -> tuple[str, str] | None:
    if getattr(asyncio, "_nest_patched", None) and not getattr(asyncio, "_nest_asyncio2", None):
        return (
            "nest_asyncio has already patched asyncio in this kernel.",
            "Restart the kernel and enable nesting before the package that applied it.",
        )
    if "uvloop" in type(_loop()).__module__:
        return "The event loop is uvloop, which cannot be nested.", "Use the stock asyncio loop."
    return None


def _loop() -> Any:
    """The loop that would be patched: the running one, else the one set for this thread."""
    with warnings.catch_warnings(), contextlib.suppress(RuntimeError):
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop()
    return None
