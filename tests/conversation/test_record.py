"""The record is what docs/record.md says: every field, in order, of the type in the table."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from deepseek_jupyter.conversation.restore import records_in
from deepseek_jupyter.conversation.turn import SCHEMA, Step, Turn, now, read_record
from deepseek_jupyter.display.render import final_bundle, footer
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.output import TURN_MIME, output_of, unpacked
from deepseek_jupyter.protocol.usage import Usage

DOCUMENT = Path(__file__).parents[2] / "docs" / "record.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TABLE = DOCUMENT.read_text("utf-8").split("## The comms")[0]
ROWS = {name: (kind.strip(), meaning) for name, kind, meaning in ROW.findall(TABLE)}
DOCUMENTED = {name: row for name, row in ROWS.items() if "alone" not in row[0]}
TYPES = {
    "int": int,
    "string": str,
    "string or null": (str, type(None)),
    "object": dict,
    "object or null": (dict, type(None)),
    "array": list,
    "array of string": list,
    "boolean": bool,
    "int or null": (int, type(None)),
}

FULL = Turn(
    id="0198",
    conversation="c",
    prompt="Q",
    sent="as sent",
    parent="0197",
    cell_id="cell",
    created=now(),
    status="done",
    provider="deepseek",
    model="asked",
    served_model="served",
    parameters={"temperature": 0.3, "stop": ["x"]},
    steps=(Step((ToolCall("call_0", "f", "{}"),), (("call_0", "four"),), "Let me see.", "hm"),),
    replayed=True,
    attachments=({"name": "df", "kind": "frame", "hash": "h", "policy": "schema", "tokens": 9},),
    reasoning="R",
    answer="A",
    tool_calls=(ToolCall("id", "f", "{}"),),
    usage=Usage(10, 5, 4, 2),
    cost={"amount": "0.0001", "currency": "USD"},
    timing={"first_token": 0.1, "thinking": 0.2, "total": 0.5},
    finish_reason="stop",
    notices=("One.",),
    tokens={"says": "S", "packed": "P"},
    error={"type": "T", "message": "M", "hint": "H"},
    reasoning_details=({"type": "reasoning.text", "text": "secret form"},),
)
RICH_ANSWER = """\
## Who survived

Women of the **first class** did best; see `df.groupby(["pclass", "sex"])`.

| class | women | men |
|:------|------:|----:|
| 1     |  0.97 | 0.37|
| 2     |  0.92 | 0.16|
| 3     |  0.50 | 0.14|

```python
import pandas as pd

rates = df.groupby(["pclass", "sex"])["survived"].agg(["mean", "count"])
for (pclass, sex), row in rates.iterrows():
    if row["count"] < 5:
        continue
    print(f"{pclass} {sex:<8} {row['mean']:.2f} of {row['count']}")
```

The mean is $\\bar x = \\frac{1}{n}\\sum_{i=1}^n x_i$, with the interval

$$\\bar x \\pm 1.96\\sqrt{\\frac{\\bar x (1 - \\bar x)}{n}}$$

1. *First*, the figures are of all 891 rows.
2. *Second*, a < b and "quotes" stay as they are.

> Small groups say little.

The rates are those of the whole table, not of the rows in the sample. What this does not say:
why. Boats were boarded by deck, and the first class lived nearest to them; women and children
went first, which the second column shows for every class. A model with both would need an
interaction, since the gap between the sexes is 0.60 in the first class, 0.76 in the second and
0.36 in the third. Before you go further, look at `age`: 177 of the values are missing, most of
them in the third class, and dropping those rows would change the rates above.
"""
EMPTY_STEP = Step((ToolCall("call_0", "f", ""),), (("call_0", ""),))
BARE = Turn(id="1", conversation="c", prompt="Q")


def record(turn: Turn) -> dict[str, object]:
    made = turn.record
    return {**made, "footer": footer(made)}


@pytest.mark.parametrize("turn", [FULL, BARE], ids=["full", "bare"])
def test_the_fields_are_those_of_the_table(turn):
    assert set(record(turn)) == set(DOCUMENTED)


@pytest.mark.parametrize("turn", [FULL, BARE], ids=["full", "bare"])
@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_field_has_the_type_of_the_table(turn, name):
    assert isinstance(record(turn)[name], TYPES[DOCUMENTED[name][0]])


@pytest.mark.parametrize("turn", [FULL, BARE], ids=["full", "bare"])
def test_it_is_json_and_comes_back_the_same(turn):
    assert json.loads(json.dumps(record(turn))) == record(turn)


@pytest.mark.parametrize(
    ("field", "inner"),
    [
        ("usage", Usage(1, 2, 1, 1).to_json()),
        ("timing", BARE.record["timing"]),
        ("cost", FULL.cost),
        ("error", FULL.error),
        ("attachments", FULL.attachments[0]),
    ],
)
def test_the_inner_fields_are_those_of_the_table(field, inner):
    meaning = DOCUMENTED[field][1]
    assert all(name in meaning for name in inner)


def test_tool_calls_are_written_out():
    (call,) = FULL.record["tool_calls"]
    assert (call["id"], call["name"], call["arguments"]) == ("id", "f", "{}")


def test_what_is_only_for_the_wire_stays_out():
    text = json.dumps(FULL.record)
    assert "as sent" not in text
    assert "secret form" not in text


def test_schema_and_moment():
    assert FULL.record["schema"] == SCHEMA == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", FULL.record["created"])


def test_statuses_are_documented():
    import inspect

    from deepseek_jupyter.asking import run
    from deepseek_jupyter.display import transcript

    used = set(
        re.findall(
            r'"(waiting|thinking|answering|done|interrupted|truncated|error)"',
            "".join(map(inspect.getsource, (run, transcript))),
        )
    )
    assert all(f"`{status}`" in DOCUMENTED["status"][1] for status in used)
    assert {"done", "interrupted", "truncated", "error"} <= used


# As an output holds it


def saved(turn: Turn) -> str:
    """The turn's output as a notebook file has it."""
    data, metadata = output_of(final_bundle(record(turn)))
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("%%ds\nQ", id="cell", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    return nbformat.writes(notebook)


def read(file: str) -> object:
    (found,) = records_in(json.loads(file))
    return found


RICH = replace(
    FULL,
    id="0198a7b0-5b7c-7c3e-9d1f-2f1c6b1e0a11",
    conversation="0198a7b0-5b7c-7c3e-9d1f-2f1c6b1e0a12",
    parent="0198a7b0-5b7c-7c3e-9d1f-2f1c6b1e0a13",
    cell_id="0198a7b0-5b7c-7c3e-9d1f-2f1c6b1e0a14",
    request_hash="0" * 64,
    error=None,
    notices=(),
    tool_calls=(),
    reasoning="The user asks for Titanic's survivors by class and sex. " * 40,
    answer=RICH_ANSWER,
    steps=(
        Step(
            (ToolCall("call_0", "sql", json.dumps({"query": "select * from df" * 6})),),
            (("call_0", "| pclass | sex | n |\n|---|---|---|\n" + "| 1 | female | 94 |\n" * 12),),
        ),
    ),
)


@pytest.mark.parametrize("turn", [FULL, replace(BARE, steps=(EMPTY_STEP,)), RICH], ids="fbr")
@pytest.mark.parametrize("answer", ["A", "", "B" * 100, "a\x1b[31mb", "a\x0cb\u2028c\r\nd\n"])
def test_an_output_says_all_that_the_record_says(turn, answer):
    turn = replace(turn, answer=answer)
    assert read_record(read(saved(turn))) == read_record(turn.record)


@pytest.mark.parametrize("kind", ["md", "code", "json", "text"])
def test_the_answer_is_there_twice_raw_and_rendered(kind):
    bundle = final_bundle(record(replace(FULL, answer="Forty-two.", format=kind)))
    assert json.dumps(bundle).count("Forty-two.") == 2


def test_a_rich_turn_takes_two_and_a_half_times_its_texts():
    texts = [RICH.reasoning, RICH.answer]
    texts += [text for step in RICH.steps for _, text in step.results]
    texts += [call.arguments for step in RICH.steps for call in step.tool_calls]
    size = len(saved(RICH).encode())
    assert size / sum(len(text.encode()) for text in texts if text) <= 2.5


def test_an_equal_answer_differs_in_one_line():
    again = replace(
        RICH,
        id="0199",
        created="2027-01-01T00:00:00.000Z",
        parent="0190",
        timing={"first_token": 3.0, "thinking": 4.0, "total": 9.0},
        usage=Usage(90, 50, 40, 20),
        cost={"amount": "0.9", "currency": "USD"},
        branch={"index": 2, "count": 2},
    )
    before, after = saved(RICH).splitlines(), saved(again).splitlines()
    assert len(before) == len(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert saved(replace(RICH)) == saved(RICH)


@pytest.mark.parametrize("run", [None, 7, "", "[]", "{", "[" * 100_000, '{"id": 7}'])
@pytest.mark.parametrize("content", [None, [], {}, {"prompt": 7}])
def test_a_malformed_output_is_no_turn(run, content):
    two = {TURN_MIME: {"schema": 2, "content": content, "run": run}, "text/plain": "A"}
    three = {TURN_MIME: {"schema": 3, **(content or {})}, "text/plain": "A"}
    assert read_record(unpacked(two)) is None
    assert read_record(unpacked(three, {"deepseek": run})) is None


def test_an_output_of_schema_2_is_read():
    bundle = final_bundle(record(RICH))
    names = ("prompt", "reasoning", "answer", "more")
    content = {name: bundle[TURN_MIME][name] for name in names if name in bundle[TURN_MIME]}
    saved = {"schema": 2, "content": content, "run": bundle[TURN_MIME]["run"]}
    assert read_record(unpacked({**bundle, TURN_MIME: saved})) == read_record(RICH.record)
