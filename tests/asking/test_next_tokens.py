"""What a model would write next, and what temperature and top-p make of it."""

from __future__ import annotations

import math

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.next_tokens import NEXT_MIME, NextTokens
from deepseek_jupyter.errors import ParameterError
from tests.support.scripted import answer
from tests.support.tokens import answer_of, place

PARIS = place(" Paris", math.log(0.8), (" the", math.log(0.1)), (" a", math.log(0.05)))


def after(*probabilities):
    return NextTokens("x", tuple(zip("abcdefgh", probabilities, strict=False)), "m")


def test_one_token_is_asked_and_the_list_comes_back(session, server):
    server.queue(answer_of([PARIS]))
    found = ds.next_tokens("The capital of France is", n=3)
    sent = server.requests[0].json
    assert sent["messages"][-1] == {
        "role": "assistant",
        "content": "The capital of France is",
        "prefix": True,
    }
    assert (sent["max_tokens"], sent["top_logprobs"]) == (1, 3)
    assert [name for name, _ in found.tokens] == [" Paris", " the", " a"]
    assert dict(found.tokens)[" Paris"] == pytest.approx(0.8)
    assert not len(session.conversation)
    assert "‹␣Paris›   80 %" in repr(found)
    found.at(0.1)
    bundle = found._repr_mimebundle_()
    assert bundle[NEXT_MIME]["tokens"][0] == [" Paris", pytest.approx(0.8)]
    assert "␣Paris" in bundle["text/html"]
    assert len(server.requests) == 1


def test_a_text_is_redacted_like_any_other(session, server):
    server.queue(answer_of([PARIS]))
    session.config.redact = True
    ds.next_tokens("Write to ann@example.com,")
    assert "ann@" not in server.requests[0].raw.decode()


def test_it_is_refused_where_the_host_cannot(session, server, monkeypatch):
    session.config.providers = {"ollama": {"base_url": server.base_url("ollama")}}
    with pytest.raises(ParameterError, match="cannot continue an answer"):
        ds.next_tokens("The", provider="ollama", model="m")
    server.queue(answer(" Paris"))
    with pytest.raises(ParameterError, match="no probabilities of tokens"):
        ds.next_tokens("The")
    server.queue(answer("Paris"))
    told = ds.ask("The capital?", show=False, top_logprobs=5).record["notices"]
    assert told == ["The host sent no probabilities of tokens."]


@pytest.mark.parametrize("asked", [("The", -1), ("The", 0), ("The", 21), (" ", 10), (5, 10)])
def test_one_to_twenty_are_listed_after_a_text(session, server, asked):
    with pytest.raises(ParameterError):
        ds.next_tokens(*asked)
    assert not server.requests


def test_temperature_and_top_p_reweight_the_list():
    found = after(0.6, 0.2, 0.1)
    assert dict(found.at()) == {"a": pytest.approx(6 / 9), "b": pytest.approx(2 / 9)} | {
        "c": pytest.approx(1 / 9)
    }
    assert dict(found.at(temperature=0))["a"] == pytest.approx(1)
    hot = dict(found.at(temperature=2))
    assert hot["b"] / hot["a"] == pytest.approx(math.sqrt(1 / 3))
    assert dict(found.at(top_p=0.7)) == {"a": pytest.approx(0.75), "b": pytest.approx(0.25)}
    assert dict(found.at(top_p=0.1)) == {"a": pytest.approx(1)}
    assert sum(p for _, p in after(*[1e-9] * 8).at(0.01)) == pytest.approx(1)
