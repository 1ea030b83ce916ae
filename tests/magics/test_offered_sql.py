"""`sql` is offered unasked for a frame; results of code that hold rows wait for a yes."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("duckdb", reason="duckdb has no wheel for this Python")
pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
pytest.importorskip("sqlglot", reason="sqlglot comes with the sql extra")

import deepseek_jupyter as ds
from deepseek_jupyter.errors import ConfigurationError
from tests.asking.test_consent import Typist
from tests.support.scripted import answer

from .test_builtin_tools import ask, calls, everything, told

SHIP = """\
import pandas as pd
ship = pd.DataFrame({
    "pclass": [1 + n % 3 for n in range(891)],
    "sex": ["female" if n % 5 < 2 else "male" for n in range(891)],
    "survived": [int(n * 7 % 11 < 4) for n in range(891)],
    "customer": [n // 10 for n in range(891)],
    "name": [f"SENTINEL-{n:03}" for n in range(891)],
})
"""
BY_CLASS = "SELECT pclass, sex, avg(survived) r FROM ship GROUP BY ALL ORDER BY pclass, sex"


@pytest.fixture
def frame(shell):
    shell.run_cell(SHIP)
    return shell


def offered(server, request: int = -1) -> list[str]:
    return [t["function"]["name"] for t in server.requests[request].json.get("tools", ())]


class TestOffered:
    def test_which_class_survives_best_is_answered_by_all_rows(self, frame, server):
        server.queue(calls(("sql", {"query": BY_CLASS})), answer("So it is."))
        ask(frame, "", "Which class survives best in @ship, by sex?")
        right = frame.user_ns["ship"].groupby(["pclass", "sex"]).survived.mean()
        lines = [f"{pclass},{sex},{rate:.10g}" for (pclass, sex), rate in right.items()]
        assert told(server)[0].splitlines()[1:7] == lines
        assert "all 891 rows of ship" in told(server)[0]
        assert server.complaints == []

    def test_it_stays_for_the_conversation_and_is_described_in_the_same_bytes(self, frame, server):
        server.queue(answer("Yes."), calls(("sql", {"query": BY_CLASS})), answer("So."))
        ask(frame, "-a ship", "Is it clean?")
        frame.run_cell("ship.loc[len(ship)] = [1, 'male', 0, 90, 'new']")
        ask(frame, "", "And which class survives best?")
        first, second, _ = (json.dumps(r.json["tools"]) for r in server.requests)
        assert first == second
        assert "all 892 rows of ship" in told(server)[0]
        server.queue(answer("Hello."))
        ask(frame, "--new", "Hello?")
        assert offered(server) == []

    def test_a_frame_without_a_name_in_the_notebook_stays_too(self, frame, server):
        server.queue(answer("Yes."), answer("So."))
        ds.ask("Clean?", attach={"people": frame.user_ns["ship"].head(50)})
        ds.ask("And now?")
        assert offered(server, 0) == offered(server, 1) == ["sql"]
        assert "\npeople (" in server.requests[1].json["tools"][0]["function"]["description"]

    @pytest.mark.parametrize(
        "line",
        [
            "", "-a ship:schema", "-a ship:none", "-a ship --tools none", "-a ship --schema int",
            "-a ship -m another-model", "-a ship -f json",
        ],
    )  # fmt: skip
    def test_where_it_cannot_help_the_request_is_as_it_was(self, frame, server, line):
        server.queue(answer("1"))
        ask(frame, line)
        assert "sql" not in offered(server)

    def test_a_setting_turns_it_off(self, frame, server):
        ds.get_session().config.offer_sql = False
        server.queue(answer("Yes."))
        ask(frame, "-a ship")
        assert "tools" not in server.requests[0].json

    def test_a_policy_file_that_forbids_it_turns_it_off(self, frame, server, tmp_path, monkeypatch):
        (tmp_path / "p.toml").write_text('[teaching]\nforbid_tools = ["sql"]\n')
        monkeypatch.setenv("DEEPSEEK_POLICY", str(tmp_path / "p.toml"))
        server.queue(answer("Yes."))
        ask(frame, "-a ship")
        assert offered(server) == []

    @pytest.mark.parametrize("missing", ["duckdb", "sqlglot"])
    def test_nothing_is_offered_where_a_package_is_missing(
        self, frame, server, missing, monkeypatch
    ):
        from deepseek_jupyter.tools import sql

        found = sql.find_spec
        monkeypatch.setattr(sql, "find_spec", lambda n: None if n == missing else found(n))
        server.queue(answer("Yes."))
        ask(frame, "-a ship")
        assert offered(server) == []

    def test_an_own_server_and_the_small_embedded_model_are_not_offered_it(self):
        from deepseek_jupyter.asking.toolset import offers_tools
        from deepseek_jupyter.transport.providers import PROVIDERS, provider_named

        lab = provider_named("lab", {"lab": {"like": "vllm", "base_url": "http://10.0.0.5/v1"}})
        assert not offers_tools(lab, "deepseek-v3")
        assert not offers_tools(PROVIDERS["ollama"], "deepseek-v3")
        assert not offers_tools(PROVIDERS["local"], "qwen2.5-coder-0.5b")
        assert offers_tools(PROVIDERS["local"], "qwen2.5-coder-1.5b")
        assert offers_tools(PROVIDERS["openrouter"], "deepseek/deepseek-v3.2-exp")

    def test_a_dry_run_counts_it(self, frame, server):
        seen = ds.ask("Well?", attach="ship", dry_run=True)
        plain = ds.ask("Well?", attach="ship", tools="none", dry_run=True)
        assert "tools and answer schema" in str(seen)
        assert "tools and answer schema" not in str(plain)

    @pytest.mark.parametrize("setting", ["budget", "notebook_budget"])
    def test_a_budget_that_cannot_be_held_is_refused_before_anything(self, frame, server, setting):
        setattr(ds.get_session().config, setting, 0.5)
        with pytest.raises(ConfigurationError, match="No price of") as told:
            ds.ask("Well?", attach="ship", model="deepseek-unheard-of")
        assert "prices" in told.value.hint
        assert server.requests == []


class TestPolicyFile:
    QUERY = "SELECT pclass, count(*) AS n, sum(survived) AS s FROM ship WHERE {} GROUP BY pclass"

    @pytest.fixture
    def rules(self, tmp_path, monkeypatch):
        def write(text: str) -> None:
            (tmp_path / "p.toml").write_text(text)
            monkeypatch.setenv("DEEPSEEK_POLICY", str(tmp_path / "p.toml"))

        return write

    def asked(self, frame, server, where: str) -> str:
        server.queue(calls(("sql", {"query": self.QUERY.format(where)})), answer("So."))
        ask(frame, "-a ship --new")
        return told(server)[-1]

    def test_different_customers_are_counted_instead_of_rows(self, frame, server, rules):
        assert "(3 rows)" in self.asked(frame, server, "customer < 4")
        rules('[data.frames]\nship = {unit = "customer"}\n')
        assert "(no rows)" in self.asked(frame, server, "customer < 4")
        assert "(3 rows)" in self.asked(frame, server, "customer < 5")

    def test_the_unit_may_be_a_column_of_which_nothing_leaves(self, frame, server, rules):
        rules('[data.frames]\nship = {unit = "customer", columns = {customer = "none"}}\n')
        assert "(3 rows)" in self.asked(frame, server, "survived = 1")
        assert "There is no column" in self.asked(frame, server, "customer < 4")
        assert "customer" not in server.requests[0].json["tools"][0]["function"]["description"]

    def test_a_frame_without_the_unit_has_no_query(self, frame, server, rules):
        rules('[data.frames]\nship = {unit = "client"}\n')
        server.queue(answer("Yes."))
        ask(frame, "-a ship")
        assert offered(server) == []

    def test_min_group_is_only_raised(self, frame, server, rules):
        rules("[data]\nmin_group = 300\n")
        assert "(no rows)" in self.asked(frame, server, "survived = 1")
        ds.get_session().config.min_group = 400
        assert "(no rows)" in self.asked(frame, server, "TRUE")
        rules("[data]\nmin_group = 2\n")
        assert "(no rows)" in self.asked(frame, server, "TRUE")


class TestCode:
    ROWS = "print(ship[['name', 'customer']].iloc[300:302].to_string())"

    def ran(self, frame, server, code: str, *lines: str, monkeypatch) -> str:
        monkeypatch.setattr(sys, "stdin", Typist("".join(f"{line}\n" for line in lines)))
        server.queue(calls(("run_python", {"code": code})), answer("Fine."))
        ask(frame, "-a ship --tools run_python", "Look.")
        return told(server)[-1]

    def test_rows_wait_for_a_second_yes_that_shows_them(self, frame, server, monkeypatch, capsys):
        frame.run_cell("ship['customer'] += 1000")
        text = self.ran(frame, server, self.ROWS, "y", "n", monkeypatch=monkeypatch)
        assert text.startswith("kept here: the result holds rows of ship")
        assert "SENTINEL-300" not in everything(server)
        assert "SENTINEL-300" in capsys.readouterr().out
        assert ds.last.steps[0].decisions == (("call_0", "result kept here"),)
        text = self.ran(frame, server, self.ROWS, "y", "y", monkeypatch=monkeypatch)
        assert "SENTINEL-300" in text

    def test_always_means_running_or_sending_and_not_both(self, frame, server, monkeypatch):
        frame.run_cell("ship['customer'] += 1000")
        self.ran(frame, server, self.ROWS, "a", "a", monkeypatch=monkeypatch)
        assert "SENTINEL-300" in self.ran(frame, server, self.ROWS, monkeypatch=monkeypatch)

    @pytest.mark.parametrize("code", ["ship.survived.mean()", "len(ship)", "ship.dtypes"])
    def test_figures_leave_after_one_yes(self, frame, server, monkeypatch, code):
        text = self.ran(frame, server, code, "y", monkeypatch=monkeypatch)
        assert text.startswith("Result:")

    def test_what_was_masked_and_cut_is_counted(self, frame, server, monkeypatch):
        code = "print('a@example.org', 'b@example.org'); print('x' * 20_000)"
        text = self.ran(frame, server, code, "y", monkeypatch=monkeypatch)
        assert "(masked: 2 × email)" in text
        assert "characters left out" in text
