"""The conversation outlives the kernel: two sessions, one after the other, on one notebook."""

from __future__ import annotations

import sqlite3

from deepseek_jupyter.asking.ask import ask as ask_model
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.home import home
from deepseek_jupyter.session.memory import notebook_content
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY
from tests.support.scripted import Reply, answer, chunk, event, send, stall


def kernel(**settings: object) -> Session:
    """A session as a fresh kernel would make it."""
    return Session(DeepSeek(attempts=1, first_timeout=5.0, idle_timeout=0.5, **settings))


def ask(session: Session, prompt: str, **how: object):
    return ask_model(session, Question(prompt, **how), Nowhere())


def asked(server) -> list[str]:
    """The contents of the last request's messages."""
    return [message["content"] for message in server.requests[-1].json["messages"]]


def test_a_new_kernel_goes_on_where_the_last_one_was(notebook, server):
    server.queue(answer("Hello Ada."), answer("Ada."))
    ask(kernel(), "I am Ada.")
    ask(kernel(), "Who am I?")
    assert asked(server) == ["I am Ada.", "Hello Ada.", "Who am I?"]


def test_it_says_so_in_one_line_once(notebook, server):
    server.queue(answer("One."), answer("Two."), answer("Three."))
    ask(kernel(), "A?")
    second = kernel()
    (line,) = ask(second, "B?").turn.notices
    assert "\n" not in line
    assert ask(second, "C?").turn.notices == ()


def test_another_notebook_has_a_conversation_of_its_own(notebook, server, monkeypatch):
    server.queue(answer("Hello Ada."), answer("I do not know."))
    ask(kernel(), "I am Ada.")
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook.with_name("other.ipynb")))
    ask(kernel(), "Who am I?")
    assert asked(server) == ["Who am I?"]


def test_a_cell_run_again_in_a_new_kernel_replaces_its_turn(notebook, server):
    server.queue(answer("One."), answer("Two."))
    ask(kernel(), "A?", cell_id="c1")
    second = kernel()
    ask(second, "A?", cell_id="c1")
    assert asked(server) == ["A?"]
    assert [turn.answer for turn in second.conversation] == ["Two."]
    assert len(second.conversation) == 2


def test_a_stopped_answer_is_there_in_the_next_kernel(notebook, server):
    half = send(event(chunk({"content": "Half of it"})))
    server.queue(Reply(half, stall()), answer("The rest."))
    ask(kernel(on_error="return"), "Tell me.")
    ask(kernel(), "Go on.")
    assert asked(server) == ["Tell me.", "Half of it", "Go on."]


def test_a_stopped_answer_is_continued_in_the_next_kernel(notebook, server):
    half = send(event(chunk({"content": "Half of it"})))
    server.queue(Reply(half, stall()), answer(", and the rest."))
    ask(kernel(on_error="return"), "Tell me.", cell_id="c1")
    ask(kernel(), "", go_on=True, cell_id="c2")
    question, begun = server.requests[-1].json["messages"]
    assert question["content"] == "Tell me."
    assert (begun["content"], begun["prefix"]) == ("Half of it", True)


def test_new_begins_afresh_and_the_old_one_is_kept(notebook, server):
    server.queue(answer("One."), answer("Two."), answer("Three."))
    ask(kernel(), "A?")
    ask(kernel(), "B?", new=True)
    assert asked(server) == ["B?"]
    ask(kernel(), "C?")
    assert asked(server) == ["B?", "Two.", "C?"]


def test_without_a_journal_nothing_is_written(notebook, server):
    server.queue(answer("One."))
    ask(kernel(journal=False), "A?")
    assert not (home() / "journal.sqlite3").exists()


def test_a_failed_question_is_recorded_and_is_no_part_of_the_conversation(notebook, server):
    session = kernel(on_error="return")
    ask(session, "A?")  # the script has no reply: 400
    assert list(session.conversation) == []
    with sqlite3.connect(home() / "journal.sqlite3") as journal:
        ((status,),) = journal.execute("select status from turns")
    assert status == "error"


def test_no_key_is_in_the_journal(notebook, server):
    server.queue(answer(f"Your key is {KEY}."), answer("One."))
    ask(kernel(on_error="return"), "A?")
    ask(kernel(), "B?")
    files = home().glob("journal.sqlite3*")
    assert all(b"Bearer" not in file.read_bytes() for file in files)


def test_a_journal_that_cannot_be_opened_is_told_and_the_question_is_answered(notebook, server):
    (home() / "journal.sqlite3").mkdir(parents=True)
    server.queue(answer("One."))
    reply = ask(kernel(), "A?")
    assert reply.text == "One."
    assert any("journal" in notice.lower() for notice in reply.turn.notices)


def test_a_notebook_file_of_more_than_fifty_megabytes_is_not_read(tmp_path):
    notebook = tmp_path / "large.ipynb"
    for megabytes, content in ((49, {}), (51, None)):
        notebook.write_bytes(b"{" + b" " * (megabytes * 1_000_000) + b"}")
        assert notebook_content(str(notebook)) == content


def test_a_full_context_drops_the_oldest_turns_in_one_cut_and_says_so(notebook, server):
    """Three quarters of 400 tokens are for the history; each turn here is about 90."""
    small = {"small": {"like": "deepseek", "context_tokens": 400, "base_url": server.base_url()}}
    session = kernel(providers=small, provider="small", exact_tokens=False)
    long = "word " * 42
    told = []
    for n in range(6):
        server.queue(answer(f"{n} {long}"))
        told.append(ask(session, f"{n} {long}").turn.notices)
    lengths = [len(request.json["messages"]) for request in server.requests]
    assert lengths == [1, 3, 5, 7, 3, 5]
    assert told[3] == ()
    assert told[4] == ("The 3 oldest turns were left out: the context is full.",)
