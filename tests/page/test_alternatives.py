"""The answers beside an answer: looked at without a change, gone on from with one."""

from __future__ import annotations

import pytest

from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.pages import Request
from deepseek_jupyter.errors import BadRequestError, ConversationError, ParameterError
from deepseek_jupyter.page.panel_questions import branch
from deepseek_jupyter.page.siblings import neighbour, use
from deepseek_jupyter.page.state import status
from deepseek_jupyter.protocol.output import unpacked
from tests.support.scripted import answer, error
from tests.support.tokens import answer_of, place


@pytest.fixture
def tree(session, server):
    """A question with two answers, of which the first was gone on from: a b / a'."""
    ids = []
    for prompt, cell, text in (("A", "1", "a"), ("B", "2", "b"), ("A!", "1", "a'")):
        server.queue(answer(text))
        ids.append(ask(session, Question(prompt, cell_id=cell)).turn.id)
    return ids


def gone_on_from(session, id):
    return use(session, Request({"id": id}, lambda message: None))


def test_looking_changes_nothing(session, tree):
    a, _, again = tree
    seen = neighbour(session.conversation, again, -1)
    record = unpacked(seen["bundle"])
    assert (record["id"], record["answer"], record["prompt"]) == (a, "a", "A")
    assert record["branch"] == {"index": 1, "count": 2}
    assert record["footer"]
    assert seen["bundle"]["text/plain"] == "a"
    assert not seen["active"]
    assert session.conversation.tip == again


def test_using_an_answer_brings_back_what_was_asked_after_it(session, tree, server):
    a, b, _ = tree
    used = gone_on_from(session, a)
    assert used["active"]
    assert unpacked(used["bundle"])["id"] == a
    assert session.conversation.tip == b
    server.queue(answer("c"))
    ask(session, Question("C", cell_id="3"))
    contents = [message["content"] for message in server.requests[-1].json["messages"]]
    assert contents == ["A", "a", "B", "b", "C"]


def test_using_the_newer_one_again_leads_back(session, tree):
    gone_on_from(session, tree[0])
    assert neighbour(session.conversation, tree[0], 1)["active"] is False
    gone_on_from(session, tree[2])
    assert session.conversation.tip == tree[2]


def test_a_branch_that_ends_there_is_gone_back_to(session, tree):
    conversation = session.conversation
    conversation.fork(tree[1], "other")
    conversation.checkout("main")
    gone_on_from(session, tree[0])
    assert conversation.active == "other"
    assert conversation.branches == {"main": tree[2], "other": tree[1]}


@pytest.mark.parametrize("step", [-2, 1, 1000])
def test_there_is_nothing_beside_the_last(session, tree, step):
    with pytest.raises(ConversationError, match="no other answer"):
        neighbour(session.conversation, tree[2], step)


@pytest.mark.parametrize("id", ["", "None", "01999999-0000-7000-8000-000000000000"])
def test_an_answer_of_another_conversation_is_refused(session, tree, id):
    refused = pytest.raises(ConversationError, match="not in the notebook's conversation")
    with refused:
        neighbour(session.conversation, id, 0)
    with refused:
        gone_on_from(session, id)


def test_the_newest_after_a_turn_is_found_on_a_bent_way(session, tree, server):
    a, b, _ = tree
    gone_on_from(session, a)
    server.queue(answer("c"), answer("b'"))
    c = ask(session, Question("C", cell_id="3")).turn.id
    other = ask(session, Question("B", cell_id="2")).turn.id  # beside b, newer than c
    assert session.conversation.newest_after(b) == c
    assert session.conversation.newest_after(a) == other


def test_the_status_tells_the_notebook_only_after_a_question(session, server):
    before = status(session)
    assert (before["asked"], before["notebook"], before["spent"]) == (False, None, "")
    assert session.memory._conversation is None  # looking has opened nothing
    server.queue(answer("x"))
    ask(session, Question("Q"))
    after = status(session)
    assert after["asked"]
    assert after["notebook"] == session.conversation.notebook
    assert after["turns"] == 1
    assert after["hit"] == pytest.approx(4 / 12)
    assert after["spent"].startswith("~$")


@pytest.fixture
def red(session, server):
    """An answer whose second token might have been another."""
    server.queue(answer_of([place("Dark", -0.1), place(" red", -0.5, (" blue", -1.5))]))
    return ask(session, Question("A colour?", cell_id="1", parameters={"top_logprobs": 1})).turn


def asked(session, told, **body):
    return branch(session, Request({"request": "r", **body}, told.append))


def test_another_token_of_an_answer_makes_a_sibling(session, server, red):
    told: list[dict] = []
    server.queue(answer_of([place(".", -0.1)]))
    made = asked(session, told, turn=red.id, at=1, choice=0)
    record = unpacked(made["bundle"])
    assert (record["answer"], record["cell_id"]) == ("Dark blue.", "1")
    assert record["branch"] == {"index": 2, "count": 2}
    assert made["active"]
    assert {"type": "asked", "to": "r", "turn": record["id"]} in told


def test_what_cannot_be_branched_is_an_error_and_changes_nothing(session, server, red):
    server.queue(error(400, "No prefix."))
    with pytest.raises(BadRequestError):
        asked(session, [], turn=red.id, at=1, choice=0)
    for wrong in ({"at": 9, "choice": 0}, {"at": 1, "choice": 1}, {"at": "1"}, {"choice": True}):
        with pytest.raises(ParameterError):
            asked(session, [], turn=red.id, **wrong)
    with pytest.raises(ConversationError):
        asked(session, [], turn="elsewhere", at=1, choice=0)
    assert session.conversation.tip == red.id
    assert len(server.requests) == 2
