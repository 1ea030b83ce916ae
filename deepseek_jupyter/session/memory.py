"""`Memory`: the notebook's conversation, brought back at the first look and kept in the journal.

Nothing is opened or read before that, so loading the extension costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.restore import Offer, notebook_path, restore
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.protocol.deltas import Completion

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.journal import Journal

_LARGEST = 50_000_000  # bytes of a notebook file that is still read for its records


class Memory:
    """The conversation in use, and where it is kept. `persistent` off keeps it in this process.

    Turns older than `keep_days` and the oldest of a journal larger than `megabytes` are deleted
    when the journal is opened; 0 keeps them.
    """

    def __init__(
        self,
        *,
        persistent: bool = True,
        namespace: dict[str, Any] | None = None,
        keep_days: float = 0,
        megabytes: float = 0,
    ) -> None:
        self.restored_notice = ""  # what the first look brought back, for the user
        self.foreign: tuple[Turn, ...] = ()  # of the notebook's file, until `trust`
        self.undecided = False  # whether the user has yet to say what becomes of them
        self._offer: Offer | None = None
        self._retention = (keep_days or None, int(megabytes * 1e6) or None)
        self._persistent = persistent
        self._namespace = namespace or {}
        self._journal: Journal | None = None
        self._conversation: Conversation | None = None
        self._asked: dict[str, tuple[Conversation, str, int]] = {}  # running, see `begin_turn`
        self._used: dict[str, Conversation] = {}  # in which something was asked here
        self._lock = threading.RLock()

    @property
    def conversation(self) -> Conversation:
        """The notebook's conversation; the first look brings it back."""
        with self._lock:  # a cell and a panel may look at the same moment
            if self._conversation is None:
                self._conversation = self._restored() if self._persistent else Conversation()
            return self._conversation

    @conversation.setter
    def conversation(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def another(self) -> Conversation:
        notebook = self.conversation.notebook  # first: this look may open the journal
        return Conversation(self._journal, notebook)

    def open(self, id: str) -> None:
        """Go on with another conversation of the notebook; the next kernel begins with it.

        One in which a turn runs is the one that the turn will be added to. While the journal is not
        being written, one that was used here has turns that the file lacks.
        """
        present = self.conversation
        journal = present.journal
        running = (asked for asked, _, _ in list(self._asked.values()) if asked.id == id)
        found = next(running, None)
        if found is None and journal is not None and journal.in_memory:
            found = next((used for used in self._used.values() if used.id == id), None)
        if found is None and journal is not None:
            found = Conversation.load(journal, id, present.notebook)
        if found is not None:
            self.conversation = found
        if journal is not None:
            journal.opened(id)

    def trust(self) -> int:
        """Take the file's foreign turns along, and keep them as trusted; returns how many."""
        conversation = self.conversation
        turns = [replace(turn, conversation=conversation.id) for turn in self.foreign]
        self.foreign, self.undecided = (), False
        pages.set_foreign(())
        return self._take(turns, max(turns, key=lambda t: t.created).id if turns else None)

    def start_without(self) -> None:
        """The user goes on without the file's foreign turns, and is not asked of them again."""
        conversation, self.undecided, self.restored_notice = self.conversation, False, ""
        if conversation.journal is not None and conversation.notebook is not None:
            conversation.journal.set_told(conversation.notebook, _without(self.foreign))

    def trust_journal(self) -> int:
        """Take along what only the journal has of this notebook; returns how many turns."""
        conversation, offer, self._offer = self.conversation, self._offer, None
        if offer is None or conversation.journal is None:
            return 0
        held = Conversation.load(conversation.journal, offer.conversation)
        return self._take([turn for turn in held.turns() if turn.id not in conversation], held.tip)

    def _take(self, turns: list[Turn], tip: str | None) -> int:
        if turns:
            self.restored_notice = ""
            self.conversation.join(turns, tip)
            self.conversation.introduce()
        return len(turns)

    @property
    def trouble(self) -> str:
        """One sentence when turns cannot be kept on the disk, else ""."""
        return self._journal.trouble if self._journal is not None else ""

    def begin_turn(self, turn: Turn, branch: str | None = None) -> None:
        """A question is about to be sent, on `branch` (None: the active one)."""
        conversation = self.conversation
        branch = branch or conversation.active
        self._asked[turn.id] = (conversation, branch, conversation.moves[branch])
        self._used[conversation.id] = conversation
        conversation.begin_turn(turn)

    def checkpoint(self, turn: Turn, status: str, completion: Completion) -> None:
        """Keep what has arrived of a running turn; not to be done more than once a second."""
        journal = self._asked.get(turn.id, (self.conversation,))[0].journal
        if journal is not None:
            so_far = replace(
                turn,
                status=status,
                answer=completion.answer,
                reasoning=completion.reasoning,
                tool_calls=completion.tool_calls,
            )
            journal.write_running(so_far)

    def finish_turn(self, turn: Turn, branch: str | None = None) -> None:
        """Keep a finished turn as the tip of `branch` (None: the active one).

        Where the user moved that branch since the turn was begun, the turn is kept and the tip
        stays. One that brought no answer is no part of the conversation, nor is one that was asked
        before `reset` began another conversation.
        """
        conversation, began_on, moves = self._asked.pop(turn.id, (self.conversation, branch, None))
        ours = turn.history and turn.conversation == conversation.id
        if ours and (turn.answer.strip() or turn.tool_calls or turn.steps):
            if moves is not None and conversation.moves[str(began_on)] != moves:
                conversation.keep_off_branch(turn)
            else:
                conversation.add(turn, branch or began_on)
        else:
            conversation.keep_aside(turn)

    def sync(self) -> None:
        """Wait until the disk has the turns that have ended."""
        if self._journal is not None:
            self._journal.sync()

    async def group_sync(self) -> None:
        """`sync`, once for all that end together."""
        if self._journal is not None:
            await self._journal.group_sync()

    def _restored(self) -> Conversation:
        from deepseek_jupyter.conversation.journal import Journal

        self._journal = Journal.open()
        if any(self._retention):
            self._journal.prune(*self._retention)
        path = notebook_path(os.environ, self._namespace)
        found = restore(self._journal, path, notebook_content(path))
        self.foreign, self._offer = found.foreign, found.offer
        pages.set_foreign(found.marked)
        notebook, told = found.identity.notebook, self._journal.was_told
        self.undecided = bool(found.foreign) and not told(notebook, _without(found.foreign))
        offered = ""
        if self._offer and not told(notebook, self._offer.state):
            self._journal.set_told(notebook, self._offer.state)
            offered = self._offer.sentence
        self.restored_notice = " ".join(filter(None, (found.notice, offered)))
        return found.conversation


def _without(foreign: Iterable[Turn]) -> str:
    """The key under which the journal remembers that the user started without these turns."""
    ids = "\n".join(sorted(turn.id for turn in foreign))
    return f"without {hashlib.sha256(ids.encode()).hexdigest()}"


def notebook_content(path: str | None) -> object:
    """The notebook file, parsed; None where there is none to read."""
    try:
        file = Path(path) if path else None
        if file is None or file.stat().st_size > _LARGEST:
            return None
        content: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content
