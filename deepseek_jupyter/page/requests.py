"""What a page of JupyterLab or a panel may ask of the kernel (docs/record.md, docs/panel.md).

`register` names the requests and loads nothing; the first request imports its module. Every field
of a request comes from outside and is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.pages import pages

if TYPE_CHECKING:
    from deepseek_jupyter.display.pages import Request

# request -> (module with a function of that name, whether it may take long)
PAGE_REQUESTS: dict[str, tuple[str, bool]] = {
    "settle": ("inline_completion", True),
    "complete": ("inline_completion", False),
    "cancel": ("inline_completion", False),
    "standing": ("state", True),
    "sibling": ("siblings", True),
    "use": ("siblings", True),
    "document": ("mention_names", False),
}
PANEL_REQUESTS: dict[str, tuple[str, bool]] = {
    "conversation": ("panel_queries", False),
    "turns": ("panel_queries", False),
    "tree": ("panel_queries", True),
    "search": ("panel_queries", True),
    "conversations": ("panel_queries", True),
    "usage": ("panel_queries", True),
    "export": ("panel_queries", True),
    "ask": ("panel_questions", True),
    "regenerate": ("panel_questions", True),
    "dry_run": ("panel_questions", True),
    "switch": ("siblings", False),
    "checkout": ("siblings", False),
    "open": ("siblings", False),
    "new": ("siblings", False),
    "settings": ("state", False),
    "models": ("state", True),
    "names": ("mention_names", False),
}


def register() -> None:
    """Answer these requests from now on."""
    for session, requests in (("session", PAGE_REQUESTS), ("panel_session", PANEL_REQUESTS)):
        for name, (module, slow) in requests.items():
            pages.handle(name, partial(_answer, session, module, name), slow=slow)


def _answer(session: str, module: str, name: str, request: Request) -> Mapping[str, Any] | None:
    found: Any = getattr(import_module(".state", __package__), session)()
    function: Callable[..., Mapping[str, Any] | None]
    function = getattr(import_module(f".{module}", __package__), name)
    return function(found, request)
