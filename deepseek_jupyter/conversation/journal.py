"""`Journal`: every turn on this machine, safe from the moment it is asked. Over SQLite.

The life of a turn:

1. `write_running` before the request goes out, and again as the answer arrives, at least every
   second; the process may be killed after it and the text is there.
2. `finish` writes the end. After `sync`, or `group_sync` for all that end together, the disk itself
   has it, so a power cut finds it there too.

A process that dies in between leaves a turn that the next `open` ends as interrupted.

Nothing here raises because of the disk or stops a question. What cannot be written waits in memory,
and `trouble` says so in one sentence; what cannot be read is empty. Values in, values out; safe to
use from any thread and after a fork.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deepseek_jupyter.home import NOWHERE, home

from . import maintenance
from .database import Change, Database, GroupCommit
from .rows import (
    LATEST,
    ConversationRow,
    KeptAnswer,
    NotebookRow,
    answers_of,
    delete_answers,
    put_answers,
    put_tip,
    put_turn,
    remove_turn,
    turn_of,
)
from .search import Hit, hit_in, match_expression, words_of
from .totals import By, Total, add_ghosts, outside_totals, turn_totals
from .tree import Node
from .turn import Turn, now

_NODE = (
    "t.id, t.parent, t.cell_id, t.created, t.prompt_hash, t.tokens, t.answered, t.status, "
    "coalesce(t.thinking, t.reasoning_tokens, 0)"
)

# The turns of a conversation: those asked in it, and those it has taken along.
_IN = "(t.conversation = :id OR t.id IN (SELECT turn FROM taken WHERE taken.conversation = :id))"


def default_path() -> Path:
    """The journal's place: ``journal.sqlite3`` in the state directory."""
    return home() / "journal.sqlite3"


class Journal:
    """See the top of this file. `Journal.open()` is the way in."""

    def __init__(self, path: Path | None) -> None:
        """`path` None is a journal without a place: all that is written waits in memory."""
        self._database = Database(path, maintenance.reindex)
        self.group_sync = GroupCommit(self.sync)
        self._costs: dict[Hashable, Total] = {}  # by the keys of what may wait to be written
        dead: list[str] = self._database.read(maintenance.left_behind, [])
        if dead:
            self._database.write(lambda c: maintenance.recover(c, dead))

    @classmethod
    def open(cls, path: Path | None = None) -> Journal:
        """The journal at `path`, by default at `default_path`. Never fails: see `trouble`."""
        path = path or default_path()
        return cls(None if path.parent == NOWHERE else path)

    def close(self) -> None:
        """Close the file; using the journal again opens it again."""
        self._database.close()

    @property
    def trouble(self) -> str:
        """One sentence for the user where something is wrong with the file, else ""."""
        return self._database.trouble

    @property
    def in_memory(self) -> bool:
        """Whether what is written now is gone with this process."""
        return self._database.unwritten

    @property
    def path(self) -> Path | None:
        """The file; None where there is no place for one."""
        return self._database.path

    # Writing turns

    def write_running(self, turn: Turn) -> None:
        """Write a turn as far as it has come. Cheap: no waiting for the disk."""
        owner = maintenance.this_process()
        self._database.write(lambda c: put_turn(c, turn, owner), ("turn", turn.id))

    def finish(self, turn: Turn, branch: str | None = None) -> None:
        """Write a turn that has ended; `sync` waits for the disk.

        With `branch` the turn becomes that branch's tip, in one transaction.
        """

        def change(connection: sqlite3.Connection) -> None:
            put_turn(connection, turn, None)
            if branch is not None:
                put_tip(connection, turn.conversation, branch, turn.id)

        self._spend(change, ("turn", turn.id), Total.of_turn(turn))

    def sync(self) -> None:
        """Wait until the disk has what was written."""
        self._database.sync()

    def adopt(self, turns: Sequence[Turn], conversation: str | None = None) -> None:
        """Write those turns that this journal lacks; `conversation` takes all of them along."""

        def change(connection: sqlite3.Connection) -> None:
            known = _turns_of(connection, [turn.id for turn in turns])
            for turn in turns:
                if turn.id not in known:
                    put_turn(connection, turn, None)
                if known.get(turn.id, turn).conversation != (conversation or turn.conversation):
                    taken = "INSERT OR IGNORE INTO taken(conversation, turn) VALUES (?, ?)"
                    connection.execute(taken, (conversation, turn.id))

        self._database.write(change, full=True)

    def put_last(self, turns: Sequence[Turn]) -> None:
        """Write turns that are there as if they were asked last, in this order."""

        def change(connection: sqlite3.Connection) -> None:
            for turn in turns:
                remove_turn(connection, turn.id)
                put_turn(connection, turn, None)

        self._database.write(change, full=True)

    # Reading turns

    def turn(self, id: str) -> Turn | None:
        """The turn with this id, as it was written last."""
        return self.turns_of([id]).get(id)

    def turns_of(self, ids: Sequence[str], *, masked: bool = False) -> dict[str, Turn]:
        """The turns with these ids, by id; those that are not there are left out.

        With `masked` only those that used pseudonyms.
        """
        return self._database.read(lambda c: _turns_of(c, ids, masked), {})

    def nodes(self, conversation: str) -> list[Node]:
        """The tree of a conversation in the order in which its turns were asked, without texts.

        Turns that do not belong to its memory (``--no-history``) or brought no answer are left out.
        Those that were taken along from another conversation are among them.
        """
        rows = self._rows(
            f"SELECT {_NODE} FROM turns t WHERE {_IN} AND t.history AND t.answered "
            "AND t.owner IS NULL ORDER BY t.key",
            {"id": conversation},
        )
        return list(map(Node._make, rows))

    def aside(self, conversation: str) -> list[Turn]:
        """What `nodes` leaves out of a conversation, oldest first."""
        return self._read_turns(
            "t.conversation = ? AND NOT (t.history AND t.answered)", conversation
        )

    def everything(self) -> list[Turn]:
        """Every turn of this machine that has ended, oldest first."""
        return self._read_turns("?", 1)

    def find_by_request(self, request_hash: str) -> Turn | None:
        """The newest whole answer to this very request that was not read from a file."""
        rows = self._rows(
            "SELECT body FROM turns JOIN bodies USING (key) WHERE request_hash = ? "
            "AND status = 'done' AND owner IS NULL AND NOT from_file ORDER BY key DESC LIMIT 1",
            (request_hash,),
        )
        return turn_of(rows[0][0]) if rows else None

    def answered(self, notebook: str) -> list[Turn]:
        """The whole answers in a notebook's conversations, those taken along too, oldest first."""
        ours = "(SELECT id FROM conversations WHERE notebook = ?)"
        return self._read_turns(
            "t.status = 'done' AND t.request_hash NOTNULL AND (t.conversation IN "
            f"{ours} OR t.id IN (SELECT turn FROM taken WHERE conversation IN {ours}))",
            *(notebook, notebook),
        )

    def search(self, query: str, limit: int = 20, conversation: str | None = None) -> list[Hit]:
        """Turns that hold every word (or "phrase") of `query`, the newest first.

        Looks into prompts, answers and thinking, of one conversation or of all. By age, not by
        rank: ranking would read every match.
        """
        if not (words := words_of(query)):
            return []
        found = self._rows(
            "SELECT b.body FROM search s JOIN turns t ON t.key = s.rowid "
            "JOIN bodies b ON b.key = t.key WHERE search MATCH :words "
            f"AND (:id IS NULL OR {_IN}) ORDER BY s.rowid DESC LIMIT :limit",
            {"id": conversation, "words": match_expression(words), "limit": limit},
        )
        return [hit_in(turn, words) for (body,) in found if (turn := turn_of(body)) is not None]

    # Notebooks, conversations, branches

    def notebook(self, id: str) -> NotebookRow | None:
        """What is known of a notebook."""
        return self._notebook("id = ?", id)

    def notebook_at(self, path: str) -> NotebookRow | None:
        """The notebook that was last seen at `path`."""
        return self._notebook("path = ?", path)

    def notebook_of(self, conversation: str) -> NotebookRow | None:
        return self._notebook(
            "id = (SELECT notebook FROM conversations WHERE id = ?)", conversation
        )

    def set_notebook(
        self, id: str, path: str | None, origin: str | None = None, *, moved: bool = False
    ) -> None:
        """A notebook was seen at `path`; `moved` where its file was renamed since."""
        self._execute(
            ("notebook", id),
            "INSERT INTO notebooks(id, path, origin, seen) VALUES (?, ?, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET path = excluded.path, seen = excluded.seen, "
            "origin = coalesce(excluded.origin, origin), "
            "moved = CASE WHEN ? THEN (SELECT max(opened) FROM conversations) ELSE moved END",
            (id, path, origin, now(), moved),
        )

    def set_conversation(self, id: str, notebook: str | None) -> None:
        self._execute(
            ("conversation", id),
            "INSERT INTO conversations(id, notebook, created, opened) "
            f"VALUES (?, ?, ?, {LATEST}) ON CONFLICT(id) DO UPDATE SET "
            "notebook = coalesce(excluded.notebook, notebook)",
            (id, notebook, now()),
        )

    def was_told(self, notebook: str, what: str) -> bool:
        found = self._rows("SELECT 1 FROM told WHERE notebook = ? AND what = ?", (notebook, what))
        return bool(found)

    def set_told(self, notebook: str, what: str) -> None:
        """The user of a notebook was told `what`, and is not told so again."""
        self._execute(
            ("told", notebook, what), "INSERT OR IGNORE INTO told VALUES (?, ?)", (notebook, what)
        )

    def conversations(self, notebook: str | None = None) -> list[ConversationRow]:
        """The conversations of a notebook (None: of all), the one begun last first."""
        rows = self._rows(
            "SELECT c.id, count(t.key), max(t.created), coalesce(c.opened, 0) "
            "FROM conversations c LEFT JOIN turns t ON t.conversation = c.id "
            "WHERE ? IS NULL OR notebook = ? GROUP BY c.id ORDER BY c.created DESC, c.rowid DESC",
            (notebook, notebook),
        )
        return list(map(ConversationRow._make, rows))

    def branches(self, conversation: str) -> dict[str, str | None]:
        return dict(
            self._rows("SELECT name, tip FROM branches WHERE conversation = ?", (conversation,))
        )

    def active_branch(self, conversation: str) -> str:
        """The name of the branch that questions go on from."""
        rows = self._rows("SELECT active FROM conversations WHERE id = ?", (conversation,))
        return str(rows[0][0]) if rows else "main"

    def opened(self, conversation: str) -> None:
        """The user went back to a conversation: the next kernel begins with it."""
        self._execute(
            "opened", f"UPDATE conversations SET opened = {LATEST} WHERE id = ?", (conversation,)
        )

    def set_tip(self, conversation: str, branch: str, tip: str | None) -> None:
        """Move a branch to another turn, or begin it there; it becomes the active one."""
        self._database.write(
            lambda c: put_tip(c, conversation, branch, tip), ("tip", conversation, branch)
        )

    # Accounts

    def totals(
        self,
        by: By = "conversation",
        *,
        conversation: str | None = None,
        notebook: str | None = None,
    ) -> list[Total]:
        """Tokens and money, one `Total` a turn, branch (of `conversation`), day, model, …"""
        return self._database.read(lambda c: turn_totals(c, by, conversation, notebook), [])

    def add_ghosts(self, notebook: str, spent: Total) -> None:
        """Ghost texts of the model `spent.key` were paid for, today, in `notebook`."""
        today = date.today().isoformat()
        self._spend(lambda c: add_ghosts(c, notebook, today, spent), object(), spent)

    def ghosts(self, by: By = "notebook", *, notebook: str | None = None) -> list[Total]:
        """What ghost texts cost, one `Total` a notebook, day or model; see `totals`."""
        return self._database.read(lambda c: outside_totals(c, "ghost_texts", by, notebook), [])

    # Answers of jobs

    def add_answers(self, notebook: str, answers: Sequence[KeptAnswer]) -> None:
        """Keep answers that have arrived in `notebook`; `sync` waits for the disk."""
        spent = sum((answer.total for answer in answers), Total(""))
        self._spend(lambda c: put_answers(c, notebook, answers), object(), spent)

    def answers(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """The kept answers to requests with these keys; those that are not there are left out."""
        return self._database.read(lambda c: answers_of(c, keys), {})

    def answers_in(self, notebook: str) -> Mapping[str, KeptAnswer]:
        """The whole answers that arrived in a notebook."""
        rows = self._rows("SELECT key FROM answers WHERE whole AND notebook = ?", (notebook,))
        return self.answers([key for (key,) in rows])

    def answer_totals(self, by: By = "notebook", *, notebook: str | None = None) -> list[Total]:
        """What the answers of jobs cost; see `ghosts`."""
        return self._database.read(lambda c: outside_totals(c, "answers", by, notebook), [])

    def unwritten(self) -> list[Total]:
        """What was spent and waits to be written: `totals` and `ghosts` do not know it yet."""
        waiting = self._database.waiting()
        self._costs = {key: self._costs[key] for key in list(self._costs) if key in waiting}
        return list(self._costs.values())

    # Maintenance

    def prune(
        self, keep_days: float | None = None, max_bytes: int | None = None
    ) -> maintenance.Pruned:
        """Delete turns older than `keep_days`, and the oldest of what exceeds `max_bytes`; answers
        of jobs too, which may take half of that.

        The file shrinks, and what was deleted cannot be read from it any more.
        """
        before, oldest = self.size(), None
        if keep_days is not None:
            oldest = (date.today() - timedelta(days=keep_days)).isoformat()
            paid = "DELETE FROM ghost_texts WHERE day < ?"
            self._database.write(lambda c: c.execute(paid, (oldest,)), keep=False)
        half = None if max_bytes is None else max_bytes // 2
        self._database.write(lambda c: delete_answers(c, oldest, half), keep=False)
        ids: list[str] = self._database.read(
            lambda c: maintenance.prunable(c, keep_days, max_bytes), []
        )
        if ids:
            self._database.write(lambda c: maintenance.delete_turns(c, ids), full=True, keep=False)
            self._database.read(maintenance.compact, None)
        deleted = 0 if self.in_memory else len(ids)
        return maintenance.Pruned(deleted, before, self.size())

    def size(self) -> int:
        """Bytes that the journal takes on the disk."""
        return self._database.read(maintenance.size, 0)

    # Details

    def _rows(self, query: str, parameters: Any) -> list[tuple[Any, ...]]:
        def run(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(query, parameters).fetchall()

        return self._database.read(run, [])

    def _read_turns(self, test: str, *values: object) -> list[Turn]:
        rows = self._rows(
            "SELECT body FROM turns t JOIN bodies USING (key) WHERE t.owner IS NULL "
            f"AND {test} ORDER BY t.key",
            values,
        )
        return [turn for (body,) in rows if (turn := turn_of(body)) is not None]

    def _spend(self, change: Change, key: Hashable, spent: Total) -> None:
        self._database.write(change, key)
        if self.in_memory:
            self._costs[key] = spent

    def _execute(self, key: Hashable, statement: str, parameters: tuple[Any, ...]) -> None:
        self._database.write(lambda c: c.execute(statement, parameters), key)

    def _notebook(self, test: str, value: str) -> NotebookRow | None:
        """The notebook for which the SQL `test` of `value` holds, the one seen last."""
        query = f"SELECT id, path, origin, moved FROM notebooks WHERE {test} ORDER BY seen DESC"
        rows = self._rows(query, (value,))
        return NotebookRow._make(rows[0]) if rows else None


def _turns_of(
    connection: sqlite3.Connection, ids: Sequence[str], masked: bool = False
) -> dict[str, Turn]:
    """The turns with these ids, by id; with `masked` the others are not even parsed."""
    only = """AND instr(body, '"pseudonyms":') > 0""" if masked else ""
    rows = connection.execute(
        "SELECT body FROM turns JOIN bodies USING (key) "
        f"WHERE id IN (SELECT value FROM json_each(?)) {only}",
        (json.dumps(ids),),
    )
    return {turn.id: turn for (body,) in rows if (turn := turn_of(body)) is not None}
