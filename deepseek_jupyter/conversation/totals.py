"""What turns, ghost texts and jobs used and cost, summed: money as decimals, a currency at a time.

A ghost text or an answer of a job belongs to a notebook, and to no conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from deepseek_jupyter.protocol.usage import BUCKETS, Usage

from .turn import Turn

if TYPE_CHECKING:
    import sqlite3

By = Literal["turn", "branch", "conversation", "notebook", "day", "model"]

# What a row is keyed by. A day is the user's own; a model the one that answered, at its provider.
_KEYS = {
    "turn": "t.id",
    "conversation": "t.conversation",
    "notebook": "coalesce(c.notebook, '')",
    "day": "t.day",
    "model": "t.provider || ':' || coalesce(t.served_model, t.model)",
}

_OUTSIDE_KEYS = {"notebook": "notebook", "conversation": "''", "day": "day", "model": "model"}
_COUNTS = ("asked", *BUCKETS)
_COLUMNS = ", ".join(("notebook", "day", "model", "currency", *_COUNTS, "cost"))
_SUMS = ", ".join(f"sum(coalesce({name}, 0))" for name in BUCKETS)
_MONEY = "currency, decimal_sum(cost)"

# Every turn that leads to a tip; one that two branches share counts for both.
_BRANCHES = """
WITH RECURSIVE way(name, id, parent) AS (
    SELECT b.name, t.id, t.parent FROM branches b JOIN turns t ON t.id = b.tip
    WHERE b.conversation = :conversation
    UNION
    SELECT way.name, t.id, t.parent FROM way JOIN turns t ON t.id = way.parent
)
"""


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over the turns that share `key`. `cost` is by currency, always an estimate."""

    key: str
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of_turn(cls, turn: Turn) -> Total:
        """What one turn used and cost, under its provider and model."""
        key = f"{turn.provider}:{turn.served_model or turn.model}"
        cost = {turn.cost["currency"]: Decimal(turn.cost["amount"])} if turn.cost else {}
        return cls(key, 1, turn.usage or Usage(), cost)

    def __add__(self, other: Total) -> Total:
        cost = dict(self.cost)
        for currency, amount in other.cost.items():
            cost[currency] = cost.get(currency, Decimal()) + amount
        return Total(self.key, self.turns + other.turns, self.usage + other.usage, cost)


def turn_totals(
    connection: sqlite3.Connection, by: By, conversation: str | None, notebook: str | None
) -> list[Total]:
    """One `Total` a key, oldest first, of one conversation or notebook or of everything.

    Turns that were read from a notebook are left out: they were paid for elsewhere.
    """
    key, head, join = _KEYS.get(by, "way.name"), "", ""
    if by == "branch":
        head, join = _BRANCHES, "JOIN way ON way.id = t.id"
    _decimal_sum(connection)
    rows = connection.execute(
        f"{head} SELECT {key}, count(*), {_SUMS}, {_MONEY} "
        f"FROM turns t LEFT JOIN conversations c ON c.id = t.conversation {join} "
        "WHERE NOT from_file AND (:every OR t.conversation = :conversation) "
        "AND (:notebook IS NULL OR c.notebook = :notebook) "
        "GROUP BY 1, currency ORDER BY min(t.key)",
        {
            "every": conversation is None or by == "branch",
            "conversation": conversation,
            "notebook": notebook,
        },
    )
    return _added_up(rows)


def add_ghosts(connection: sqlite3.Connection, notebook: str, day: str, spent: Total) -> None:
    """Add what ghost texts of one model cost on a day; `spent.key` is provider and model."""
    test = "notebook = ? AND day = ? AND model = ? AND currency = ?"
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTS)
    counts = (spent.turns, *(getattr(spent.usage, name) for name in BUCKETS))
    for currency, amount in spent.cost.items() or [("", Decimal())]:
        key = (notebook, day, spent.key, currency)
        before = connection.execute(f"SELECT cost FROM ghost_texts WHERE {test}", key).fetchone()
        total = amount + Decimal(before[0] if before else 0)
        connection.execute(
            f"INSERT INTO ghost_texts({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            f"ON CONFLICT(notebook, day, model, currency) DO UPDATE SET {more}, "
            "cost = excluded.cost",
            (*key, *counts, format(total, "f")),
        )
        counts = (0,) * len(_COUNTS)  # counted once, however many currencies there are


def outside_totals(
    connection: sqlite3.Connection, table: str, by: By, notebook: str | None
) -> list[Total]:
    """One `Total` a key of a table outside of conversations (``ghost_texts``, ``answers``), the
    oldest day first, of one notebook (None: of all).

    Nothing for turns and branches; one of all that a notebook has for its conversations.
    """
    if by not in _OUTSIDE_KEYS:
        return []
    _decimal_sum(connection)
    rows = connection.execute(
        f"SELECT {_OUTSIDE_KEYS[by]}, sum(asked), {_SUMS}, {_MONEY} "
        f"FROM {table} WHERE :notebook IS NULL OR notebook = :notebook "
        "GROUP BY 1, currency ORDER BY min(day)",
        {"notebook": notebook},
    )
    return _added_up(rows)


def _decimal_sum(connection: sqlite3.Connection) -> None:
    """Give the connection the aggregate `decimal_sum`, for money as text."""
    connection.create_aggregate("decimal_sum", 1, _DecimalSum)  # type: ignore[arg-type]


def _added_up(rows: Iterable[tuple[Any, ...]]) -> list[Total]:
    """One `Total` a key, of rows that may be several a key: a currency each.

    A row is key, count, `BUCKETS`, currency and amount.
    """
    totals = []
    for key, turns, *counts, currency, amount in rows:
        usage = Usage(**dict(zip(BUCKETS, counts, strict=True)))
        cost = {currency: Decimal(amount)} if currency and amount else {}
        totals.append(Total(str(key), turns, usage, cost))
    return by_key(totals)


def by_key(totals: Iterable[Total]) -> list[Total]:
    """The sums of those with one key, in the order in which their keys come first."""
    found: dict[str, Total] = {}
    for total in totals:
        found[total.key] = found[total.key] + total if total.key in found else total
    return list(found.values())


class _DecimalSum:
    """An SQL aggregate: SQLite would sum money as binary fractions."""

    def __init__(self) -> None:
        self.total = Decimal()

    def step(self, amount: str | None) -> None:
        self.total += Decimal(amount or 0)

    def finalize(self) -> str:
        return format(self.total, "f")
