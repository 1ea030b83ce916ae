"""Rows of the journal: a `Turn` as its two rows (columns to ask by, the body as written), a
branch's tip, what is read of notebooks and conversations, and the answers of jobs.

The functions work on an open connection, within the caller's transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from deepseek_jupyter.protocol.usage import BUCKETS, Usage

from .search import indexed_text
from .totals import Total
from .tree import node_of
from .turn import Step, Turn, dump, now, read_details, read_record

if TYPE_CHECKING:
    import sqlite3

LATEST = "(SELECT coalesce(max(opened), 0) + 1 FROM conversations)"

_SEARCHED = "INSERT INTO search(rowid, prompt, answer, reasoning) VALUES (?, ?, ?, ?)"
_UNSEARCHED = (
    "INSERT INTO search(search, rowid, prompt, answer, reasoning) VALUES ('delete', ?, ?, ?, ?)"
)


class NotebookRow(NamedTuple):
    """A notebook as it was last seen. `origin` is the notebook it was copied from; `moved` is the
    greatest `opened` of a conversation when it was renamed: those up to then do not come by
    themselves.
    """

    id: str
    path: str | None
    origin: str | None
    moved: int | None = None


class ConversationRow(NamedTuple):
    """A conversation of a notebook: how many turns, when the newest was. `opened` is greater for
    one that was begun or gone back to later.
    """

    id: str
    turns: int
    newest: str | None
    opened: int


def know_conversation(connection: sqlite3.Connection, id: str) -> None:
    """Insert a row for a conversation that has none, so that no turn is without one."""
    connection.execute(
        f"INSERT OR IGNORE INTO conversations(id, created, opened) VALUES (?, ?, {LATEST})",
        (id, now()),
    )


def put_tip(
    connection: sqlite3.Connection, conversation: str, branch: str, tip: str | None
) -> None:
    """Move a branch to another turn, or begin it there; it becomes the active one."""
    know_conversation(connection, conversation)
    connection.execute(
        "INSERT INTO branches(conversation, name, tip) VALUES (?, ?, ?) "
        "ON CONFLICT(conversation, name) DO UPDATE SET tip = excluded.tip",
        (conversation, branch, tip),
    )
    connection.execute("UPDATE conversations SET active = ? WHERE id = ?", (branch, conversation))


def put_turn(connection: sqlite3.Connection, turn: Turn, owner: str | None) -> None:
    """Insert or replace `turn`. `owner` is the process that is still writing it.

    A turn that has ended (no owner) can be found by its words from then on.
    """
    know_conversation(connection, turn.conversation)
    found = connection.execute("SELECT key, indexed FROM turns WHERE id = ?", (turn.id,)).fetchone()
    if found and found[1] and owner is None:
        remove_from_index(connection, turn.id)
    row = _columns(turn) | {"owner": owner, "updated": time.time()}
    done = connection.execute(_upsert(*row), row)
    key = int(found[0] if found else done.lastrowid or 0)
    connection.execute(  # REPLACE would take twice the room of a long body
        "INSERT INTO bodies(key, body) VALUES (?, ?) "
        "ON CONFLICT(key) DO UPDATE SET body = excluded.body",
        (key, _body(turn)),
    )
    if owner is None:
        add_to_index(connection, key, turn)


@cache
def _upsert(*columns: str) -> str:
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
    return f"INSERT INTO turns({names}) VALUES ({marks}) ON CONFLICT(id) DO UPDATE SET {changes}"


def remove_turn(connection: sqlite3.Connection, id: str) -> None:
    """Delete a turn with its body and its words."""
    remove_from_index(connection, id)
    connection.execute("DELETE FROM bodies WHERE key = (SELECT key FROM turns WHERE id = ?)", (id,))
    connection.execute("DELETE FROM turns WHERE id = ?", (id,))


def add_to_index(connection: sqlite3.Connection, key: int, turn: Turn) -> None:
    """Make the words of a turn findable; it must not be in the index yet."""
    connection.execute(_SEARCHED, (key, *_texts(turn)))
    connection.execute("UPDATE turns SET indexed = 1 WHERE key = ?", (key,))


def remove_from_index(connection: sqlite3.Connection, id: str) -> None:
    """Take the words of a turn out of the index, as they were put in; nothing where it has none."""
    row = connection.execute(
        "SELECT key, body FROM turns JOIN bodies USING (key) WHERE id = ? AND indexed", (id,)
    ).fetchone()
    turn = turn_of(row[1]) if row else None
    if turn is not None:
        connection.execute(_UNSEARCHED, (row[0], *_texts(turn)))
        connection.execute("UPDATE turns SET indexed = 0 WHERE key = ?", (row[0],))


def turn_of(body: str) -> Turn | None:
    """The turn that a body says; None for one that no version of this package wrote."""
    try:
        stored = json.loads(body)
    except (ValueError, RecursionError):
        return None
    turn = read_record(stored.get("record")) if isinstance(stored, dict) else None
    if turn is None:
        return None
    usage = turn.usage
    if usage is not None and stored.get("host_cost") is not None:
        usage = replace(usage, cost=Decimal(stored["host_cost"]))
    return replace(
        turn,
        sent=stored.get("sent", ""),
        usage=usage,
        # The record says "" for both; on the wire an empty chain of thought is not none.
        reasoning=turn.reasoning or ("" if stored.get("reasoned") else None),
        reasoning_details=read_details(stored.get("reasoning_details")),
        steps=_signed(turn.steps, stored.get("step_details")),
        from_file=stored.get("from_file", False),
        images=tuple(stored.get("images", ())),
        pseudonyms=stored.get("pseudonyms", {}),
        sending=stored.get("sending", {}),
        logprobs=stored.get("logprobs"),
        rhythm=stored.get("rhythm", ""),
    )


def _signed(steps: tuple[Step, ...], details: object) -> tuple[Step, ...]:
    """The steps with the signatures of their thinking, where each has its own."""
    if not isinstance(details, list) or len(details) != len(steps):
        return steps
    pairs = zip(steps, map(read_details, details), strict=True)
    return tuple(replace(step, reasoning_details=found) for step, found in pairs)


def _body(turn: Turn) -> str:
    usage = turn.usage
    optional = {
        "reasoned": turn.reasoning is not None,
        "reasoning_details": turn.reasoning_details,
        "step_details": details
        if any(details := [s.reasoning_details for s in turn.steps])
        else (),
        "images": turn.images,
        "pseudonyms": dict(turn.pseudonyms),
        "sending": dict(turn.sending),
        "from_file": turn.from_file,
        "logprobs": turn.logprobs,
        "rhythm": turn.rhythm,
        "host_cost": str(usage.cost) if usage and usage.cost is not None else "",
    }
    given = {name: value for name, value in optional.items() if value}
    return dump({"record": turn.written, "sent": turn.sent, **given})


_OF_TURN = (
    *("id", "conversation", "parent", "cell_id", "created", "status", "finish_reason"),
    *("provider", "model", "served_model", "request_hash", "history", "from_file"),
)
_OF_NODE = ("prompt_hash", "answered", "tokens", "thinking")


def _columns(turn: Turn) -> dict[str, Any]:
    node, cost = node_of(turn), turn.cost or {}
    return {
        **{name: getattr(turn, name) for name in _OF_TURN},
        **{name: getattr(node, name) for name in _OF_NODE},
        **{name: getattr(turn.usage, name, None) for name in BUCKETS},
        "day": _local_day(turn.created),
        "cost": cost.get("amount"),
        "currency": cost.get("currency"),
    }


def _local_day(created: str) -> str:
    """The user's own date of a UTC moment; a turn without one counts as of today."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(created).astimezone().date().isoformat()
    return datetime.now().date().isoformat()


def _texts(turn: Turn) -> tuple[str, str, str]:
    seen = turn.seen()
    return indexed_text(seen.prompt), indexed_text(seen.answer), indexed_text(seen.reasoning)


_OVERHEAD = 300  # bytes of a row next to its texts


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to one request of a job, kept by the hash of what was sent, outside of all
    conversations. One that is not `whole` was paid for, but answers no equal request.

    `text` is as the model gave it, pseudonyms in it; `model` as totals have it, with its
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
