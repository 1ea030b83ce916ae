"""Conversations: reruns, branches, what goes on the wire, what a restart gives back."""

from __future__ import annotations

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.turn import new_id
from deepseek_jupyter.errors import ConversationError

from .turns import a_turn, ask, prompts


@pytest.fixture(params=["memory", "journal"])
def conversation(request, journal):
    return Conversation(journal if request.param == "journal" else None)


def test_run_all_twice_gives_the_same_conversation(conversation):
    for _ in range(2):
        for cell in "abc":
            ask(conversation, f"cell {cell}", cell)
    assert prompts(conversation) == ["cell a", "cell b", "cell c"]
    assert len(conversation) == 6


def test_run_all_twice_without_cell_ids_does_so_too(conversation):
    for _ in range(2):
        for cell in "abc":
            ask(conversation, f"cell {cell}")
    assert prompts(conversation) == ["cell a", "cell b", "cell c"]


def test_the_same_words_without_cell_and_prompt_go_on(conversation):
    for _ in range(2):
        parent = conversation.parent_for(None)
        conversation.add(a_turn("Go on.", conversation=conversation.id, parent=parent))
    assert prompts(conversation) == ["Go on.", "Go on."]


def test_a_middle_cell_run_again_makes_a_sibling_and_the_old_answer_stays(conversation):
    _, b, c = (ask(conversation, f"cell {cell}", cell) for cell in "abc")
    again = ask(conversation, "cell b, better", "b")
    assert prompts(conversation) == ["cell a", "cell b, better"]
    assert conversation.siblings(b.id) == [b, again]
    assert conversation.path(c.id)[1:] == [b, c]


def test_undo_loses_nothing(conversation):
    a, b = (ask(conversation, f"cell {cell}", cell) for cell in "ab")
    assert conversation.undo() == [b]
    assert conversation.tip == a.id
    conversation.checkout(b.id[-6:])
    assert conversation.tip == b.id
    assert conversation.undo(99) == [a, b]
    assert conversation.undo() == []


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 61, "a\nb", "<b>"])
def test_a_branch_has_a_name_that_can_be_typed(conversation, name):
    with pytest.raises(ConversationError, match="cannot be the name"):
        conversation.branch(name)


def test_what_is_not_there_is_said_so(conversation):
    for reference in ("nowhere", "", "a", "main"):
        with pytest.raises(ConversationError) as told:
            conversation.checkout(reference) if reference != "main" else conversation.find("main")
        assert told.value.hint


def test_a_turn_is_named_by_four_characters_of_its_end_and_not_by_fewer(conversation):
    conversation.add(a_turn(id="first-1234", conversation=conversation.id))
    assert conversation.find("1234") == "first-1234"
    for short in ("234", "34", "4"):
        with pytest.raises(ConversationError, match="no turn's id ends in it"):
            conversation.find(short)


def test_an_end_that_several_ids_share_is_refused(conversation):
    for id in ("first-1234", "other-1234"):
        conversation.add(a_turn(id=id, conversation=conversation.id))
    with pytest.raises(ConversationError, match="2 turns"):
        conversation.find("1234")


def test_search_and_diff(conversation):
    a = ask(conversation, "How?", "a", answer="same\nold\nsame", model="small")
    b = ask(conversation, "How?", "a", answer="same\nnew\nsame", model="small")
    assert [hit.turn for hit in conversation.search("NEW")] == [b.id]
    lines = [(" ", "same"), ("-", "old"), ("+", "new"), (" ", "same")]
    assert conversation.diff(a.id, b.id) == [("Answer", lines)]


def test_a_reset_begins_afresh_and_the_journal_keeps_the_old(journal):
    conversation = Conversation(journal, "n")
    old = ask(conversation, "Old")
    before = conversation.id
    conversation.reset()
    assert (list(conversation), conversation.tip, len(conversation)) == ([], None, 0)
    new = ask(conversation, "New")
    assert [row.id for row in journal.conversations("n")] == [conversation.id, before]
    assert list(Conversation.load(journal, before)) == [old]
    assert list(Conversation.load(journal, conversation.id)) == [new]


def test_a_kernel_that_asks_nothing_writes_nothing(journal):
    conversation = Conversation(journal, "n")
    conversation.branch("draft")
    conversation.reset()
    assert journal.conversations() == []


def test_a_restart_gives_the_same_bytes_for_the_wire(journal, path):
    conversation = Conversation(journal, "n")
    for n, reasoning in enumerate((None, "", "thought")):
        ask(conversation, f"{n}", reasoning=reasoning, sent=f"{n}\n\n| card |")
    before = conversation.messages(conversation.tip, "Be brief.")
    journal.close()
    again = Conversation.load(Journal.open(path), conversation.id)
    assert again.messages(again.tip, "Be brief.") == before
    assert [message.reasoning for message in before[2::2]] == [None, "", "thought"]


def test_a_question_that_was_never_answered_is_not_part_of_a_restored_conversation(journal, path):
    conversation = Conversation(journal, "n")
    kept = ask(conversation, "Answered")
    journal.write_running(a_turn("Lost", conversation=conversation.id, parent=kept.id, answer=""))
    journal.close()
    assert list(Conversation.load(Journal.open(path), conversation.id)) == [kept]


def test_what_was_pruned_ends_the_path_there(journal):
    conversation = Conversation(journal, "n")
    ask(conversation, "Old", created="2020-01-01T00:00:00.000Z")
    new = ask(conversation, "New")
    journal.prune(keep_days=1)
    assert list(Conversation.load(journal, conversation.id)) == [new]


# A copied notebook


def copied(original: Conversation, notebook: str) -> Conversation:
    turns, tips = original.turns(), original.branches
    return Conversation.of_turns(new_id(), turns, tips, "main", original.journal, notebook)


def test_a_copy_goes_its_own_way_and_so_does_the_original(journal, path):
    original = Conversation(journal, "n")
    shared = ask(original, "Shared")
    copy = copied(original, "m")
    mine, theirs = ask(original, "Mine"), ask(copy, "Theirs")
    assert copy.id != original.id
    journal.close()
    journal = Journal.open(path)
    for id, expected in ((original.id, [shared, mine]), (copy.id, [shared, theirs])):
        assert list(Conversation.load(journal, id)) == expected
    assert sum(total.turns for total in journal.totals()) == 3


def test_a_copy_of_a_copy_has_the_turns_of_both(journal):
    first = Conversation(journal, "1")
    turns = [ask(first, "one")]
    second = copied(first, "2")
    turns.append(ask(second, "two"))
    third = copied(second, "3")
    turns.append(ask(third, "three"))
    assert list(Conversation.load(journal, third.id)) == turns
    assert [hit.turn for hit in third.search("one")] == [turns[0].id]
    journal.prune(max_bytes=0)
    assert journal.conversations() == []


# The window


def test_a_cut_history_reads_only_what_goes_out(journal, path):
    conversation = Conversation(journal, "n")
    for n in range(40):
        ask(conversation, f"{n}", answer="word " * 200)
    loaded = Conversation.load(journal, conversation.id)
    window = loaded.window(loaded.tip, "Be brief.", limit=5_000)
    assert window.dropped > 0
    assert window.messages[0].role == "system"
    whole = loaded.messages(loaded.tip)
    assert list(window.messages[1:]) == whole[2 * window.dropped :]
