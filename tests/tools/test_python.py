"""The run_python tool in a real shell: as a cell runs, and the notebook's own left alone."""

from __future__ import annotations

import gc
import threading

import pytest

from deepseek_jupyter.errors import ToolArgumentsError, ToolError
from deepseek_jupyter.tools import python
from deepseek_jupyter.tools.python import python_tool
from tests.support.shells import one_shell


@pytest.fixture(scope="module")
def shell():
    gc.collect()
    gc.freeze()  # a reset collects, for each test; what other tests have left need not be walked
    with one_shell() as running:
        yield running


@pytest.fixture
def tool(shell):
    shell.reset()
    return python_tool(shell)


def ran(tool, code: str) -> str:
    return tool.text(tool.call(**tool.check({"code": code})))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 + 1", "Result:\n2"),
        ("print('a'); 2", "Printed:\na\nResult:\n2"),
        ("x = 1", "(It ran, and printed and returned nothing.)"),
        ("import sys; print('e', file=sys.stderr)", "Printed:\ne"),
        ("%who_ls int", "Result:\n[]"),
        ("1/0", "Error:\nline 1: 1/0\nZeroDivisionError: division by zero"),
        (
            "def f():\n    return {}['k']\nf()",
            "Error:\nline 3: f()\nline 2: return {}['k']\nKeyError: 'k'",
        ),
        ("exit_code = 3\nraise SystemExit(exit_code)", "SystemExit: 3"),
        ("await x", "Error:\nawait cannot stand at the top here; use asyncio.run or plain code."),
    ],
)
def test_what_it_prints_returns_and_raises_is_told(tool, code, told):
    assert ran(tool, code).endswith(told)


def test_a_syntax_error_is_told_with_its_line(tool):
    told = ran(tool, "x = 1\nif x\n    y")
    assert "line 2" in told
    assert "SyntaxError" in told


def test_it_sees_and_changes_the_notebooks_variables(shell, tool):
    shell.run_cell("x = 20")
    assert ran(tool, "y = x + 1; y") == "Result:\n21"
    assert shell.user_ns["y"] == 21


def test_in_out_numbers_and_the_last_error_stay_as_they_are(shell, tool):
    shell.run_cell("'mine'", store_history=True)
    before = (shell.execution_count, list(shell.user_ns["In"]), dict(shell.user_ns["Out"]))
    last = shell.last_execution_result
    ran(tool, "5")
    ran(tool, "1/0")
    assert (shell.execution_count, shell.user_ns["In"], shell.user_ns["Out"]) == before
    assert shell.user_ns["_"] == "mine"
    assert shell.last_execution_result is last
    assert shell.last_execution_succeeded


def test_errors_of_the_code_print_no_traceback_and_later_ones_do(shell, tool, capsys):
    ran(tool, "1/0")
    assert capsys.readouterr().out == ""
    shell.run_cell("1/0")
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_it_runs_in_the_midst_of_a_cell(shell, tool, capsys):
    shell.user_ns["inner"] = lambda: ran(tool, "print('inner'); 3")
    shell.run_cell("told = inner()\nprint('outer')\n7", store_history=True)
    assert shell.user_ns["told"] == "Printed:\ninner\nResult:\n3"
    printed = capsys.readouterr().out
    assert "outer" in printed
    assert "7" in printed
    assert "inner" not in printed


def test_a_picture_is_shown_to_the_user_and_named_to_the_model(tool, capsys):
    code = (
        "class Picture:\n"
        "    def _repr_png_(self): return b'\\x89PNG'\n"
        "    def __repr__(self): return 'a picture'\n"
        "Picture()"
    )
    assert ran(tool, code) == "Result:\na picture\n(Shown to the user: 1 × image/png)"


def test_a_long_output_keeps_its_beginning_and_its_end(tool):
    told = ran(tool, "for n in range(100_000): print(n)")
    assert told.startswith("Printed:\n0\n1\n")
    assert told.endswith("\n99999")
    assert "characters left out" in told
    assert len(told) < python.CHARACTERS + 100


def test_an_interrupt_of_the_user_goes_on(tool):
    with pytest.raises(KeyboardInterrupt):
        tool.call(code="raise KeyboardInterrupt")


def test_it_never_runs_unasked_and_shows_all_of_its_code(tool):
    assert tool.consent == "ask"
    code = "import os\nos.system('ls')\n" + "#" * 10_000
    assert tool.shown({"code": code}) == code


@pytest.mark.parametrize("arguments", [{}, {"code": ""}, {"code": 3}, {"code": ["x"]}])
def test_no_code_is_an_error_for_the_model(tool, arguments):
    with pytest.raises(ToolArgumentsError):
        tool.check(arguments)


def test_without_a_shell_there_is_no_such_tool():
    with pytest.raises(ToolError, match="needs a notebook"):
        python_tool(None)


def test_another_thread_is_refused_where_there_is_no_kernel(tool):
    found = []

    def work():
        try:
            tool.call(code="1")
        except ToolError as error:
            found.append(error.what)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["Code can run from a cell only here: there is no kernel to give it to."]
