"""Notebook files damaged anywhere: a sound conversation or none, never an error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.exports import to_json, to_notebook
from deepseek_jupyter.conversation.restore import rebuild
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.sanitizer.sanitizer import sanitize
from tests.conversation.turns import a_full_turn, a_turn
from tests.support.fuzzing import examples

from .test_wire import VALUES, replaced


def a_notebook() -> dict[str, Any]:
    from deepseek_jupyter.conversation.conversation import Conversation

    turns: list[Turn] = [a_full_turn()]
    for prompt in ("And then?", "And now?"):
        turns.append(a_turn(prompt, conversation=turns[0].conversation, parent=turns[-1].id))
    first = turns[0]
    branches = {"main": turns[-1].id, "other": turns[1].id}
    whole = Conversation.of_turns(first.conversation, turns, branches, "main")
    return to_notebook(whole, sanitize)


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
    again = rebuild(to_notebook(rebuilt, sanitize))
    assert again is not None
    assert [turn.id for turn in again.turns()] == [turn.id for turn in turns]
