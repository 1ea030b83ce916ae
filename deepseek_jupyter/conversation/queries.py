"""Turns read from the journal: one by one, as a tree, and by their words."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .rows import turn_of
from .search import Hit, hit_in, match_expression
from .tree import Node
from .turn import Turn

__all__ = ["by_request", "nodes", "searched", "turns_of"]

_AT_ONCE = 500  # ids in one statement; an old SQLite takes 999 variables
_NODE = "t.id, t.parent, t.cell_id, t.created, t.prompt_hash, t.tokens, t.answered, t.status"

# A conversation, and those that it goes on from with the moment up to which they belong to it.
# "~" sorts behind every moment.
_LINE = """
WITH RECURSIVE line(id, until) AS (
    SELECT :id, '~'
    UNION
    SELECT c.origin, min(coalesce(c.origin_until, '~'), line.until)
    FROM conversations c JOIN line ON line.id = c.id WHERE c.origin IS NOT NULL
)
"""


def turns_of(
    connection: sqlite3.Connection, ids: Sequence[str], *, masked: bool = False
) -> dict[str, Turn]:
    """The turns with these ids, by id; those that are not there are left out.

    With `masked` those alone that used pseudonyms; the others are not parsed.
    """
    only = """AND instr(body, '"pseudonyms":') > 0""" if masked else ""
    found = {}
    for begin in range(0, len(ids), _AT_ONCE):
        some = ids[begin : begin + _AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = connection.execute(
            f"SELECT body FROM turns JOIN bodies USING (key) WHERE id IN ({marks}) {only}", some
        )
        for (body,) in rows:
            turn = turn_of(body)
            if turn is not None:
                found[turn.id] = turn
    return found


def nodes(connection: sqlite3.Connection, conversation: str) -> list[Node]:
    """See `Journal.nodes`."""
    rows = connection.execute(
        f"{_LINE} SELECT {_NODE} FROM line JOIN turns t ON t.conversation = line.id "
        "WHERE t.history AND t.answered AND t.owner IS NULL AND t.created <= line.until "
        "ORDER BY t.key",
        {"id": conversation},
    )
    return [Node._make(row) for row in rows]


def by_request(connection: sqlite3.Connection, request_hash: str) -> Turn | None:
    """See `Journal.find_by_request`."""
    row = connection.execute(
        "SELECT body FROM turns JOIN bodies USING (key) WHERE request_hash = ? "
        "AND status = 'done' AND owner IS NULL ORDER BY key DESC LIMIT 1",
        (request_hash,),
    ).fetchone()
    return turn_of(row[0]) if row else None


def searched(
    connection: sqlite3.Connection, words: list[str], limit: int, conversation: str | None
) -> list[Hit]:
    """See `Journal.search`. By age, not by rank: ranking would read every match."""
    rows = connection.execute(
        f"{_LINE} SELECT b.body FROM search s JOIN turns t ON t.key = s.rowid "
        "JOIN bodies b ON b.key = t.key WHERE search MATCH :words "
        "AND (:id IS NULL OR t.conversation IN (SELECT id FROM line)) "
        "ORDER BY s.rowid DESC LIMIT :limit",
        {"id": conversation, "words": match_expression(words), "limit": limit},
    ).fetchall()
    turns = (turn_of(body) for (body,) in rows)
    return [hit_in(turn, words) for turn in turns if turn is not None]
