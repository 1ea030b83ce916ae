"""What the user does while a turn runs: it is kept where it was asked, and moves nobody."""

from __future__ import annotations

import pytest

from tests.support.kernels import Kernel
from tests.support.page import Page
from tests.support.scripted import Reply, answer, deltas

LONG = "A long story"


def prompts(page: Page) -> list[str]:
    """The questions of the active branch."""
    way = [id for id, *_ in page.ask("conversation")["way"]]
    return [record["prompt"] for record in page.ask("turns", ids=way)["records"]] if way else []


@pytest.fixture
def running(page, server):
    """Begin an answer that does not end; give its record and what stops it."""

    def give():
        server.queue(Reply(deltas(4000, rate=100)))
        asked = page.send("ask", prompt=LONG)
        record = page.turn("begun", LONG)
        page.until(lambda m: m["type"] == "delta" and m["id"] == record["id"])

        def stop() -> None:
            page.say({"type": "stop", "id": record["id"]})
            assert page.answer(asked)["status"] == "interrupted"

        return record, stop

    return give


def test_a_turn_that_ends_leaves_the_user_on_the_answer_he_switched_to(page, server, running):
    server.queue(answer("One."), answer("Two."))
    page.ask("conversation")
    first = page.ask("ask", prompt="Say a word.")["turn"]
    second = page.ask("regenerate", turn=first)["turn"]
    record, stop = running()
    assert page.ask("switch", turn=second, step=-1)["tip"] == first
    stop()
    assert page.ask("conversation")["tip"] == first
    parents = {node["id"]: node["parent"] for node in page.ask("tree")["nodes"]}
    assert parents[record["id"]] == second
    assert page.ask("switch", turn=first, step=1)["tip"] == record["id"]


def test_a_turn_that_ends_is_the_tip_of_the_branch_it_began_on(page, kernel, server, running):
    server.queue(answer("One."))
    page.ask("conversation")
    page.ask("ask", prompt="Say a word.")
    record, stop = running()
    assert kernel.run("%deepseek fork main side").ok
    stop()
    at = page.ask("conversation")
    assert at["active"] == "side"
    assert prompts(page) == ["Say a word."]
    assert at["branches"]["main"] == record["id"]


@pytest.mark.parametrize("back", ["before the end", "after the end"])
def test_a_turn_ends_in_its_own_conversation(page, server, running, back):
    server.queue(answer("One."))
    began = page.ask("conversation")["conversation"]
    page.ask("ask", prompt="Say a word.")
    _, stop = running()
    page.ask("new")
    if back == "after the end":
        stop()
        assert prompts(page) == []
    page.ask("open", conversation=began)
    if back == "before the end":
        stop()
    assert prompts(page) == ["Say a word.", LONG]


@pytest.mark.slow
def test_the_conversation_that_was_opened_last_comes_back(base_environment, server, tmp_path):
    environment = {**base_environment, "JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}
    environment["DEEPSEEK_JUPYTER_HOME"] = str(tmp_path / "state")
    server.queue(answer("A."), answer("B."), answer("C."))
    with Kernel(environment, tmp_path / "one") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        page = Page(kernel)
        page.ask("ask", prompt="In the first?")
        first = page.ask("conversation")["conversation"]
        page.ask("new")
        page.ask("ask", prompt="In the second?")
        page.ask("open", conversation=first)
        kernel.shut_down()
    with Kernel(environment, tmp_path / "two") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        page = Page(kernel)
        assert prompts(page) == ["In the first?"]
        page.ask("new")
        page.ask("ask", prompt="In the third?")
        kernel.shut_down()
    with Kernel(environment, tmp_path / "three") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        assert prompts(Page(kernel)) == ["In the third?"]
