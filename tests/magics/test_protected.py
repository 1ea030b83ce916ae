"""Sentinels: no byte of a protected value leaves, by whatever way the notebook offers it.

The policy file protects by key, column and level; the detectors by what a text looks like.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.history import HistoryManager

from deepseek_jupyter.privacy.policy_file import FILE
from tests.support.scripted import answer

KEEPS_OUTPUTS = hasattr(HistoryManager, "outputs")  # from IPython 9.1 on
NAME = "Margarete Quandt-Weyl"
KEY = "sk-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
MAIL = "m.quandt@clinic.example"
CARD = "4111 1111 1111 1111"

POLICY = """\
[data]
detectors = true
[data.columns]
"*patient*" = "none"
"""

WAYS = {
    "a dict": (f"who = {{'patient': '{NAME}', 'mail': '{MAIL}'}}", "@who"),
    "deep in lists": (f"who = [{{'a': [{{'patient_name': '{NAME}'}}, '{MAIL}']}}]", "@who"),
    "a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    patient: str\n    n: int\n"
        f"who = P('{NAME}', 1)",
        "@who",
    ),
    "a source": (f"def who():\n    return '{KEY}', '{MAIL}', '{CARD}'", "@who"),
    "a text": (f"who = 'Card {CARD}, mail {MAIL}, api_key = {KEY}'", "@who"),
    "a repr": (f"class W:\n    def __repr__(self): return 'W({MAIL})'\nwho = W()", "@who"),
    "an offer": (
        f"class W:\n    def _deepseek_context_(self): return '{MAIL} {KEY}'\nwho = W()",
        "@who",
    ),
    "an array": (f"import numpy as np; who = np.array(['{MAIL}', '{CARD}'])", "@who"),
    "a cell": (f"print('{MAIL}', '{KEY}')", "@In[1] and @Out[1]" if KEEPS_OUTPUTS else "@In[1]"),
    "interpolation": (f"who = '{MAIL} {CARD}'", "{{ who }}"),
}


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / FILE).write_text(POLICY, "utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "lab.ipynb"))
    return tmp_path


def clean(server) -> None:
    """Nothing protected is in any request, in its bytes as they came."""
    for request in server.requests:
        body = request.raw.decode("utf-8")
        for secret in (NAME, KEY, MAIL, CARD, "Quandt", CARD.replace(" ", ""), KEY[:12]):
            assert secret not in body, secret


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("flags", ["", "--cells above"])
def test_a_protected_value_never_leaves(run, server, notebook, way, flags):
    setup, prompt = WAYS[way]
    if "'patient" in setup or "P(" in setup:
        flags = ""  # cells show sources; a name in a source is no column's value until attached
    server.queue(answer("I see."))
    run(setup)
    run(f"%%ds {flags}\nWho is {prompt}?")
    assert len(server.requests) == 1
    clean(server)


def test_what_was_attached_once_stays_protected_in_all_that_follows(run, server, notebook):
    run(f"who = {{'patient': '{NAME}', 'n': 1}}")
    server.queue(answer("I see."), answer("I see."), answer("I see."))
    run("%%ds\nHow many are in @who?")
    run("def find(who):\n    raise KeyError(who)")
    run("import traceback")
    run("try:\n    find(who['patient'])\nexcept KeyError:\n    told = traceback.format_exc()")
    run("%%ds --cells above\nWhat is wrong? {{ told }}")
    run("%%ds\n{{ repr(who) }} {{ str(list(who.values())) }}")
    assert len(server.requests) == 3
    clean(server)


def test_the_traceback_of_a_failing_cell_is_clean_when_it_is_to_be_fixed(run, server, notebook):
    run(f"who = {{'patient': '{NAME}', 'mail': '{MAIL}', 'n': 1}}")
    server.queue(answer("I see."), answer("I see."))
    run("%%ds\nHow many are in @who?")
    run("key = 'x'\nraise KeyError(who['patient'] + key + who['mail'])")
    run("%deepseek fix")
    assert len(server.requests) == 2
    assert "KeyError" in server.requests[1].json["messages"][-1]["content"]
    clean(server)


def test_a_forbidden_kind_is_not_attached(run, server, notebook):
    (notebook / FILE).write_text('[data]\nforbid = ["source", "file"]\n', "utf-8")
    run("def who(): pass")
    assert "forbids" in run("%%ds\nExplain @who")
    assert server.requests == []


def test_a_malformed_policy_stops_attaching_and_asking(run, server, notebook):
    (notebook / FILE).write_text('[data]\nlevel = "stat"\n', "utf-8")
    run("who = {'a': 1}")
    told = run("%%ds\nExplain @who")
    assert f"{notebook / FILE}, line 2" in told
    assert server.requests == []


def test_the_level_of_the_file_is_the_most(run, server, notebook):
    (notebook / FILE).write_text('[data]\nlevel = "schema"\nbudget = 60\n', "utf-8")
    run(f"who = {{'name': '{NAME}', 'n': 41729}}")
    server.queue(answer("I see."))
    run("%%ds --attach who:full,n=full\nExplain it.")
    said = server.requests[0].json["messages"][-1]["content"]
    assert "'name': <str>, 'n': <int>" in said
    assert "41729" not in said
    clean(server)
