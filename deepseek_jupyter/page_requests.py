"""What a page of JupyterLab may ask of the kernel: ghost text, other answers, where it stands.

The pages' side is in ``labextension/src/``; docs/record.md lists the messages. Every field of a
request comes from outside and is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .display.pages import pages

if TYPE_CHECKING:
    from .display.pages import Request
    from .session.session import Session

__all__ = ["register"]


def register() -> None:
    """Answer these requests from now on."""
    pages.handle("settle", lambda request: _session().completing.settle(request), slow=True)
    pages.handle("complete", lambda request: _session().completing.complete(request))
    pages.handle("cancel", lambda request: _session().completing.cancel(request))
    pages.handle("standing", lambda request: _standing(), slow=True)
    pages.handle("sibling", _sibling, slow=True)
    pages.handle("use", _use, slow=True)
    pages.handle("document", _document)


def _document(request: Request) -> None:
    from .asking.notebook_cells import take_document

    take_document(request.body)


def _session() -> Session:
    from .api import get_session  # loading the extension must not bring the session along

    return get_session()


def _standing() -> Mapping[str, Any]:
    from .session.standing import standing

    return standing(_session())


def _sibling(request: Request) -> Mapping[str, Any]:
    from .session.alternatives import sibling

    step = request.body.get("step")
    step = step if isinstance(step, int) else 0
    return sibling(_session().conversation, str(request.body.get("id")), step)


def _use(request: Request) -> Mapping[str, Any]:
    from .session.alternatives import use

    used = use(_session().conversation, str(request.body.get("id")))
    from .widget import watching

    watching.tell()  # the panel stands where the conversation stands
    return used
