"""`TurnStore`: a tree of turns, of which only the tree is held; texts are read when looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .tree import Node, Tree, node_of
from .turn import Turn

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["TurnStore"]


class TurnStore:
    """Turns by id. Without a journal they are all held here."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal
        self._tree = Tree()
        self._turns: dict[str, Turn] = {}

    def __len__(self) -> int:
        return len(self._tree)

    def __contains__(self, id: object) -> bool:
        return id in self._tree

    def turn(self, id: str | None) -> Turn | None:
        """The turn with this id, on whatever branch; None where there is none."""
        return next(iter(self._read([id] if id is not None and id in self else [])), None)

    def turns(self) -> list[Turn]:
        """All turns of all branches, in the order in which they were asked."""
        return self._read(self._tree.nodes)

    def turns_of(self, ids: Iterable[str]) -> list[Turn]:
        """Those with these ids, in this order; what is not there is left out."""
        return self._read([id for id in ids if id in self])

    def nodes(self) -> list[Node]:
        """The same without their texts."""
        return list(self._tree)

    def path(self, tip: str | None) -> list[Turn]:
        """The turns from the root to `tip`."""
        return self._read([node.id for node in self._tree.way(tip)])

    def children(self, parent: str | None) -> list[Turn]:
        """The turns that follow `parent` (None: that begin the conversation), oldest first."""
        return self._read(self._tree.children(parent))

    def siblings(self, id: str) -> list[Turn]:
        """The turn and those that answer the same place in its stead, oldest first."""
        return self.children(self._tree.nodes[id].parent)

    def masked(self) -> list[Turn]:
        """The turns that used pseudonyms; the others are not read."""
        missing = [id for id in self._tree.nodes if id not in self._turns]
        read = self.journal.turns_of(missing, masked=True) if self.journal and missing else {}
        return [turn for turn in (*self._turns.values(), *read.values()) if turn.pseudonyms]

    def _read(self, ids: Iterable[str]) -> list[Turn]:
        """The turns with these ids, in this order. One that was pruned away is left out."""
        wanted = list(ids)
        missing = [id for id in wanted if id not in self._turns]
        read = self.journal.turns_of(missing) if self.journal is not None and missing else {}
        found = (self._turns.get(id) or read.get(id) for id in wanted)
        return [turn for turn in found if turn is not None]

    def _hold(self, turn: Turn) -> None:
        self._turns[turn.id] = turn
        self._tree.plant(node_of(turn))
