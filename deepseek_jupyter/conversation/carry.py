"""Between disk and memory, while the disk refuses: what it has is lent, what is new goes back."""

from __future__ import annotations

import sqlite3

from . import ghost_texts
from .migrations import migrate
from .places import branches, opened
from .rows import index, put, turn_of, unindex

__all__ = ["carry", "lend"]

# As they were when they were lent; of turns, when they were written last.
_LENT = {
    "notebooks": "SELECT * FROM notebooks",
    "conversations": "SELECT * FROM conversations",
    "branches": "SELECT * FROM branches",
    "turns": "SELECT id, updated FROM turns",
}


def lend(disk: sqlite3.Connection, memory: sqlite3.Connection) -> None:
    """Copy all that `disk` has to the empty `memory`: without it a restored conversation would go
    on as if it had just begun. Not what ghost text cost, which would be added again.
    """
    disk.backup(memory)
    migrate(memory)
    memory.execute("DELETE FROM ghost_texts")
    for table, rows in _LENT.items():
        memory.execute(f"CREATE TEMP TABLE lent_{table} AS {rows}")


def carry(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Copy what is new in `memory`, all or nothing; what was lent may be newer on the disk."""
    for table, rows in _LENT.items():
        memory.execute(f"CREATE TEMP TABLE IF NOT EXISTS lent_{table} AS {rows} WHERE 0")
    disk.execute("BEGIN IMMEDIATE")
    try:
        _places(memory, disk)
        _branches(memory, disk)
        _turns(memory, disk)
        ghost_texts.carry(memory, disk)
        disk.execute("COMMIT")
    except BaseException:
        if disk.in_transaction:
            disk.execute("ROLLBACK")
        raise


def _places(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Of a conversation that the disk knows, it knows more."""
    for table, how in (("notebooks", "REPLACE"), ("conversations", "IGNORE")):
        for row in memory.execute(f"SELECT * FROM {table} EXCEPT SELECT * FROM lent_{table}"):
            marks = ",".join("?" * len(row))
            disk.execute(f"INSERT OR {how} INTO {table} VALUES ({marks})", row)
    worked_on = memory.execute(
        "SELECT active, id FROM conversations c WHERE NOT EXISTS (SELECT 1 FROM lent_conversations "
        "l WHERE l.id = c.id AND l.active IS c.active AND l.opened IS c.opened) ORDER BY opened"
    )
    for active, id in worked_on.fetchall():
        disk.execute("UPDATE conversations SET active = ? WHERE id = ?", (active, id))
        opened(disk, id)


def _branches(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Tips in memory are newer; but where nothing was asked here, and another kernel has moved the
    tip on the disk since it was lent, that one is.
    """
    asked = memory.execute(
        "SELECT DISTINCT conversation FROM turns WHERE id NOT IN (SELECT id FROM lent_turns)"
    )
    ours = {conversation for (conversation,) in asked}
    columns = "SELECT conversation, name, tip FROM"
    lent = {(of, name): tip for of, name, tip in memory.execute(f"{columns} lent_branches")}
    moved = memory.execute(f"{columns} branches EXCEPT {columns} lent_branches")
    for conversation, name, tip in moved.fetchall():
        on_disk = branches(disk, conversation)
        if conversation in ours or on_disk.get(name) == lent.get((conversation, name)):
            disk.execute(
                "INSERT OR REPLACE INTO branches(conversation, name, tip) VALUES (?, ?, ?)",
                (conversation, name, tip),
            )


def _turns(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    rows = memory.execute(
        "SELECT body, owner, updated FROM turns JOIN bodies USING (key) WHERE NOT EXISTS "
        "(SELECT 1 FROM lent_turns l WHERE l.id = turns.id AND l.updated IS turns.updated) "
        "ORDER BY key"
    )
    for body, owner, updated in rows:
        turn = turn_of(body)
        if turn is not None:
            unindex(disk, turn.id)
            key = put(disk, turn, owner, updated)
            if owner is None:
                index(disk, key, turn)
