"""``%deepseek tree`` and its neighbours, in a real shell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deepseek_jupyter.api import get_session
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.errors import ConversationError
from deepseek_jupyter.protocol.output import TURN_MIME
from deepseek_jupyter.session.memory import Memory
from tests.support.scripted import answer


@pytest.fixture
def talk(run, server):
    """Two questions, both answered."""
    server.queue(answer("Hello Ada."), answer("Four."))
    run("%ds I am Ada.")
    run("%ds 2 + 2?")
    return run


def names(tree: str) -> list[str]:
    """The six characters by which the tree names its turns."""
    return re.findall(r"\b[0-9a-f]{6}\b", tree)


def test_tree_draws_every_turn(talk):
    tree = talk("%deepseek tree")
    assert "I am Ada." in tree
    assert "2 + 2?" in tree
    assert len(names(tree)) == 2


def test_undo_takes_a_turn_off_the_wire_but_not_out_of_the_tree(talk, server):
    assert "1 turn taken back" in talk("%deepseek undo")
    server.queue(answer("Five."))
    talk("%ds 2 + 3?")
    sent = [message["content"] for message in server.requests[-1].json["messages"]]
    assert sent == ["I am Ada.", "Hello Ada.", "2 + 3?"]
    assert "2 + 2?" in talk("%deepseek tree")
    talk("%deepseek undo 5")
    assert "no turn to take back" in talk("%deepseek undo")


def test_fork_and_checkout(talk, server):
    first = names(talk("%deepseek tree"))[0]
    assert "On branch other, 1 turn." in talk(f"%deepseek fork {first} other")
    server.queue(answer("Six."))
    talk("%ds 3 + 3?")
    sent = [message["content"] for message in server.requests[-1].json["messages"]]
    assert sent == ["I am Ada.", "Hello Ada.", "3 + 3?"]
    assert "On branch main, 2 turns." in talk("%deepseek checkout main")


def test_diff_shows_both_answers(talk):
    first, second = names(talk("%deepseek tree"))
    told = talk(f"%deepseek diff {first} {second}")
    assert "Hello Ada." in told
    assert "Four." in told


def test_search_finds_answers_and_prompts(talk):
    assert "1 found" in talk("%deepseek search Ada hello")
    assert "0 found" in talk("%deepseek search nowhere")


def test_show_shows_a_turn_again(talk):
    assert "Four." in talk("%deepseek show")


THINKING = """The user wants the sum of two small numbers, nothing more than that, so it is quick.

2 + 2 is 4, as everybody knows who has counted on fingers at least once in a life.

Wait, might they mean a text? <b>Two</b> and two joined would be 22, and that is another thing.

So the answer is four, which I will say in one word and with a full stop behind it."""


def test_show_thinking_has_its_steps(run, server):
    server.queue(answer("Four.", reasoning=THINKING), answer("Five."))
    run("%ds 2 + 2?")
    told = run("%deepseek show --thinking")
    assert "1. The user wants" in told
    assert "2. Wait, might they" in told
    folds = get_session().last.record["outline"]
    assert folds == [0, 4, 6]
    run("%ds 2 + 3?")
    assert "This turn has no thinking" in run("%deepseek show --thinking")


@pytest.mark.parametrize("ending", ["md", "html", "json", "ipynb"])
def test_export_writes_a_file_and_overwrites_none(talk, tmp_path: Path, ending):
    file = tmp_path / f"talk.{ending}"
    assert "Written" in talk(f"%deepseek export {file}")
    text = file.read_text("utf-8")
    assert "Hello Ada." in text
    if ending in ("json", "ipynb"):
        json.loads(text)
    assert "nothing is overwritten" in talk(f"%deepseek export {file}")


@pytest.mark.parametrize(
    "wrong",
    [
        "undo x",
        "reset now",
        "doctor x",
        "fork one",
        "checkout",
        "diff one",
        "search",
        "export talk.txt",
        "checkout zzzz9",
    ],
)
def test_a_wrong_use_is_told_in_a_line(talk, wrong):
    told = talk(f"%deepseek {wrong}")
    assert "Error" in told
    assert "Traceback" not in told


def test_without_cell_ids_a_notebooks_cell_is_known_by_its_prompt(run, server, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/nowhere/study.ipynb")
    server.queue(*(answer(f"A{n}") for n in range(4)))
    for prompt in ("First?", "Second?", "First?", "Second?"):
        run(f"%%deepseek\n{prompt}")
    sent = [message["content"] for message in server.requests[-1].json["messages"]]
    assert sent == ["First?", "A2", "Second?"]


def test_in_a_terminal_the_same_words_are_meant_anew(run, server):
    server.queue(answer("A0"), answer("A1"))
    run("%%deepseek\nGo on.")
    run("%%deepseek\nGo on.")
    sent = [message["content"] for message in server.requests[-1].json["messages"]]
    assert sent == ["Go on.", "A0", "Go on."]


def test_trust_takes_along_what_the_file_shows(run, server, tmp_path, monkeypatch):
    assert "No turns are waiting" in run("%deepseek trust")
    assert "No turns are waiting" in run("%deepseek trust journal")
    turn = Turn("a", "theirs", "Their question", answer="Their answer", status="done")
    output = {"output_type": "display_data", "data": {TURN_MIME: turn.record}}
    notebook = tmp_path / "theirs.ipynb"
    notebook.write_text(json.dumps({"cells": [{"outputs": [output]}], "metadata": {}}))
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    get_session().memory = Memory()
    server.queue(answer("Hi."), answer("Good."))
    assert "%deepseek trust" in run("%ds Hello")
    assert "1 turn taken along" in run("%deepseek trust")
    run("%ds And now?")
    sent = [message["content"] for message in server.requests[-1].json["messages"]]
    assert sent == ["Their question", "Their answer", "And now?"]


def test_a_turn_outside_the_history_can_be_shown_compared_and_exported(run, server, tmp_path):
    server.queue(answer("In it."), answer("A giraffe."), answer("An okapi."))
    run("%ds Hello?")
    turns = []
    for _ in range(2):
        run("%ds --no-history -o reply Which animal?")
        turns.append(str(get_session().last.turn.id)[-6:])
    assert "A giraffe." in run(f"%deepseek show {turns[0]}")
    assert "Which animal?" in run(f"%deepseek show {turns[0]} --sent")
    assert "Hello?" not in run(f"%deepseek show {turns[0]} --sent")
    assert "+ An okapi." in run(f"%deepseek diff {turns[0]} {turns[1]}")
    run(f"%deepseek export {tmp_path / 'all.json'}")
    exported = json.loads((tmp_path / "all.json").read_text())
    assert [turn["answer"] for turn in exported["turns"]] == ["In it."]
    assert [turn["answer"] for turn in exported["aside"]] == ["A giraffe.", "An okapi."]
    with pytest.raises(ConversationError):
        get_session().conversation.checkout(turns[0])  # no part of the tree
