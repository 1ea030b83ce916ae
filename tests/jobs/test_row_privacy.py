"""What leaves with a map: the named columns' values and nothing that is withheld or masked."""

from __future__ import annotations

import random

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import api
from deepseek_jupyter.errors import PolicyError
from deepseek_jupyter.session.session import get_session
from tests.jobs.test_row_map import everything
from tests.support.fuzzing import rounds


def sent(server) -> str:
    return repr(server.messages)


def test_naming_a_column_releases_it_and_nothing_else(serve, monkeypatch):
    from deepseek_jupyter.jobs import verbs

    server = serve()
    rows = pd.DataFrame({"text": ["of Quentina Marsh"], "owner": ["Quentina Marsh"]})
    monkeypatch.setattr(verbs, "user_namespace", lambda: {"rows": rows})
    get_session().config.data_policy = "schema"
    answered = everything(rows, "{{ text }} x")
    assert "Quentina" not in sent(server)
    assert "of <value-1> x" in sent(server)
    assert "Quentina" not in str(answered["answer"][0])


def test_a_policy_file_refuses_before_the_first_row(serve, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame({"text": ["a"], "owner": ["b"]})
    for rule in ('level = "stats"', 'columns = {text = "sample(3)"}', 'forbid = ["frame"]'):
        (tmp_path / "deepseek-policy.toml").write_text(f"[data]\n{rule}\n")
        with pytest.raises(PolicyError):
            everything(rows, "{{ text }}")
    (tmp_path / "deepseek-policy.toml").write_text('[data]\ncolumns = {owner = "none"}\n')
    everything(rows, "{{ text }}")
    assert server.number == 1


def test_a_rule_of_the_settings_or_of_an_attachment_refuses_too(serve, monkeypatch):
    from deepseek_jupyter.jobs import verbs

    server = serve()
    rows = pd.DataFrame({"text": ["abcdefgh"], "owner": ["ijklmnop"]})
    monkeypatch.setattr(verbs, "user_namespace", lambda: {"rows": rows})
    get_session().config.data_policy = "sample(5),owner=none"
    with pytest.raises(PolicyError, match="'owner'"):
        everything(rows, "{{ owner }}")
    get_session().config.data_policy = "sample(5)"
    ds.ask("Why?", attach={"rows": rows}, show=False)
    everything(rows, "{{ owner }}")
    monkeypatch.setattr(api, "user_namespace", lambda: {"rows": rows})
    ds.ask("Why?", attach="rows:full,owner=stats", show=False)
    before = server.number
    with pytest.raises(PolicyError, match="'owner'"):
        everything(rows, "{{ owner }} again")
    assert server.number == before


def test_columns_that_look_personal_are_masked_whole_and_restored(serve):
    server = serve(lambda body: f"Dear {body['messages'][-1]['content'].split()[-1]}")
    rows = pd.DataFrame({"full_name": ["Quentina", "Marsh"]})
    answered = everything(rows, "Greet {{ full_name }}")
    assert server.accepted == 1
    assert answered["answer"].tolist() == ["Dear Quentina", "Dear Marsh"]


def test_a_masked_value_is_restored_within_a_typed_answer(serve):
    import json
    from dataclasses import dataclass

    @dataclass
    class Found:
        mail: str

    serve(lambda body: json.dumps({"mail": "<email-1>"}))
    rows = pd.DataFrame({"text": ['a"b@example.org', "c@example.org"]})
    assert everything(rows, "{{ text }}", to=Found)["mail"].tolist()[1] == "c@example.org"


def test_no_map_lets_a_sentinel_leave(serve, monkeypatch, tmp_path):
    """Generated frames, prompts and policies; a sentinel is a value that no map may send."""
    from deepseek_jupyter.jobs import verbs

    server, draw = serve(), random.Random(11)
    monkeypatch.chdir(tmp_path)
    session = get_session()
    for run in range(rounds(300)):
        size = draw.randint(1, 4)
        hidden = [f"Zentinel{run}x{at}q" for at in range(size)]
        mails = [f"zentinel{run}.{at}@example.org" for at in range(size)]
        words = [draw.choice((f"seen {run} {at}", f"said {hidden[at]}!", f"by {mails[at]}"))
                 for at in range(size)]  # fmt: skip
        rows = pd.DataFrame({"text": words, "secret": hidden, "mail": mails, "full_name": hidden})
        monkeypatch.setattr(verbs, "user_namespace", lambda rows=rows: {"rows": rows})
        how = draw.randint(0, 2)
        policy = tmp_path / "deepseek-policy.toml"
        policy.unlink(missing_ok=True)
        session.config.data_policy = "sample(5)"
        if how == 0:
            policy.write_text('[data]\ncolumns = {secret = "none"}\n')
        elif how == 1:
            session.config.data_policy = draw.choice(("schema", "none", "full,secret=schema"))
        else:
            rows["text"] = [w if "said" not in w else "seen" for w in rows["text"]]
        column = draw.choice(("text", "mail", "full_name", "secret" if how == 0 else "text"))
        try:
            everything(rows, f"Run {run}: {{{{ {column} }}}} and {{{{ text }}}}")
        except PolicyError:
            assert column == "secret"
    assert server.accepted > rounds(300) * 5 // 6
    assert "entinel" not in sent(server)
