"""`Conversation`: the turns of one notebook, a tree with named branches.

A branch is a name for a turn, its *tip*; the conversation so far is the path from the root to the
tip of the active branch. A cell that is run again makes a *sibling* of the turn it made before:
same parent, the new one active, the old one kept; so a notebook that is run twice gives one
conversation. Nothing here deletes a turn: tips move.

With a journal every change is written through to it. Turns that it had before are read from it when
they are looked at; here is only the tree, and the turns that were added since.

The window: when a long conversation no longer fits the model's context, the oldest turns are
dropped in one deep cut, to half: a provider bills a repeated prefix at a fraction, and a window
that slides a turn at a time would change it with every question. The cut is a function of the
turns' sizes alone, so that it is the same after a restart.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deepseek_jupyter.errors import ConversationError
from deepseek_jupyter.protocol.messages import Message, system
from deepseek_jupyter.protocol.tokens import estimate_messages

from .search import Hit, search_turns
from .tree import SHORTEST_REFERENCE, Node, Tree, checked_name, differences, node_of, tree_lines
from .turn import Turn, new_id

if TYPE_CHECKING:
    from .journal import Journal

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Window:
    """The messages that go out, and how many of the oldest turns do not."""

    messages: tuple[Message, ...]
    dropped: int = 0


class Conversation:
    """Turns by id, and the tips of the branches (None: a branch without a turn yet)."""

    def __init__(
        self, journal: Journal | None = None, notebook: str | None = None, id: str | None = None
    ) -> None:
        """An empty conversation. Nothing is written before its first turn."""
        self.journal = journal
        self._tree = Tree()
        self._turns: dict[str, Turn] = {}  # without a journal all of them
        self._aside: dict[str, Turn] = {}  # without a journal those outside the tree
        self.id = id or new_id()
        self.notebook = notebook
        self.active = MAIN
        self.branches: dict[str, str | None] = {MAIN: None}
        self.moves: Counter[str] = Counter()  # by branch: how often the user moved its tip
        self._unjournaled: list[Turn] | None = []  # None once the journal knows the conversation
        self._lock = threading.RLock()

    # Where it comes from

    @classmethod
    def load(cls, journal: Journal, id: str, notebook: str | None = None) -> Conversation:
        """The conversation as the journal has it; empty where it has none."""
        conversation = cls(journal, notebook, id)
        for node in journal.nodes(id):
            conversation._tree.plant(node)
        branches = journal.branches(id)
        conversation._settle(branches, journal.active_branch(id))
        conversation._unjournaled = None if len(conversation) or branches else []
        return conversation

    @classmethod
    def of_turns(
        cls,
        id: str,
        turns: Iterable[Turn],
        branches: Mapping[str, str | None],
        active: str,
        journal: Journal | None = None,
        notebook: str | None = None,
    ) -> Conversation:
        """A conversation of turns that were read elsewhere, parents first.

        The journal learns of them when the conversation goes on.
        """
        conversation = cls(journal, notebook, id)
        for turn in turns:
            conversation._hold(turn)
        conversation._unjournaled = conversation.turns()
        conversation._settle(branches, active)
        return conversation

    # Looking

    def __iter__(self) -> Iterator[Turn]:
        """The turns of the active branch, oldest first."""
        return iter(self.path(self.tip))

    def __len__(self) -> int:
        return len(self._tree.nodes)

    def __contains__(self, id: object) -> bool:
        return id in self._tree.nodes

    def turn(self, id: str | None) -> Turn | None:
        """The turn with this id, on whatever branch; None where there is none."""
        return next(iter(self._read([id] if id is not None and id in self else [])), None)

    def turns(self) -> list[Turn]:
        """All turns of all branches, in the order in which they were asked."""
        return self._read(self._tree.nodes)

    def turns_of(self, ids: Iterable[str]) -> list[Turn]:
        """The turns with these ids, in this order; unknown ids are left out."""
        return self._read([id for id in ids if id in self])

    def aside(self) -> list[Turn]:
        """Turns asked here that are not part of the tree: asked without the history, or failed."""
        kept = self.journal.aside(self.id) if self.journal is not None else []
        return [*kept, *self._aside.values()]

    def look_up(self, reference: str) -> Turn:
        """The turn that a user means, also one outside the tree; see `find`."""
        ends = len(reference) >= SHORTEST_REFERENCE
        if ends and reference not in self.branches:
            for turn in self.aside():
                if turn.id.endswith(reference):
                    return turn
        found = self.turn(self.find(reference))
        if found is None:
            raise ConversationError("That turn is no longer in the journal.")
        return found

    def nodes(self) -> list[Node]:
        """All turns of all branches, in the order in which they were asked, without their texts."""
        return list(self._tree.nodes.values())

    def path(self, tip: str | None) -> list[Turn]:
        """The turns from the root to `tip`."""
        return self._read([node.id for node in self._tree.way(tip)])

    def children(self, parent: str | None) -> list[Turn]:
        """The turns that follow `parent` (None: that begin the conversation), oldest first."""
        return self._read(self._tree.children(parent))

    def newest_after(self, id: str) -> str:
        """The newest turn among `id` and all that follows it."""
        return self._tree.below([id])[-1].id

    def siblings(self, id: str) -> list[Turn]:
        """The turn and the other answers at its place, oldest first."""
        return self.children(self._tree.nodes[id].parent)

    def masked(self) -> list[Turn]:
        """The turns that used pseudonyms; the others are not read."""
        missing = [id for id in self._tree.nodes if id not in self._turns]
        read = self.journal.turns_of(missing, masked=True) if self.journal and missing else {}
        return [turn for turn in (*self._turns.values(), *read.values()) if turn.pseudonyms]

    @property
    def tip(self) -> str | None:
        """The turn that the next one follows; None while there is none."""
        return self.branches[self.active]

    def way(self) -> list[Node]:
        """The turns of the active branch without their texts, oldest first."""
        return self._tree.way(self.tip)

    def find(self, reference: str) -> str:
        """The id that a user means: a branch's tip, an id, or the end of one (the tree shows six).

        Raises `ConversationError` where that is none or several.
        """
        if reference in self.branches:
            tip = self.branches[reference]
            if tip is None:
                raise ConversationError(f"The branch {reference} has no turn yet.")
            return tip
        return self._tree.find(reference)

    def search(self, query: str, limit: int = 20) -> list[Hit]:
        """Turns of this conversation that hold every word of `query`, the newest first."""
        if self.journal is not None and self._unjournaled is None and not self.journal.in_memory:
            return self.journal.search(query, limit, self.id)
        return search_turns(reversed(self.turns()), query, limit)

    def diff(self, a: str, b: str) -> list[tuple[str, list[tuple[str, str]]]]:
        """How two turns differ: a heading each for what does, with its lines as (mark, text)."""
        return differences(self.look_up(a), self.look_up(b))

    def tree_lines(self, limit: int = 200) -> list[str]:
        """The tree as text, its newest `limit` turns."""
        nodes = self.nodes()[-limit:]
        prompts = {turn.id: turn.prompt for turn in self._read([node.id for node in nodes])}
        way = {node.id for node in self.way()}
        return tree_lines(nodes, prompts, way, self.branches, self.active, len(self) - len(nodes))

    # What goes on the wire

    def parent_for(
        self, cell_id: str | None, prompt: str | None = None, branch: str | None = None
    ) -> str | None:
        """Where a question from `cell_id` attaches: as a sibling of the cell's turn on the branch.

        A cell is known by its id, or without one by its prompt (the newest turn without a cell that
        asked it); give no prompt where equal words may be meant as another question. What
        is new to the branch goes on from the tip.

        `branch` is another than the active one, a new one to be begun at the present tip, or None.
        A cell that began it in an earlier run of the notebook begins it again on the turn of that
        cell which the active branch has now.
        """
        if branch is None or branch == self.active:
            return self._tree.parent_for(self.tip, cell_id, prompt)
        tip = self.branches.get(checked_name(branch), self.tip)
        return self._tree.counterpart(self._tree.parent_for(tip, cell_id, prompt), self.tip)

    def messages(self, parent: str | None, system_prompt: str = "") -> list[Message]:
        """The history before a turn under `parent`, as it goes on the wire."""
        return list(self.window(parent, system_prompt).messages)

    def window(
        self,
        parent: str | None,
        system_prompt: str = "",
        limit: int | None = None,
        said: Callable[[Turn], list[Message]] = Turn.messages,
        *,
        thinking: bool = False,
    ) -> Window:
        """The history before a turn under `parent`, cut to `limit` tokens; None does not cut.

        `said` gives the messages of a turn as they may leave. With `thinking` the provider gets
        earlier thinking back, so it counts too.
        """
        head = [system(system_prompt)] if system_prompt else []
        way = self._tree.way(parent)
        sizes = [node.tokens + (node.thinking if thinking else 0) for node in way]
        cut = 0 if limit is None else dropped(sizes, limit - estimate_messages(head))
        turns = self._read([node.id for node in way[cut:]])
        return Window((*head, *(m for turn in turns for m in said(turn))), cut)

    # Changing

    def begin_turn(self, turn: Turn) -> None:
        """A question is about to be sent: from now on it survives the process."""
        if self.journal is not None:
            self.introduce()
            self.journal.write_running(turn)

    def add(self, turn: Turn, branch: str | None = None) -> None:
        """Keep a finished `turn` and make it the tip of `branch`; of the active one without it."""
        branch = checked_name(branch or self.active)
        with self._lock:
            self._hold(turn)
            self.branches[branch] = turn.id
            if self.journal is not None:
                self.introduce()
                self.journal.finish(turn, branch)
                if branch != self.active:
                    self.journal.set_tip(self.id, self.active, self.tip)

    def keep_off_branch(self, turn: Turn) -> None:
        """Keep a finished `turn` where it was asked, and leave every tip where it is."""
        with self._lock:
            self._hold(turn)
            if self.journal is not None:
                self.introduce()
                self.journal.finish(turn)

    def keep_aside(self, turn: Turn) -> None:
        """Keep a finished turn that is not part of the tree."""
        if self.journal is not None:
            self.journal.finish(turn)
        elif turn.conversation == self.id:
            self._aside[turn.id] = turn

    def put_on_branch(self, id: str, branch: str | None = None) -> None:
        """Move the tip of `branch` (None: the active one) to the turn `id` unless it is on it."""
        name = checked_name(branch or self.active)
        if all(node.id != id for node in self._tree.way(self.branches.get(name))):
            active = self.active
            self._move(name, id)
            if name != active:
                self._move(active, self.branches[active])

    def branch(self, name: str) -> None:
        """Go on with the branch `name`; a new one begins at the present tip."""
        self._move(name, self.branches.get(checked_name(name), self.tip))

    def fork(self, turn: str, name: str) -> None:
        """Begin the branch `name` at `turn` and go on with it."""
        if checked_name(name) in self.branches:
            raise ConversationError(f"There is a branch {name} already.")
        self._move(name, self.find(turn))

    def checkout(self, reference: str) -> None:
        """Go on with another branch; or with another turn, to which the active branch moves."""
        name = reference if reference in self.branches else self.active
        self._move(name, self.branches[name] if name == reference else self.find(reference))

    def undo(self, n: int = 1) -> list[Turn]:
        """Move the tip back by `n` turns; returns those, oldest first. They stay in the tree."""
        way = self._tree.way(self.tip)
        kept = way[: max(0, len(way) - n)] if n > 0 else way
        left = self.path(self.tip)[len(kept) :]
        if left:
            self._move(self.active, kept[-1].id if kept else None)
        return left

    def seams(self) -> dict[str, tuple[str, ...]]:
        """By turns of the active branch: those, out of sight, that followed an earlier answer."""
        return self._tree.seams(self.tip)

    def carry_over(self, id: str) -> None:
        """Make the turns of the seam at `id` follow the tip, and all that followed them."""
        with self._lock:
            left = self.seams().get(id, ())
            parents = dict(zip(left, (self.tip, *left), strict=False))
            nodes = self._tree.below(left)
            for node, turn in zip(nodes, self._read(n.id for n in nodes), strict=True):
                parent = parents.get(node.id, node.parent)
                self._turns[node.id] = replace(turn, parent=parent)
                self._tree.replant(node._replace(parent=parent))
            if left:
                if self.journal is not None and self._unjournaled is None:
                    self.journal.put_last([self._turns[node.id] for node in nodes])
                self._move(self.active, left[-1])

    def join(self, turns: Iterable[Turn], tip: str | None = None) -> None:
        """Add turns that were read elsewhere, parents first; the active branch moves to `tip`."""
        new = [turn for turn in turns if turn.id not in self]
        with self._lock:
            for turn in new:
                self._hold(turn)
            self._unjournaled = [*(self._unjournaled or ()), *new] if new else self._unjournaled
            if tip is not None:
                self._move(self.active, tip)

    def reset(self) -> None:
        """Begin a new conversation. The journal keeps the old one."""
        with self._lock:
            self.__init__(self.journal, self.notebook)  # type: ignore[misc]

    def introduce(self) -> None:
        """Tell the journal of a conversation that it does not know yet, and of its turns."""
        with self._lock:
            if self._unjournaled is None or self.journal is None:
                return
            self.journal.set_conversation(self.id, self.notebook)
            if self._unjournaled:
                self.journal.adopt(self._unjournaled, self.id)
            for name in sorted(self.branches, key=lambda name: name == self.active):
                self.journal.set_tip(self.id, name, self.branches[name])
            self._unjournaled = None

    # Details

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

    def _settle(self, branches: Mapping[str, str | None], active: str) -> None:
        """Take over branches; one whose tip was pruned away has none."""
        self.branches = {name: tip if tip in self else None for name, tip in branches.items()}
        self.active = active if active in branches else MAIN
        self.branches.setdefault(self.active, None)

    def _move(self, name: str, tip: str | None) -> None:
        with self._lock:
            self.moves[name] += tip != self.branches.get(name, tip)
            self.branches[name] = tip
            self.active = name
            if self.journal is not None and self._unjournaled is None:
                self.journal.set_tip(self.id, name, tip)


def dropped(sizes: Iterable[int], limit: int) -> int:
    """How many of the oldest turns are dropped so that the rest is at most `limit` tokens.

    `sizes` are the turns' tokens, oldest first. What is kept after a cut is at most half of
    `limit`, or the newest turn alone where that is longer than half; one longer than `limit` is
    dropped too. `limit` should leave room for the question and the answer, and not change.
    """
    sizes = list(sizes)
    first = kept = 0
    for end, size in enumerate(sizes, 1):
        kept += size
        if kept > limit:
            while first < end and kept > limit // 2 and (first < end - 1 or kept > limit):
                kept -= sizes[first]
                first += 1
    return first


def messages_of(turn: Turn, mask: Callable[[str], str]) -> list[Message]:
    """What `turn` adds to the history, each text through `mask`."""
    return [
        replace(
            message,
            content=mask(message.content),
            reasoning=message.reasoning and mask(message.reasoning),
            tool_calls=tuple(
                replace(call, arguments=mask(call.arguments)) for call in message.tool_calls
            ),
        )
        for message in turn.messages()
    ]
