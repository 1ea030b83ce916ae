"""A kernel begins: the conversation comes back from the journal, else from the file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.exports import to_notebook
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.restore import METADATA, Restored, restore
from deepseek_jupyter.protocol.output import TURN_MIME, unpacked

from .turns import a_turn

HERE, THERE = "/notebooks/a.ipynb", "/notebooks/b.ipynb"


class Disk:
    """Notebooks by path, saved as a front end without the extension saves them: outputs alone."""

    def __init__(self) -> None:
        self.files: dict[str, object] = {}

    def save(self, path: str, conversation: Conversation) -> None:
        content = to_notebook(conversation)
        del content["metadata"][METADATA]
        self.files[path] = json.loads(json.dumps(content))

    def kernel(self, journal: Journal, path: str) -> tuple[Conversation, str]:
        restored = self.opened(journal, path)
        return restored.conversation, restored.notice

    def opened(self, journal: Journal, path: str) -> Restored:
        return restore(journal, path, self.files.get(path), exists=self.files.__contains__)

    def cells(self, path: str) -> list[dict]:
        return self.files[path]["cells"][1:]


def trust(restored: Restored) -> Conversation:
    """What `Memory.trust` does."""
    conversation = restored.conversation
    turns = [replace(turn, conversation=conversation.id) for turn in restored.foreign]
    conversation.join(turns, turns[-1].id if turns else None)
    conversation.introduce()
    return conversation


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
    newest = Conversation(journal, begun.notebook)
    ask(newest, "begun since")
    assert prompts(disk.kernel(journal, HERE)[0]) == ["begun since"]


def test_a_renamed_notebook_keeps_its_name_and_begins_with_what_it_carries(begun, journal, disk):
    disk.files[THERE] = disk.files.pop(HERE)
    ask(begun, "in the panel")
    restored = disk.opened(journal, THERE)
    conversation = restored.conversation
    assert (conversation.notebook, prompts(conversation)) == (begun.notebook, ["one", "two"])
    assert journal.notebook_at(HERE) is None
    assert restored.offer is not None
    assert HERE in restored.offer.sentence
    assert "in the panel" in restored.offer.sentence
    for _ in range(2):  # nor does the name bring it later
        assert prompts(disk.kernel(journal, THERE)[0]) == ["one", "two"]
    ask(disk.kernel(journal, THERE)[0], "three there")
    assert prompts(disk.kernel(journal, THERE)[0]) == ["one", "two", "three there"]
    journal.opened(begun.id)  # the user goes back to it
    assert prompts(disk.kernel(journal, THERE)[0]) == ["one", "two", "in the panel"]


def test_a_strangers_file_with_the_name_of_a_notebook_that_is_gone_brings_nothing(
    begun, journal, disk
):
    del disk.files[HERE]
    disk.files[THERE] = {"cells": [], "metadata": {METADATA: {"notebook": begun.notebook}}}
    old = a_turn("old", created="2020-01-01T00:00:00.000Z")
    journal.finish(old)
    for days in (None, 1000, 1000):  # nor does tidying up
        restored = disk.opened(journal, THERE)
        assert len(restored.conversation) == 0
        assert restored.offer is not None
        journal.prune(keep_days=days)


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


def test_on_another_machine_its_turns_stay_out_until_they_are_trusted(begun, disk, tmp_path):
    elsewhere = Journal(tmp_path / "elsewhere.sqlite3")
    for _ in range(2):
        restored = disk.opened(elsewhere, HERE)
        assert prompts(restored.conversation) == []
        assert [turn.prompt for turn in restored.foreign] == ["one", "two"]
        assert "2 turns of this file" in restored.notice
        assert "%deepseek trust" in restored.notice
        assert elsewhere.conversations() == []
    conversation = trust(restored)
    ask(conversation, "three")
    again, told = disk.kernel(elsewhere, HERE)
    assert prompts(again) == ["one", "two", "three"]
    assert [turn.from_file for turn in again] == [True, True, False]
    assert told == "This notebook's conversation is back (3 turns)."
    assert [total.turns for total in elsewhere.totals()] == [1]  # the others were paid there


def test_what_was_asked_elsewhere_is_asked_for_alone(begun, journal, disk, tmp_path):
    abroad = trust(disk.opened(Journal(tmp_path / "abroad.sqlite3"), HERE))
    ask(abroad, "three, abroad")
    disk.save(HERE, abroad)
    ask(begun, "in the panel")
    restored = disk.opened(journal, HERE)
    assert prompts(restored.conversation) == ["one", "two"]
    assert [turn.prompt for turn in restored.foreign] == ["three, abroad"]
    assert restored.offer is not None
    assert "1 more turn" in restored.offer.sentence
    ask(trust(restored), "four")
    again = disk.opened(journal, HERE)
    assert prompts(again.conversation) == ["one", "two", "three, abroad", "four"]
    assert (again.foreign, again.offer) == ((), None)


def test_an_edited_output_is_foreign_with_all_after_it_and_the_original_is_offered(
    begun, journal, disk
):
    ask(begun, "three")
    disk.save(HERE, begun)
    disk.cells(HERE)[1]["outputs"][0]["data"]["text/plain"] = "EDITED"
    restored = disk.opened(journal, HERE)
    assert prompts(restored.conversation) == ["one"]
    assert next(turn.answer for turn in restored.foreign) == "EDITED"
    assert len(restored.foreign) == 2
    assert restored.offer is not None
    assert "2 more turns" in restored.offer.sentence
    trust(restored)
    again = disk.opened(journal, HERE)
    assert prompts(again.conversation) == ["one", "two", "three"]
    assert [turn.answer for turn in again.conversation][1] == "EDITED"
    assert again.foreign == ()
    original = Conversation.load(journal, begun.id)
    assert "EDITED" not in [turn.answer for turn in original]


def test_a_record_shown_twice_is_one_and_two_of_one_id_are_neither(begun, journal, disk):
    cells = disk.cells(HERE)
    disk.files[HERE]["cells"].append(cells[1])  # %deepseek show, or a cell pasted
    assert prompts(disk.kernel(journal, HERE)[0]) == ["one", "two"]
    forged = json.loads(json.dumps(cells[0]))
    forged["outputs"][0]["data"][TURN_MIME]["prompt"] = "FORGED"
    disk.files[HERE]["cells"].insert(0, forged)
    restored = disk.opened(journal, HERE)
    assert prompts(restored.conversation) == []
    assert len(restored.foreign) == 3
    trust(restored)
    assert disk.opened(journal, HERE).foreign == ()


def test_a_trusted_turn_stays_so_when_the_one_before_it_was_deleted(begun, disk, tmp_path):
    elsewhere = Journal(tmp_path / "elsewhere.sqlite3")
    disk.cells(HERE)[0]["outputs"] = []
    assert len(disk.opened(elsewhere, HERE).foreign) == 1
    assert prompts(trust(disk.opened(elsewhere, HERE))) == ["two"]
    assert disk.opened(elsewhere, HERE).foreign == ()


def test_a_turn_asked_without_history_is_not_made_part_of_it_by_a_file(begun, journal, disk):
    turn = a_turn("aside", conversation=begun.id, parent=begun.tip, history=False)
    journal.finish(turn)
    record = {**turn.record, "history": True}
    disk.files[HERE]["cells"].append({"outputs": [{"data": {TURN_MIME: record}}]})
    restored = disk.opened(journal, HERE)
    assert prompts(restored.conversation) == ["one", "two"]
    assert len(restored.foreign) == 1


def test_a_turn_saved_in_mid_answer_is_not_an_edited_one(begun, journal, disk):
    ask(begun, "three")
    disk.save(HERE, begun)
    output = disk.cells(HERE)[2]["outputs"][0]
    data = output["data"]
    running = {"status": "answering", "answer": "An", "finish_reason": None}
    data[TURN_MIME] = {**unpacked(data, output["metadata"]), **running}
    conversation, _ = disk.kernel(journal, HERE)
    assert [turn.answer for turn in conversation][2] == "An answer to: three"
    disk.files[THERE] = disk.files[HERE]
    assert prompts(disk.kernel(journal, THERE)[0]) == ["one", "two"]


@pytest.mark.parametrize("branches", [{"main": None}, {}, {"other": None}])
def test_a_branch_that_a_file_empties_sends_nothing_and_promises_nothing(
    begun, journal, disk, branches, tmp_path
):
    disk.files[THERE] = {**disk.files[HERE], "metadata": {METADATA: {"branches": branches}}}
    restored = disk.opened(journal, THERE)
    assert bool(prompts(restored.conversation)) == (not branches)
    assert ("2 turns" in restored.notice) == (not branches)
    restored = disk.opened(Journal(tmp_path / "elsewhere.sqlite3"), THERE)
    assert prompts(restored.conversation) == []


def test_a_file_that_is_older_than_the_journal_moves_nothing(begun, journal, disk):
    ask(begun, "three")
    begun.undo(2)
    ask(begun, "two again")
    conversation, _ = disk.kernel(journal, HERE)
    assert prompts(conversation) == ["one", "two again"]
    assert len(conversation) == 4


def test_a_console_begins_afresh(begun, journal):
    assert prompts(restore(journal, None).conversation) == []


def test_the_name_of_a_notebook_alone_brings_nothing(begun, journal, disk):
    ask(begun, "in the panel")
    metadata = {METADATA: {"notebook": begun.notebook}}
    disk.files[THERE] = {"cells": [], "metadata": metadata}
    for _ in range(2):
        restored = disk.opened(journal, THERE)
        assert len(restored.conversation) == 0
        assert restored.offer is not None
        assert restored.notice == ""
