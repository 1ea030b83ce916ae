"""Settings of one provider do not break the cells of another; a model may name its provider."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import ConfigurationError, ParameterError
from deepseek_jupyter.session.accounts import session_totals, usage
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
    rows = [row[0].partition(":")[0] for row in usage(hosts, "model").rows]
    assert rows == ["cometapi", "wcode"]


TABLE = {"wcode": 0.0001}


@pytest.mark.parametrize("name", ["budget", "notebook_budget"])
def test_a_budget_of_one_provider_holds_there_alone(hosts, asked, server, name):
    hosts.config.prices = {"deepseek-flash": [1, 1, 1, "USD"]}
    setattr(hosts.config, name, TABLE)
    with pytest.raises(ConfigurationError, match=r"budget is 0\.0001"):
        asked(provider="wcode")
    assert asked(provider="deepseek")[0] == "deepseek"


def test_a_notebooks_budget_counts_what_its_provider_cost(hosts, asked, notebook):
    hosts.config.prices = {"deepseek-flash": [0, 0, 1000, "CNY"], EXP: [0, 0, 1000, "CNY"]}
    hosts.config.notebook_budget = {"wcode": 0.02}
    asked(provider="deepseek", max_tokens=9)
    assert asked(provider="wcode", max_tokens=10)[0] == "wcode"  # 7 tokens: 0.007
    with pytest.raises(ConfigurationError, match=r"has cost 0\.0070 CNY"):
        asked(provider="wcode", max_tokens=20)


@pytest.mark.parametrize("table", [{"wcod": 1}, {"wcode": "x"}, {"wcode": -1}, {"wcode": True}])
@pytest.mark.parametrize("name", ["budget", "notebook_budget"])
def test_a_table_of_budgets_that_cannot_be_read_stops_every_question(hosts, asked, name, table):
    setattr(hosts.config, name, table)
    with pytest.raises(ConfigurationError):
        asked(provider="deepseek")


@pytest.mark.parametrize("setting", [{"effort": "max"}, {"effort": "high"}, {"think": "on"}])
@pytest.mark.parametrize(
    ("provider", "model"), [("cometapi", "deepseek-v3.1-terminus"), ("wcode", EXP)]
)
def test_thinking_that_does_not_fit_another_provider_breaks_no_cell(
    hosts, asked, setting, provider, model
):
    for name, value in setting.items():
        setattr(hosts.config, name, value)
    assert asked(provider="deepseek")[1]["model"] == "deepseek-flash"
    assert asked(provider=provider, model=model)[1]["model"] == model
    told = any("do not apply here" in said for said in hosts.last.turn.notices)
    assert told == ("think" not in setting or provider == "cometapi")
    with pytest.raises(ParameterError):
        asked(provider="cometapi", model="deepseek-v3.1-terminus", effort="max")
