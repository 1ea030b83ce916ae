"""What happens in the kernel is told to every page: turns, tips and settings.

Turns are told by the session as they happen, whoever asks. Commands and assignments of cells
(``%deepseek undo``, ``%config DeepSeek.model = …``) are noticed when their cell has run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from deepseek_jupyter.api import get_session
from deepseek_jupyter.display.frontend import shell
from deepseek_jupyter.display.pages import pages

from .settings import values
from .whereabouts import whereabouts

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

__all__ = ["running", "session", "tell"]

_lock = threading.Lock()
_watched: WeakSet[Session] = WeakSet()
_running: dict[str, Mapping[str, Any]] = {}
_told: dict[str, Any] = {}
_hooked: WeakSet[Any] = WeakSet()


def session() -> Session:
    """The running session, watched from now on."""
    found = get_session()
    with _lock:
        if found not in _watched:
            _watched.add(found)
            found.watchers.append(_turn)
        running_shell = shell()
        if running_shell is not None and running_shell not in _hooked:
            _hooked.add(running_shell)
            running_shell.events.register("post_run_cell", _cell_has_run)
    return found


def running() -> list[Mapping[str, Any]]:
    """The records, without texts, of the turns that run."""
    with _lock:
        return list(_running.values())


def tell() -> None:
    """Tell the pages where the conversation stands and what is set, if that is news."""
    found = get_session()
    state = {**whereabouts(found.conversation), "settings": values(found)}
    with _lock:
        if state == _told:
            return
        _told.clear()
        _told.update(state)
    pages.send({"type": "moved", **state})


def _cell_has_run(*_: Any) -> None:
    if pages.heard:
        tell()


def _turn(event: str, record: Mapping[str, Any]) -> None:
    with _lock:
        if event == "begun":
            _running[record["id"]] = record
        else:
            _running.pop(record["id"], None)
    if pages.heard:
        pages.send({"type": "turn", "event": event, "record": record})
        if event == "ended":
            tell()
