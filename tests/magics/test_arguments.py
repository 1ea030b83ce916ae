"""From a line to a question. Pure: no shell, no session."""

from __future__ import annotations

import inspect
import re
from contextlib import suppress

import numpy
import pytest
from IPython.core.error import UsageError

import deepseek_jupyter as ds
from deepseek_jupyter.api import _asked
from deepseek_jupyter.asking.ask import resolve
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.magics.arguments import (
    Command,
    flag_help,
    flag_parser,
    parse_cell,
    parse_line,
)
from tests.session.conftest import session

__all__ = ["session"]

# flag on the line -> what it makes of an otherwise empty question or command
FLAGS: dict[str, dict[str, object]] = {
    "-m deepseek/deepseek-v3.2-exp": {"model": "deepseek/deepseek-v3.2-exp"},
    "--model DeepSeek-V3.2-Exp-thinking": {"model": "DeepSeek-V3.2-Exp-thinking"},
    "-p openrouter": {"provider": "openrouter"},
    "--provider=wcode": {"provider": "wcode"},
    "--think": {"think": True},
    "--no-think": {"think": False},
    "--effort max": {"effort": "max"},
    "-t 0": {"parameters": {"temperature": 0.0}},
    "--temperature 1.5": {"parameters": {"temperature": 1.5}},
    "-t0.5": {"parameters": {"temperature": 0.5}},
    "--top-p 0.9": {"parameters": {"top_p": 0.9}},
    "--max-tokens 100": {"parameters": {"max_tokens": 100}},
    "--stop END": {"parameters": {"stop": ["END"]}},
    "--stop a --stop 'b c'": {"parameters": {"stop": ["a", "b c"]}},
    "--seed -5": {"parameters": {"seed": -5}},
    "--logprobs 5": {"parameters": {"top_logprobs": 5}},
    "--param top_k=40": {"parameters": {"top_k": 40}},
    "--param verbosity=low": {"parameters": {"verbosity": "low"}},
    "--param logprobs=true": {"parameters": {"logprobs": True}},
    """--param 'thinking={"type": "enabled"}'""": {"parameters": {"thinking": {"type": "enabled"}}},
    "--param a==b --param stop=[1]": {"parameters": {"a": "=b", "stop": [1]}},
    "-s 'Be brief.'": {"system": "Be brief."},
    '--system "It\'s \\"so\\""': {"system": 'It\'s "so"'},
    "-f json": {"format": "json"},
    "--format code": {"format": "code"},
    "-o reply": {"out": "reply"},
    "--out größe": {"out": "größe"},
    "--code": {"code": True},
    "--run": {"code": True, "run": True},
    "--new": {"new": True},
    "--no-history": {"history": False},
    "--continue": {"go_on": True},
    "--branch formal": {"branch": "formal"},
    "--cells above": {"cells": "above"},
    "-a df": {"attach": ("df",)},
    "--attach 'df:price=full' -a x": {"attach": ("df:price=full", "x")},
    "--dry-run": {"dry_run": True},
    "--pace 2,think=8": {"pace": "2,think=8"},
    "--replay auto": {"replay": "auto"},
    "--replay=always": {"replay": "always"},
    "--schema list[City]": {"schema": "list[City]"},
    "--tools sql,inspect": {"tools": ("sql", "inspect")},
    "--approve never": {"approve": "never"},
    "--fit parts": {"fit": "parts"},
    "--cite": {"cite": True},
    "--web": {"web": True},
    "--budget 0.01": {"budget": 0.01},
    "--no-stream": {"stream": False},
    "--on-error return": {"on_error": "return"},
    "--quiet": {"quiet": True},
    "--compare a,b --times 5": {"compare": "a,b", "times": 5},
    "--map df --into topic": {"map": "df", "into": "topic"},
    "--map df --where cluster": {"map": "df", "where": "cluster"},
    "--map df --rows all --budget none": {"map": "df", "rows": "all", "budget": 0.0},
}


def command(prompt: str, **made: object) -> Command:
    own = {name: made.pop(name) for name in ONLY_IN_CELLS if name in made}
    return Command(Question(prompt, **made), **own)  # type: ignore[arg-type]


def test_no_flag_is_forgotten_here():
    used = {word.partition("=")[0][:20] for line in FLAGS for word in line.split()}
    known = [flag for action in flag_parser()._actions for flag in action.option_strings]
    assert [f for f in known if f.startswith("--") and f not in used] == []


# What a flag is called in Python, where that is not its own long name. The rest is for cells.
IN_PYTHON = {"param": "parameters"}
ONLY_IN_CELLS = {"out", "code", "run", "quiet", "map", "into", "rows", "where"}
ONLY_IN_CELLS |= {"compare", "times"}


@pytest.mark.parametrize("function", [ds.ask, ds.aask, ds.stream])
def test_the_functions_take_what_the_flags_take(function):
    flags = {action.dest for action in flag_parser()._actions} - ONLY_IN_CELLS
    parameters = inspect.signature(function).parameters.values()
    first, *others, last = parameters
    assert (first.name, last.kind) == ("prompt", last.VAR_KEYWORD)
    assert {p.kind for p in others} == {last.KEYWORD_ONLY}
    names = {p.name for p in parameters} - {"prompt", "show"}
    assert names == {IN_PYTHON.get(flag, flag) for flag in flags}


OF_NOTEBOOKS = {"attach", "schema"}


@pytest.mark.parametrize("line", [s for s in FLAGS if not OF_NOTEBOOKS & {*FLAGS[s]}])
def test_an_option_makes_the_question_that_its_flag_makes(line, session):
    made = parse_cell(f"{line} --dry-run", "Why?").question
    options = {n: v for n, v in FLAGS[line].items() if n not in (*ONLY_IN_CELLS, "parameters")}
    options |= FLAGS[line].get("parameters", {})
    assert _asked("Why?", {**options, "dry_run": True}) == resolve(made, {})


VALUES = [True, 2, 1.5, "x", "2", ["a"], ("a",), {"a": 1}, object(), int, numpy.int64(2)]
VALUES += [numpy.float32(0.5), numpy.str_("md"), numpy.True_, b"x", float("nan")]


@pytest.mark.parametrize("name", [n for n in inspect.signature(ds.ask).parameters if n != "show"])
def test_a_value_of_a_wrong_type_is_told_by_one_of_our_errors(name, session):
    for value in VALUES:
        options = {"prompt": "Why?", "dry_run": True} | ({name: value} if name != "dry_run" else {})
        with suppress(ds.DeepSeekError):
            ds.ask(**options)


@pytest.mark.parametrize(
    ("line", "both"),
    [
        ("-t 0.7 --param temperature=0.5", "--temperature both set temperature"),
        ("--max-tokens 5 --param max_tokens=6", "--max-tokens both set max_tokens"),
        ("--max-tokens 5 --param max_completion_tokens=6", "--max-tokens both set max_tokens"),
        ("--param top_k=1 --param top_k=2", "another --param both set top_k"),
    ],
)
def test_a_parameter_beside_its_flag_is_refused(line, both):
    with pytest.raises(ParameterError, match=both):
        parse_cell(line, "Why?")


def test_the_docstring_names_every_option():
    said = set(re.findall(r"`(\w+)`", inspect.getdoc(ds.ask) or ""))
    named = {p.name for p in inspect.signature(ds.ask).parameters.values()}
    assert named - said == {"prompt", "parameters"}


@pytest.mark.parametrize("line", FLAGS)
def test_every_flag_of_a_cell(line):
    assert parse_cell(line, "Why?\n") == command("Why?", **FLAGS[line])


@pytest.mark.parametrize("line", FLAGS)
def test_every_flag_of_a_line(line):
    assert parse_line(f"{line} Why? ") == command("Why?", **FLAGS[line])


def test_flags_add_up():
    line = "--think -t 0 --max-tokens 9 --param seed=1 -m x --out y --code"
    made = parse_cell(line, "Q", cell_id="c")
    assert made.question.parameters == {"temperature": 0.0, "max_tokens": 9, "seed": 1}
    assert (made.question.model, made.question.cell_id) == ("x", "c")
    assert (made.out, made.code) == ("y", True)


QUESTIONS = [
    "don't panic?",
    "what's 'this' and \"that\"?",
    'say "hello',
    "what does ls -x do, and -m?",
    "a  b   c",
    "back\\slash \\n $HOME {x} {{ x }} %s `code`",
    "--- no",
    "größer > kleiner; 1 | 2 & 3 # 4",
    "is -1 < 0?",
    "- a dash alone",
]


@pytest.mark.parametrize("question", [q for q in QUESTIONS if not q.startswith("---")])
def test_a_question_on_a_line_stays_as_it_was_written(question):
    assert parse_line(question).question.prompt == question
    made = parse_line(f"--no-think -s 'two words' {question}").question
    assert (made.prompt, made.system, made.think) == (question, "two words", False)


@pytest.mark.parametrize("question", QUESTIONS)
def test_two_dashes_end_the_flags(question):
    made = parse_line(f"--no-think -- {question}").question
    assert (made.prompt, made.think) == (question, False)


def test_the_body_of_a_cell_stays_as_it_was_written():
    body = "\n\n  indented 'n {x} -t 3 --new\n\n\ttab\n\n"
    assert parse_cell("", body).question.prompt == body.strip("\n")


WRONG = {
    "--thnik": "Did you mean --think?",
    "--temprature 1": "Did you mean --temperature?",
    "--xyzzy": "%deepseek help",
    "--help": "%deepseek help lists the flags.",
    "-h": "%deepseek help lists the flags.",
    "-x": "no flag -x",
    "--temp 1": "no flag --temp",
    "-t hot": "float",
    "--max-tokens 1.5": "int",
    "--budget lots": "invalid sum value",
    "--rows few": "invalid rows value",
    "--effort enormous": "enormous",
    "--format xml": "xml",
    "--on-error ignore": "ignore",
    "--out 1x": "--out 1x",
    "--out a.b": "not a variable name",
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize("parse", [lambda line: parse_cell(line, "Q"), parse_line])
def test_a_wrong_flag_is_one_line_with_what_was_meant(line, parse):
    with pytest.raises(UsageError) as told:
        parse(line)
    assert WRONG[line] in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_value_is_told():
    with pytest.raises(UsageError, match="-m"):
        parse_line("-m")
    with pytest.raises(UsageError, match="quotation"):
        parse_cell("-s 'open", "Q")
    with pytest.raises(ParameterError, match="name=value"):
        parse_cell("--param seed", "Q")


def test_words_on_a_cells_line_belong_below_it():
    with pytest.raises(UsageError, match="into the cell below"):
        parse_cell("--think Why is it?", "Q")


def test_the_help_names_every_flag_and_doubles_no_percent_sign():
    shown = flag_help()
    for action in flag_parser()._actions:
        assert all(flag in shown for flag in action.option_strings)
        assert action.help
    assert "%%%" not in shown
    assert "usage: %deepseek" in shown or "usage: %%deepseek" in shown
