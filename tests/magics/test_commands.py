"""``%deepseek COMMAND`` in a real shell, against a scripted server."""

from __future__ import annotations

import json
import stat

import pytest

from deepseek_jupyter import api
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.local.models import partial_path
from deepseek_jupyter.magics import commands
from deepseek_jupyter.magics.arguments import flag_parser
from deepseek_jupyter.magics.reports import larger_model
from deepseek_jupyter.protocol.parameters import MEANINGS
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.scripted import answer, error, plain
from tests.support.wording import USAGE

BALANCE = {
    "is_available": True,
    "balance_infos": [
        {
            "currency": "CNY",
            "total_balance": "110.00",
            "granted_balance": "10.00",
            "topped_up_balance": "100.00",
        }
    ],
}


def test_status_tells_where_what_and_whose_key(run, server):
    told = run("%deepseek")
    assert server.base_url() in told
    assert "deepseek-flash" in told
    assert "environment variable DEEPSEEK_API_KEY" in told
    assert "0 turns" in told
    server.queue(answer("Hello.", usage=USAGE))
    run("%ds Hello?")
    told = run("%deepseek")
    assert "1 turn" in told
    assert "1 answer, ~$" in told
    assert server.requests[0].path.endswith("/chat/completions")
    assert len(server.requests) == 1, "the status asks nobody"


def test_status_without_a_key_says_what_to_do(run, monkeypatch):
    monkeypatch.delenv("DEEPSEEK_BASE_URL")
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    assert "%deepseek login" in run("%deepseek")


def test_parameters_are_listed_with_range_default_and_meaning(run, server):
    told = run("%deepseek parameters")
    (temperature,) = [line for line in told.splitlines() if "temperature " in line[:20]]
    assert "a number from 0 to 2" in temperature
    assert "In thinking mode temperature has no effect" in temperature
    assert "thinking_budget" not in told
    assert "from 128 to 32768" in run("%deepseek parameters siliconflow")
    assert not server.requests


def test_every_parameter_of_every_provider_has_a_meaning():
    rows = {row for provider in PROVIDERS.values() for row in provider.dialect.rows}
    assert rows <= MEANINGS.keys()


MODELS = {
    "deepseek": [
        {"id": "deepseek-flash", "object": "model", "owned_by": "deepseek"},
        {"id": "deepseek-v4-pro", "object": "model", "owned_by": "deepseek"},
    ],
    "with sizes": [{"id": "deepseek-flash", "context_window": 1048576}, {"id": "deepseek-v4-pro"}],
}


@pytest.mark.parametrize("shape", MODELS)
def test_models_of_either_shape(run, server, shape):
    server.queue(plain({"object": "list", "data": MODELS[shape]}))
    told = run("%deepseek models")
    assert "Models at DeepSeek: 2" in told
    assert "deepseek-v4-pro" in told
    assert ("1,048,576" in told) == (shape == "with sizes")
    assert server.requests[0].path == "/deepseek/models"


def test_models_of_another_provider(run, server):
    api.get_session().config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
    server.queue(plain({"data": [{"id": "mine"}, {"nothing": 1}, "odd"]}))
    assert "Models at vllm: 1" in run("%deepseek models vllm")


def test_a_hosts_words_bring_no_escape_codes(run, server):
    server.queue(plain({"data": [{"id": "a\x1b[31mb\x1b]52;c;YQ==\x07"}]}))
    assert "\x1b" not in run("%deepseek models")


def test_a_refusals_words_bring_no_escape_codes(run, server):
    server.queue(error(400, "Bad \x1b[2J thing"))
    assert "\x1b" not in run("%ds x")


def test_balance(run, server):
    server.queue(plain(BALANCE))
    told = run("%deepseek balance")
    assert "110.00 CNY" in told
    assert "10.00 CNY" in told
    server.queue(plain({**BALANCE, "is_available": False}))
    assert "top up" in run("%deepseek balance")


def test_balance_where_nobody_tells_it(run, server):
    assert "lists no balance" in run("%deepseek balance vllm")
    assert server.requests == []


def test_usage_counts_by_model(run, server):
    assert "This session" in run("%deepseek usage")
    for _ in range(2):
        server.queue(answer("Hello.", usage=USAGE))
        run("%ds Hello?")
    told = run("%deepseek usage")
    assert "In all ~$" in told
    row = next(line for line in told.splitlines() if "deepseek-flash" in line)
    assert row.split()[:6] == ["deepseek:deepseek-flash", "2", "16", "8", "6", "8"]


def test_config_shows_every_setting_with_its_meaning(run):
    told = run("%deepseek config")
    for name, trait in DeepSeek.class_traits(config=True).items():
        assert name in told
        assert trait.help[:30] in told
    assert "nested" in told


SETTINGS = {
    "model=deepseek-v4-pro": ("model", "deepseek-v4-pro"),
    "model=123": ("model", "123"),
    "think=on": ("think", "on"),
    "stream=false": ("stream", False),
    "history=False": ("history", False),
    "budget=0.5": ("budget", 0.5),
    "attempts=2": ("attempts", 2),
    "parameters='{\"temperature\": 0.3}'": ("parameters", {"temperature": 0.3}),
    "system='Be brief.'": ("system", "Be brief."),
    "provider=": ("provider", ""),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_config_sets(run, setting):
    assert run(f"%deepseek config {setting}") == ""
    name, value = SETTINGS[setting]
    assert getattr(api.get_session().config, name) == value


def test_config_sets_several(run):
    run("%deepseek config think=off effort=low")
    config = api.get_session().config
    assert (config.think, config.effort) == ("off", "low")


WRONG = {
    "config modle=x": "Did you mean model?",
    "config model": "name=value",
    "config temperature=0": "It is a parameter: %config DeepSeek.parameters sets it.",
    "config stream=perhaps": "boolean",
    "config attempts=0": "attempts",
    "config think=maybe": "think",
    "config parameters=3": "dict",
    "config nested=off": "restarting",
    "blance": "Did you mean balance?",
    "xyzzy": "%deepseek help",
    "provider a b": "%deepseek provider [NAME]",
    "tree now": "%deepseek tree: the conversation",
    "show a b": "[TURN] [--thinking | --sent | --as curl|python|openai]",
    "trust jurnal": "journal or nothing",
    "local explode": "install, status or remove",
    "login sk-0123456789abcdef": "Never type a key",
    "config 'open": "quotation",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_one_line(run, server, line):
    told = run(f"%deepseek {line}").strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("UsageError: ")
    assert WRONG[line] in told[0]
    assert server.requests == []


def test_provider_lists_all_and_chooses_one(run):
    told = run("%deepseek provider")
    for name in ("deepseek", "cometapi", "wcode", "openrouter", "siliconflow", "vllm", "local"):
        assert name in told
    assert "no key (OPENROUTER_API_KEY)" in told
    assert "→ vllm" in run("%deepseek provider vllm")
    assert api.get_session().config.provider == "vllm"
    assert "There is no provider 'nobody'" in run("%deepseek provider nobody")
    assert api.get_session().config.provider == "vllm"


def test_login_and_forget(run, environment, monkeypatch):
    monkeypatch.setattr(commands.getpass, "getpass", lambda prompt: " sk-TYPED0IN0HIDDEN ")
    told = run("%deepseek login openrouter")
    file = environment / "keys.json"
    assert str(file) in told
    assert "TYPED" not in told
    assert json.loads(file.read_text()) == {"openrouter": "sk-TYPED0IN0HIDDEN"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in run("%deepseek provider")
    assert "gone" in run("%deepseek login openrouter --forget")
    assert "not stored" in run("%deepseek login openrouter --forget")
    assert "There is no provider" in run("%deepseek login nobody")


def test_reset_begins_a_new_conversation(run, server):
    server.queue(answer("A1"), answer("A2"))
    run("%ds Q1")
    assert "had 1 turn." in run("%deepseek reset")
    run("%ds Q2")
    assert len(server.requests[1].json["messages"]) == 1


def test_doctor_finds_the_endpoint_well(run, server):
    server.queue(plain({"data": [{"id": "deepseek-flash"}]}))
    told = run("%deepseek doctor")
    assert "yes; models listed: 1" in told
    assert "Nothing to fix" in told


def test_doctor_says_what_to_mend(run, server):
    server.queue(error(401, "Authentication Fails"))
    told = run("%deepseek doctor")
    assert "AuthenticationError" in told
    assert "%deepseek login" in told
    assert "1 to fix" in told


def test_local_status_without_a_model(run):
    assert "not installed" in run("%deepseek local")
    assert "not installed" in run("%deepseek local status")
    assert "neither a model nor a file" in run("%deepseek local install /no/such.gguf")
    half = partial_path("smollm2-135m")  # of an install that was cut off
    half.parent.mkdir(parents=True)
    half.write_bytes(b"GGUF" * 1_000_000)
    assert "4 MB arrived; install goes on from there" in run("%deepseek local status")


def test_the_larger_model_is_offered_where_the_memory_holds_it(run):
    offer = larger_model(None, 16 << 30)
    assert "deepseek-jupyter local install qwen2.5-coder-1.5b" in offer
    assert "1,117 MB" in offer
    assert larger_model(None, 2 << 30) == ""
    assert larger_model("smollm2-135m", 16 << 30) == ""


def test_help_names_every_command_and_every_flag(run):
    told = run("%deepseek help")
    for name in commands.COMMANDS:
        assert f"%deepseek {name}" in told
    for action in flag_parser()._actions:
        assert all(flag in told for flag in action.option_strings)


def test_the_html_of_a_report_escapes(run, server):
    server.queue(plain({"data": [{"id": "<img src=x onerror=alert(1)>"}]}))
    report = commands.run("models")
    assert "<img" not in report._repr_html_()
