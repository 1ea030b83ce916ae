"""Settings of one provider do not break the cells of another; a model may name its provider."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.session.accounts import session_totals
from tests.support.asking import KEY
from tests.support.scripted import answer


@pytest.fixture
def hosts(session, server, monkeypatch):
    for name in ("cometapi", "wcode", "deepseek"):
        session.config.providers[name] = {"base_url": server.base_url(name)}
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    return session


@pytest.fixture
def asked(hosts, server):
    def ask(**how):
        server.queue(answer("Fine."))
        ds.ask("Hi.", show=False, history=False, **how)
        request = server.requests[-1]
        return request.path.split("/")[1], request.json

    return ask


COMET, EXP = "DeepSeek-V3.2-Exp-thinking", "deepseek/deepseek-v3.2-exp"


@pytest.mark.parametrize(
    ("setting", "how", "provider", "model"),
    [
        (f"cometapi:{COMET}", {}, "cometapi", COMET),
        (f"CometAPI:{COMET}", {}, "cometapi", COMET),
        (f"cometapi:{COMET}", {"provider": "wcode"}, "wcode", EXP),
        (f"cometapi:{COMET}", {"model": "x"}, "cometapi", "x"),
        ("deepseek-chat", {}, "deepseek", "deepseek-chat"),
        ("deepseek-chat", {"provider": "wcode"}, "wcode", EXP),
        ("deepseek-chat", {"provider": "cometapi"}, "cometapi", "deepseek-v3.2-exp"),
        ("", {"model": f"wcode:{EXP}"}, "wcode", EXP),
        ("", {"model": f"wcode:{EXP}", "provider": "WCODE"}, "wcode", EXP),
        ("", {"model": "deepseek-r1:8b"}, "deepseek", "deepseek-r1:8b"),
        ("", {"model": "wcode:x", "provider": "cometapi"}, "cometapi", "wcode:x"),
        ("deepseek-r1:8b", {}, "deepseek", "deepseek-r1:8b"),
    ],
)
def test_a_model_may_name_its_provider(hosts, asked, setting, how, provider, model):
    hosts.config.model = setting
    found, body = asked(**how)
    assert (found, body["model"]) == (provider, model)


def test_parameters_of_one_provider_and_of_all(hosts, asked):
    hosts.config.parameters = {"temperature": 0.5, "wcode": {"top_k": 3, "temperature": 0.2}}
    assert {"temperature": 0.2, "top_k": 3}.items() <= asked(provider="wcode")[1].items()
    _, body = asked(provider="deepseek", think=False)
    assert (body["temperature"], body.get("top_k")) == (0.5, None)
    assert asked(provider="wcode", temperature=1.5)[1]["temperature"] == 1.5


def test_a_flat_one_that_another_does_not_take_is_left_out_and_said(hosts, server, asked):
    hosts.config.parameters = {"top_k": 3}
    assert asked(provider="wcode")[1]["top_k"] == 3
    assert "top_k" not in asked(provider="deepseek")[1]
    assert "top_k, which deepseek does not take" in hosts.last.turn.notices[0]


def test_two_hosts_of_one_model_are_two_rows_of_usage(hosts, asked):
    asked(provider="cometapi", model="m")
    assert len(session_totals(hosts)) == 1
    asked(provider="wcode", model="m")
    names = [total.key.partition(":")[0] for total in session_totals(hosts)]
    assert names == ["cometapi", "wcode"]
