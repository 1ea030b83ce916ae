"""What is kept of an answer for audits, and how turns are looked at again."""

from __future__ import annotations

import json

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.exports import export_text, training, write_export
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.errors import ConversationError
from deepseek_jupyter.protocol.output import TURN_MIME, packed, unpacked
from tests.support.asking import KEY
from tests.support.scripted import answer, error, plain
from tests.support.wording import USAGE

LOGPROBS = {"content": [{"token": "Fine", "logprob": -0.1, "top_logprobs": []}]}
WHOLE = {
    "id": "gen-1",
    "created": 1759276800,
    "model": "deepseek/deepseek-v3.2-exp",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Fine"},
            "logprobs": LOGPROBS,
            "finish_reason": "stop",
            "native_finish_reason": "end_turn",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}
SAID = {
    "id": "gen-1",
    "created": "1759276800",
    "fingerprint": "fp_1",
    "native_finish_reason": "end_turn",
    "request_id": "0123456789abcdef0123456789abcdef",
}


def ask(prompt="Hello?", **options):
    return ds.ask(prompt, show=False, **options)


@pytest.mark.parametrize("stream", [True, False])
def test_a_reply_keeps_how_it_named_itself_and_what_was_asked(session, server, stream):
    server.queue(plain(WHOLE) if not stream else answer("Fine"))
    reply = ask(think=True, effort="high", stream=stream)
    assert (reply.audit["think"], reply.audit["effort"]) == (True, "high")
    if not stream:
        assert reply.audit == {"think": True, "effort": "high", **SAID}
        assert reply.logprobs == LOGPROBS
    kept = session.conversation.turn(reply.turn.id)
    assert (kept.audit, kept.logprobs) == (reply.audit, reply.logprobs)
    assert unpacked({TURN_MIME: packed(reply.record, "")})["audit"] == reply.audit


def test_it_is_in_the_journal_after_a_restart(session, server):
    server.queue(plain(WHOLE))
    reply = ask(stream=False)
    kept = Journal.open().turn(reply.turn.id)
    assert kept.audit == SAID
    assert kept.logprobs == LOGPROBS
    assert "logprobs" not in kept.record


def test_no_key_gets_into_it(session, server):
    said = {**WHOLE, "id": f"x{KEY}", "system_fingerprint": KEY}
    server.queue(plain(said, headers={"x-ds-trace-id": KEY}))
    assert KEY not in str(ask(stream=False).turn)


def test_without_a_journal_too(session, server):
    session.memory.conversation = Conversation()
    server.queue(answer("A giraffe."), error(400, "no"))
    reply = ask(history=False)
    failed = ask(on_error="return")
    conversation = session.conversation
    assert conversation.look_up(reply.turn.id[-6:]).answer == "A giraffe."
    assert conversation.look_up(failed.turn.id[-6:]).error["message"]
    assert not len(conversation)


@pytest.mark.parametrize("backend", ["records", "pandas", "polars", "pyarrow", None])
def test_turns_as_a_frame(session, server, backend):
    server.queue(answer("One.", reasoning="Hm."), answer("Two.", usage=USAGE), error(400, "no"))
    for options in (
        {"think": True},
        {"history": False, "temperature": 0.5},
        {"on_error": "return"},
    ):
        ask(**options)
    frame = ds.turns(backend=backend)
    if backend in ("pandas", None):
        frame = frame.to_dict("records")
    elif backend == "polars":
        frame = frame.to_dicts()
    elif backend == "pyarrow":
        frame = frame.to_pylist()
    assert [row["answer"] for row in frame] == ["One.", "Two.", ""]
    assert frame[0]["think"] is True
    assert frame[0]["reasoning"] == "Hm."
    assert frame[1]["parameters"] == '{"temperature":0.5}'
    assert frame[1]["prompt_tokens"] == USAGE["prompt_tokens"]
    assert frame[1]["cost"] > 0
    assert frame[2]["error"]
    assert [row["sent"] for row in frame] == ["Hello?"] * 3


def test_turns_of_the_whole_journal(session, server):
    server.queue(answer("One."), answer("Two."))
    ask()
    session.conversation.reset()
    ask()
    assert [row["answer"] for row in ds.turns(backend="records")] == ["Two."]
    assert [row["answer"] for row in ds.turns(journal=True, backend="records")] == ["One.", "Two."]


@pytest.mark.parametrize("backend", ["records", "pandas", "polars", "pyarrow"])
def test_no_turn_is_a_frame_too(session, backend):
    assert len(ds.turns(backend=backend)) == 0


def test_lines_for_training(session, server):
    server.queue(answer("A1", reasoning="R1"), answer("A2"), answer("A3"), error(400, "no"))
    ask("Q1", system="Be brief.")
    ask("Q2", system="Be brief.")
    ask("Q3", history=False)
    ask("Q4", on_error="return")
    said = [json.loads(line) for line in export_text(session.conversation, ".jsonl").splitlines()]
    first = {"role": "assistant", "content": "A1", "reasoning_content": "R1"}
    assert said == [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Q1"},
                first,
                {"role": "user", "content": "Q2"},
                {"role": "assistant", "content": "A2"},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "Q3"},
                {"role": "assistant", "content": "A3"},
            ]
        },
    ]


def test_a_cut_answer_teaches_nothing(session, server):
    server.queue(answer("Half", finish="length"))
    ask()
    assert not list(training(session.conversation))


def test_lines_for_audits(session, server, tmp_path):
    server.queue(plain(WHOLE), answer("Two."))
    ask("Write to ann@example.org", stream=False)
    ask(history=False)
    write_export(session.conversation, tmp_path / "a.jsonl", audit=True)
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert first["audit"] == SAID
    assert first["logprobs"] == LOGPROBS
    assert first["sent"] == "Write to <email-1>"
    assert second["answer"] == "Two."
    with pytest.raises(ConversationError):
        write_export(session.conversation, tmp_path / "a.jsonl", audit=True)
