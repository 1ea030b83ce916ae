"""Proxies and certificates of the environment: told by name, harmless to hosts on this machine."""

from __future__ import annotations

import asyncio
import decimal

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.protocol.usage import Price, Usage
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.asking import HASTY, PATIENT, ask, exchange_with, provider_at
from tests.support.scripted import answer

# what is set -> what the error names
BROKEN = {
    "a network in NO_PROXY": ({"NO_PROXY": "localhost,fe11::/16"}, "NO_PROXY has 'fe11::/16'"),
    "lower case": ({"no_proxy": "fe11::/16"}, "NO_PROXY has 'fe11::/16'"),
    "socks without socksio": (
        {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "localhost,127.0.0.1"},
        "ALL_PROXY has 'socks5://127.0.0.1:9'",
    ),
    "a mistyped proxy": ({"HTTPS_PROXY": "htp://proxy:1"}, "HTTPS_PROXY has 'htp://proxy:1'"),
    "a port that is none": ({"HTTPS_PROXY": "http://proxy:x"}, "HTTPS_PROXY has"),
    "no such certificates": ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE=/nowhere/ca.pem"),
}
CASES = pytest.mark.parametrize(("variables", "named"), BROKEN.values(), ids=BROKEN)


def setting(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@CASES
def test_it_is_named_and_not_tried_again(monkeypatch, client, variables, named):
    setting(monkeypatch, variables)
    remote = PROVIDERS["deepseek"].derive(base_url="https://203.0.113.1/v1")
    outcome = ask(exchange_with(remote), client)
    assert isinstance(outcome.error, errors.ConfigurationError), outcome.error
    assert named in outcome.error.what
    assert "orrect or unset" in outcome.error.hint
    assert outcome.notices == []


@CASES
def test_this_machines_hosts_are_asked_all_the_same(monkeypatch, server, client, variables, named):
    setting(monkeypatch, variables)
    server.queue(answer("Here."))
    assert ask(exchange_with(provider_at(server, "vllm")), client).text == "Here."


def test_a_proxys_password_is_not_shown(monkeypatch, client):
    monkeypatch.setenv("HTTPS_PROXY", "htp://me:hunter2@proxy:1")
    remote = PROVIDERS["deepseek"].derive(base_url="https://203.0.113.1/v1")
    assert "hunter2" not in str(ask(exchange_with(remote), client).error)


def test_the_users_decimal_context_is_the_users():
    price = Price.of("0.012345", "0.54321", "1.98765")
    usage = Usage(123_456, 7_891, 23_456, cost=decimal.Decimal("0.123456789"))
    expected = price.cost(usage), usage + usage
    with decimal.localcontext() as theirs:
        theirs.prec = 2
        theirs.traps[decimal.Inexact] = True
        assert (price.cost(usage), usage + usage) == expected


async def at_once(client, server, many):
    """Ask `many` questions at once."""

    async def one():
        exchange = exchange_with(provider_at(server, "vllm"), stream=False)
        async for _ in client.stream(exchange):
            pass
        return exchange.completion.answer

    return await asyncio.gather(*(one() for _ in range(many)))


@pytest.mark.parametrize("many", [8, 20, 64])
def test_no_pool_has_more_than_its_share(server, many):
    server.queue(*[answer("Yes.") for _ in range(many)])
    client = Client(PATIENT, HASTY, concurrency=64)
    try:
        assert engine().run(at_once(client, server, many)) == ["Yes."] * many
        assert len(client._shards) <= -(-many // 4)
        assert all(shard.busy == 0 for shard in client._shards)
    finally:
        engine().run(client.close())
