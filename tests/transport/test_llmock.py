"""An outside witness: llmock misbehaves by its own ideas and judges the client by its journal."""

from __future__ import annotations

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.transport.client import Client, Timeouts
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.providers import PROVIDERS
from deepseek_jupyter.transport.retry import RetryPolicy
from tests.support.asking import HASTY, Outcome, ask, exchange_with

pytest.importorskip("llmock", reason="needs llmock")
TEXT = "The quick brown fox jumps over the lazy dog, and then does it again."


@pytest.fixture
def witness(llmock):
    """llmock on loopback, answering with TEXT."""
    return llmock.reply(TEXT, times=None)


def asked(witness, policy: RetryPolicy = HASTY, **request) -> Outcome:
    provider = PROVIDERS["vllm"].derive(base_url=witness.base_url("openai"))
    client = Client(Timeouts(connect=2, first=3, idle=0.4), policy)
    try:
        return ask(exchange_with(provider, model="gpt-4o", **request), client)
    finally:
        engine().run(client.close())


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer(witness, stream):
    outcome = asked(witness, stream=stream)
    assert outcome.error is None
    assert outcome.text == TEXT
    assert outcome.completion.usage is not None
    witness.assert_resilient(strict=True)


@pytest.mark.slow
def test_retry_after_is_honoured(witness):
    witness.rate_limit(times=2, retry_after=0.3)
    outcome = asked(witness)
    assert outcome.text == TEXT
    assert outcome.seconds >= 0.6
    witness.assert_resilient()


@pytest.mark.slow
def test_an_outage_ends_in_one_error_after_a_few_tries(witness):
    witness.outage()
    assert isinstance(asked(witness).error, errors.OverloadedError)
    assert len(witness.requests) == HASTY.attempts


def test_a_refusal_is_not_repeated(witness):
    witness.fail(401)
    assert isinstance(asked(witness).error, errors.AuthenticationError)
    witness.assert_resilient()
    assert len(witness.requests) == 1


def test_an_overflow_is_named(witness):
    witness.context_overflow()
    assert isinstance(asked(witness).error, errors.ContextLengthError)


@pytest.mark.parametrize("fault", ["disconnect", "truncate"])
def test_a_cut_stream_is_a_marked_part(witness, fault):
    getattr(witness, fault)(after_chunks=4)
    outcome = asked(witness)
    assert isinstance(outcome.error, errors.TruncatedError)
    assert outcome.completion.answer
    assert TEXT.startswith(outcome.completion.answer)
    assert len(witness.requests) == 1


def test_a_stall_ends_with_the_part(witness):
    witness.stall(after_chunks=4, seconds=5)
    outcome = asked(witness)
    assert isinstance(outcome.error, errors.TruncatedError)
    assert TEXT.startswith(outcome.completion.answer)
    assert outcome.seconds < 4.5


def test_a_malformed_chunk_is_said_not_swallowed(witness):
    witness.corrupt(after_chunks=4)
    outcome = asked(witness)
    assert outcome.error is None
    assert outcome.completion.answer != TEXT
    assert "could not be read" in outcome.notices[0]


def test_tool_calls(witness):
    witness.reset().call_tool("weather", {"city": "Paris"})
    outcome = asked(witness)
    call = outcome.completion.tool_calls[0]
    assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')
