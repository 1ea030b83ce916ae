"""Where conversations belong: notebooks, conversations and branches in the journal."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from .turn import now

__all__ = [
    "ConversationRow",
    "NotebookRow",
    "active_branch",
    "branches",
    "conversations",
    "know",
    "notebook",
    "opened",
    "set_conversation",
    "set_notebook",
    "set_tip",
]


_LATEST = "(SELECT coalesce(max(opened), 0) + 1 FROM conversations)"


class NotebookRow(NamedTuple):
    """A notebook as it was last seen. `origin` is the notebook it is a copy of."""

    id: str
    path: str | None
    origin: str | None


class ConversationRow(NamedTuple):
    """A conversation of a notebook: its active branch, how many turns, when the newest was.

    `opened` is greater for one that was begun or gone back to later.
    """

    id: str
    notebook: str | None
    created: str
    active: str
    turns: int
    newest: str | None
    opened: int


def notebook(connection: sqlite3.Connection, test: str, value: str) -> NotebookRow | None:
    """The notebook for which the SQL `test` of `value` holds, the one seen last."""
    row = connection.execute(
        f"SELECT id, path, origin FROM notebooks WHERE {test} ORDER BY seen DESC", (value,)
    ).fetchone()
    return NotebookRow._make(row) if row else None


def set_notebook(
    connection: sqlite3.Connection, id: str, path: str | None, origin: str | None
) -> None:
    """See `Journal.set_notebook`."""
    connection.execute(
        "INSERT INTO notebooks(id, path, origin, seen) VALUES (?, ?, ?, ?) "
        "ON CONFLICT(id) DO UPDATE SET path = excluded.path, seen = excluded.seen, "
        "origin = coalesce(excluded.origin, origin)",
        (id, path, origin, now()),
    )


def set_conversation(
    connection: sqlite3.Connection,
    id: str,
    notebook: str | None,
    origin: str | None,
    until: str | None,
) -> None:
    """See `Journal.set_conversation`."""
    connection.execute(
        "INSERT INTO conversations(id, notebook, created, origin, origin_until, opened) "
        f"VALUES (?, ?, ?, ?, ?, {_LATEST}) ON CONFLICT(id) DO UPDATE SET "
        "notebook = coalesce(excluded.notebook, notebook), "
        "origin = coalesce(excluded.origin, origin), "
        "origin_until = coalesce(excluded.origin_until, origin_until)",
        (id, notebook, now(), origin, until),
    )


def conversations(connection: sqlite3.Connection, notebook: str | None) -> list[ConversationRow]:
    """See `Journal.conversations`."""
    rows = connection.execute(
        "SELECT c.id, notebook, c.created, active, count(t.key), max(t.created), "
        "coalesce(c.opened, 0) "
        "FROM conversations c LEFT JOIN turns t ON t.conversation = c.id "
        "WHERE ? IS NULL OR notebook = ? GROUP BY c.id ORDER BY c.created DESC, c.rowid DESC",
        (notebook, notebook),
    )
    return [ConversationRow._make(row) for row in rows]


def opened(connection: sqlite3.Connection, conversation: str) -> None:
    """See `Journal.opened`."""
    connection.execute(f"UPDATE conversations SET opened = {_LATEST} WHERE id = ?", (conversation,))


def know(connection: sqlite3.Connection, conversation: str) -> None:
    """See that there is a row for a conversation, so that no turn is without one."""
    connection.execute(
        f"INSERT OR IGNORE INTO conversations(id, created, opened) VALUES (?, ?, {_LATEST})",
        (conversation, now()),
    )


def branches(connection: sqlite3.Connection, conversation: str) -> dict[str, str | None]:
    """See `Journal.branches`."""
    query = "SELECT name, tip FROM branches WHERE conversation = ?"
    return dict(connection.execute(query, (conversation,)).fetchall())


def active_branch(connection: sqlite3.Connection, conversation: str) -> str:
    """See `Journal.active_branch`."""
    query = "SELECT active FROM conversations WHERE id = ?"
    row = connection.execute(query, (conversation,)).fetchone()
    return row[0] if row else "main"


def set_tip(
    connection: sqlite3.Connection, conversation: str, branch: str, tip: str | None
) -> None:
    """See `Journal.set_tip`."""
    know(connection, conversation)
    connection.execute(
        "INSERT INTO branches(conversation, name, tip) VALUES (?, ?, ?) "
        "ON CONFLICT(conversation, name) DO UPDATE SET tip = excluded.tip",
        (conversation, branch, tip),
    )
    connection.execute("UPDATE conversations SET active = ? WHERE id = ?", (branch, conversation))
