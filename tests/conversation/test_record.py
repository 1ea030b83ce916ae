"""The record is what docs/record.md says: every field, in order, of the type in the table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deepseek_jupyter.conversation.turn import SCHEMA, Step, Turn, now
from deepseek_jupyter.display.render import footer
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.usage import Usage

DOCUMENT = Path(__file__).parents[2] / "docs" / "record.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TABLE = DOCUMENT.read_text("utf-8").split("## The comms")[0]
DOCUMENTED = {name: (kind.strip(), meaning) for name, kind, meaning in ROW.findall(TABLE)}
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
    error={"type": "T", "message": "M", "hint": "H"},
    reasoning_details=({"type": "reasoning.text", "text": "secret form"},),
)
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
