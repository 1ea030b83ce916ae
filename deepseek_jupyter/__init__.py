"""DeepSeek in notebooks.

``%load_ext deepseek_jupyter`` brings ``%%deepseek`` (short ``%%ds``) and ``%ds``; Python code
calls `ask`, `aask` and `stream`, and `map` for every row of a frame. `last` is the newest `Reply`.

Importing this package imports neither an HTTP client nor a data-frame library: each part is loaded
when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .api import (
        Stream,
        aask,
        ask,
        card,
        compare,
        get_session,
        next_tokens,
        stream,
        turns,
        what_if,
    )
    from .asking.reply import Reply
    from .conversation.conversation import Conversation
    from .errors import DeepSeekError, Interrupted
    from .jobs import scorers as scorers
    from .jobs.row_map import Job
    from .jobs.suite import Suite, suite
    from .jobs.verbs import ajob, classify, extract, row_function, translate
    from .jobs.verbs import filter as filter
    from .jobs.verbs import map as map
    from .nested import enable_nested
    from .page.panel import panel

    last: Reply | None
    job: Job | None

__all__ = [
    "Conversation",
    "DeepSeekError",
    "Interrupted",
    "Reply",
    "Stream",
    "Suite",
    "__version__",
    "aask",
    "ajob",
    "ask",
    "card",
    "classify",
    "compare",
    "enable_nested",
    "extract",
    "get_session",
    "job",
    "last",
    "load_ipython_extension",
    "next_tokens",
    "panel",
    "row_function",
    "scorers",
    "stream",
    "suite",
    "translate",
    "turns",
    "unload_ipython_extension",
    "what_if",
]

_HOMES = {
    "api": "Stream aask ask card compare get_session next_tokens stream turns what_if last",
    "asking.reply": "Reply",
    "conversation.conversation": "Conversation",
    "errors": "DeepSeekError Interrupted",
    "jobs.suite": "Suite suite",
    "jobs.verbs": "ajob classify extract filter map row_function translate job",
    "nested": "enable_nested",
    "page.panel": "panel",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "scorers":
        return import_module(".jobs.scorers", __name__)
    for home, names in _HOMES.items():
        if name in names.split():
            found = getattr(import_module(f".{home}", __name__), name)
            return found() if name in ("last", "job") else found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "filter", "map"])


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext deepseek_jupyter``: register the magics and ``%config DeepSeek``."""
    from .magics.magics import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext deepseek_jupyter``: take them away again. The conversation stays."""
    from .magics.magics import unregister

    unregister(ipython)
