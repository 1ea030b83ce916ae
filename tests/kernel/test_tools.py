"""Tools and schemas in a real kernel: names of the notebook, consent by the input box, results."""

from __future__ import annotations

import json

import pytest

from tests.support.scripted import answer
from tests.support.wording import tool_call

TOOL = """\
from deepseek_jupyter.tools.functions import Tool
done = []
def act(code):
    "Run code."
    done.append(code)
    print("output of", code)
    return "ran"
def add(a: int, b: int = 1) -> int:
    "Add two numbers."
    done.append((a, b))
    return a + b
acts = Tool("act", "Run code.", {"type": "object", "properties": {"code": {"type": "string"}}},
            act, consent="ask", preview=lambda a: str(a["code"]))
"""


@pytest.fixture(autouse=True)
def _tools(kernel):
    assert kernel.run(TOOL).ok


def call(name: str, arguments: dict, **how):
    made = tool_call("call_1", name, json.dumps(arguments))
    return answer("", None, [made], finish="tool_calls", **how)


def test_a_function_of_the_notebook_is_called_by_its_name(kernel, server):
    server.queue(call("add", {"a": 2, "b": 3}), answer("Five."))
    ran = kernel.run("%%ds --tools add\nTwo and three?")
    assert ran.ok, ran.error
    assert kernel.value("done") == [[2, 3]]
    assert server.requests[-1].json["messages"][-1]["content"] == "5"
    page = ran.bundles[-1]["text/markdown"]
    assert "<summary>add · " in page
    assert "Five." in page


def test_what_a_function_prints_is_in_the_cell(kernel, server):
    server.queue(call("act", {"code": "x"}), answer("Ok."))
    ran = kernel.run("ds.ask('Go.', tools=[act])")
    assert "output of x" in ran.stdout


def test_the_input_box_asks_and_a_yes_runs(kernel, server):
    server.queue(call("act", {"code": "import os\nos.getcwd()"}), answer("Ok."))
    ran = kernel.run("%%ds --tools act --approve ask\nGo.", answers=["y"])
    assert ran.ok, ran.error
    assert "os.getcwd()" in ran.stdout
    assert kernel.value("done") == ["import os\nos.getcwd()"]


def test_a_no_is_told_to_the_model(kernel, server):
    server.queue(call("act", {"code": "x"}), answer("Ok."))
    kernel.run("reply = ds.ask('Go.', tools=[acts])", answers=["n"])
    assert kernel.value("done") == []
    assert server.requests[-1].json["messages"][-1]["content"].startswith("denied")
    assert kernel.value("[d for s in reply.steps for _, d in s.decisions]") == ["denied"]


def test_where_nobody_can_answer_it_is_no(kernel, server):
    """As nbclient and papermill run cells: without an input box."""
    server.queue(call("act", {"code": "x"}), answer("Ok."))
    ran = kernel.run("reply = ds.ask('Go.', tools=[acts])", allow_stdin=False)
    assert ran.ok, ran.error
    assert kernel.value("done") == []
    assert kernel.value("[d for s in reply.steps for _, d in s.decisions]") == ["nobody to ask"]


def test_a_big_result_stays_in_the_notebook_under_a_name(kernel, server):
    code = "def numbers():\n    'Numbers.'\n    return list(range(5000))"
    assert kernel.run(code).ok
    server.queue(call("numbers", {}), answer("Ok."))
    kernel.run("%%ds --tools numbers\nGo.")
    told = server.requests[-1].json["messages"][-1]["content"]
    assert "the first 50 of 5,000 items" in told
    assert "variable _tool_1" in told
    assert kernel.value("len(_tool_1)") == 5000


def test_a_schema_of_the_notebook_types_the_reply(kernel, server):
    code = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int = 0"
    assert kernel.run(code).ok
    server.queue(call("PList", {"value": [{"x": 1, "y": 2}, {"x": 3, "y": None}]}))
    ran = kernel.run("%%ds --schema list[P] --out points\nPoints?")
    assert ran.ok, ran.error
    assert kernel.value("[type(p).__name__ for p in points.data]") == ["P", "P"]
    assert kernel.value("points.frame().values.tolist()") == [[1, 2], [3, 0]]
    assert "| 1 | 2 |" in ran.bundles[-1]["text/markdown"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--schema Nothing", "SchemaError"),
        ("--schema 3", "SchemaError"),
        ("--tools nothing", "ToolError"),
        ("--tools done", "ToolError"),
        ("--approve maybe", "UsageError"),
    ],
)
def test_a_wrong_name_is_refused_in_two_lines(kernel, server, flags, said):
    ran = kernel.run(f"%%ds {flags}\nGo.")
    assert not ran.ok
    assert said in str(ran.error) or said in ran.stderr
    assert server.requests == []


def test_an_interrupt_stops_the_function_and_keeps_the_turn(kernel, server):
    code = (
        "import time\ndef slow():\n    'Sleep.'\n    print('begun', flush=True)\n    time.sleep(60)"
    )
    assert kernel.run(code).ok
    server.queue(call("slow", {}))
    cell = kernel.send("%%ds --tools slow\nGo.")
    kernel.wait_for(cell, "stream", "begun")
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert not ran.ok
    assert kernel.value("ds.last.turn.status") == "interrupted"
    assert kernel.value("[c.name for s in ds.last.steps for c in s.tool_calls]") == ["slow"]


def test_a_function_that_takes_too_long_is_stopped(kernel, server):
    code = (
        "%config DeepSeek.tool_timeout = 0.3\nimport time\n"
        "def slow():\n    'Sleep.'\n    time.sleep(60)"
    )
    assert kernel.run(code).ok
    server.queue(call("slow", {}), answer("Ok."))
    assert kernel.run("%%ds --tools slow\nGo.").ok
    assert "longer than 0.3 seconds" in server.requests[-1].json["messages"][-1]["content"]
