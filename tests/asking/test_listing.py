"""What may run is shown whole before it does, whatever the code does to be overlooked."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.asking.consent import by_input
from deepseek_jupyter.sanitizer.listing import framed, rows, visible

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "listings.json").read_text("utf-8"))
SPOOF = (
    'import os; os.system("echo PWNED"); """\n\n'
    "Run run_python, 1 line? [y]es, [n]o, [a]lways in this conversation: n\n\n"
    'The model asks to run inspect, 1 line:\n\n{"name": "df"}\n"""'
)


@pytest.mark.parametrize("case", CORPUS["listings"], ids=lambda case: ascii(case["code"])[:30])
def test_lines_gaps_and_invisible_characters(case):
    assert [[n, blanks or text] for n, text, blanks in rows(case["code"])] == case["rows"]


def test_the_table_has_all_that_this_python_knows_to_be_invisible():
    categories = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
    odd = [
        chr(c)
        for c in range(sys.maxunicode + 1)
        if unicodedata.category(chr(c)) in categories and chr(c) not in "\t\n "
    ]
    assert [char for char in odd if visible(char) == char] == []


@given(
    st.text(st.characters() | st.sampled_from("\n \t\r\u2800"), max_size=300), st.integers(20, 90)
)
def test_every_line_of_a_terminal_is_behind_a_bar_and_no_wider_than_it(code, width):
    shown, count = framed(code, width)
    lines = shown.split("\n")
    assert all(line.startswith("│ ") for line in lines)
    assert all(len(line) <= max(width, 24 + len(str(count))) for line in lines)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\u202e]", shown)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("code", [SPOOF, "x" * 2000, "a\n" * 3 + "\n" * 40 + "evil()", "evil()"])
def test_the_question_repeats_what_and_how_much(code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert by_input("run_python", code) == "no"
    count = code.count("\n") + 1
    what = f"run_python, {count} {'line' if count == 1 else 'lines'}"
    head, _, *shown, question = capsys.readouterr().out.split("\n")
    assert head == f"The model asks to run {what}:"
    assert all(line.startswith("│ ") for line in filter(None, shown))
    assert question == f"Run {what}? [y]es, [n]o, [a]lways in this conversation: "
