"""Tool calls and typed lists as they are shown outside our own card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepseek_jupyter.display.calls import calls, records_in, table_in, table_mark, written
from deepseek_jupyter.display.render import final_bundle, streaming_bundle
from tests.display.test_render import record

CASES = json.loads(Path("tests/data/tables.json").read_text("utf-8"))


def step(text="n\n1\n2\n(2 rows)", arguments='{"query": "SELECT 1"}', **result):
    call = {"id": "c", "name": "sql", "arguments": arguments}
    result = {"id": "c", "text": text, "decision": "not asked", **result}
    return {"tool_calls": [call], "results": [result]}


@pytest.mark.parametrize("case", CASES["tables"], ids=lambda case: case["text"][:20])
def test_the_table_in_a_result(case):
    rows, rest = table_in(case["text"])
    assert [list(row) for row in rows] == case["rows"]
    assert rest == case["rest"]


@pytest.mark.parametrize("case", CASES["records"], ids=lambda case: case["json"][:20])
def test_the_table_of_a_typed_list(case):
    assert [list(row) for row in records_in(case["json"])] == case["rows"]


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"rows": 2, "seconds": 0.012}, "sql · 2 rows · 12 ms"),
        ({"rows": 1, "seconds": 1.25}, "sql · 1 row · 1.2 s"),
        ({"rows": 5000, "more": True}, "sql · 5,000+ rows"),
        ({"failed": True, "decision": "approved"}, "sql · approved · failed"),
        ({"decision": "nobody to ask"}, "sql · denied"),
    ],
)
def test_the_folded_line_says_what_came_of_a_call(result, line):
    (call,) = calls(step(**result))
    assert call.line == line
    assert call.failed is bool(result.get("failed"))


def test_a_query_is_shown_as_such_and_other_arguments_as_json():
    assert written('{"query": "\\nSELECT 1\\n"}') == ("SELECT 1", "sql")
    assert written('{"code": "x = 1"}') == ("x = 1", "python")
    assert written('{"query": "SELECT 1", "more": 1}') == (
        '{"query": "SELECT 1", "more": 1}',
        "json",
    )
    for odd in ("", "[1]", '{"query": 3}', "null"):
        assert written(odd) == (odd, "json")


def test_markdown_has_the_code_and_a_table_in_which_nothing_acts():
    found = step("a|b,c\n<img>|x,`2`\n(1 row)", rows=1, seconds=0.02)
    markdown = final_bundle(record(steps=[found]))["text/markdown"]
    assert "```sql\nSELECT 1\n```" in markdown
    assert "| a&#124;b | c |\n| --- | --- |\n| &lt;img&gt;&#124;x | &#96;2&#96; |" in markdown
    assert "query" not in markdown


def test_a_failed_call_is_seen_unopened():
    failed = step("Error: no", failed=True)
    markdown = final_bundle(record(steps=[failed]))["text/markdown"]
    assert "<summary><strong>sql · failed</strong></summary>" in markdown

    def page(step):
        growing = {"status": "waiting", "elapsed": 1.0, "notices": []}
        return streaming_bundle("", "", steps=[step], **growing)["text/html"]

    assert "error-color1" in page(failed)
    assert "error-color1" not in page(step(rows=2))


def test_a_typed_list_is_a_table_in_markdown():
    typed = record(answer='[{"city": "Ulm"}]', format="json")
    assert "| city |\n| --- |\n| Ulm |" in final_bundle(typed)["text/markdown"]
    assert table_mark([["a"], [""]]) == "| a |\n| --- |\n|   |"
