"""``--branch NAME``: a question on a branch of its own, which leaves the active one where it is."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.ask import ask as ask_model
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.errors import ConversationError
from tests.support.scripted import answer


def ask(prompt: str, **options):
    question = Question(prompt, **options)
    return ask_model(ds.get_session(), question, Nowhere())


def sent(server, n: int = -1) -> list[str]:
    return [message["content"] for message in server.requests[n].json["messages"]]


def run_all() -> None:
    ask("Q1", cell_id="c1")
    ask("Formal?", cell_id="c2", branch="formal")
    ask("Playful?", cell_id="c3", branch="playful")
    ask("Still formal?", cell_id="c4", branch="formal")
    ask("Q2", cell_id="c5")


EXPECTED = [
    ["Q1"],
    ["Q1", "A", "Formal?"],
    ["Q1", "A", "Playful?"],
    ["Q1", "A", "Formal?", "A", "Still formal?"],
    ["Q1", "A", "Q2"],
]


def test_each_branch_sees_its_own_turns(session, server):
    server.queue(*(answer("A") for _ in range(5)))
    run_all()
    assert [sent(server, n) for n in range(5)] == EXPECTED
    assert session.conversation.active == "main"
    assert set(session.conversation.branches) == {"main", "formal", "playful"}


def test_a_second_run_of_all_sends_the_same(session, server):
    server.queue(*(answer("A") for _ in range(10)))
    run_all()
    first = {name: session.conversation.branches[name] for name in ("main", "formal")}
    run_all()
    assert [sent(server, n) for n in range(5, 10)] == EXPECTED
    assert all(session.conversation.branches[name] != tip for name, tip in first.items())


def test_a_second_run_sends_the_new_answers_of_the_branch_it_began_on(session, server):
    server.queue(*(answer(f"A{n}") for n in range(10)))
    run_all()
    run_all()
    assert sent(server, 8) == ["Q1", "A5", "Formal?", "A6", "Still formal?"]


def test_the_journal_keeps_the_tips_and_the_active_branch(session, server):
    server.queue(answer("A1"), answer("A2"))
    ask("Q1")
    ask("Q2", branch="other")
    conversation = session.conversation
    again = type(conversation).load(conversation.journal, conversation.id)
    assert (again.active, again.branches) == ("main", conversation.branches)


def test_a_name_that_cannot_be_one_is_refused_before_sending(session, server):
    with pytest.raises(ConversationError, match="cannot be the name"):
        ask("Q", branch="a b")
    assert server.requests == []
