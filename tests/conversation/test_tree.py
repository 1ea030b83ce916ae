"""The tree against a simple model: whatever is done, no turn is lost and the path is what it was.

The same steps run on a conversation in memory and on one with a journal, which is loaded anew at
any moment and must be the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.errors import ConversationError
from tests.support.fuzzing import examples

from .turns import a_turn

CELLS = st.sampled_from(["one", "two", "three", None])
NAMES = st.sampled_from(["main", "draft", "other/idea"])


class Trees(RuleBasedStateMachine):
    """`parents` and `tips` are the model: a parent for each turn, a tip for each branch."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite3"
        self.journal = Journal.open(self.path)
        self.conversation = Conversation(self.journal, "n")
        self.plain = Conversation(id=self.conversation.id)
        self.parents: dict[str, str | None] = {}
        self.cells: dict[str, str | None] = {}
        self.tips: dict[str, str | None] = {"main": None}
        self.active = "main"

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.journal.close()
            self.folder.cleanup()

    def way(self) -> list[str]:
        way, at = [], self.tips[self.active]
        while at is not None:
            way.append(at)
            at = self.parents[at]
        return way[::-1]

    @rule(cell=CELLS)
    def ask(self, cell: str | None) -> None:
        mine = [id for id in self.way() if cell is not None and self.cells[id] == cell]
        expected = self.parents[mine[0]] if mine else self.tips[self.active]
        assert self.conversation.parent_for(cell) == expected
        assert self.plain.parent_for(cell) == expected
        turn = a_turn(conversation=self.conversation.id, parent=expected, cell_id=cell)
        self.conversation.begin_turn(turn)
        self.conversation.add(turn)
        self.plain.add(turn)
        self.parents[turn.id], self.cells[turn.id] = expected, cell
        self.tips[self.active] = turn.id

    @rule(n=st.integers(0, 4))
    def undo(self, n: int) -> None:
        way = self.way()
        kept = way[: max(0, len(way) - n)]
        for conversation in (self.conversation, self.plain):
            assert [turn.id for turn in conversation.undo(n)] == way[len(kept) :]
        self.tips[self.active] = kept[-1] if kept else None

    @rule(name=NAMES)
    def branch(self, name: str) -> None:
        self.conversation.branch(name)
        self.plain.branch(name)
        self.tips.setdefault(name, self.tips[self.active])
        self.active = name

    @precondition(lambda self: self.parents)
    @rule(name=NAMES, data=st.data())
    def fork(self, name: str, data: st.DataObject) -> None:
        turn = data.draw(st.sampled_from(sorted(self.parents)))
        for conversation in (self.conversation, self.plain):
            if name in self.tips:
                with pytest.raises(ConversationError):
                    conversation.fork(turn, name)
            else:
                conversation.fork(turn, name)
        if name not in self.tips:
            self.tips[name] = turn
            self.active = name

    @precondition(lambda self: self.parents)
    @rule(data=st.data())
    def checkout(self, data: st.DataObject) -> None:
        reference = data.draw(st.sampled_from(sorted({*self.parents, *self.tips})))
        for conversation in (self.conversation, self.plain):
            conversation.checkout(reference)
        if reference in self.tips:
            self.active = reference
        else:
            self.tips[self.active] = reference

    @rule()
    def restart(self) -> None:
        """The kernel, that is: what was never written is gone, and that is an empty tree."""
        self.journal.close()
        self.journal = Journal.open(self.path)
        if self.parents:
            self.conversation = Conversation.load(self.journal, self.conversation.id, "n")

    @invariant()
    def all_agree(self) -> None:
        if not hasattr(self, "folder"):
            return
        for conversation in (self.conversation, self.plain):
            assert [turn.id for turn in conversation] == self.way()
            assert [turn.id for turn in conversation.turns()] == list(self.parents)
            assert (conversation.branches, conversation.active) == (self.tips, self.active)
            assert conversation.tip == self.tips[self.active]
            assert len(conversation.tree_lines()) == max(1, len(self.parents))
        for id, parent in self.parents.items():
            family = [other for other, theirs in self.parents.items() if theirs == parent]
            assert [turn.id for turn in self.conversation.siblings(id)] == family


Trees.TestCase.settings = settings(examples(25), stateful_step_count=25)
TestTrees = Trees.TestCase
