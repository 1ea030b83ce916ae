"""What ghost text has cost, in the journal. It belongs to a notebook, and to no conversation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from decimal import Decimal

from .totals import By, Total, added_up, decimal_sum

__all__ = ["carry", "forget", "paid", "spend"]

_KEYS = {"notebook": "notebook", "conversation": "''", "day": "day", "model": "model"}
_COLUMNS = (
    "notebook, day, model, currency, asked, prompt_tokens, cache_hit_tokens, completion_tokens, "
    "reasoning_tokens, cost"
)
_COUNTS = ("asked", "prompt_tokens", "cache_hit_tokens", "completion_tokens", "reasoning_tokens")


def spend(connection: sqlite3.Connection, notebook: str, day: str, spent: Total) -> None:
    """Add what ghost texts of one model cost on a day; `spent.key` is the model."""
    used = spent.usage
    counts = (
        used.prompt_tokens,
        used.cache_hit_tokens,
        used.completion_tokens,
        used.reasoning_tokens,
    )
    for number, (currency, amount) in enumerate(spent.cost.items() or [("", Decimal())]):
        # Counted once, however many currencies there are.
        told = (0, 0, 0, 0, 0) if number else (spent.turns, *counts)
        _add(connection, (notebook, day, spent.key, currency, *told, format(amount, "f")))


def paid(connection: sqlite3.Connection, by: By, notebook: str | None) -> list[Total]:
    """One `Total` a key, the oldest day first, of one notebook (None: of all).

    Nothing for turns and branches; one of all that a notebook has for its conversations.
    """
    if by not in _KEYS:
        return []
    decimal_sum(connection)
    rows = connection.execute(
        f"SELECT {_KEYS[by]}, sum(asked), sum(prompt_tokens), sum(completion_tokens), "
        "sum(cache_hit_tokens), sum(reasoning_tokens), currency, decimal_sum(cost) "
        "FROM ghost_texts WHERE :notebook IS NULL OR notebook = :notebook "
        "GROUP BY 1, currency ORDER BY min(day)",
        {"notebook": notebook},
    )
    return added_up(rows)


def carry(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Add what was kept in memory while the disk refused."""
    for row in memory.execute(f"SELECT {_COLUMNS} FROM ghost_texts"):
        _add(disk, row)


def forget(connection: sqlite3.Connection, before: str) -> None:
    """Delete what was paid before a day."""
    connection.execute("DELETE FROM ghost_texts WHERE day < ?", (before,))


def _add(connection: sqlite3.Connection, row: Iterable[object]) -> None:
    *values, amount = row
    key = values[:4]
    test = "notebook = ? AND day = ? AND model = ? AND currency = ?"
    before = connection.execute(f"SELECT cost FROM ghost_texts WHERE {test}", key).fetchone()
    total = Decimal(str(amount)) + Decimal(before[0] if before else 0)
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTS)
    connection.execute(
        f"INSERT INTO ghost_texts({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        f"ON CONFLICT(notebook, day, model, currency) DO UPDATE SET {more}, cost = excluded.cost",
        (*values, format(total, "f")),
    )
