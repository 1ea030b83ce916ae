"""An answer that goes on from another token than its own."""

from __future__ import annotations

import math

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.next_tokens import branching
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.turn import read_record
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.logprobs import joined, tokens_of
from deepseek_jupyter.protocol.output import TURN_MIME, packed, unpacked
from tests.support.scripted import answer, error
from tests.support.tokens import answer_of, place

RED = [
    place("I", -0.01),
    place(" like", -0.2),
    place(" red", math.log(0.61), (" blue", math.log(0.08)), ("<|im_end|>", -4.0), ("", -5.0)),
    place(".", -0.1),
]
BLUE = [place(" best", -0.3), place(".", -0.1)]


def asked(session, server, *tokens, **options):
    server.queue(answer_of(tokens or RED))
    return ds.ask("Which colour?", show=False, top_logprobs=5, **options)


def contents(request):
    return [(m["role"], m["content"]) for m in request.json["messages"]]


def test_it_is_a_sibling_that_goes_on_from_the_chosen_token(session, server):
    server.queue(answer("Hello."))
    ds.ask("Hello?", show=False)
    first = asked(session, server, system="Be brief.", temperature=0.5, max_tokens=50)
    server.queue(answer_of(BLUE))
    branched = ask(session, branching(first.turn, 2, 0))
    sent = server.requests[-1]
    assert contents(sent) == [
        ("system", "Be brief."),
        *(("user", "Hello?"), ("assistant", "Hello.")),
        *(("user", "Which colour?"), ("assistant", "I like blue")),
    ]
    assert sent.json["messages"][-1]["prefix"] is True
    assert "/beta/" in sent.path
    assert sent.json["thinking"] == {"type": "disabled"}
    assert (sent.json["temperature"], sent.json["max_tokens"]) == (0.5, 50)
    assert (sent.json["logprobs"], sent.json["top_logprobs"]) == (True, 5)
    assert branched.text == "I like blue best."
    assert branched.record["notices"] == ["You chose ‹␣blue› (8.0 %) in place of ‹␣red› (61 %)."]
    assert branched.turn.parent == first.turn.parent
    assert branched.record["branch"] == {"index": 2, "count": 2}
    found = tokens_of(branched.logprobs["content"])
    assert joined(found) == branched.text
    assert [token.chosen for token in found] == [False, False, True, False, False]
    assert dict(found[2].pairs)[b" red"] == pytest.approx(math.log(0.61))
    server.queue(answer("Yes."))
    ds.ask("Sure?", show=False)
    assert contents(server.requests[-1])[-2:] == [
        ("assistant", "I like blue best."),
        ("user", "Sure?"),
    ]
    assert contents(server.requests[-1])[-3] == ("user", "Which colour?")


def test_its_own_token_again_and_a_branch_of_a_branch(session, server):
    first = asked(session, server)
    server.queue(answer_of(RED[3:]))
    again = ask(session, branching(first.turn, 2, -1))
    assert (again.text, again.record["notices"]) == (first.text, ["You chose ‹␣red› (61 %)."])
    server.queue(answer_of(BLUE))
    third = ask(session, branching(again.turn, 2, 0))
    assert third.text == "I like blue best."
    assert third.record["branch"] == {"index": 3, "count": 3}


def test_an_answer_that_ends_there_is_an_answer(session, server):
    first = asked(session, server)
    server.queue(answer(""))
    branched = ask(session, branching(first.turn, 2, 0))
    assert (branched.text, branched.error) == ("I like blue", None)


def test_a_request_that_fails_leaves_the_conversation_where_it_was(session, server):
    first = asked(session, server)
    server.queue(error(400, "no prefix here"))
    failed = ask(session, branching(first.turn, 2, 0))
    assert (failed.text, session.conversation.tip) == ("", first.turn.id)
    assert failed.error is not None


def test_more_of_an_answer_can_be_branched_and_thinking_goes_off(session, server):
    asked(session, server)
    server.queue(answer_of(RED))
    more = ds.ask("", go_on=True, show=False, thinking={"type": "enabled"}, top_logprobs=1)
    server.queue(answer_of(BLUE))
    assert ask(session, branching(more.turn, 2, 0)).text == "I like blue best."
    assert server.requests[-1].json["thinking"] == {"type": "disabled"}


def test_the_raw_text_goes_out_and_the_user_sees_the_originals(session, server):
    session.config.redact = True
    server.queue(answer_of([place("Write", -0.1), place(" to ", -0.1), place("<email-1>", -0.1)]))
    first = ds.ask("Whom do I write to, ann@example.com?", show=False, top_logprobs=1)
    assert first.text == "Write to ann@example.com"
    server.queue(answer_of([place(" now", -0.1)]))
    branched = ask(session, branching(first.turn, 2, -1))
    assert "ann@" not in server.requests[-1].raw.decode()
    assert contents(server.requests[-1])[-1] == ("assistant", "Write to <email-1>")
    assert branched.text == "Write to ann@example.com now"


@pytest.mark.parametrize(
    ("provider", "message", "body"),
    [
        ("deepseek", {"prefix": True}, {}),
        ("llamacpp", {}, {}),
        ("openrouter", {}, {}),
        ("vllm", {}, {"continue_final_message": True, "add_generation_prompt": False}),
        ("sglang", {}, {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)
def test_each_host_is_told_in_its_own_words(session, server, monkeypatch, provider, message, body):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    session.config.providers = {provider: {"base_url": server.base_url(provider)}}
    first = asked(session, server, provider=provider, model="m")
    server.queue(answer_of(BLUE))
    assert ask(session, branching(first.turn, 2, 0)).text == "I like blue best."
    sent = server.requests[-1].json
    last = {"role": "assistant", "content": "I like blue", **message}
    assert sent["messages"][-1] == last
    names = ("continue_final_message", "add_generation_prompt")
    assert {name: sent[name] for name in names if name in sent} == body
    assert not server.complaints


@pytest.mark.parametrize("provider", ["cometapi", "wcode", "ollama"])
def test_it_is_refused_where_the_host_has_no_prefix_completion(
    session, server, monkeypatch, provider
):
    for name in ("COMETAPI_API_KEY", "WCODE_API_KEY"):
        monkeypatch.setenv(name, "k")
    session.config.providers = {provider: {"base_url": server.base_url(provider)}}
    first = asked(session, server, provider=provider, model="m")
    with pytest.raises(ParameterError, match="cannot continue an answer"):
        ask(session, branching(first.turn, 2, 0))
    assert len(server.requests) == 1
    assert session.conversation.tip == first.turn.id


@pytest.mark.parametrize(("at", "choice"), [(4, 0), (-1, 0), (2, 3), (2, -2), (0, 0)])
def test_there_is_no_such_token(session, server, at, choice):
    first = asked(session, server)
    with pytest.raises(ParameterError, match="no such token"):
        branching(first.turn, at, choice)


@pytest.mark.parametrize("choice", [1, 2])
def test_nothing_follows_the_end_of_an_answer(session, server, choice):
    first = asked(session, server)
    with pytest.raises(ParameterError, match="the answer ends"):
        branching(first.turn, 2, choice)


def test_half_a_character_cannot_be_sent(session, server):
    half = {"token": "�", "bytes": [0xF0, 0x9F], "logprob": -2.0}
    whole = place("👋", -0.1)
    whole["top_logprobs"].append(half)
    first = asked(session, server, whole)
    with pytest.raises(ParameterError, match="within a character"):
        branching(first.turn, 0, 0)


def test_tokens_of_another_text_are_nothing_to_go_on_from(session, server):
    other = {**RED[0], "token": "I", "bytes": [72, 101]}
    first = asked(session, server, other, *RED[1:])
    with pytest.raises(ParameterError, match="are not its text"):
        branching(first.turn, 2, 0)


def test_the_tokens_are_a_frame_and_thinking_has_its_own(session, server):
    server.queue(answer_of(RED, thinking=[place("Hm", -0.5, ("So", -1.0))]))
    reply = ds.ask("Which colour?", show=False, top_logprobs=5)
    assert list(reply.tokens["token"]) == ["I", " like", " red", "."]
    assert reply.tokens["alternatives"][2][" blue"] == pytest.approx(0.08)
    assert list(reply.thinking_tokens["token"]) == ["Hm"]
    assert reply.sureness.startswith("Perplexity 1.22, 0 of 4 tokens under 50 %.")
    server.queue(answer("Fine."))
    plain = ds.ask("And?", show=False)
    assert (list(plain.tokens), plain.sureness, plain.logprobs) == ([], "", None)


def test_without_pandas_they_are_a_list(session, server, monkeypatch):
    reply = asked(session, server)
    monkeypatch.setattr("deepseek_jupyter.tools.arrow.find_spec", lambda name: None)
    assert [row["token"] for row in reply.tokens] == ["I", " like", " red", "."]


def test_they_are_kept_in_the_journal_and_in_the_notebook(session, server):
    reply = asked(session, server)
    assert Journal.open().turn(reply.turn.id).logprobs == reply.logprobs
    record = unpacked({TURN_MIME: packed(reply.record, "")})
    turn = read_record(record)
    again = ds.Reply(turn)
    assert again.sureness == reply.sureness
    assert list(again.tokens["token"]) == list(reply.tokens["token"])
    assert list(again.tokens["p"]) == pytest.approx(list(reply.tokens["p"]), rel=0.006)
