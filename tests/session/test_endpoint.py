"""Where a question goes: flag, setting, environment, the first key, the embedded model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import local
from deepseek_jupyter.errors import ConfigurationError, MissingKeyError
from tests.support.asking import KEY
from tests.support.scripted import answer, plain


def asked(server, **options):
    """The request that one question makes."""
    server.queue(answer("Fine."))
    ds.ask("Hello?", show=False, **options)
    return server.requests[-1]


@pytest.fixture
def hosts(session, server):
    """Two more hosts of the same server."""
    session.config.providers = {
        "vllm": {"base_url": server.base_url("vllm"), "default_model": "a-vllm-model"},
        "lab": {"like": "vllm", "base_url": server.base_url("sglang"), "default_model": "lab-1"},
    }
    return server


def test_the_environments_base_url_means_deepseek(session, server):
    request = asked(server)
    assert request.path == "/deepseek/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "deepseek-flash"


def test_a_flag_beats_the_setting_beats_the_environment(session, hosts):
    assert asked(hosts).path.startswith("/deepseek/")
    session.config.provider = "vllm"
    session.config.base_url = hosts.base_url("vllm")
    assert asked(hosts).path.startswith("/vllm/")
    assert asked(hosts, provider="lab").path.startswith("/sglang/")


def test_a_base_url_belongs_to_the_provider_it_was_set_for(session, hosts, monkeypatch):
    session.config.base_url = hosts.base_url("cometapi")
    assert asked(hosts).path.startswith("/cometapi/")
    assert asked(hosts, provider="lab").path.startswith("/sglang/")
    session.config.provider = "lab"
    assert asked(hosts).path.startswith("/cometapi/")


def test_the_environments_base_url_stays_deepseeks_under_another_provider(session, hosts):
    session.config.provider = "vllm"
    assert asked(hosts, provider="deepseek").path.startswith("/deepseek/")


def test_another_hosts_key_does_not_go_to_deepseeks_base_url(session, server, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-ANOTHER0KEY0ANOTHER0HOST")
    session.config.provider = "openrouter"
    provider, _ = session.endpoints.provider()
    assert provider.base_url == "https://openrouter.ai/api/v1"


def test_the_environment_may_address_an_own_server(session, server, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url("llamacpp"))
    session.config.provider = "llamacpp"
    assert asked(server, model="m").path.startswith("/llamacpp/")


def test_models_flag_setting_environment_profile(session, server, monkeypatch):
    assert asked(server).json["model"] == "deepseek-flash"
    monkeypatch.setenv("DEEPSEEK_MODEL", "deepseek-from-environment")
    assert asked(server).json["model"] == "deepseek-from-environment"
    session.config.model = "deepseek-from-setting"
    assert asked(server).json["model"] == "deepseek-from-setting"
    assert asked(server, model="Any/Id:1").json["model"] == "Any/Id:1"


def test_the_environments_model_is_deepseeks_only(session, hosts, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_MODEL", "deepseek-from-environment")
    assert asked(hosts, provider="vllm").json["model"] == "a-vllm-model"


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("OPENROUTER_API_KEY", "openrouter"),
        ("COMETAPI_KEY", "cometapi"),
        ("WCODE_API_KEY", "wcode"),
    ],
)
def test_without_any_setting_the_first_key_decides(session, monkeypatch, variable, name):
    monkeypatch.delenv("DEEPSEEK_BASE_URL")
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    monkeypatch.setenv(variable, KEY)
    provider, key = session.endpoints.provider()
    assert provider.name == name
    assert variable in key.source


def test_without_any_key_the_error_says_both_ways_out(session, monkeypatch):
    monkeypatch.delenv("DEEPSEEK_BASE_URL")
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    with pytest.raises(MissingKeyError) as told:
        ds.ask("Hello?")
    assert "login" in str(told.value)
    assert "local install" in str(told.value)


def test_without_a_key_the_first_answer_says_that_a_small_model_gave_it(
    session, server, monkeypatch
):
    monkeypatch.delenv("DEEPSEEK_BASE_URL")
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    served = SimpleNamespace(base_url=server.base_url("local"), api_key="", model="small")
    monkeypatch.setattr(local, "status", lambda: SimpleNamespace(ready=True, models=[]))
    monkeypatch.setattr(local, "ensure_server", lambda model, starting: served)
    server.queue(*(answer("Hi.") for _ in range(3)))
    named = ds.ask("Hello?", provider="local").record
    assert (named["notices"], named["offer"]) == ([], "")
    records = [ds.ask("Hello?").record for _ in range(2)]
    assert ["small local model" in " ".join(r["notices"]) for r in records] == [True, False]
    assert [r["offer"] for r in records] == ["key", ""]


def test_a_server_on_this_machine_needs_no_key(session, server, monkeypatch):
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    assert "authorization" not in asked(server).headers


@pytest.mark.parametrize("host", ["gateway.example", "127.evil.example", "localhost.example"])
def test_a_server_elsewhere_does(session, monkeypatch, host):
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    monkeypatch.setenv("DEEPSEEK_BASE_URL", f"https://{host}/v1")
    with pytest.raises(MissingKeyError):
        session.endpoints.provider()


def test_an_own_provider_has_its_own_key(session, server, monkeypatch):
    lab = {"like": "deepseek", "base_url": "https://lab.example/v1", "key_variables": "LAB_KEY"}
    session.config.providers = {"lab": lab}
    with pytest.raises(MissingKeyError, match="lab"):
        ds.ask("Hello?", provider="lab")
    session.config.providers = {"lab": {**lab, "base_url": server.base_url("lab")}}
    monkeypatch.setenv("LAB_KEY", "lab-key")
    request = asked(server, provider="lab")
    assert (request.path, request.headers["authorization"]) == (
        "/lab/chat/completions",
        "Bearer lab-key",
    )


@pytest.mark.parametrize(
    "wrong", [{"like": "nobody"}, {"base_ulr": "x"}, {"dialect": {"thinkin": "x"}}]
)
def test_a_mistake_in_an_own_provider_is_told(session, wrong):
    session.config.providers = {"lab": wrong}
    with pytest.raises(ConfigurationError):
        ds.ask("Hello?", provider="lab")


def test_an_unknown_provider_lists_the_known_ones(session, server):
    with pytest.raises(ConfigurationError, match="openrouter"):
        ds.ask("Hello?", provider="nobody")
    assert server.requests == []


def test_a_host_without_default_model_is_asked_what_it_serves(session, server):
    session.config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
    server.queue(plain({"data": [{"id": "served-1"}, {"id": "served-2"}]}), answer("Fine."))
    assert ds.ask("Hello?", provider="vllm", show=False).turn.model == "served-1"
    assert [request.path for request in server.requests] == [
        "/vllm/models",
        "/vllm/chat/completions",
    ]
    assert asked(server, provider="vllm").json["model"] == "served-1"
    assert len(server.requests) == 3, "it is asked once"


def test_a_host_that_serves_nothing_is_an_error(session, server):
    session.config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
    server.queue(plain({"object": "list", "data": []}))
    with pytest.raises(ConfigurationError, match="serves no model"):
        ds.ask("Hello?", provider="vllm", show=False)


def test_settings_of_the_client_count_at_once(session, server):
    asked(server)
    before = session.endpoints.client
    session.config.attempts = 2
    assert session.endpoints.client is not before
    assert session.endpoints.client is session.endpoints.client
