"""Maintenance of the journal: turns that a kill left unfinished, pruning, the search index, size.

A turn that is being written names its process. Whether that still runs is asked of the system.
"""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from .rows import add_to_index, put_turn, remove_turn, turn_of

_LEFT_BEHIND = "The kernel ended during this answer; what had arrived by then is kept."

# Seconds after which a turn that is no longer written counts as left behind, where the process
# cannot be asked: on another machine that shares the home directory, or on Windows.
_SILENCE = 3600.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` removed; sizes in bytes, before and after."""

    turns: int
    before: int
    after: int


def left_behind(connection: sqlite3.Connection) -> list[str]:
    """Ids of turns whose writer is dead."""
    rows = connection.execute("SELECT id, owner, updated FROM turns WHERE owner IS NOT NULL")
    return [id for id, owner, updated in rows if not alive(owner, time.time() - updated)]


def recover(connection: sqlite3.Connection, ids: list[str]) -> None:
    """End turns that their kernel could not end; a partial answer becomes the tip.

    As it would have, had the user stopped it. Not where the conversation went on since.
    """
    for id in ids:
        row = connection.execute(
            "SELECT body FROM turns JOIN bodies USING (key) WHERE id = ? AND owner IS NOT NULL",
            (id,),
        ).fetchone()
        turn = turn_of(row[0]) if row else None
        if turn is None:
            connection.execute("UPDATE turns SET owner = NULL WHERE id = ?", (id,))
            continue
        notices = (*turn.notices, _LEFT_BEHIND)
        ended = replace(turn, status="interrupted", finish_reason="interrupted", notices=notices)
        put_turn(connection, ended, None)
        if ended.history and (ended.answer or ended.tool_calls):
            connection.execute(
                "UPDATE branches SET tip = :id WHERE conversation = :conversation AND name = "
                "(SELECT active FROM conversations WHERE id = :conversation) AND NOT EXISTS "
                "(SELECT 1 FROM turns later WHERE later.conversation = :conversation "
                "AND later.answered AND later.key > (SELECT key FROM turns WHERE id = :id))",
                {"id": id, "conversation": ended.conversation},
            )


def reindex(connection: sqlite3.Connection) -> None:
    """Build the search index again from the turns."""
    connection.execute("BEGIN IMMEDIATE")
    (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'search'").fetchone()
    connection.execute("DROP TABLE search")
    connection.execute(made)
    connection.execute("UPDATE turns SET indexed = 0")
    rows = connection.execute(
        "SELECT key, body FROM turns JOIN bodies USING (key) WHERE owner IS NULL"
    ).fetchall()
    for key, body in rows:
        turn = turn_of(body)
        if turn is not None:
            add_to_index(connection, key, turn)
    connection.execute("COMMIT")


def size(connection: sqlite3.Connection) -> int:
    """Bytes in use, without the pages that wait to be filled again."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (each,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * each)


def prunable(
    connection: sqlite3.Connection, keep_days: float | None, max_bytes: int | None
) -> list[str]:
    """Ids of the turns that are too old, and of the oldest beyond `max_bytes`; none being written.

    The share of a turn in the file is taken to be that of its text in all text.
    """
    rows = connection.execute(
        "SELECT id, created, length(body) FROM turns JOIN bodies USING (key) "
        "WHERE owner IS NULL ORDER BY key DESC"
    ).fetchall()
    oldest = ""
    if keep_days is not None:
        oldest = (datetime.now(UTC) - timedelta(days=keep_days)).isoformat()
    text = sum(length for _, _, length in rows) or 1
    allowed = text * max_bytes / size(connection) if max_bytes is not None else float("inf")
    ids: list[str] = []
    kept = 0
    for id, created, length in rows:
        kept += length
        if created < oldest or kept > allowed:
            ids.append(id)
    return ids


def delete_turns(connection: sqlite3.Connection, ids: list[str]) -> None:
    """Delete turns, the branches that end in them, and conversations left without any."""
    for id in ids:
        remove_turn(connection, id)
        connection.execute("DELETE FROM taken WHERE turn = ?", (id,))
        connection.execute("DELETE FROM branches WHERE tip = ?", (id,))
    connection.execute(
        "DELETE FROM conversations WHERE id NOT IN (SELECT conversation FROM turns) "
        "AND id NOT IN (SELECT conversation FROM taken)"
    )
    connection.execute(
        "DELETE FROM branches WHERE conversation NOT IN (SELECT id FROM conversations)"
    )
    connection.execute(
        "DELETE FROM notebooks WHERE id NOT IN "
        "(SELECT notebook FROM conversations WHERE notebook IS NOT NULL) "
        "AND id NOT IN (SELECT notebook FROM ghost_texts UNION SELECT notebook FROM answers)"
    )
    connection.execute("DELETE FROM told WHERE notebook NOT IN (SELECT id FROM notebooks)")


def compact(connection: sqlite3.Connection) -> None:
    """Write the file again without the gaps; put off where another kernel is in the way."""
    with suppress(sqlite3.OperationalError):
        connection.execute("INSERT INTO search(search) VALUES ('optimize')")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# Whose turn it is


def this_process() -> str:
    """Host, pid, and what distinguishes this process from a later one with its pid."""
    return _named(os.getpid())


@cache
def _named(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_began(pid)}.{secrets.token_hex(6)}"


def alive(owner: str, silent: float) -> bool:
    """Whether the process `owner`, silent for `silent` seconds, may still be writing."""
    host, pid, token = [*owner.rsplit(":", 2), "", ""][:3]
    if owner == this_process():
        return True
    if host != socket.gethostname() or sys.platform == "win32":
        return silent < _SILENCE
    # A pid comes again: at once in a container, elsewhere when the numbers have gone round.
    if not pid.isdecimal() or int(pid) in (0, os.getpid()):
        return False
    began, _, unique = token.partition(".")
    if unique and began and (running := _began(int(pid))):
        return running == began
    try:
        os.kill(int(pid), 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _began(pid: int) -> str:
    """When a process began, in ticks since the machine's start; "ended" for one that only waits to
    be reaped, "" where the system does not say (proc(5), the fields state and starttime).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return "ended" if fields[0] in ("Z", "X") else fields[19]
