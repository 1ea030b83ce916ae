"""Notebook files and recordings damaged anywhere: what is sound or nothing, never a crash."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.exports import to_json, to_notebook
from deepseek_jupyter.conversation.recording import read_recording, write_recording
from deepseek_jupyter.conversation.turn import Turn, dump
from deepseek_jupyter.errors import ReplayError
from deepseek_jupyter.protocol.rhythm import Pace, unpacked
from tests.conversation.turns import a_full_turn, a_turn
from tests.support.fuzzing import examples
from tests.support.rebuilt import rebuild

from .test_wire import VALUES, replaced


def a_notebook() -> dict[str, Any]:
    from deepseek_jupyter.conversation.conversation import Conversation

    turns: list[Turn] = [a_full_turn()]
    for prompt in ("And then?", "And now?"):
        turns.append(a_turn(prompt, conversation=turns[0].conversation, parent=turns[-1].id))
    first = turns[0]
    branches = {"main": turns[-1].id, "other": turns[1].id}
    whole = Conversation.of_turns(first.conversation, turns, branches, "main")
    return to_notebook(whole)


NOTEBOOK = a_notebook()


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    notebook: Any = NOTEBOOK
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.lists(st.integers(0, 40), min_size=1, max_size=9))
        notebook = replaced(notebook, path, draw(VALUES))
    return notebook


def test_undamaged_it_is_rebuilt():
    rebuilt = rebuild(NOTEBOOK)
    assert rebuilt is not None
    assert len(list(rebuilt.turns())) == 3


@examples(250)
@given(damaged())
def test_what_is_left_of_a_damaged_notebook_can_be_walked_and_saved_again(notebook):
    rebuilt = rebuild(notebook)
    if rebuilt is None:
        return
    turns = list(rebuilt.turns())
    assert turns
    assert all(turn.from_file for turn in turns)
    assert rebuilt.tip in {None, *(turn.id for turn in turns)}
    rebuilt.tree_lines()
    json.loads(to_json(rebuilt))
    again = rebuild(to_notebook(rebuilt))
    assert again is not None
    assert [turn.id for turn in again.turns()] == [turn.id for turn in turns]


def _recording_lines() -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.dsrec"
        turns = [replace(a_full_turn(), status="done", request_hash=f"{n:032x}") for n in range(3)]
        write_recording(path, turns, [])
        return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


RECORDING = _recording_lines()


@examples(200)
@given(st.lists(st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=6), VALUES)))
def test_a_damaged_recording_is_read_or_refused(tmp_path_factory, damages):
    lines: Any = RECORDING
    for path, value in damages:
        lines = replaced(lines, path, value)
    file = tmp_path_factory.getbasetemp() / "damaged.dsrec"
    texts = map(dump, lines if isinstance(lines, list) else [lines])
    file.write_bytes(gzip.compress("\n".join(texts).encode()))
    try:
        found = read_recording(file)
    except ReplayError:
        return
    for hash, turn in found.turns.items():
        assert (turn.request_hash, turn.status, turn.from_file) == (hash, "done", True)
        list(Pace().played(unpacked(turn.rhythm)))
    assert "recorded" in str(found)
