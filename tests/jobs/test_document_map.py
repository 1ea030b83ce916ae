"""A question about a document that does not fit: of each part, and then over what these say."""

from __future__ import annotations

import re

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    ConfigurationError,
    ContextLengthError,
    JobStoppedError,
    ParameterError,
)
from deepseek_jupyter.session.session import get_session
from tests.jobs.conftest import begin

LINES = [f"Line {n}: speaker {n % 7} talked about item {n * 13}." for n in range(1, 1_151)]
LINES[700] = "Line 701: write to ada@example.com about the harbour."
QUESTION = "Who is to be written to?"


def said(body) -> str:
    """Each part says where it begins, the last question what it was told of them."""
    asked = body["messages"][-1]["content"]
    if "[part 1: " in asked:
        return f"There were {asked.count('[part ')} parts."
    mail = re.search(r"<email-\d+>", asked)
    return f"Begins {asked.splitlines()[1][:20]!r}, {mail[0] if mail else 'nothing'}"


@pytest.fixture
def server(serve, monkeypatch, tmp_path):
    made = serve(said)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.txt").write_text("\n".join(LINES))
    small(monkeypatch)
    return made


def small(monkeypatch):
    begin(monkeypatch).config.providers = {"deepseek": {"context_tokens": 9_000}}


def ask(prompt: str = QUESTION, **options):
    given = {"attach": "talk.txt", "fit": "map", "budget": 1.0, "stream": False, "show": False}
    return ds.ask(prompt, **{**given, **options})


def parts(server) -> list[str]:
    texts = [messages[-1]["content"] for messages in server.messages]
    return [text for text in texts if "[part 1: " not in text]


def test_every_line_is_in_one_part_and_the_answer_is_over_them(server):
    reply = ask()
    asked = parts(server)
    seen = [line for text in asked for line in re.findall(r"^Line \d+:", text, re.MULTILINE)]
    assert sorted(seen) == sorted(line.partition(":")[0] + ":" for line in LINES)
    assert all(text.endswith(QUESTION) for text in asked)
    assert reply.text == f"There were {len(asked)} parts."
    assert "ada@example.com" not in str(server.messages)
    last = server.messages[-1][-1]["content"]
    assert re.findall(r"\[part (\d+): talk.txt\]", last) == [str(n + 1) for n in range(len(asked))]
    assert last.count("<email-1>") == 1
    assert "Of `talk.txt` the model reads what it said of each part." in reply.turn.notices
    assert reply.turn.prompt == QUESTION


def test_a_rerun_is_free_and_a_changed_page_is_one_part(server, monkeypatch, tmp_path):
    ask(history=False)
    count = server.accepted
    assert ask(history=False, budget=None).turn.replayed
    small(monkeypatch)  # another kernel
    assert ask(history=False, budget=None).turn.replayed
    assert server.accepted == count
    (tmp_path / "talk.txt").write_text("\n".join([*LINES[:-1], "Line 1150: new."]))
    ask(history=False)
    assert server.accepted == count + 2  # that part, and the answer over all


def test_it_is_refused_without_a_budget_and_with_too_small_a_one(server):
    with pytest.raises(ConfigurationError) as told:
        ask(budget=None)
    assert re.search(
        r"no budget for them. parts: \d+; [\d,]+ tokens to read.*; price: at most \$0\.\d+.*; "
        r"time: about \d+",
        told.value.what,
    )
    assert "--dry-run shows the plan" in told.value.hint
    with pytest.raises(ConfigurationError, match=r"more than the budget of 0\.001"):
        ask(budget=0.001)
    assert server.accepted == 0
    assert ask(budget=0).text.startswith("There were")


def test_no_more_is_spent_than_the_budget(server):
    most = re.search(r"at most \$(0\.\d+)", str(ask(dry_run=True)))
    reply = ask(budget=float(most[1]) * 1.01)
    spent = sum(total.cost.get("USD", 0) for total in get_session().jobs.values())
    assert 0 < spent + reply.cost < float(most[1])


def test_the_dry_run_has_the_plan_and_the_first_request(server):
    shown = ask(dry_run=True)
    text = str(shown)
    assert re.search(r"price +at most \$0\.\d+, with the answer over them", text)
    assert re.search(r"time +about ", text)
    assert shown.messages[-1]["content"].startswith("`talk.txt`:\ntalk.txt: file")
    assert server.accepted == 0
    ask()
    assert server.messages[0] == shown.messages
    assert re.search(r"parts +\d+, \d+ of them kept; 0 tokens to read", str(ask(dry_run=True)))


def test_what_fits_goes_whole(server, tmp_path):
    (tmp_path / "talk.txt").write_text("A short talk.")
    ask(budget=None)
    assert "A short talk." in server.messages[-1][-1]["content"]
    assert server.accepted == 1


def test_several_documents_share_parts(server, tmp_path):
    (tmp_path / "note.txt").write_text("Before the talk there was a note.")
    ask(attach=["note.txt", "talk.txt"])
    assert "`note.txt`:\nnote.txt: file" in parts(server)[0]
    assert "`talk.txt`:\ntalk.txt: file" in parts(server)[0]


def test_the_refusal_has_each_way_with_its_price_and_time(server):
    with pytest.raises(ContextLengthError) as told:
        ask(fit=None)
    for way in ("parts", "head", "map"):
        assert re.search(
            rf"--fit {way} [^()]*\([^)]* tokens, about \$0\.\d+, about [\d.]+ s\)", told.value.hint
        )


def test_what_cannot_be(server):
    with pytest.raises(ParameterError, match="--cite quotes what is sent"):
        ask(cite=True)
    with pytest.raises(ParameterError, match="does not stream"):
        ds.stream(QUESTION, attach="talk.txt", fit="map")
    with pytest.raises(ContextLengthError, match="too many for --fit map"):
        ask(attach={"text": "word " * 1_000_000})


def test_a_part_that_fails_is_asked_alone_the_next_time(serve, monkeypatch, tmp_path):
    server = serve(said, fail=lambda body, number: 400 if number == 3 else 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.txt").write_text("\n".join(LINES))
    small(monkeypatch)
    with pytest.raises(JobStoppedError, match="1 of "):
        ask()
    before = server.accepted
    ask()
    assert server.accepted <= before + 2


def test_in_a_cell(server, shell):
    shell.run_cell_magic("ds", "-a talk.txt --fit map --budget 1 --no-stream", QUESTION)
    assert ds.last.text.startswith("There were")
    assert "The plan" in str(shell.run_cell_magic("ds", "-a talk.txt --fit map --dry-run", "Why?"))
