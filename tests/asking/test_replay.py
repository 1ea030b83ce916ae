"""Pinned answers: a question that was asked before is answered without asking again."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from PIL import Image

from deepseek_jupyter.asking.ask import ask, resolve, stream
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.surfaces import Nowhere, Terminal
from deepseek_jupyter.errors import ReplayError
from deepseek_jupyter.home import home
from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.session.session import Session
from tests.support.scripted import answer, error


def kernel(**settings: object) -> Session:
    made = Session(DeepSeek(attempts=1, first_timeout=60.0, idle_timeout=60.0, **settings))
    made.config.replay = settings.get("replay", "auto")
    return made


def run_all(session: Session, **how: object) -> list[tuple[str, str | None, bool]]:
    """Three cells; each one's answer, thinking, and whether it was replayed."""
    questions = [Question(f"Question {n}?", cell_id=f"c{n}", **how) for n in (1, 2, 3)]
    replies = [ask(session, question, Nowhere()) for question in questions]
    return [(reply.text, reply.reasoning, reply.turn.replayed) for reply in replies]


@pytest.fixture
def first_run(notebook, server):
    server.queue(*(answer(f"Answer {n}.", reasoning=f"Hm {n}.") for n in (1, 2, 3)))
    return run_all(kernel())


def test_the_second_run_sends_nothing_and_says_the_same(first_run, server):
    again = run_all(kernel())
    assert [(text, thought) for text, thought, _ in again] == [
        (text, thought) for text, thought, _ in first_run
    ]
    assert [replayed for *_, replayed in first_run + again] == [False] * 3 + [True] * 3
    assert len(server.requests) == 3


def test_it_needs_neither_server_nor_key(first_run, server, monkeypatch):
    server.__exit__()
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    monkeypatch.delenv("DEEPSEEK_BASE_URL")
    assert [text for text, *_ in run_all(kernel())] == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert len(server.requests) == 3


def test_the_conversation_does_not_grow_and_nothing_is_spent(first_run):
    session = kernel()
    run_all(session)
    assert len(session.conversation) == 3
    assert session.spent == []
    total = sum(t.turns for t in session.conversation.journal.totals("day"))
    assert total == 3


def test_a_changed_question_is_asked_and_so_is_what_follows_it(first_run, server):
    server.queue(answer("Other."), answer("Another."))
    session = kernel()
    ask(session, Question("Question 1?", cell_id="c1"), Nowhere())
    ask(session, Question("Something else?", cell_id="c2"), Nowhere())
    reply = ask(session, Question("Question 3?", cell_id="c3"), Nowhere())
    assert (reply.text, reply.turn.replayed) == ("Another.", False)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"model": "deepseek-v4-pro"},
        {"system": "Be brief."},
        {"parameters": {"temperature": 1.5}},
        {"think": False},
        {"effort": "max"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_user_sets_makes_another_question(first_run, server, change):
    server.queue(answer("Fresh."))
    reply = ask(kernel(), Question("Question 1?", cell_id="c1", **change), Nowhere())
    assert (reply.text, reply.turn.replayed) == ("Fresh.", False)


def test_another_picture_makes_another_question(notebook, server):
    """Pictures of one size have the same text; only their content tells them apart."""
    red, blue = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    server.queue(answer("Red."), answer("Blue."))
    asked = [("red", red), ("blue", blue), ("red", red)]
    replies = [
        ask(
            kernel(),
            resolve(
                Question("Which colour?", cell_id=f"c-{name}", attach=(picture,), new=True), {}
            ),
            Nowhere(),
        )
        for name, picture in asked
    ]
    assert [(reply.text, reply.turn.replayed) for reply in replies] == [
        ("Red.", False),
        ("Blue.", False),
        ("Red.", True),
    ]
    sent = [request.json["messages"][-1]["content"] for request in server.requests]
    assert sent[0][0] == sent[1][0]


def test_types_of_one_family_are_not_the_same_question(notebook, server):
    server.queue(answer('{"value": [1]}'), answer('{"value": [2.5]}'))
    session = kernel()
    ints, floats = (
        ask(session, Question("Numbers?", cell_id="c", schema=schema), Nowhere())
        for schema in (list[int], list[float])
    )
    assert (ints.data, floats.data) == ([1], [2.5])


def test_never_is_the_default(notebook, server):
    server.queue(answer("One."), answer("Two."))
    session = kernel(replay="never")
    assert DeepSeek().replay == "never"
    replies = [ask(session, Question("Q?", cell_id="c"), Nowhere()) for _ in range(2)]
    assert [reply.text for reply in replies] == ["One.", "Two."]


def test_always_asks_nobody(notebook, server):
    with pytest.raises(ReplayError, match="no kept answer"):
        ask(kernel(), Question("Q?", replay="always"), Nowhere())
    assert server.requests == []


def test_an_answer_that_failed_is_not_kept(notebook, server):
    server.queue(error(500, "Busy."), answer("Fine."))
    session = kernel(on_error="return")
    replies = [ask(session, Question("Q?", cell_id="c"), Nowhere()) for _ in range(2)]
    assert [reply.text for reply in replies] == ["", "Fine."]


def test_another_notebook_has_a_turn_of_its_own_that_cost_nothing(first_run, notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook.with_name("other.ipynb")))
    session = kernel()
    reply = ask(session, Question("Question 1?", cell_id="x"), Nowhere())
    assert (reply.text, reply.turn.replayed, reply.cost) == ("Answer 1.", True, None)
    assert [turn.id for turn in session.conversation] == [reply.turn.id]


def test_a_kept_answer_may_begin_a_new_conversation(first_run):
    session = kernel()
    before = session.conversation.id
    reply = ask(session, Question("Question 1?", cell_id="x", new=True), Nowhere())
    assert (reply.text, reply.turn.replayed) == ("Answer 1.", True)
    assert session.conversation.id == reply.turn.conversation != before
    assert len(session.conversation) == 1


def test_without_a_journal_the_notebook_itself_answers_once_it_is_trusted(
    first_run, notebook, server
):
    session = kernel()
    cells = [
        {
            "cell_type": "code",
            "id": turn.cell_id,
            "source": "",
            "metadata": {},
            "execution_count": None,
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"application/vnd.deepseek.turn+json": turn.record},
                }
            ],
        }
        for turn in session.conversation
    ]
    notebook.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    files = list(home().rglob("*.sqlite*"))
    assert files
    for file in files:
        file.unlink()
    with pytest.raises(ReplayError, match="trust"):
        run_all(kernel(), replay="always")
    session = kernel()
    session.memory.trust()
    for _ in range(2):
        assert [replayed for *_, replayed in run_all(session)] == [True] * 3
        session = kernel()
    assert len(server.requests) == 3


def test_a_kept_answer_streams_as_deltas(first_run):
    deltas = list(stream(kernel(), Question("Question 1?", cell_id="c1")))
    assert deltas == [ReasoningDelta("Hm 1."), TextDelta("Answer 1.")]


def test_the_footer_says_so(first_run):
    reply = ask(kernel(), Question("Question 1?", cell_id="c1"), Nowhere())
    assert reply.footer.startswith("replayed · ")


def test_a_terminal_says_each_notice_once_below_the_answer(notebook, server):
    server.queue(answer("One, two", finish="length"))
    cut = Question("Count.", cell_id="c1")
    ask(kernel(), cut, Nowhere())
    ask(kernel(), cut, Terminal(out := StringIO()))
    shown = out.getvalue()
    assert shown.index("One, two") < shown.index("was cut at the token limit; raise")
    assert shown.count("was cut at the token limit; raise") == 1
