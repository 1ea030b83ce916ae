"""Answers to the requests of jobs: kept by the hash of what was sent, outside of all conversations.

A row of the table is a request that was paid for, or may have been. Only a `whole` answer serves an
equal request again; the others are there because they cost something.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from deepseek_jupyter.protocol.usage import BUCKETS, Usage

from .totals import Total

_OVERHEAD = 300  # bytes of a row next to its texts


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as the model gave it, pseudonyms in it; `model` as totals have it, with its
    provider; `cost` None where no price is known; `times` are the seconds to the first of it and
    to its end, `finish` how it ended.
    """

    key: str
    text: str
    reasoning: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = None
    currency: str = ""
    whole: bool = True
    finish: str = ""
    times: tuple[float, float] = (0.0, 0.0)

    @property
    def total(self) -> Total:
        """What it used and cost, under the name of its model."""
        return Total(
            self.model, 1, self.usage, {} if self.cost is None else {self.currency: self.cost}
        )


def put_answers(
    connection: sqlite3.Connection, notebook: str, answers: Iterable[KeptAnswer]
) -> None:
    """Write answers that have arrived in a notebook, today."""
    today = date.today().isoformat()
    connection.executemany(
        "INSERT INTO answers(key, whole, notebook, day, model, currency, asked, "
        f"{', '.join(BUCKETS)}, cost, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(a.key, a.whole, notebook, today, a.model, a.currency, 1),
                *(getattr(a.usage, name) for name in BUCKETS),
                format(a.cost or Decimal(), "f"),
                json.dumps([a.text, a.reasoning, a.finish, *a.times], ensure_ascii=False),
            )
            for a in answers
        ],
    )


def answers_of(connection: sqlite3.Connection, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
    """The whole answers to the requests with these keys, the newest of each."""
    found = {}
    rows = connection.execute(
        f"SELECT key, body, model, currency, cost, {', '.join(BUCKETS)} FROM answers "
        "WHERE whole AND key IN (SELECT value FROM json_each(?)) ORDER BY rowid",
        (json.dumps(keys),),
    )
    for key, body, model, currency, cost, *counts in rows:
        text, thinking, finish, *times = [*json.loads(body), "", 0.0, 0.0][:5]
        usage = Usage(**dict(zip(BUCKETS, counts, strict=True)))
        paid = Decimal(cost) if currency else None
        found[key] = KeptAnswer(
            key, text, thinking, model, usage, paid, currency, True, finish, tuple(times)
        )
    return found


def delete_answers(
    connection: sqlite3.Connection, oldest: str | None, max_bytes: int | None
) -> None:
    """Delete answers from before the day `oldest`, and the oldest of what exceeds `max_bytes`."""
    if oldest is not None:
        connection.execute("DELETE FROM answers WHERE day < ?", (oldest,))
    if max_bytes is not None:
        connection.execute(
            "DELETE FROM answers WHERE rowid IN (SELECT id FROM (SELECT rowid AS id, "
            f"sum(length(body) + {_OVERHEAD}) OVER (ORDER BY rowid DESC) AS size FROM answers) "
            "WHERE size > ?)",
            (max_bytes,),
        )
