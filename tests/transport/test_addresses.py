"""Every printed form of an address is one base URL; a wrong one is told with the right one."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import errors
from deepseek_jupyter.protocol.request import join_url
from deepseek_jupyter.transport.addresses import address_hint, base_of, wrong_address
from deepseek_jupyter.transport.keys import find_key
from deepseek_jupyter.transport.providers import PROVIDERS, provider_named
from tests.support.asking import KEY, ask, exchange_with, provider_at
from tests.support.scripted import answer, error, plain

COMET = "https://api.cometapi.com/v1"
WCODE = "https://wcode.net/api/gpt/v1"
GATE = "https://gate.example/x/v1"

FORMS = {
    "POST https://api.cometapi.com/v1/chat/completions": "https://api.cometapi.com/v1",
    "“https://api.cometapi.com/v1”。": "https://api.cometapi.com/v1",
    "(HTTPS://API.CometAPI.com/V1)": "https://api.cometapi.com/v1",
    "https://api.cometapi.com//v1/chat/completions#curl": "https://api.cometapi.com/v1",
    "[::1]:8000/v1": "http://[::1]:8000/v1",
    "gpu-box:8000/v1": "http://gpu-box:8000/v1",
    "192.168.1.5:8000/v1": "http://192.168.1.5:8000/v1",
    # CometAPI's guides and its model page
    "https://api.cometapi.com": COMET,
    "https://api.cometapi.com/": COMET,
    "https://api.cometapi.com/v1": COMET,
    "https://api.cometapi.com/v1/": COMET,
    "https://api.cometapi.com/v1/chat/completions": COMET,
    "https://api.cometapi.com/v1/messages": COMET,
    "http://api.cometapi.com/v1": COMET,  # a key must not go there in clear
    "api.cometapi.com/v1": COMET,
    "https://API.CometAPI.com": COMET,
    # wcode.net's page
    "https://wcode.net/api/gpt/v1/chat/completions": WCODE,
    "https://wcode.net/api/gpt/v1": WCODE,
    "https://wcode.net/api/gpt": WCODE,
    "https://wcode.net": WCODE,
    # DeepSeek's
    "https://api.deepseek.com": "https://api.deepseek.com",
    "https://api.deepseek.com/": "https://api.deepseek.com",
    "https://api.deepseek.com/v1": "https://api.deepseek.com/v1",
    "https://api.deepseek.com/v1/chat/completions": "https://api.deepseek.com/v1",
    "https://api.deepseek.com/chat/completions": "https://api.deepseek.com",
    "https://api.deepseek.com/beta": "https://api.deepseek.com/beta",
    "https://api.deepseek.com/beta/completions": "https://api.deepseek.com/beta",
    "https://api.deepseek.com/user/balance": "https://api.deepseek.com",
    "https://api.deepseek.com/models": "https://api.deepseek.com",
    # other hosts
    "https://openrouter.ai/api/v1/chat/completions": "https://openrouter.ai/api/v1",
    "https://openrouter.ai": "https://openrouter.ai/api/v1",
    "https://api.siliconflow.cn": "https://api.siliconflow.cn/v1",
    "https://api.siliconflow.com/v1/": "https://api.siliconflow.com/v1",
    "https://gate.example/x/v1//": GATE,
    "https://gate.example/x/v1/chat/completions/": GATE,
    "  'https://gate.example/x/v1' ": GATE,
    "<https://gate.example/x/v1>,": GATE,
    "https://gate.example/x": "https://gate.example/x",  # perhaps it is one without /v1
    "http://127.0.0.1:8000/v1/": "http://127.0.0.1:8000/v1",
    "localhost:11434/v1": "http://localhost:11434/v1",
    "127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://[::1]:8080/v1/models": "http://[::1]:8080/v1",
    "https://az.example/openai/deployments/d/chat/completions?api-version=2024-10-21": (
        "https://az.example/openai/deployments/d?api-version=2024-10-21"
    ),
    "": "",
    "nonsense": "nonsense",
}


@pytest.mark.parametrize(("printed", "base"), FORMS.items())
def test_each_form_is_one_base(printed, base):
    assert base_of(printed) == base
    assert base_of(base) == base
    assert provider_named("x", {"x": {"base_url": printed}}).base_url == base


WIRES = {
    ("deepseek", "https://api.deepseek.com/anthropic"): (
        "messages",
        "https://api.deepseek.com/anthropic/v1/messages",
    ),
    ("deepseek", "https://api.deepseek.com/anthropic/v1/messages"): (
        "messages",
        "https://api.deepseek.com/anthropic/v1/messages",
    ),
    ("deepseek", "https://api.deepseek.com/responses"): (
        "responses",
        "https://api.deepseek.com/responses",
    ),
    ("cometapi", "https://api.cometapi.com/v1/messages"): ("messages", f"{COMET}/messages"),
    ("wcode", "https://wcode.net/api/anthropic"): (
        "messages",
        "https://wcode.net/api/anthropic/v1/messages",
    ),
    ("gate", "https://gate.example/x/v1/messages"): ("messages", f"{GATE}/messages"),
    ("gate", "https://gate.example/anthropic"): (
        "messages",
        "https://gate.example/anthropic/v1/messages",
    ),
    ("gate", "https://gate.example/x/v1/responses?a=1"): ("responses", f"{GATE}/responses?a=1"),
    ("gate", "https://gate.example/x/v1"): ("chat", f"{GATE}/chat/completions"),
}


@pytest.mark.parametrize(("printed", "meant"), WIRES.items())
def test_an_address_names_its_wire(printed, meant):
    name, url = printed
    provider = provider_named(name, {name: {"base_url": url}})
    exchange = exchange_with(provider)
    exchange.begin()
    assert (provider.wire, exchange.url) == meant
    assert wrong_address(provider.base_url) is None


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_the_profiles_have_theirs(provider):
    assert base_of(provider.base_url) == provider.base_url
    assert not provider.base_url or wrong_address(provider.base_url) is None


def test_a_query_stays_behind_the_path():
    base = "https://az.example/openai?api-version=1"
    assert join_url(base, "models") == "https://az.example/openai/models?api-version=1"
    like = provider_named("az", {"az": {"like": "deepseek", "base_url": f"{GATE}?a=1"}})
    assert like.beta_url == "https://gate.example/x/beta?a=1"


WRONG = {
    "https://platform.deepseek.com": "https://api.deepseek.com;",
    "https://chat.deepseek.com/": "https://api.deepseek.com;",
    "https://www.deepseek.com": "https://api.deepseek.com;",
    "https://api-docs.deepseek.com/api": "https://api.deepseek.com;",
    "https://www.cometapi.com/": COMET,
    "https://apidoc.cometapi.com": COMET,
    "https://api.cometapi.com/pricing": COMET,
    "https://wcode.net/model/deepseek-v3.2-exp": WCODE,
    "https://openrouter.ai/docs": "https://openrouter.ai/api/v1",
    "https://cloud.siliconflow.cn": "https://api.siliconflow.cn/v1",
    "nonsense": "%deepseek provider",
    "http://127.0.0.1:99999/v1": "%deepseek provider",
    "ftp://x.example": "%deepseek provider",
    "https://": "%deepseek provider",
    "http://[::1": "%deepseek provider",
}


@pytest.mark.parametrize(("url", "right"), WRONG.items())
def test_a_wrong_one_is_told_with_the_right_one_and_nothing_is_sent(session, url, right):
    session.config.providers = {"x": {"base_url": url}}
    with pytest.raises(errors.ConfigurationError) as told:
        ds.ask("Hi.", provider="x")
    assert url.rstrip("/") in told.value.what
    assert right in told.value.hint


@pytest.mark.parametrize(
    ("url", "target", "base"),
    [
        ("https://g.example/chat/completions", "", "https://g.example/v1;"),
        ("https://g.example/x/chat/completions?a=1", "", "https://g.example/x/v1?a=1;"),
        ("https://g.example/v1/chat/completions", "", None),
        ("https://g.example/v1beta/chat/completions", "", None),
        ("https://api.deepseek.com/chat/completions", "", None),
        (
            "http://g.example/v1/chat/completions",
            "https://g.example/v1/chat/completions",
            "https://g.example/v1;",
        ),
        ("https://g.example/v1/chat/completions", "https://g.example/login", None),
        ("", "", None),
    ],
)
def test_where_nothing_is_the_likely_one_is_named(url, target, base):
    hint = address_hint(url, target)
    assert (base in hint) if base else not hint


@pytest.mark.parametrize(
    "reply",
    [
        error(404),
        plain("<html>Welcome</html>", content_type="text/html"),
        plain("<html>Not found</html>", status=404, content_type="text/html"),
        error(405, ""),
    ],
)
def test_a_page_or_nothing_names_it_too(server, reply):
    server.queue(reply)
    outcome = ask(exchange_with(provider_at(server, "vllm")))
    assert isinstance(outcome.error, errors.EndpointError)
    assert f"{server.base_url('vllm')}/v1" in outcome.error.hint


@pytest.mark.parametrize("name", ["COMETAPI", "CometAPI", "cometApi", " cometapi "])
def test_a_provider_is_known_in_any_case(session, server, monkeypatch, name):
    session.config.providers = {"cometapi": {"base_url": server.base_url("cometapi")}}
    monkeypatch.setenv("cometapi_API_KEY", KEY)  # as the guides print it
    server.queue(answer("Fine."))
    assert ds.ask("Hi.", provider=name, show=False).turn.provider == "cometapi"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("given", "name"), [("wcode.net", "wcode"), ("VLLM", "vllm"), ("llama.cpp", "llamacpp")]
)
def test_and_by_its_title(given, name):
    assert provider_named(given).name == name


def test_a_name_of_ones_own_comes_first():
    own = {"CometAPI": {"base_url": GATE}}
    assert provider_named("CometAPI", own).base_url == GATE
    assert provider_named("cometapi", own).base_url == COMET


@pytest.mark.parametrize("variable", ["WCODE_API_KEY", "wcode_api_key", "Wcode_Api_Key"])
def test_a_key_variable_in_any_case(monkeypatch, variable):
    monkeypatch.setenv(variable, KEY)
    found = find_key(PROVIDERS["wcode"])
    assert (found.reveal(), found.source) == (KEY, f"environment variable {variable}")
