"""History goes out under today's policies: as it was while none has changed, else with less."""

from __future__ import annotations

import pandas as pd
import pytest

from deepseek_jupyter.api import ask
from tests.support.scripted import answer


@pytest.fixture(autouse=True)
def names(monkeypatch):
    names = [f"Person Quux{n}" for n in range(40)]
    df = pd.DataFrame({"customer": names, "amount": [1000.5 + n for n in range(40)]})
    space = {"df": df}
    for module in ("api", "asking.notebook_cells", "asking.attachments", "display.frontend"):
        monkeypatch.setattr(f"deepseek_jupyter.{module}.user_namespace", lambda: space)
    return space


def sent(server) -> list[str]:
    return [str(m["content"]) for m in server.requests[-1].json["messages"]]


@pytest.mark.parametrize("policy", ["full", "sample", "stats", "schema", "stats,customer=none"])
def test_while_nothing_changes_its_bytes_stay(session, server, policy):
    server.queue(answer("Mail <email-1>: Person Quux7."), *[answer("Fine.")] * 3)
    ask("One, to bob@b.de?", attach=f"df:{policy}")
    for n in range(3):
        before = sent(server)
        ask(f"Again {n}?", attach=f"df:{policy}" if n else ())
        expected = [text.replace("Person Quux7", "<value-1>") for text in before]
        assert sent(server)[: len(before)] in (before, expected)


@pytest.mark.parametrize("rule", ['df = "none"', 'df = { columns = { customer = "none" } }'])
def test_a_card_stays_here_once_a_policy_file_keeps_it_back(
    session, server, tmp_path, monkeypatch, rule
):
    server.queue(answer("One."), answer("Two."))
    ask("What is in it?", attach="df:full")
    assert "Quux7" in sent(server)[0]
    file = tmp_path / "policy.toml"
    file.write_text(f"[data.frames]\n{rule}\n")
    monkeypatch.setenv("DEEPSEEK_POLICY", str(file))
    ask("And now?")
    assert "Quux" not in "".join(sent(server))
    assert sent(server)[0] == "What is in it?"


def test_a_policy_file_that_allows_as_much_as_was_sent_changes_nothing(
    session, server, tmp_path, monkeypatch
):
    server.queue(answer("One."), answer("Two."))
    ask("What is in it?", attach="df:stats")
    (card,) = sent(server)
    file = tmp_path / "policy.toml"
    file.write_text('[data]\nlevel = "sample"\n')
    monkeypatch.setenv("DEEPSEEK_POLICY", str(file))
    ask("And now?")
    assert sent(server)[0] == card


def test_words_that_are_withheld_by_now_are_masked(session, server):
    server.queue(answer("Person Quux7 owes most."), answer("Two."), answer("Three."))
    ask("What of Person Quux7?")
    ask("Look.", attach="df:full,customer=none")
    ask("And?")
    assert "Quux7" not in "".join(sent(server))


@pytest.mark.parametrize("made", ["df.to_string()", "df.to_json()", "df.to_html()", "str(df)"])
def test_a_text_of_a_frame_stays_here_once_a_rule_names_its_column(
    session, server, names, tmp_path, monkeypatch, made
):
    names["df"] = pd.DataFrame({"dx": ["HIV", "flu"], "n": [1, 2]})
    server.queue(answer("One."), answer("Two."))
    ask("What is in it?", attach=f"{made}:full")
    assert "HIV" in sent(server)[0]
    file = tmp_path / "policy.toml"
    file.write_text('[data.columns]\ndx = "none"\n')
    monkeypatch.setenv("DEEPSEEK_POLICY", str(file))
    ask("And now?")
    assert "HIV" not in "".join(sent(server))
