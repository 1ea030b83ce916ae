"""Which notebook this is. Decisions only: who asks brings what is known.

A notebook is known by a UUID, which its records (through their conversation) and its metadata
carry, and by the path where it was last seen. A file that was moved keeps its conversation; of two
files with one UUID the one that came later is a copy, and goes its own way from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .places import NotebookRow

__all__ = ["Identity", "Kind", "decide", "notebook_path"]

Kind = Literal["new", "same", "renamed", "copied", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What to do about a notebook.

    * new        begin an empty conversation
    * same       go on with the journal's conversation
    * renamed    the same, and remember the new path
    * copied     a notebook of its own, that begins with the conversation of `origin`
    * elsewhere  the journal has never seen it: rebuild from the file's records, untrusted
    """

    notebook: str
    kind: Kind
    origin: str | None = None


def notebook_path(environ: Mapping[str, str], namespace: Mapping[str, Any]) -> str | None:
    """The path of the running notebook, as the front end tells the kernel; None for a console.

    VS Code puts it into the user's namespace, Jupyter servers into ``JPY_SESSION_NAME``. Both are
    as of the kernel's start: a rename shows with the next one.
    """
    for told in (namespace.get("__vsc_ipynb_file__"), environ.get("JPY_SESSION_NAME")):
        if isinstance(told, str) and told.endswith(".ipynb"):
            return told
    return None


def decide(
    id: str | None,
    path: str | None,
    *,
    by_id: NotebookRow | None,
    at_path: NotebookRow | None,
    exists: Callable[[str], bool],
    new_id: Callable[[], str],
) -> Identity:
    """Which notebook the file at `path` is, that carries the UUID `id`.

    `by_id` and `at_path` are what the journal knows of the two; `exists` tells whether a file is
    still there.
    """
    if id is None:
        return Identity(at_path.id, "same") if at_path else Identity(new_id(), "new")
    if at_path is not None and id in (at_path.id, at_path.origin):
        return Identity(at_path.id, "same")  # a copy's file carries its origin's UUID for a while
    if by_id is None:
        return Identity(id, "elsewhere")
    if path is None or by_id.path is None:
        return Identity(id, "same" if path is None else "renamed")
    if by_id.path == path:
        return Identity(id, "same")
    if exists(by_id.path):
        return Identity(new_id(), "copied", origin=id)
    return Identity(id, "renamed")
