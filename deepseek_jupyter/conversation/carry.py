"""Back to the disk: what was kept in memory while it refused."""

from __future__ import annotations

import sqlite3

from . import ghost_texts
from .places import opened
from .rows import index, put, turn_of, unindex

__all__ = ["carry"]


def carry(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Copy notebooks, conversations, branches, turns and accounts, all or nothing."""
    disk.execute("BEGIN IMMEDIATE")
    try:
        _places(memory, disk)
        _turns(memory, disk)
        ghost_texts.carry(memory, disk)
        disk.execute("COMMIT")
    except BaseException:
        if disk.in_transaction:
            disk.execute("ROLLBACK")
        raise


def _places(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Tips in memory are newer; of a conversation that the disk knows, it knows more."""
    for table, how in (
        ("notebooks", "REPLACE"),
        ("conversations", "IGNORE"),
        ("branches", "REPLACE"),
    ):
        for row in memory.execute(f"SELECT * FROM {table}"):
            marks = ",".join("?" * len(row))
            disk.execute(f"INSERT OR {how} INTO {table} VALUES ({marks})", row)
    worked_on = memory.execute("SELECT active, id FROM conversations ORDER BY opened")
    for active, id in worked_on.fetchall():
        disk.execute("UPDATE conversations SET active = ? WHERE id = ?", (active, id))
        opened(disk, id)


def _turns(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    rows = memory.execute(
        "SELECT body, owner, updated FROM turns JOIN bodies USING (key) ORDER BY key"
    )
    for body, owner, updated in rows:
        turn = turn_of(body)
        if turn is not None:
            unindex(disk, turn.id)
            key = put(disk, turn, owner, updated)
            if owner is None:
                index(disk, key, turn)
