"""The notebook's memory, read from what goes over the wire."""

from __future__ import annotations

from tests.support.scripted import answer


def wire(server, number: int) -> list[str]:
    """The contents of the messages in one request."""
    return [message["content"] for message in server.requests[number].json["messages"]]


def test_another_cell_goes_on(kernel, server):
    server.queue(answer("A1", reasoning="Because."), answer("A2"))
    kernel.run("%%ds\nQ1", cell_id="one")
    kernel.run("%%ds\nQ2", cell_id="two")
    assert wire(server, 1) == ["Q1", "A1", "Q2"]


def test_a_cell_run_again_replaces_its_own_turn(kernel, server):
    server.queue(answer("A1"), answer("A1 again"), answer("A2"))
    first = kernel.run("%%ds\nQ1", cell_id="one").turns[0]
    again = kernel.run("%%ds\nQ1", cell_id="one").turns[0]
    kernel.run("%%ds\nQ2", cell_id="two")
    assert wire(server, 1) == ["Q1"]
    assert wire(server, 2) == ["Q1", "A1 again", "Q2"]
    assert first["parent"] is again["parent"] is None
    assert first["id"] != again["id"]
    assert kernel.value("len(ds.get_session().conversation)") == 3


def test_run_all_twice_is_the_same_conversation(kernel, server):
    server.queue(*[answer(f"A{n}") for n in (1, 2, 1, 2)])
    for _ in range(2):
        for n in (1, 2):
            kernel.run(f"%%ds\nQ{n}", cell_id=f"cell-{n}")
    assert wire(server, 2) == ["Q1"]
    assert wire(server, 3) == ["Q1", "A1", "Q2"]


def test_without_cell_ids_the_conversation_goes_on(kernel, server):
    server.queue(answer("A1"), answer("A2"))
    kernel.run("%%ds\nQ1")
    kernel.run("%%ds\nQ2")
    assert wire(server, 1) == ["Q1", "A1", "Q2"]


def test_two_questions_of_one_cell_follow_each_other(kernel, server):
    server.queue(*[answer(f"A{n}") for n in (1, 2, 1, 2)])
    for _ in range(2):
        kernel.run("%ds Q1\n%ds Q2", cell_id="both")
    assert wire(server, 1) == wire(server, 3) == ["Q1", "A1", "Q2"]
    assert wire(server, 2) == ["Q1"]


def test_python_and_magics_share_one_conversation(kernel, server):
    server.queue(answer("A1"), answer("A2"))
    kernel.run("reply = ds.ask('Q1')")
    kernel.run("%%ds\nQ2")
    assert wire(server, 1) == ["Q1", "A1", "Q2"]


def test_no_history_leaves_no_trace(kernel, server):
    server.queue(answer("A1"), answer("A2"), answer("A3"))
    kernel.run("%%ds\nQ1")
    kernel.run("%%ds --no-history\nQ2")
    kernel.run("%%ds\nQ3")
    assert wire(server, 1) == ["Q2"]
    assert wire(server, 2) == ["Q1", "A1", "Q3"]


def test_new_begins_afresh(kernel, server):
    server.queue(answer("A1"), answer("A2"))
    kernel.run("%%ds\nQ1")
    kernel.run("%%ds --new\nQ2")
    assert wire(server, 1) == ["Q2"]


def test_a_failed_question_leaves_no_trace(kernel, server):
    from tests.support.scripted import error

    server.queue(error(400, "No."), answer("A2"))
    assert not kernel.run("%%ds\nQ1", cell_id="one").ok
    kernel.run("%%ds\nQ2", cell_id="two")
    assert wire(server, 1) == ["Q2"]


def test_continuing_twice_from_one_cell_asks_the_same(kernel, server):
    server.queue(answer("One, two,", finish="length"), answer(" three."), answer(" three!"))
    kernel.run("%%ds\nCount.", cell_id="one")
    for number in (1, 2):
        assert kernel.run("%%ds --continue", cell_id="two").ok
        assert wire(server, number) == ["Count.", "One, two,"]
