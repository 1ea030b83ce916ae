"""The kernel's side of the panel: what a page may ask (docs/panel.md).

`register` names the requests and loads nothing; the rest is imported by the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.display.pages import Request, pages

__all__ = ["REQUESTS", "register"]

# request -> (module with a function of that name, whether it may take long)
REQUESTS: dict[str, tuple[str, bool]] = {
    "conversation": ("reading", False),
    "turns": ("reading", False),
    "tree": ("reading", True),
    "search": ("reading", True),
    "conversations": ("reading", True),
    "usage": ("reading", True),
    "export": ("reading", True),
    "ask": ("asking", True),
    "regenerate": ("asking", True),
    "dry_run": ("asking", True),
    "switch": ("moving", False),
    "checkout": ("moving", False),
    "open": ("moving", False),
    "new": ("moving", False),
    "settings": ("settings", False),
    "models": ("settings", True),
    "names": ("names", False),
}


def register() -> None:
    """Answer the panel's requests."""
    for name, (module, slow) in REQUESTS.items():
        pages.handle(name, _late(module, name), slow=slow)


def _late(module: str, name: str) -> Any:
    def answer(request: Request) -> Mapping[str, Any]:
        from importlib import import_module

        from .watching import session

        function = getattr(import_module(f".{module}", __name__), name)
        result: Mapping[str, Any] = function(session(), request)
        return result

    return answer
