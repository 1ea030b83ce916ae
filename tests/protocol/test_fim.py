"""Fill-in-the-middle on the wire: what is sent, and code that arrives as it was written."""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter.errors import ConfigurationError, ParameterError
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.fim import FimRequest
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.asking import ask, provider_at
from tests.support.wording_fim import USAGE, fim, fim_chunks, fim_whole, infill, infill_chunks

DEEPSEEK = PROVIDERS["deepseek"].dialect
FIM, INFILL = WIRES["fim"], WIRES["infill"]
CODE = "<b>\n    return a + b  # <think>not a thought</think>\n"
ASKED = FimRequest("deepseek-flash", "def add(a, b):\n", "\nadd(1, 2)", {"max_tokens": 64})


def sent(request: FimRequest, wire=None, dialect: Dialect = DEEPSEEK):
    return (wire or FIM).build(request, dialect)


def test_deepseek_is_asked_at_its_beta_address_and_never_to_think():
    built = sent(ASKED)
    assert built.beta
    assert built.body == {
        "model": "deepseek-flash",
        "prompt": "def add(a, b):\n",
        "suffix": "\nadd(1, 2)",
        "max_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_an_empty_suffix_is_left_out():
    assert "suffix" not in sent(FimRequest("m", "x = ")).body


def test_llamacpp_is_asked_in_its_own_words():
    body = sent(ASKED, INFILL).body
    assert (body["input_prefix"], body["input_suffix"]) == ("def add(a, b):\n", "\nadd(1, 2)")
    assert body["n_predict"] == 64
    assert body["stream"] is body["cache_prompt"] is True


@pytest.mark.parametrize("wire", [FIM, INFILL])
def test_nothing_to_complete_is_refused_here(wire):
    with pytest.raises(ParameterError, match="no code"):
        sent(FimRequest("m", "  \n"), wire)


@pytest.mark.parametrize(
    ("wire", "chunks"), [(FIM, fim_chunks(CODE)), (INFILL, infill_chunks(CODE))]
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_code_arrives_as_it_was_written_however_the_stream_is_cut(wire, chunks, size):
    raw = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    stream = wire.stream(DEEPSEEK)
    deltas = [d for i in range(0, len(raw), size) for d in stream.feed(raw[i : i + size])]
    deltas += stream.close()
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == CODE
    completion = stream.completion
    assert completion.answer == CODE
    assert completion.reasoning is None
    assert completion.ended
    assert completion.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 20
    assert completion.usage.cache_hit_tokens == 12
    assert completion.usage.completion_tokens == 6


def test_llamacpps_limit_is_called_length():
    stream = INFILL.stream(DEEPSEEK)
    for chunk in infill_chunks("x", "limit"):
        stream.take(chunk)
    assert stream.completion.finish_reason == "length"


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (FIM, {"choices": ["x"]}),
        (FIM, {"choices": [{"text": 3}]}),
        (FIM, {"choices": []}),
        (INFILL, {"content": 3}),
        (INFILL, {"error": "no"}),
    ],
)
def test_a_reply_of_another_form_is_none(wire, body):
    assert wire.parse(body, DEEPSEEK) is None


def fim_exchange(server, name: str = "deepseek"):
    from deepseek_jupyter.transport.exchange import Exchange
    from deepseek_jupyter.transport.keys import Secret
    from tests.support.asking import KEY

    return Exchange(ASKED, provider_at(server, name).for_fim(), Secret(KEY, "a test"))


@pytest.mark.parametrize("reply", [fim(CODE), fim_whole(CODE)])
def test_through_the_client(server, reply):
    server.queue(reply)
    outcome = ask(fim_exchange(server))
    assert outcome.error is None
    assert outcome.text == CODE
    assert outcome.completion.usage.total_tokens == USAGE["total_tokens"]
    (request,) = server.requests
    assert request.path == "/deepseek/beta/completions"
    assert request.headers["authorization"].startswith("Bearer ")


def test_infill_lies_beside_the_openai_address(server):
    server.queue(infill(CODE))
    exchange = fim_exchange(server, "llamacpp")
    outcome = ask(exchange)
    assert outcome.text == CODE
    assert server.requests[0].path == "/llamacpp/infill"
    assert PROVIDERS["llamacpp"].for_fim().base_url == "http://127.0.0.1:8080"


def test_a_host_without_it_says_so():
    with pytest.raises(ConfigurationError, match="fill-in-the-middle"):
        PROVIDERS["cometapi"].for_fim()
