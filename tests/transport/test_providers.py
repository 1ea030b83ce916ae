"""The ten profiles, and a user's own."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import urlsplit

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.protocol.usage import Price
from deepseek_jupyter.transport.client import Client, Timeouts
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.keys import find_key
from deepseek_jupyter.transport.providers import PROVIDERS, own_price, provider_named
from deepseek_jupyter.transport.retry import RetryPolicy
from tests.support.asking import KEY, PATIENT, ask, exchange_with, provider_at
from tests.support.scripted import Reply, answer, error, plain, stall


def test_the_ten_are_there():
    assert list(PROVIDERS) == [
        *("deepseek", "cometapi", "wcode", "openrouter", "siliconflow"),
        *("vllm", "sglang", "ollama", "llamacpp", "local"),
    ]


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_each_profile_names_its_source_and_itself(provider):
    assert provider.source.startswith("https://")
    assert provider.dialect.provider == provider.name
    assert provider.dialect.rows


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_keys_travel_encrypted_or_not_beyond_this_machine(provider):
    url = urlsplit(provider.base_url)
    assert url.scheme == "https" or url.hostname in (None, "127.0.0.1")


def test_only_deepseek_has_balance_and_beta():
    assert [p.name for p in PROVIDERS.values() if p.balance_path] == ["deepseek"]
    assert [p.name for p in PROVIDERS.values() if p.beta_path] == ["deepseek"]
    with pytest.raises(errors.ConfigurationError, match="OpenRouter"):
        PROVIDERS["openrouter"].beta_url  # noqa: B018


def test_a_profile_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROVIDERS["deepseek"].base_url = "http://evil"
    with pytest.raises(TypeError):
        PROVIDERS["x"] = PROVIDERS["deepseek"]
    with pytest.raises(TypeError):
        PROVIDERS["deepseek"].dialect.rows["x"] = None


class TestOwn:
    def test_a_known_one_with_another_address(self):
        own = {"deepseek": {"base_url": "http://127.0.0.1:1/v1"}}
        mine = provider_named("deepseek", own)
        assert mine.base_url == "http://127.0.0.1:1/v1"
        assert mine.dialect == PROVIDERS["deepseek"].dialect

    def test_a_new_one_like_a_known_one(self):
        own = {"lab": {"like": "deepseek", "base_url": "https://lab", "key_variables": "LAB_KEY"}}
        mine = provider_named("lab", own)
        assert (mine.name, mine.title, mine.key_variables) == ("lab", "lab", ("LAB_KEY",))
        assert mine.dialect.provider == "lab"

    def test_parts_of_the_dialect(self):
        own = {"lab": {"base_url": "http://x", "dialect": {"thinking": "effort"}}}
        assert provider_named("lab", own).dialect.thinking == "effort"

    def test_a_self_hosted_one_needs_no_key_and_gets_nobody_elses(self, monkeypatch):
        monkeypatch.setenv("VLLM_API_KEY", KEY)
        lab = {"base_url": "http://lab:8000/v1"}
        assert not find_key(provider_named("lab", {"lab": lab}))
        assert find_key(provider_named("vllm", {"vllm": lab})).reveal() == KEY
        own = provider_named("lab", {"lab": {**lab, "key_variables": "LAB_KEY"}})
        with pytest.raises(errors.MissingKeyError, match="lab"):
            find_key(own)

    @pytest.mark.parametrize(
        ("lab", "named"),
        [
            ({"bas_url": "x"}, "bas_url"),
            ({"dialect": {"x": 1}}, "'x'"),
            ({"like": "?"}, "'?'"),
            ({"wire": "anthropic"}, "'anthropic'"),
            ({"fim": True}, "True"),
            ({"dialect": {"thinking": "hard"}}, "'hard'"),
            ({"dialect": {"replay": "all"}}, "'all'"),
            ({"dialect": {"schema": "xml"}}, "'xml'"),
        ],
    )
    def test_mistakes_are_named(self, lab, named):
        with pytest.raises(errors.ConfigurationError, match=re.escape(named)) as told:
            provider_named("lab", {"lab": lab})
        assert told.value.hint

    def test_an_unknown_name_lists_the_known(self):
        with pytest.raises(errors.ConfigurationError) as unknown:
            provider_named("nowhere", {"lab": {}})
        assert "deepseek" in unknown.value.hint
        assert "lab" in unknown.value.hint

    def test_own_prices(self):
        prices = {"m": [0.1, 0.2, 0.3], "n": ["1", "2", "3", "CNY"]}
        assert own_price(prices, "deepseek", "m") == Price.of("0.1", "0.2", "0.3")
        assert own_price(prices, "deepseek", "n").currency == "CNY"
        assert own_price(prices, "deepseek", "o") is None


class TestOnTheWire:
    @pytest.mark.parametrize("name", [n for n in PROVIDERS if n != "deepseek"])
    def test_every_provider_answers(self, server, name):
        server.queue(answer("Hello."))
        outcome = ask(exchange_with(provider_at(server, name)))
        assert outcome.text == "Hello."
        request = server.requests[0]
        assert request.path == f"/{name}/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["accept"] == "text/event-stream"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("deepseek-jupyter/")

    def test_beta_features_go_to_the_beta_url(self, server):
        from deepseek_jupyter.protocol.messages import Message, user

        server.queue(answer("print(1)"))
        prefix = Message("assistant", "```python\n", prefix=True)
        ask(exchange_with(provider_at(server), user("Code."), prefix))
        assert server.requests[0].path == "/deepseek/beta/chat/completions"

    def test_without_a_key_no_header_is_sent(self, server):
        from deepseek_jupyter.transport.exchange import Exchange
        from deepseek_jupyter.transport.keys import Secret

        server.queue(answer("Hello."))
        asked = exchange_with(provider_at(server, "vllm"))
        ask(Exchange(asked.request, asked.provider, Secret("")))
        assert "authorization" not in server.requests[0].headers

    def test_a_model_list_of_either_shape(self, server):
        """Fields other than id are optional."""
        server.queue(plain({"object": "list", "data": [{"id": "deepseek-flash"}]}))
        client = Client(PATIENT, RetryPolicy(attempts=1))
        asked = exchange_with(provider_at(server))
        listed = engine().run(client.get(asked.provider, "models", asked.key))
        assert listed["data"][0]["id"] == "deepseek-flash"
        assert server.requests[0].method == "GET"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_a_list_that_does_not_come_says_so(self, server):
        server.queue(Reply(stall()))
        client = Client(Timeouts(listing=0.1))
        asked = exchange_with(provider_at(server))
        with pytest.raises(errors.TimedOutError, match=r"sent no answer for 0\.1 seconds"):
            engine().run(client.get(asked.provider, "models", asked.key))

    def test_a_refused_list_is_its_error(self, server):
        server.queue(error(401, "Authentication Fails"))
        client = Client(PATIENT)
        asked = exchange_with(provider_at(server))
        listing = client.get(asked.provider, "models", asked.key)
        with pytest.raises(errors.AuthenticationError):
            engine().run(listing)
