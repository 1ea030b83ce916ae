"""The gauge, price lists, what an answer would cost elsewhere, and requests as code that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import polars as pl
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.preview import sent
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.magics.commands import run
from deepseek_jupyter.protocol.snippets import snippet
from deepseek_jupyter.protocol.tokens import count_with
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.session.accounts import price_list
from tests.support.asking import KEY
from tests.support.scripted import answer

NASTY = "Say 'hi' to \"$USER\" \\ `x` \n JSON\nJSON\n{{ }} 中文 \x00 %s"


@pytest.fixture
def asked(session, server):
    server.queue(answer("Hello."))
    return ds.ask(NASTY, system="Be brief.", temperature=0.5, think=False, show=False)


def posted(server) -> list:
    return [json.loads(json.dumps(request.json)) for request in server.requests]


def test_the_command_prints_the_request_of_a_turn(asked, server):
    shown = str(run("show --as curl"))
    assert shown.startswith(f"curl -N {server.base_url()}/chat/completions")
    assert '"content": "Be brief."' in shown
    drawn = ds.ask("And now?", dry_run=True)
    assert str(run(f"show drawn-{drawn.id} --as curl")) == str(drawn.as_code("curl"))
    assert str(run(f"show {asked.turn.id[-6:]} --as python")).startswith("import os")
    for wrong in ("ruby", ""):
        with pytest.raises(ParameterError, match="There is no form"):
            run(f"show --as {wrong}")


@pytest.mark.parametrize("form", ["curl", "python", "openai"])
def test_what_is_printed_runs_and_sends_the_same(asked, session, server, form, tmp_path):
    if form == "curl" and not shutil.which("curl"):
        pytest.skip("the printed command needs curl, which this machine has not")
    if form == "openai":
        pytest.importorskip("openai", reason="the printed code needs OpenAI's package")
    server.queue(answer("Again."))
    preview = sent(session, asked.turn)
    code = str(preview.as_code(form).text)
    assert KEY not in code
    assert "DEEPSEEK_API_KEY" in code
    shell = ["/bin/sh"] if form == "curl" else [sys.executable]
    file = tmp_path / "code"
    file.write_text(code, "utf-8")
    environ = {**os.environ, "DEEPSEEK_API_KEY": KEY, "PYTHONUTF8": "1"}
    done = subprocess.run([*shell, file], capture_output=True, text=True, env=environ, timeout=60)
    assert len(server.requests) == 2, (code, done.stderr)
    first, second = posted(server)
    assert first == second, done.stderr
    assert "finish_reason" in done.stdout
    assert server.requests[-1].path == server.requests[0].path
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_dry_run_can_be_code_too(session, server):
    preview = ds.ask("Hello?", dry_run=True, max_tokens=5)
    code = preview.as_code("curl").text
    assert code.startswith(f"curl -N {server.base_url()}/chat/completions")
    assert '"max_tokens": 5' in code
    with pytest.raises(ParameterError, match="no form 'ruby'"):
        preview.as_code("ruby")


def test_a_server_without_a_key_gets_none():
    for form in ("curl", "python", "openai"):
        assert "Bearer" not in snippet(
            form, "http://127.0.0.1:1/v1/chat/completions", "", {}, WIRES["chat"].key, {}
        )


def test_the_gauge_says_how_full_and_how_dear(session, server):
    server.queue(answer("A."))
    text = "A long text about tides. " * 2_000
    first = str(ds.ask("What?", attach={"text": text}, dry_run=True))
    assert re.match(r"[\d,]+ of 1,048,576 tokens, about \$0\.[\d]+, 0 cached", first)
    ds.ask("What?", attach={"text": text}, show=False)
    again = str(ds.ask("And then?", attach={"text": text}, dry_run=True))
    cached = int(re.search(r", ([\d,]+) cached", again)[1].replace(",", ""))
    assert cached > 9_000
    other = str(ds.ask("And?", attach={"text": text}, dry_run=True, new=True, system="Else."))
    assert ", 0 cached" in other


def test_what_is_new_is_not_said_to_be_in_the_cache(session, server):
    """Also where the tokens that leave are counted, and fewer than an estimate says."""
    server.queue(answer("A."))
    ds.ask("Count these. " + "word, " * 500, show=False)
    new = "And now these? " + "other, " * 100
    count_with(lambda text: len(text) // 10)
    try:
        gauge = str(ds.ask(new, dry_run=True))
    finally:
        count_with(None)
    said = re.match(r"([\d,]+) of [\d,]+ tokens, about \$[\d.]+, ([\d,]+) cached", gauge)
    total, cached = (int(n.replace(",", "")) for n in said.groups())
    assert 300 < cached <= total - len(new) // 10


def test_the_price_list_has_sources_and_says_what_is_unknown(session):
    session.config.prices = {"wcode": {"my-model": [1, 2, 3, "CNY"]}}
    shown = str(price_list(session))
    rows = {line.split()[0]: line for line in shown.splitlines() if ":" in line.split()[0]}
    assert "131,072" in rows["cometapi:deepseek-v3.2-exp"]
    assert "2025-10-01" in rows["cometapi:deepseek-v3.2-exp"]
    assert "your settings" in rows["wcode:my-model"]
    assert any("not known" in row for row in rows.values())
    assert "deepseek costs 2 times as much at 01:00-04:00, 06:00-10:00 UTC on weekdays: " in shown
    assert str(run("price")).startswith("Prices")


@pytest.mark.parametrize("form", [None, "conversation", pd.DataFrame, pl.DataFrame, list])
def test_what_answers_would_cost_elsewhere(asked, session, form):
    given = ds.turns(backend="records")
    given = (
        {None: None, "conversation": session.conversation}.get(form)
        if form
        in (
            None,
            "conversation",
        )
        else form(given)
    )
    models = ["cometapi:deepseek-v3.2-exp", "openrouter:nobody/knows"]
    report = ds.what_if(given, models=models)
    paid, there, unknown = report.rows
    usage = asked.usage
    cost = (usage.prompt_tokens * 0.22 + usage.completion_tokens * 0.35) / 1e6
    assert paid[:2] == ("as asked", paid[1])
    assert float(there[1].lstrip("$")) == pytest.approx(cost, rel=0.05)
    assert unknown[1] == "not known"
    assert ds.what_if(given, models=models[0]).rows == [paid, there]


def test_without_answers_there_is_nothing_to_reckon(session):
    with pytest.raises(ParameterError, match="No answer here has token counts"):
        ds.what_if(models=["deepseek-flash"])
