"""A kernel begins: the conversation comes back from the journal, else from the file."""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.exports import to_notebook
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.restore import METADATA, restore

from .turns import a_turn

HERE, THERE = "/notebooks/a.ipynb", "/notebooks/b.ipynb"


class Disk:
    """Notebooks by path, saved as a front end without the extension saves them: outputs alone."""

    def __init__(self) -> None:
        self.files: dict[str, object] = {}

    def save(self, path: str, conversation: Conversation) -> None:
        content = to_notebook(conversation, str)
        del content["metadata"][METADATA]
        self.files[path] = json.loads(json.dumps(content))

    def kernel(self, journal: Journal, path: str) -> tuple[Conversation, str]:
        restored = restore(journal, path, self.files.get(path), exists=self.files.__contains__)
        return restored.conversation, restored.notice


@pytest.fixture
def disk() -> Disk:
    return Disk()


def ask(conversation: Conversation, *prompts: str) -> None:
    for prompt in prompts:
        turn = a_turn(prompt, conversation=conversation.id, parent=conversation.tip)
        conversation.begin_turn(turn)
        conversation.add(turn)


def prompts(conversation: Conversation) -> list[str]:
    return [turn.prompt for turn in conversation]


@pytest.fixture
def begun(journal, disk) -> Conversation:
    """A notebook that was asked two questions and saved."""
    conversation, told = disk.kernel(journal, HERE)
    assert told == ""
    ask(conversation, "one", "two")
    disk.save(HERE, conversation)
    return conversation


def test_a_kernel_restart_gives_it_back(begun, journal, disk):
    conversation, told = disk.kernel(journal, HERE)
    assert prompts(conversation) == ["one", "two"]
    assert told == "This notebook's conversation is back (2 turns)."
    ask(conversation, "three")
    assert prompts(disk.kernel(journal, HERE)[0]) == ["one", "two", "three"]  # and it was not saved


def test_the_one_opened_last_comes_back_though_the_file_holds_another(begun, journal, disk):
    other = Conversation(journal, begun.notebook)
    ask(other, "another")
    disk.save(HERE, other)
    assert prompts(disk.kernel(journal, HERE)[0]) == ["another"]
    journal.opened(begun.id)
    conversation, _ = disk.kernel(journal, HERE)
    assert (conversation.id, prompts(conversation)) == (begun.id, ["one", "two"])
    assert not conversation.foreign
    newest = Conversation(journal, begun.notebook)
    ask(newest, "begun since")
    assert prompts(disk.kernel(journal, HERE)[0]) == ["begun since"]


def test_a_renamed_notebook_keeps_it(begun, journal, disk):
    disk.files[THERE] = disk.files.pop(HERE)
    conversation, _ = disk.kernel(journal, THERE)
    assert (conversation.id, prompts(conversation)) == (begun.id, ["one", "two"])
    assert journal.notebook_at(HERE) is None


def test_a_copied_notebook_goes_its_own_way_for_good(begun, journal, disk):
    disk.files[THERE] = disk.files[HERE]
    ask(begun, "three here")
    copy, told = disk.kernel(journal, THERE)
    assert "copy" in told
    assert prompts(copy) == ["one", "two"]
    ask(copy, "three there")
    disk.save(THERE, copy)
    assert prompts(disk.kernel(journal, THERE)[0]) == ["one", "two", "three there"]
    assert prompts(disk.kernel(journal, HERE)[0]) == ["one", "two", "three here"]


def test_a_copy_in_which_nothing_was_asked_is_still_one(begun, journal, disk):
    disk.files[THERE] = disk.files[HERE]
    for _ in range(2):
        copy, _ = disk.kernel(journal, THERE)
        assert prompts(copy) == ["one", "two"]
        assert copy.id != begun.id


def test_another_machine_reads_it_from_the_file_and_says_so(begun, disk, tmp_path):
    elsewhere = Journal(tmp_path / "elsewhere.sqlite3")
    conversation, told = disk.kernel(elsewhere, THERE)
    assert (prompts(conversation), told) == ([], "")
    conversation, told = disk.kernel(elsewhere, HERE)
    assert prompts(conversation) == ["one", "two"]
    assert "read from its outputs" in told
    assert elsewhere.conversations() == []
    ask(conversation, "three")
    again, told = disk.kernel(elsewhere, HERE)
    assert prompts(again) == ["one", "two", "three"]
    assert told == "This notebook's conversation is back (3 turns)."


def test_what_was_asked_on_another_machine_joins_when_the_file_comes_back(
    begun, journal, disk, tmp_path
):
    abroad, _ = disk.kernel(Journal(tmp_path / "abroad.sqlite3"), HERE)
    ask(abroad, "three, abroad")
    disk.save(HERE, abroad)
    conversation, told = disk.kernel(journal, HERE)
    assert prompts(conversation) == ["one", "two", "three, abroad"]
    assert "read from its outputs" in told
    ask(conversation, "four")
    assert prompts(disk.kernel(journal, HERE)[0]) == ["one", "two", "three, abroad", "four"]


def test_a_file_that_is_older_than_the_journal_moves_nothing(begun, journal, disk):
    ask(begun, "three")
    begun.undo(2)
    ask(begun, "two again")
    conversation, _ = disk.kernel(journal, HERE)
    assert prompts(conversation) == ["one", "two again"]
    assert len(conversation) == 4


def test_a_console_begins_afresh(begun, journal):
    assert prompts(restore(journal, None).conversation) == []
