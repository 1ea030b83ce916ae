"""`Journal`: every turn on this machine, safe from the moment it is asked. Over SQLite.

The life of a turn:

1. `begin` writes it before the request goes out.
2. `checkpoint` writes what has arrived, at least every second while it streams; the process may be
   killed after it and the text is there.
3. `finish` writes the end and waits until the disk has it, so a power cut finds it there too.

A process that dies between 1 and 3 leaves a turn that the next `open` ends as interrupted.

Nothing here raises because of the disk: what cannot be kept there is kept in memory, and `trouble`
says so in one sentence. Values in, values out; safe to use from any thread and after a fork.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from deepseek_jupyter.errors import ConversationError
from deepseek_jupyter.home import home

from . import carry, ghost_texts, places, queries, upkeep
from .database import Database
from .owner import this_process
from .places import ConversationRow, NotebookRow
from .rows import index, put, unindex
from .search import Hit, words_of
from .totals import By, Total, totals
from .tree import Node
from .turn import Turn

__all__ = ["Journal", "default_path"]


def default_path() -> Path:
    """Where the journal lies: ``journal.sqlite3`` in the state directory."""
    return home() / "journal.sqlite3"


class Journal:
    """See the top of this file. `Journal.open()` is the way in; `Journal()` is one in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._database = Database(path, carry.lend, carry.carry, upkeep.reindex)
        dead = self._database.read(upkeep.left_behind)
        if dead:
            self._database.write(lambda c: upkeep.recover(c, dead))

    @classmethod
    def open(cls, path: Path | None = None) -> Journal:
        """The journal at `path`, by default the user's own. Never fails: see `trouble`."""
        return cls(path or default_path())

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
        return self._database.in_memory

    @property
    def path(self) -> Path | None:
        """The file; None for a journal that never had one."""
        return self._database.path

    # Writing turns

    def begin(self, turn: Turn) -> None:
        """Write a turn that is about to be asked."""
        self._database.come_back()
        self.checkpoint(turn)

    def checkpoint(self, turn: Turn) -> None:
        """Write a turn as far as it has come. Cheap: no waiting for the disk."""

        def change(connection: sqlite3.Connection) -> None:
            places.know(connection, turn.conversation)
            put(connection, turn, this_process(), time.time())

        self._database.write(change)

    def finish(self, turn: Turn, branch: str | None = None) -> None:
        """Write a turn that has ended, and wait until the disk has it.

        With `branch` the turn becomes that branch's tip, in the same transaction.
        """

        def change(connection: sqlite3.Connection) -> None:
            places.know(connection, turn.conversation)
            unindex(connection, turn.id)
            index(connection, put(connection, turn, None, time.time()), turn)
            if branch is not None:
                places.set_tip(connection, turn.conversation, branch, turn.id)

        self._database.write(change, full=True)

    # Reading turns

    def turn(self, id: str) -> Turn | None:
        """The turn with this id, as it was written last."""
        return self.turns_of([id]).get(id)

    def turns_of(self, ids: Sequence[str], *, masked: bool = False) -> dict[str, Turn]:
        """The turns with these ids, by id; those that are not there are left out.

        With `masked` those alone that used pseudonyms.
        """
        return self._database.read(lambda c: queries.turns_of(c, ids, masked=masked))

    def turns(self, conversation: str) -> list[Turn]:
        """The turns of a conversation in the order in which they were asked; see `nodes`."""
        ids = [node.id for node in self.nodes(conversation)]
        found = self.turns_of(ids)
        return [found[id] for id in ids if id in found]

    def nodes(self, conversation: str) -> list[Node]:
        """The tree of a conversation in the order in which its turns were asked, without texts.

        Turns that do not belong to its memory (``--no-history``) or brought no answer are left out.
        One that was begun from another conversation has that one's turns up to then.
        """
        return self._database.read(lambda c: queries.nodes(c, conversation))

    def find_by_request(self, request_hash: str) -> Turn | None:
        """The newest whole answer to this very request."""
        return self._database.read(lambda c: queries.by_request(c, request_hash))

    def search(self, query: str, limit: int = 20, conversation: str | None = None) -> list[Hit]:
        """Turns that hold every word (or "phrase") of `query`, the newest first.

        Looks into prompts, answers and thinking, of one conversation or of all. Raises
        `ConversationError` where this Python's SQLite cannot search.
        """
        words = words_of(query)
        if not words:
            return []
        try:
            return self._database.read(lambda c: queries.searched(c, words, limit, conversation))
        except sqlite3.OperationalError as error:
            raise ConversationError(
                "Search is not possible here.", f"This Python's SQLite says: {error}."
            ) from error

    # Notebooks, conversations, branches

    def notebook(self, id: str) -> NotebookRow | None:
        """What is known of a notebook."""
        return self._database.read(lambda c: places.notebook(c, "id = ?", id))

    def notebook_at(self, path: str) -> NotebookRow | None:
        """The notebook that was last seen at `path`."""
        return self._database.read(lambda c: places.notebook(c, "path = ?", path))

    def notebook_of(self, conversation: str) -> NotebookRow | None:
        """The notebook that a conversation belongs to."""
        test = "id = (SELECT notebook FROM conversations WHERE id = ?)"
        return self._database.read(lambda c: places.notebook(c, test, conversation))

    def set_notebook(self, id: str, path: str | None, origin: str | None = None) -> None:
        """A notebook was seen at `path`."""
        self._database.write(lambda c: places.set_notebook(c, id, path, origin))

    def set_conversation(
        self, id: str, notebook: str | None, origin: str | None = None, until: str | None = None
    ) -> None:
        """A conversation belongs to `notebook`; `origin` is the one it goes on from.

        What that one held `until` a moment (as records write it) is part of it.
        """
        self._database.write(lambda c: places.set_conversation(c, id, notebook, origin, until))

    def conversations(self, notebook: str | None = None) -> list[ConversationRow]:
        """The conversations of a notebook (None: of all), the one begun last first."""
        return self._database.read(lambda c: places.conversations(c, notebook))

    def branches(self, conversation: str) -> dict[str, str | None]:
        """The tips of the branches by name."""
        return self._database.read(lambda c: places.branches(c, conversation))

    def active_branch(self, conversation: str) -> str:
        """The name of the branch that questions go on from."""
        return self._database.read(lambda c: places.active_branch(c, conversation))

    def opened(self, conversation: str) -> None:
        """The user went back to a conversation: the next kernel begins with it."""
        self._database.write(lambda c: places.opened(c, conversation))

    def adopt(self, turns: Sequence[Turn]) -> None:
        """Write turns that were asked elsewhere and that this journal lacks, in one go."""

        def change(connection: sqlite3.Connection) -> None:
            known = queries.turns_of(connection, [turn.id for turn in turns])
            for turn in turns:
                if turn.id not in known:
                    places.know(connection, turn.conversation)
                    index(connection, put(connection, turn, None, time.time()), turn)

        self._database.write(change, full=True)

    def set_tip(self, conversation: str, branch: str, tip: str | None) -> None:
        """Move a branch to another turn, or begin it there; it becomes the active one."""
        self._database.write(lambda c: places.set_tip(c, conversation, branch, tip))

    # Accounts and upkeep

    def totals(
        self,
        by: By = "conversation",
        *,
        conversation: str | None = None,
        notebook: str | None = None,
    ) -> list[Total]:
        """Tokens and money, one `Total` a turn, branch (of `conversation`), day, model, …"""
        return self._database.read(lambda c: totals(c, by, conversation, notebook))

    def spend_ghosts(self, notebook: str, spent: Total) -> None:
        """Ghost texts of the model `spent.key` were paid for, today, in `notebook`."""
        today = date.today().isoformat()
        self._database.write(lambda c: ghost_texts.spend(c, notebook, today, spent))

    def ghosts(self, by: By = "notebook", *, notebook: str | None = None) -> list[Total]:
        """What ghost texts cost, one `Total` a notebook, day or model; see `totals`."""
        return self._database.read(lambda c: ghost_texts.paid(c, by, notebook))

    def prune(self, keep_days: float | None = None, max_bytes: int | None = None) -> upkeep.Pruned:
        """Delete turns older than `keep_days`, and the oldest of what exceeds `max_bytes`.

        The file shrinks, and what was deleted cannot be read from it any more.
        """
        before = self.size()
        ids = self._database.read(lambda c: upkeep.doomed(c, keep_days, max_bytes))
        if keep_days is not None:
            oldest = (date.today() - timedelta(days=keep_days)).isoformat()
            self._database.write(lambda c: ghost_texts.forget(c, oldest))
        if ids:
            self._database.write(lambda c: upkeep.forget(c, ids), full=True)
            self._database.read(upkeep.compact)
        return upkeep.Pruned(len(ids), before, self.size())

    def size(self) -> int:
        """Bytes that the journal takes on the disk or in memory."""
        return self._database.read(upkeep.size)
