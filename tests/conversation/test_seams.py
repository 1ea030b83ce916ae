"""Turns that a moved tip leaves behind: told, and carried over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal

from .turns import a_turn, kept_turns


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


@pytest.fixture
def talk(journal):
    """A cell's question, and two of the panel after it."""
    conversation = Conversation(journal, "notebook")
    said(conversation, "one", cell="c1")
    said(conversation, "two")
    said(conversation, "three")
    return conversation


def said(conversation, prompt, cell=None):
    parent = conversation.parent_for(cell)
    turn = a_turn(prompt, parent=parent, cell_id=cell, conversation=conversation.id)
    conversation.add(turn)
    return turn


def prompts(conversation):
    return [turn.prompt for turn in conversation]


def left(conversation):
    """What the seams speak of, as prompts by prompt."""
    found = {turn.id: turn.prompt for turn in conversation.turns()}
    return {found[id]: [found[n] for n in ids] for id, ids in conversation.seams().items()}


def test_nothing_is_left_where_nothing_moved(talk):
    assert left(talk) == {}


def test_a_cell_that_is_run_again_leaves_what_followed(talk):
    again = said(talk, "one", cell="c1")
    assert prompts(talk) == ["one"]
    assert left(talk) == {"one": ["two", "three"]}
    said(talk, "four")
    assert left(talk) == {"one": ["two", "three"]}
    talk.carry_over(again.id)
    assert prompts(talk) == ["one", "four", "two", "three"]
    assert left(talk) == {}


def test_undo_and_checkout_leave_what_followed(talk):
    tip = talk.tip
    talk.undo(2)
    assert left(talk) == {"one": ["two", "three"]}
    talk.checkout(tip)
    assert left(talk) == {}
    talk.fork(talk.path(tip)[1].id, "other")
    assert left(talk) == {"two": ["three"]}


def test_cells_that_are_all_run_again_leave_only_the_panel_s_questions(journal):
    conversation = Conversation(journal, "notebook")
    for _ in range(2):
        said(conversation, "one", cell="c1")
        said(conversation, "two", cell="c2")
        if len(conversation) == 2:
            said(conversation, "and?")
        said(conversation, "three", cell="c3")
    assert left(conversation) == {"one": ["and?"]}
    (id,) = conversation.seams()
    conversation.carry_over(id)
    assert prompts(conversation) == ["one", "two", "three", "and?"]


def test_what_is_carried_over_is_so_in_the_journal_and_in_its_record(talk, journal):
    again = said(talk, "one", cell="c1")
    talk.carry_over(again.id)
    read = Conversation.load(journal, talk.id, "notebook")
    for conversation in (talk, read):
        assert prompts(conversation) == ["one", "two", "three"]
        way = conversation.path(conversation.tip)
        assert [t.record["parent"] for t in way] == [None, again.id, way[1].id]
        order = [node.id for node in conversation.nodes()]
        assert all(n.parent is None or order.index(n.parent) < order.index(n.id)
                   for n in conversation.nodes())  # fmt: skip
    assert [hit.turn for hit in journal.search("three")] == [talk.tip]
    assert len(kept_turns(journal, talk.id)) == 4


def test_a_side_branch_goes_along(talk):
    two = talk.path(talk.tip)[1]
    talk.add(replace(a_turn("aside", parent=two.id), conversation=talk.id), "side")
    again = said(talk, "one", cell="c1")
    talk.carry_over(again.id)
    read = Conversation.load(talk.journal, talk.id, "notebook")
    assert [t.prompt for t in read.path(read.branches["side"])] == ["one", "two", "aside"]
