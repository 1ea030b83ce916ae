"""Conversations from files: the same tree back, and nothing that a stranger writes does harm."""

from __future__ import annotations

import copy
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.exports import to_json, to_notebook
from deepseek_jupyter.conversation.restore import METADATA
from deepseek_jupyter.conversation.turn import read_record
from deepseek_jupyter.protocol.output import TURN_MIME
from tests.support.rebuilt import rebuild, rebuild_records

from .turns import a_full_turn, a_turn

# A tree as a list: the place of each turn's parent among those before it, -1 for none.
SHAPES = st.lists(st.integers(-1, 30), max_size=30).map(
    lambda shape: [min(parent, n - 1) for n, parent in enumerate(shape)]
)
TEXTS = st.text(min_size=1, max_size=40)


@st.composite
def conversations(draw) -> Conversation:
    conversation = Conversation()
    ids: list[str] = []
    for n, parent in enumerate(draw(SHAPES)):
        turn = a_turn(
            draw(TEXTS),
            answer=draw(TEXTS),
            conversation=conversation.id,
            parent=ids[parent] if parent >= 0 else None,
            created=f"2026-01-01T00:00:{n:02}.000Z",
            cell_id=draw(st.sampled_from(["a", "b", None])),
        )
        conversation.add(turn)
        ids.append(turn.id)
    if ids:
        conversation.fork(draw(st.sampled_from(ids)), "draft")
        if draw(st.booleans()):
            conversation.checkout("main")
    return conversation


def shape(conversation: Conversation):
    turns = [(t.id, t.parent, t.prompt, t.answer, t.cell_id) for t in conversation.turns()]
    return turns, conversation.branches, conversation.active


def as_saved(content: object) -> object:
    return json.loads(json.dumps(content))


@given(conversations())
def test_a_tree_exported_as_a_notebook_is_rebuilt_from_it(conversation):
    rebuilt = rebuild(as_saved(to_notebook(conversation)))
    if not len(conversation):
        assert rebuilt is None
        return
    assert rebuilt is not None
    assert rebuilt.id == conversation.id
    assert shape(rebuilt) == shape(conversation)
    assert all(turn.from_file for turn in rebuilt.turns())


@given(conversations())
def test_a_tree_exported_as_json_is_rebuilt_from_it(conversation):
    saved = json.loads(to_json(conversation))
    rebuilt = rebuild_records(saved["turns"], saved)
    assert (rebuilt is None) if not len(conversation) else (shape(rebuilt) == shape(conversation))


def notebook(*records: object, **metadata: object) -> dict:
    outputs = [{"output_type": "display_data", "data": {TURN_MIME: r}} for r in records]
    return {"cells": [{"outputs": [output]} for output in outputs], "metadata": metadata}


def chain(count: int):
    turns = [a_turn(f"{n}", created=f"2026-01-01T00:00:{n:02}Z") for n in range(count)]
    return [
        a_turn(t.prompt, id=t.id, created=t.created, parent=turns[n - 1].id if n else None)
        for n, t in enumerate(turns)
    ]


def test_cells_in_another_order_make_the_same_tree():
    turns = chain(6)
    records = [turn.record for turn in turns]
    random.Random(1).shuffle(records)
    rebuilt = rebuild(notebook(*records))
    assert rebuilt is not None
    assert [turn.id for turn in rebuilt] == [turn.id for turn in turns]


def test_the_card_stays_at_home_and_what_was_running_has_stopped():
    turn = a_turn("Ask", sent="Ask\n\n| SECRET |", status="answering", finish_reason=None)
    saved = notebook(turn.record)
    assert "SECRET" not in json.dumps(saved)
    rebuilt = rebuild(saved)
    assert rebuilt is not None
    (read_back,) = rebuilt
    assert (read_back.status, read_back.finish_reason) == ("interrupted", "interrupted")
    assert read_back.messages()[0].content == "Ask"


def test_turns_that_are_no_part_of_the_memory_are_left_out():
    kept, empty, aside = a_turn(), a_turn(answer=""), a_turn(history=False)
    rebuilt = rebuild(notebook(kept.record, empty.record, aside.record))
    assert rebuilt is not None
    assert [turn.id for turn in rebuilt.turns()] == [kept.id]


def test_of_several_conversations_it_is_the_one_asked_last():
    old = a_turn(conversation="old", created="2026-01-01T00:00:00Z")
    new = a_turn(conversation="new", created="2026-01-02T00:00:00Z")
    rebuilt = rebuild(notebook(new.record, old.record))
    assert rebuilt is not None
    assert (rebuilt.id, [turn.id for turn in rebuilt]) == ("new", [new.id])


def test_a_copied_notebook_begins_with_what_it_was_copied_from():
    first = a_turn(conversation="old", created="2026-01-01T00:00:00Z")
    second = a_turn(conversation="new", parent=first.id, created="2026-01-02T00:00:00Z")
    rebuilt = rebuild(notebook(first.record, second.record))
    assert rebuilt is not None
    assert [turn.id for turn in rebuilt] == [first.id, second.id]


def test_a_deleted_cell_leaves_a_gap_and_no_error():
    a, _, c = chain(3)
    rebuilt = rebuild(notebook(a.record, c.record))
    assert rebuilt is not None
    assert len(rebuilt) == 2
    assert [turn.id for turn in rebuilt] == [c.id]


# Hostile files

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FULL = a_full_turn().record


@given(JSON)
def test_no_file_makes_it_raise(content):
    rebuild(content)
    rebuild({"cells": content, "metadata": content})
    rebuild({"cells": [{"outputs": content}], "metadata": {METADATA: content}})
    rebuild(notebook(content, deepseek=content))
    rebuild(notebook(FULL, **{METADATA: {"branches": content, "active": content}}))


@given(st.dictionaries(st.sampled_from(sorted(FULL)), JSON, min_size=1, max_size=4))
def test_no_field_makes_it_raise_or_comes_through_unchecked(changes):
    turn = read_record({**FULL, **changes})
    if turn is None:
        return
    json.dumps(turn.record, allow_nan=False)
    for name in ("id", "conversation", "prompt", "answer", "created", "status", "model", "format"):
        assert isinstance(getattr(turn, name), str)
    turn.messages()


@pytest.mark.parametrize("field", ["id", "conversation", "prompt", "answer"])
def test_without_these_there_is_no_turn(field):
    record = copy.deepcopy(FULL)
    del record[field]
    assert read_record(record) is None
    assert read_record({**FULL, field: "x" * 9_000_000}) is None


def test_a_later_schema_is_left_to_later_versions():
    assert read_record({**FULL, "schema": 2}) is None


def test_of_two_that_were_asked_in_one_millisecond_the_one_that_follows_is_the_tip():
    first = a_turn(id="z", created="2026-01-01T00:00:00.000Z")
    second = a_turn(id="a", parent="z", created=first.created)
    rebuilt = rebuild(notebook(second.record, first.record))
    assert rebuilt is not None
    assert rebuilt.tip == "a"


def test_turns_in_a_circle_are_left_out():
    ring = [a_turn(id=id, parent=parent).record for id, parent in ("ab", "bc", "ca")]
    assert rebuild(notebook(*ring)) is None
    sound = a_turn(id="z", created="2099-01-01T00:00:00Z")
    rebuilt = rebuild(notebook(*ring, sound.record))
    assert rebuilt is not None
    assert [turn.id for turn in rebuilt.turns()] == ["z"]


def test_a_deep_object_is_left_out():
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    turn = read_record({**FULL, "parameters": {"x": deep}})
    assert turn is not None
    assert turn.parameters == {}
