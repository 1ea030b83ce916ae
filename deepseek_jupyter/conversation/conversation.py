"""`Conversation`: the turns of one notebook, a tree with one active branch. In memory.

A cell that is run again makes a *sibling* of the turn it made before: same parent, the new one
active, the old one kept. So running a notebook twice gives the same conversation, not a doubled
one.
"""

from __future__ import annotations

from collections.abc import Iterator

from deepseek_jupyter.protocol.messages import Message, system

from .turn import Turn, new_id

__all__ = ["Conversation"]


class Conversation:
    """Turns by id, and the tip of the active branch (None while it is empty)."""

    def __init__(self) -> None:
        self.id = new_id()
        self.tip: str | None = None
        self._turns: dict[str, Turn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        """The turns of the active branch, oldest first."""
        return iter(self.path(self.tip))

    def path(self, tip: str | None) -> list[Turn]:
        """The turns from the root to `tip`."""
        turns = []
        while tip is not None:
            turn = self._turns[tip]
            turns.append(turn)
            tip = turn.parent
        return turns[::-1]

    def turn(self, id: str | None) -> Turn | None:
        """The turn with this id, on whatever branch; None where there is none."""
        return self._turns.get(id) if id is not None else None

    def parent_for(self, cell_id: str | None) -> str | None:
        """Where a question from `cell_id` attaches: beside the cell's own turn on the branch.

        A cell that is new to the branch, or has no id, goes on from the tip.
        """
        if cell_id is not None:
            for turn in self:
                if turn.cell_id == cell_id:
                    return turn.parent
        return self.tip

    def children(self, parent: str | None) -> list[Turn]:
        """The turns that follow `parent` (None: that begin the conversation), oldest first."""
        return [turn for turn in self._turns.values() if turn.parent == parent]

    def add(self, turn: Turn) -> None:
        """Keep `turn` and make it the tip."""
        self._turns[turn.id] = turn
        self.tip = turn.id

    def reset(self) -> None:
        """Begin a new conversation."""
        self.id = new_id()
        self.tip = None
        self._turns.clear()

    def messages(self, parent: str | None, system_prompt: str = "") -> list[Message]:
        """The history before a turn under `parent`, as it goes on the wire."""
        messages = [system(system_prompt)] if system_prompt else []
        for turn in self.path(parent):
            messages += turn.messages()
        return messages
