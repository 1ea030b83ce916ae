"""Ghost text in the kernel: what a page is told, what a server sees, what it costs."""

from __future__ import annotations

import json
import time

import pytest

from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.display.pages import Request
from deepseek_jupyter.page.inline_completion import complete
from deepseek_jupyter.page.state import status
from deepseek_jupyter.protocol.tokens import estimate_tokens
from tests.support.asking import KEY
from tests.support.ghosts import Page
from tests.support.scripted import Reply, error, event, send, stall
from tests.support.wording_fim import fim, fim_chunks, infill

HALF = send(*[event(chunk) for chunk in fim_chunks("return a")[:2]])


@pytest.fixture
def page(session) -> Page:
    return Page(session)


def test_a_page_is_told_the_text_as_it_comes_and_then_that_it_is_whole(page, server):
    server.queue(fim("return a + b"))
    page.complete("g1", suffix="\nadd(1, 2)", max_tokens=50)
    assert "error" not in page.done("g1")
    assert page.text("g1") == "return a + b"
    (request,) = server.requests
    assert request.path == "/deepseek/beta/completions"
    assert request.json["prompt"] == "def add(a, b):\n    "
    assert request.json["suffix"] == "\nadd(1, 2)"
    assert request.json["max_tokens"] == 50
    assert KEY not in json.dumps(page.told)


def test_a_cancelled_one_is_closed_at_the_server(page, server):
    server.queue(Reply(HALF, stall()))
    page.complete("g1")
    page.until(lambda m: m.get("text"))
    page.cancel("g1")
    assert server.requests[0].closed.wait(60)


def test_one_that_still_waits_for_headers_is_closed_too(page, server):
    server.queue(Reply(stall()))
    page.complete("g1")
    server.wait_for_requests(1)
    page.cancel("g1")
    assert server.requests[0].closed.wait(60)


def test_the_next_one_of_a_page_ends_the_one_before(page, server):
    server.queue(Reply(HALF, stall()), fim("x"))
    page.complete("g1")
    page.until(lambda m: m.get("text"))
    page.complete("g2")
    page.done("g2")
    assert server.requests[0].closed.wait(60)
    assert page.text("g2") == "x"


def test_pages_do_not_end_each_others(page, server, session):
    other = Page(session, "other")
    server.queue(Reply(HALF, stall()), fim("x"))
    page.complete("g1")
    page.until(lambda m: m.get("text"))
    other.complete("g1")
    other.done("g1")
    page.cancel("g0")  # one of the past
    assert not server.requests[0].closed.is_set()


def test_what_was_settled_while_somebody_typed_is_not_looked_up_again(
    page, server, session, monkeypatch
):
    server.queue(fim("x"))
    page.settle()
    monkeypatch.setattr(session.endpoints, "provider", None)  # a look would fail
    page.complete("g1")
    assert "error" not in page.done("g1")
    assert len(server.requests) == 1


def test_settling_sends_nothing_and_keeps_what_forbids_for_the_request(page, server, session):
    session.config.provider = "nobody"
    page.settle()
    assert page.told == []
    page.complete("g1")
    assert "nobody" in page.done("g1")["error"]["message"]
    assert server.requests == []


def test_an_error_is_told_with_what_to_do_and_without_the_key(page, server):
    server.queue(error(401, f"Authentication Fails, Your api key: {KEY} is invalid"))
    page.complete("g1")
    told = page.done("g1")["error"]
    assert told["message"]
    assert told["hint"]
    assert KEY not in json.dumps(page.told)
    assert session_total(page).turns == 0


def test_a_provider_without_it_is_told_before_anything_is_sent(page, server, session):
    session.config.provider = "siliconflow"
    session.config.base_url = server.base_url("siliconflow")
    page.complete("g1")
    assert "fill-in-the-middle" in page.done("g1")["error"]["message"]
    assert server.requests == []


def test_it_may_come_from_another_provider_than_the_answers(page, server, session):
    session.config.providers = {"near": {"like": "llamacpp", "base_url": server.base_url("near")}}
    session.config.fim_provider, session.config.fim_model = "near", "qwen"
    server.queue(infill("a + b"))
    page.complete("g1")
    page.done("g1")
    assert page.text("g1") == "a + b"
    assert server.requests[0].path == "/near/infill"


def session_total(page):
    return sum(page.session.ghosts.spent.values(), Total(""))


def test_it_is_paid_apart_from_the_conversation(page, server, session):
    server.queue(fim("x"), fim("y"))
    for id in ("g1", "g2"):
        page.complete(id)
        page.done(id)
    total = session_total(page)
    assert total.turns == 2
    assert total.usage.prompt_tokens == 40
    assert total.cost["USD"] > 0
    told = status(session)
    assert told["ghosts"] == 2
    assert told["ghost_spent"].startswith("~$")
    assert told["turns"] == 0
    assert told["notebook"] is None
    assert session.spent == []
    assert session.last is None


def test_a_cancelled_one_is_estimated(page, server):
    server.queue(Reply(HALF, stall()))
    prefix = "x = 1\n" * 100
    page.complete("g1", prefix=prefix)
    page.until(lambda m: m.get("text"))
    page.cancel("g1")
    deadline = time.monotonic() + 60
    while not session_total(page).turns and time.monotonic() < deadline:
        time.sleep(0.01)
    assert session_total(page).usage.prompt_tokens == estimate_tokens(prefix)


@pytest.mark.parametrize(
    "body", [{}, {"id": 3, "prefix": None, "suffix": 7, "max_tokens": "many"}, {"prefix": ["x"]}]
)
def test_a_malformed_request_ends_with_an_error_or_an_answer(session, server, body):
    page = Page(session)
    server.queue(fim("x"))
    complete(session, Request({"page": "p", **body}, page._tell))
    page.until(lambda m: m.get("done"))


def test_what_the_gate_masks_leaves_masked_and_comes_back(page, server):
    server.queue(fim("send(<email-1>)"))
    page.complete(
        "g1", prefix="to = 'anna.schmidt@example.org'\n", suffix="\n# sk-abcdefghijklmnop1234"
    )
    page.done("g1")
    sent = server.requests[0].raw.decode()
    assert "anna.schmidt" not in sent
    assert "<email-1>" in sent
    assert "sk-abcdefghijklmnop1234" not in sent
    assert page.text("g1") == "send(anna.schmidt@example.org)"


@pytest.mark.parametrize(
    "rule", ["hints_only = true", "no_whole_solutions = true", "forbid_code_insertion = true"]
)
def test_a_teaching_policy_leaves_no_place_for_it(page, server, tmp_path, monkeypatch, rule):
    (tmp_path / "deepseek-policy.toml").write_text(f"[teaching]\n{rule}\n")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "n.ipynb"))
    page.complete("g1")
    assert "allows no provider for ghost text" in page.done("g1")["error"]["message"]
    assert server.requests == []


def test_a_notebooks_budget_holds_for_it(page, server, session):
    session.config.notebook_budget = 0.0000001
    page.complete("g1")
    assert "budget" in page.done("g1")["error"]["message"]
    assert server.requests == []
