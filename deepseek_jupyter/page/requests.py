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

# request -> (module and function, whether it may take long)
PAGE_REQUESTS: dict[str, tuple[str, bool]] = {
    "settle": ("inline_completion.settle", True),
    "complete": ("inline_completion.complete", False),
    "cancel": ("inline_completion.cancel", False),
    "notebook_status": ("state.status", True),
    "sibling": ("siblings.sibling", True),
    "use": ("siblings.use", True),
    "ended": ("siblings.ended", True),
    "branch": ("panel_questions.branch", True),
    "document": ("panel_queries.document", False),
}
PANEL_REQUESTS: dict[str, tuple[str, bool]] = {
    "conversation": ("panel_queries.conversation", False),
    "turns": ("panel_queries.turns", False),
    "tree": ("panel_queries.tree", True),
    "search": ("panel_queries.search", True),
    "conversations": ("panel_queries.conversations", True),
    "usage": ("panel_queries.usage", True),
    "export": ("panel_queries.export", True),
    "ask": ("panel_questions.ask", True),
    "regenerate": ("panel_questions.regenerate", True),
    "dry_run": ("panel_questions.dry_run", True),
    "gauge": ("panel_questions.gauge", True),
    "switch": ("siblings.switch", False),
    "checkout": ("siblings.checkout", False),
    "carry_over": ("siblings.carry_over", False),
    "open": ("siblings.open", False),
    "new": ("siblings.new", False),
    "trust": ("siblings.trust", False),
    "settings": ("state.settings", False),
    "models": ("state.models", True),
    "names": ("panel_queries.names", False),
}


def register() -> None:
    for session, requests in (("session", PAGE_REQUESTS), ("panel_session", PANEL_REQUESTS)):
        for name, (answer, slow) in requests.items():
            pages.handle(name, partial(_answer, session, answer), slow=slow)


def _answer(session: str, answer: str, request: Request) -> Mapping[str, Any] | None:
    module, _, name = answer.partition(".")
    running: Any = getattr(import_module(".state", __package__), session)()
    function: Callable[..., Mapping[str, Any] | None]
    function = getattr(import_module(f".{module}", __package__), name)
    return function(running, request)
