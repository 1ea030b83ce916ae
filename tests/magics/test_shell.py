"""The magics in an IPython without a kernel: text streams to the terminal."""

from __future__ import annotations

import re

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.magics.arguments import flag_parser
from deepseek_jupyter.magics.magics import DeepSeekMagics
from tests.support.scripted import answer, chunk, error, sse


def test_thinking_answer_and_footer_are_printed_once(run, server):
    server.queue(answer("The **answer**.", reasoning="A thought."))
    told = run("%%ds\nWhy?")
    assert told.startswith("Thinking…\nA thought.\n\nThe **answer**.\ndeepseek-flash · ")
    assert told.count("answer") == 1
    assert "\x1b" not in told, "this is no terminal"


def test_the_value_is_the_reply(run, shell, server):
    server.queue(answer("One."), answer("Two."))
    run("%%ds\nWhy?")
    assert shell.user_ns["_"] is ds.last
    run("r = %ds Why?")
    assert shell.user_ns["r"].text == "Two."


def test_python_calls_stream_too(run, shell, server):
    server.queue(answer("From Python."), answer("Later."))
    assert "From Python.\n" in run("import deepseek_jupyter as ds\nreply = ds.ask('x')")
    assert run("quiet = ds.ask('x', show=False)") == ""
    assert run("quiet").endswith("Later.\n")


def test_no_escape_code_of_the_models(run, server):
    evil = "a\x1b[31mb\x1b]0;title\x07c\x9b2Jd"
    server.queue(sse(chunk({"reasoning_content": evil}), chunk({"content": evil}, finish="stop")))
    told = run("%%ds\nx")
    assert not re.search("[\x1b\x07\x9b]", told)
    assert "abcd" in told


def test_code_goes_into_the_next_prompt(run, shell, server):
    server.queue(answer("```python\nx = 1\n```"))
    run("%%ds --code\nSet x.")
    assert shell.rl_next_input == "x = 1"


def test_a_mistake_in_a_flag_is_one_line(run):
    told = run("%%ds --thnik\nx").strip()
    assert told == "UsageError: There is no flag --thnik. Did you mean --think?"


def test_an_error_is_two_lines(run, server):
    server.queue(error(402, "Insufficient Balance"))
    first, second = run("%%ds\nx").strip().splitlines()[-2:]
    assert first.startswith("InsufficientBalanceError: Insufficient Balance")
    assert second.startswith("  → ")


def test_an_unknown_name_is_told(run, shell, server):
    shell.user_ns["frame"] = 1
    told = run("%%ds\nWhat is {{ frmae }}?")
    assert "there is no 'frmae'" in told
    assert "Did you mean frame?" in told
    assert server.requests == []


def test_a_local_name_beats_a_global_one(run, shell, server):
    server.queue(answer("x"))
    shell.user_ns["x"] = "global"
    run("def f(x):\n    %ds is {{ x }}\nf('local')")
    assert server.requests[0].json["messages"][-1]["content"] == "is local"


@pytest.mark.parametrize("magic", [DeepSeekMagics.deepseek, DeepSeekMagics.ds])
def test_the_docstring_is_the_manual(magic):
    manual = magic.__doc__
    for action in flag_parser()._actions:
        assert all(flag in manual for flag in action.option_strings)
        assert action.help.replace("%%", "%").split()[0] in manual
    assert "{{ expression }}" in manual
    assert "%%deepseek --think" in manual


@pytest.mark.parametrize("magic", ["%%deepseek", "%ds"])
def test_help_shows_every_line_of_the_manual(run, monkeypatch, magic):
    shown: list[str] = []
    monkeypatch.setattr("IPython.core.page.page", lambda text, *a, **k: shown.append(str(text)))
    run(f"{magic}?")
    (page,) = shown
    lines = [line.strip() for line in DeepSeekMagics.deepseek.__doc__.splitlines()]
    assert len(lines) > 40
    assert [line for line in lines if line not in page] == []


def test_inside_capture_one_output_is_kept(run, shell, server):
    server.queue(answer("Captured."))
    assert run("%%capture taken\nimport deepseek_jupyter as ds\nreply = ds.ask('x')") == ""
    (output,) = shell.user_ns["taken"].outputs
    assert output.data["text/plain"] == "Captured."
    assert shell.user_ns["taken"].stdout == ""
