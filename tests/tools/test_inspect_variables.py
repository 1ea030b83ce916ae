"""The inspect tool: the attached variables, and no others."""

from __future__ import annotations

import pytest

from deepseek_jupyter.errors import ToolArgumentsError
from deepseek_jupyter.tools.inspect_variables import inspect_tool


@pytest.fixture
def tool():
    cards = {"df": "df: 3 rows", "text": "text: hello"}
    return inspect_tool(lambda: {"df": "frame", "text": "str"}, cards.__getitem__)


def ask(tool, **arguments) -> str:
    return tool.text(tool.call(**tool.check(arguments)))


def test_a_variable_is_described(tool):
    assert ask(tool, name="df") == "df: 3 rows"
    assert ask(tool, name=" @df ") == "df: 3 rows"


@pytest.mark.parametrize("arguments", [{}, {"name": ""}, {"name": None}])
def test_without_a_name_the_attached_ones_are_listed(tool, arguments):
    assert ask(tool, **arguments) == "df: frame\ntext: str"


def test_a_variable_that_is_not_attached_is_refused(tool):
    with pytest.raises(ToolArgumentsError, match="'salaries' is not attached"):
        ask(tool, name="salaries")


def test_with_nothing_attached_it_says_how(tool):
    empty = inspect_tool(dict, pytest.fail)
    assert ask(empty) == "Nothing is attached."
    with pytest.raises(ToolArgumentsError, match="--attach df"):
        ask(empty, name="df")


def test_a_name_that_is_no_text_is_an_error_for_the_model(tool):
    with pytest.raises(ToolArgumentsError, match="must be a string"):
        tool.check({"name": 3})


def test_it_needs_no_consent(tool):
    assert tool.consent == "never needed"
