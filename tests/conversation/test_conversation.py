"""The tree of turns: cells that go on, and cells run again."""

from __future__ import annotations

import time
from itertools import pairwise
from uuid import UUID

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.turn import Turn, new_id
from deepseek_jupyter.protocol.messages import Message


def add(conversation: Conversation, cell: str | None, prompt: str, answer: str = "A") -> Turn:
    turn = Turn(
        id=new_id(),
        conversation=conversation.id,
        prompt=prompt,
        parent=conversation.parent_for(cell),
        cell_id=cell,
        answer=answer,
    )
    conversation.add(turn)
    return turn


def branch(conversation: Conversation) -> list[str]:
    return [turn.prompt for turn in conversation]


def test_cells_go_on_from_each_other():
    talk = Conversation()
    first, second = add(talk, "one", "Q1"), add(talk, "two", "Q2")
    assert (first.parent, second.parent) == (None, first.id)
    assert branch(talk) == ["Q1", "Q2"]


def test_a_cell_run_again_makes_a_sibling_and_the_new_one_is_active():
    talk = Conversation()
    first = add(talk, "one", "Q1")
    old = add(talk, "two", "Q2")
    new = add(talk, "two", "Q2 again")
    assert new.parent == old.parent == first.id
    assert branch(talk) == ["Q1", "Q2 again"]
    assert talk.children(first.id) == [old, new]
    assert talk.turn(old.id) is old


def test_running_everything_twice_gives_the_same_branch():
    talk = Conversation()
    for _ in range(3):
        for cell in ("one", "two", "three"):
            add(talk, cell, f"Q {cell}")
        assert branch(talk) == ["Q one", "Q two", "Q three"]
    assert len(talk) == 9


def test_a_cell_in_the_middle_run_again_begins_another_branch():
    talk = Conversation()
    for cell in ("one", "two", "three"):
        add(talk, cell, cell)
    add(talk, "two", "two again")
    assert branch(talk) == ["one", "two again"]
    add(talk, "three", "three again")
    assert branch(talk) == ["one", "two again", "three again"]


def test_without_ids_every_question_goes_on():
    talk = Conversation()
    for number in range(3):
        add(talk, None, f"Q{number}")
    assert branch(talk) == ["Q0", "Q1", "Q2"]


def test_history_is_what_was_sent_and_answered():
    talk = Conversation()
    talk.add(Turn("1", talk.id, "shown", sent="sent", answer="A1", reasoning="R1"))
    talk.add(Turn("2", talk.id, "Q2", parent="1"))
    roles = [(m.role, m.content, m.reasoning) for m in talk.messages(talk.tip, "Be brief.")]
    assert roles == [
        ("system", "Be brief.", None),
        ("user", "sent", None),
        ("assistant", "A1", "R1"),
        ("user", "Q2", None),
    ]
    assert talk.messages(None) == []
    assert all(isinstance(m, Message) for m in talk.messages(talk.tip))


def test_reset_begins_another_conversation():
    talk = Conversation()
    before = talk.id
    add(talk, "one", "Q1")
    talk.reset()
    assert (len(talk), talk.tip, list(talk)) == (0, None, [])
    assert talk.id != before
    assert add(talk, "one", "Q1").parent is None


def test_ids_are_uuids_of_version_7_and_sort_by_time():
    ids = [new_id() for _ in range(5) if time.sleep(0.002) is None]
    assert ids == sorted(ids)
    assert all(UUID(made).version == 7 for made in ids)
    assert all(UUID(made).variant == "specified in RFC 4122" for made in ids)
    seconds = int(UUID(ids[0]).int >> 80) / 1000
    assert abs(seconds - time.time()) < 5
    assert all(a != b for a, b in pairwise(ids))
