"""The plan of a round: which calls can run, and whose word decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deepseek_jupyter.errors import ToolError
from deepseek_jupyter.protocol.deltas import Completion, Fault
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.tools.functions import Tool, tool_of
from deepseek_jupyter.tools.loop import plan, runnable, toolbox, written_call


def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


ADD = {"add": tool_of(add)}
CALL = ToolCall("c1", "add", '{"a": 1}')


def test_a_good_call_comes_with_its_tool_and_checked_arguments():
    (planned,) = plan([replace(CALL, arguments='{"a": "5"}')], ADD)
    assert planned.keywords == {"a": 5}
    assert planned.arguments == {"a": "5"}
    assert planned.problem == ""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("c", "subtract", "{}"), "no function 'subtract'; there is: add"),
        (ToolCall("c", "add", '{"a": 1'), "not JSON"),
        (ToolCall("c", "add", "[1]"), "one JSON object"),
        (ToolCall("c", "add", "[" * 100_000), "not JSON"),
        (ToolCall("c", "add", ""), "a: Field required"),
        (ToolCall("c", "add", '{"a": 1, "c": 2}'), "c: Extra inputs"),
    ],
)
def test_a_bad_call_comes_with_what_the_model_is_told(call, said):
    (planned,) = plan([call], ADD)
    assert said in planned.problem


def test_deep_calls_raise_at_no_depth():
    for depth in range(100, 1_000, 50):
        deep = f'{{"a": {"[" * depth}1{"]" * depth}}}'
        (planned,) = plan([replace(CALL, arguments=deep)], ADD)
        assert planned.problem
        assert written_call(deep, ["add"]) == ""


def test_a_call_without_arguments_may_leave_them_out():
    def now() -> str:
        """The time."""
        return "noon"

    tools = toolbox([now])
    for arguments in ("", "{}", "null", " "):
        (planned,) = plan([ToolCall("c", "now", arguments)], tools)
        assert planned.problem == ""


def test_every_call_gets_an_id_of_its_own():
    ids = [p.call.id for p in plan([replace(CALL, id="")] * 2 + [CALL] * 3, ADD)]
    assert len(set(ids)) == 5
    assert "c1" in ids


@pytest.mark.parametrize("reason", ["length", "content_filter", "aborted", "whatever"])
def test_calls_of_an_answer_that_was_cut_never_run(reason):
    assert not runnable(Completion(tool_calls=(CALL,), finish_reason=reason, ended=True))


def test_whole_calls_run():
    for reason in ("tool_calls", "stop", None):
        assert runnable(Completion(tool_calls=(CALL,), finish_reason=reason, ended=True))
    assert not runnable(Completion(tool_calls=(CALL,)))
    assert not runnable(Completion(tool_calls=(CALL,), ended=True, fault=Fault("x", "")))
    assert not runnable(Completion("<tool_call>{}</tool_call>", finish_reason="stop", ended=True))


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "add", "arguments": {"a": 1}}',
        'I will add.\n```json\n{\n  "name": "add",\n  "parameters": {}\n}\n```',
        '{"tool_calls": [{"function": {"name": "add", "arguments": "{}"}}]}',
        '[{"function": "add", "args": [1]}]',
        '{} {"a": {{"tool": "add", "input": null}',
    ],
)
def test_a_call_written_as_text_is_recognised(answer):
    assert written_call(answer, ADD) == "add"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "add(a=1)",
        '{"name": "add"}',
        '{"name": "subtract", "arguments": {}}',
        '{"name": ["add"], "arguments": {}}',
        '{"arguments": {"name": "add"}}',
        "{" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_other_text_is_no_call(answer):
    assert written_call(answer, ADD) == ""


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(ToolError, match="Two tools are called add"):
        toolbox([add, Tool("add", "", {}, print)])


def test_the_user_is_shown_all_of_what_would_run():
    (planned,) = plan([CALL], ADD)
    assert planned.preview == '{\n  "a": 1\n}'
    code = Tool("run_python", "", {}, print, preview=lambda arguments: arguments["code"])
    (planned,) = plan([ToolCall("c", "run_python", '{"code": "import os"}')], {"run_python": code})
    assert planned.preview == "import os"
