"""Rules of a policy file bind to data, however an expression names it."""

from __future__ import annotations

import argparse
import collections
import enum
import json
import types
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from deepseek_jupyter.api import ask
from deepseek_jupyter.asking.ask import resolve
from deepseek_jupyter.asking.preview import preview
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.context.frames import levels_of
from deepseek_jupyter.context.table import read
from deepseek_jupyter.errors import ParameterError, PolicyError
from deepseek_jupyter.privacy.levels import NONE, Policy, parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from tests.support.scripted import answer

SECRETS = ("Alice", "Quux", "Zyzzy", "98765")


@pytest.fixture
def names(monkeypatch):
    df = pd.DataFrame({"customer": ["Alice Quux", "Bob Zyzzy"], "pay": [98765.5, 98765.25]})
    rows = df.to_dict("records")
    space = {"df": df, "other": df, "part": df.head(1), "rows": rows, "n": 3}
    space["renamed"] = df.assign(x=1)
    for module in ("api", "asking.notebook_cells", "asking.attachments", "display.frontend"):
        monkeypatch.setattr(f"deepseek_jupyter.{module}.user_namespace", lambda: space)
    return space


def sent(session, names, prompt="Q", **asked):
    question = resolve(Question(prompt, **asked), names, template=True)
    return str(preview(session, question).messages)


WAYS = [
    *("df", "df.head()", "df[:3]", "(df)", "df.customer", 'df["customer"]', "other", "part"),
    *("df.to_string()", "df.customer.tolist()", "df.customer.iloc[0]", "df.T.T", "renamed"),
    *("df.to_dict('records')", "df.customer.to_numpy()", "[df.customer[0]]", "df.set_index('pay')"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("level", ["none", "schema"])
@pytest.mark.parametrize("form", ["attach", "fill", "object", "named"])
def test_a_rule_for_a_frame_holds_for_every_expression(session, names, policy, way, level, form):
    policy(f'[data.frames]\ndf = "{level}"\n')
    value = eval(way, dict(names))
    if form == "attach":
        said = sent(session, names, attach=[f"{way}:full"])
    elif form == "fill":
        said = sent(session, names, "see {{ " + way + " }}")
    elif not isinstance(value, pd.DataFrame) or way == "df.T.T":
        return  # a value without a name or columns is recognised by nothing
    else:
        said = sent(session, names, attach=[(value, "full")] if form == "object" else {"z": value})
    assert not [secret for secret in SECRETS if secret in said]


@pytest.mark.parametrize("way", ["rows", "rows[0]", "rows[0]['customer']", "df.to_string()"])
def test_what_is_filled_in_obeys_the_level_and_what_is_forbidden(session, names, policy, way):
    policy('[data]\nlevel = "none"\n')
    assert "Alice" not in sent(session, names, "see {{ " + way + " }}")
    policy('[data]\nforbid = ["list", "dict", "text"]\n')
    with pytest.raises(PolicyError, match="forbids"):
        sent(session, names, "see {{ " + way + " }}")
    policy("[data]\nbudget = 500\n")
    assert "see 3" in sent(session, names, "see {{ n }}")


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("amount [EUR]", "amount [EUR]"),
        ("ssn", "ssn "),
        (" SSN", "ssn"),
        ("caf\u00e9", "cafe\u0301"),
        ("pay", ("a", "pay")),
        ("p*", ("a", "pay")),
        ("gro\u00dfe", "GROSSE"),
    ],
)
def test_a_name_is_that_name_however_it_is_written(rule, column):
    frame = pd.DataFrame([["Alice Quux"]], columns=pd.Index([column], tupleize_cols=True))
    for policy in (Policy().tightened([(rule, NONE)]), Policy(columns={rule: NONE})):
        if rule != "p*" or not policy.columns:
            assert "Alice" not in attach("df", frame, policy, Redactor()).text


NESTED = {
    "pivoted": lambda df: df.pivot_table(columns="customer", values="pay"),
    "turned": lambda df: df.set_index("customer").T,
    "index": lambda df: df.set_index("customer"),
    "transposed": lambda df: df.T,
    "melted": lambda df: df.melt(id_vars="pay"),
    "levels": lambda df: df.set_index(["customer", "pay"]),
    "dicts": lambda df: pd.DataFrame({"d": df.to_dict("records")}),
    "lists of dicts": lambda df: pd.DataFrame({"d": [df.to_dict("records")]}),
    "structs": lambda df: pl.DataFrame({"d": df.to_dict("records")}),
    "lists of structs": lambda df: pl.DataFrame({"d": [df.to_dict("records")]}),
}


@pytest.mark.parametrize("what", NESTED)
@pytest.mark.parametrize("level", ["none", "schema", "stats"])
def test_a_rule_for_a_column_holds_for_labels_and_within_values(names, what, level):
    value = NESTED[what](names["df"])
    redactor = Redactor()
    shown = attach("x", value, parse_spec(f"x:full,customer={level}")[1], redactor)
    assert not [secret for secret in SECRETS[:3] if secret in shown.text]
    assert "customer" in shown.labels or what in ("transposed", "melted")
    assert "Alice" not in redactor.redact("KeyError: 'Alice Quux'")


def test_names_of_people_are_veiled_within_values():
    rows = [{"last_name": "Zyzzx"}, {"last_name": "Quuux"}]
    for frame in (pd.DataFrame({"d": rows}), pl.DataFrame({"d": rows})):
        assert "Zyzzx" not in attach("df", frame, Policy(), Redactor()).text


@pytest.mark.parametrize("what", ["rows", "n", "'text'", "df.to_numpy()", "df", "len", "df.pay"])
def test_a_rule_that_matches_nothing_is_an_error_for_every_kind(session, server, names, what):
    with pytest.raises(ParameterError, match="no column 'custmer'"):
        ask("Q", attach=[f"{what}:custmer=none"])
    assert server.requests == []


def test_cells_obey_the_policy(session, names, policy, monkeypatch):
    from deepseek_jupyter.context.cell_text import Cell

    document = type("D", (), {"cells": (Cell("df.customer", "0 Alice Quux", 1),), "here": 1})()
    monkeypatch.setattr("deepseek_jupyter.asking.notebook_cells.from_history", lambda _: document)
    assert "Alice" in sent(session, names, cells="above")
    for rules in ('level = "none"', 'level = "stats"', '[data.frames]\ndf = "none"'):
        policy(f"[data]\n{rules}\n")
        said = sent(session, names, cells="above")
        assert "Alice" not in said
        assert "kept back by the data policy" in said
    policy('[data]\nforbid = ["cell"]\n')
    with pytest.raises(PolicyError, match="forbids"):
        sent(session, names, cells="above")


def test_what_shares_only_names_with_a_ruled_frame_leaves_and_what_shares_values_says_so(
    session, server, names, policy
):
    policy('[data.frames]\ndf = "none"\n')
    names["strange"] = pd.DataFrame({"customer": ["Dora Wxyz"], "pay": [1.5]})
    names["mixed"] = pd.DataFrame({"customer": ["Dora Wxyz", "Bob Zyzzy"], "pay": [1.5, 2.5]})
    names["lazy"] = pl.DataFrame({"customer": ["Dora Wxyz"]}).lazy()
    server.queue(*(answer("A") for _ in range(3)))
    said = {}
    for name in ("strange", "mixed", "lazy"):
        turn = ask("Q", attach=[(names[name], "full")], new=True).turn
        said[name] = "Dora" in turn.sent, " ".join(turn.notices)
    assert said["strange"] == (True, "")
    for name, columns in (("mixed", "customer, pay"), ("lazy", "customer")):
        told = f"The rule for df also applies to {columns} of `{name}`, which may be made from it."
        assert said[name][0] is False
        assert told in said[name][1]
    policy('[data.columns]\ncustomer = "none"\n')
    server.queue(answer("A"))
    (notice,) = ask("Q", attach="df.to_string()", new=True).turn.notices
    assert notice == "`df.to_string()` goes at none: the strictest level of what it is made of."


def test_values_of_a_ruled_frame_are_withheld_before_it_is_attached(session, names, policy):
    policy('[data.columns]\ncustomer = "none"\n')
    names["renamed"] = pd.DataFrame({"x": ["Alice Quux"]})
    for said in (
        sent(session, names, "KeyError: 'Alice Quux'"),
        sent(session, names, "x", attach=["renamed:full"]),
        sent(session, names, "{{ df.set_index('customer').pay.to_dict() }}"),
    ):
        assert "Alice" not in said
    assert "customer" in sent(session, names, "sort by customer")


@pytest.mark.parametrize("level", ["none", "schema", "stats"])
@pytest.mark.parametrize("way", ["rows", "rows[0]['customer']", "df.to_string()", "df"])
def test_what_is_filled_in_obeys_the_users_own_setting(session, names, way, level):
    session.config.data_policy = level
    assert "Alice" not in sent(session, names, "see {{ " + way + " }}")
    session.config.data_policy = "full"
    assert "Alice" in sent(session, names, "see {{ " + way + " }}")


TEXTS = {
    "rows.json": '[{"ssn": "QQ-17", "n": 1}]',
    "deep.json": '{"a": {"b": [{"n": 1, "ssn" : "QQ-17"}]}}',
    "rows.txt": "n;ssn\n1;QQ-17\n",
    "rows.csv.bak": '# made by hand\n"n","SSN"\n1,QQ-17\n',
    "tabbed.log": "n\tssn\n1\tQQ-17\n",
    "rows.yaml": "- n: 1\n  ssn: QQ-17\n",
    "rows.xml": "<row><ssn>QQ-17</ssn></row>",
    "row.xml": '<row ssn="QQ-17"/>',
    "rows.py": "{'n': 1, 'ssn': 'QQ-17'}",
}


@pytest.mark.parametrize("file", TEXTS)
def test_a_text_file_with_a_ruled_column_is_refused(session, names, policy, tmp_path, file):
    (tmp_path / file).write_text(TEXTS[file])
    assert "QQ-17" in sent(session, names, attach=[f"./{file}"])
    for rule in ('[data.columns]\nssn = "none"', '[data.columns]\n"s?n" = "stats"'):
        policy(rule)
        with pytest.raises(ParameterError, match=r"that rule cannot be applied"):
            sent(session, names, attach=[f"./{file}"])
    policy('[data.columns]\nother = "none"')
    assert "QQ-17" in sent(session, names, attach=[f"./{file}"])


class Field(enum.Enum):
    first = "dxcode"


class Visit(NamedTuple):
    dxcode: str
    n: int = 1


FIELDS = [("dxcode", "U9"), ("n", int)]
KEYED = {
    "bytes": lambda: pd.DataFrame({b"dxcode": ["QQ-17"]}),
    "what is not seen": lambda: pd.DataFrame({"d\u00adxcode\u200b": ["QQ-17"]}),
    "wide letters": lambda: pd.DataFrame({"\uff44xcode": ["QQ-17"]}),
    "flattened": lambda: pd.json_normalize([{"visit": {"dxcode": "QQ-17"}}]),
    "an index": lambda: pd.Index(["QQ-17"], name="dxcode"),
    "a batch": lambda: pa.record_batch({"dxcode": ["QQ-17"]}),
    "an array of structs": lambda: pa.array([{"dxcode": "QQ-17"}]),
    "a map": lambda: pa.table({"x": pa.array([[("dxcode", "QQ-17")]], pa.map_("str", "str"))}),
    "JSON in a column": lambda: pd.DataFrame({"x": [json.dumps({"dxcode": "QQ-17"})]}),
    "series in a column": lambda: pd.DataFrame({"x": [pd.Series(["QQ-17"], name="dxcode")]}),
    "named tuples in a column": lambda: pd.DataFrame({"x": [Visit("QQ-17"), Visit("QQ-18")]}),
    "records in records": lambda: np.array([(("QQ-17", 1), 2)], [("x", FIELDS), ("n", int)]),
    "a key of parts": lambda: {("dxcode", "x"): "QQ-17"},
    "a key of an enumeration": lambda: {Field.first: "QQ-17"},
    "a namespace": lambda: types.SimpleNamespace(dxcode="QQ-17"),
    "arguments": lambda: argparse.Namespace(dxcode="QQ-17"),
    "a queue": lambda: collections.deque([{"dxcode": "QQ-17"}]),
    "pairs": lambda: [("dxcode", "QQ-17"), ("n", 1)],
    "lines under a heading": lambda: [["n", "dxcode"], [1, "QQ-17"]],
    "columns and rows": lambda: {"columns": ["dxcode"], "data": [["QQ-17"]]},
    "texts of JSON": lambda: [json.dumps({"dxcode": "QQ-17"})],
    "a text of JSON": lambda: json.dumps([{"dxcode": "QQ-17"}]),
    "a text of lines": lambda: "n,dxcode\n1,QQ-17\n",
    "a printed frame": lambda: pd.DataFrame({"dxcode": ["QQ-17"], "n": [1]}).to_string(),
    "a page": lambda: pd.DataFrame({"dxcode": ["QQ-17"]}).to_html(),
    "an error": lambda: KeyError({"dxcode": "QQ-17"}),
}


@pytest.mark.parametrize("form", ["attach", "fill"])
@pytest.mark.parametrize("what", KEYED)
def test_a_rule_holds_for_a_name_in_any_container(session, names, policy, what, form):
    names.clear()
    names["v"] = KEYED[what]()
    asked = {"attach": ["v:full"]} if form == "attach" else {"prompt": "see {{ v }}"}
    if what not in ("series in a column", "named tuples in a column", "records in records"):
        assert "QQ-17" in sent(session, names, **asked)
    policy('[data.columns]\n"dxcode" = "none"\n')
    assert "QQ-17" not in sent(session, names, **asked)


MADE = ["df.T", "df.dx.to_frame('x')", "df.stack()", "pd.get_dummies(df.dx)", "str(df)"]


@pytest.mark.parametrize("way", MADE)
@pytest.mark.parametrize("rule", ['df = "none"', 'df = {columns = {customer = "none", dx="none"}}'])
def test_short_values_of_a_frame_are_recognised_as_cells_and_labels(
    session, names, policy, way, rule
):
    names["df"]["dx"] = ["HIV", "flu"]
    made = eval(way, {**names, "pd": pd})
    names |= {"made": made, "plain": pd.DataFrame({"HIVE": ["fluid"]})}
    policy(f"[data.frames]\n{rule}\n")
    said = sent(session, names, "@made and @plain")
    assert not [secret for secret in ("Alice", "HIV,", "HIV:", "flu,", "flu:") if secret in said]
    assert "HIVE" in said
    assert "fluid" in said


def test_a_name_in_the_last_of_many_values_counts():
    policy = Policy(columns={"dxcode": NONE})
    texts = [json.dumps({"a": n}) for n in range(2_000)]
    records = pd.DataFrame({"x": [*texts, json.dumps({"z": 1, "dxcode": "QQ-17"})]})
    assert levels_of(read(records), records, policy) == [NONE]
    names = [*(f"a{n}" for n in range(2_000)), "dxcode"]
    melted = pd.DataFrame({"variable": names, "value": range(2_001)})
    assert levels_of(read(melted), melted, policy)[1] == NONE
