"""What every caller of `ask`, `aask` and `stream` may rely on, above all where no answer comes.

One error with the part that arrived, no key in anything, nothing left running. `test_recordings`
reads every recorded reply through these functions.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import api
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.session.session import Session

from .support.asking import KEY, assert_keyless, session_at
from .support.scripted import (
    Reply,
    Server,
    answer,
    chunk,
    deltas,
    error,
    event,
    reset,
    send,
    stall,
    whole,
)


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[Session, Server]]:
    """One session for all, as in a kernel, its providers at a scripted server."""
    with Server() as server:
        yield session_at(server, idle_timeout=1.0), server


@pytest.fixture
def host(kernel, environment, monkeypatch) -> Server:
    """The server, emptied, behind the functions of the package."""
    session, server = kernel
    server.forget()
    session.conversation.reset()
    monkeypatch.setattr(sessions, "_session", session)
    for variable in ("DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(variable, KEY)
    return server


HALF = send(event(chunk({"content": "Half an ans"})))


def ask(**options: Any) -> ds.Reply:
    return ds.ask("Say hello.", show=False, **options)


class TestTrouble:
    @pytest.mark.parametrize(
        "fault", [Reply(HALF), Reply(HALF, reset()), Reply(HALF, stall())], ids=["end", "reset", ""]
    )
    def test_a_broken_answer_is_kept_with_its_error(self, host, fault):
        host.queue(fault)
        with pytest.raises(ds.DeepSeekError) as broken:
            ask()
        assert broken.value.reply.text == "Half an ans"
        assert broken.value.reply.finish_reason == "truncated"
        assert ds.last is broken.value.reply
        assert_keyless(broken.value)
        assert KEY not in repr(ds.last) + str(ds.last.turn.record) + str(ds.last.bundle())

    def test_a_server_that_repeats_the_key_does_not_get_it_into_the_record(self, host):
        host.queue(Reply(HALF, send(event({"error": {"message": f"bad {KEY}", "code": "401"}}))))
        reply = ask(on_error="return")
        assert reply.text == "Half an ans"
        assert KEY not in str(reply.error) + str(reply.turn.record) + str(reply.bundle())

    def test_an_interrupt_keeps_the_part_and_closes_the_connection(self, host):
        host.queue(Reply(deltas(100_000, rate=100)))
        threading.Timer(0.4, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(ds.Interrupted) as stopped:
            ask()
        assert host.requests[0].closed.wait(60)
        assert stopped.value.reply.text
        assert stopped.value.reply.finish_reason == "interrupted"
        assert ds.last is stopped.value.reply

    def test_leaving_a_stream_early_closes_the_connection(self, host):
        host.queue(Reply(deltas(100_000, rate=100)))
        stream = ds.stream("Say hello.")
        for delta in stream:
            if isinstance(delta, TextDelta):
                break
        del stream
        assert host.requests[0].closed.wait(60)

    def test_the_next_question_works_after_any_trouble(self, host):
        for fault in (error(500), Reply(HALF, reset()), error(401, "No.")):
            host.queue(fault)
            with pytest.raises(ds.DeepSeekError):
                ask()
            host.queue(answer("Fine."))
            assert ask(history=False).text == "Fine."

    def test_a_wrong_parameter_is_refused_before_anything_is_sent(self, host):
        with pytest.raises(ds.DeepSeekError, match="temperature"):
            ask(temperature=9)
        assert host.requests == []


def test_public_names_mean_the_same_before_and_after_use(host):
    """A submodule of the same name would take a function's place once it is imported."""
    host.queue(answer("Hello."))
    ask()
    assert ds.get_session() is api.get_session()
    for name in ("ask", "aask", "stream", "enable_nested"):
        assert callable(getattr(ds, name))


class TestReply:
    """Everything that a caller may want to know, in one object."""

    def test_it_tells_text_thinking_usage_cost_model_and_time(self, host):
        host.queue(answer('{"a": 1}', reasoning="Hm."))
        reply = ask(model="deepseek-chat", history=False)
        assert str(reply) == reply.text == '{"a": 1}'
        assert reply.reasoning == "Hm."
        assert reply.data == {"a": 1}
        assert reply.tool_calls == ()
        assert reply.finish_reason == "stop"
        assert reply.model == "deepseek-flash"  # which served, not which was asked
        assert reply.usage.cache_hit_tokens == 4
        assert reply.cost > 0
        assert reply.currency == "USD"
        assert 0 < reply.timing["first_token"] <= reply.timing["total"]
        assert reply.error is None

    @pytest.mark.parametrize(
        "reason", ["length", "content_filter", "insufficient_system_resource", "aborted"]
    )
    def test_an_abnormal_end_is_told_under_the_answer(self, host, reason):
        host.queue(answer("Half", finish=reason))
        reply = ask(history=False)
        assert reply.finish_reason == reason
        assert reply.turn.notices

    def test_a_thought_without_an_answer_is_explained(self, host):
        host.queue(answer("", reasoning="Very long.", finish="length"))
        reply = ask(history=False)
        assert reply.text == ""
        assert "--max-tokens" in reply.turn.notices[0]

    def test_half_a_tool_call_is_left_as_it_is_and_nothing_runs(self, host):
        from .support.wording import tool_call

        half = tool_call("c1", "f", '{"city": "Par')
        host.queue(answer("", tool_calls=[half], finish="length"))
        reply = ask(history=False, tools=[{"type": "function", "function": {"name": "f"}}])
        assert reply.tool_calls[0].arguments == '{"city": "Par'
        assert reply.finish_reason == "length"
        assert len(host.requests) == 1


class TestConversation:
    def test_a_second_question_brings_the_first_along(self, host):
        host.queue(answer("Rome.", reasoning="Easy."), whole("Paris."))
        ask()
        ds.ask("And France?", show=False, stream=False)
        assert [m["content"] for m in host.requests[1].json["messages"]] == [
            "Say hello.",
            "Rome.",
            "And France?",
        ]

    def test_an_interrupted_tool_turn_does_not_spoil_the_next_question(self, host):
        """The validator in the server would complain about an unanswered call."""
        from .support.wording import tool_call

        host.queue(answer("", tool_calls=[tool_call("c1", "f", "{}")], finish="tool_calls"))
        host.queue(answer("Fine."))
        ask(tools=[{"type": "function", "function": {"name": "f"}}])
        assert ask().text == "Fine."
        assert host.complaints == []
