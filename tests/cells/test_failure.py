"""The error as it is sent: the notebook's own frames and the message."""

from __future__ import annotations

import json

from deepseek_jupyter.cells.failure import Failure

CELLS = {"cell-1": 1, "cell-2": 2}


def failure(*cells: str) -> Failure:
    """Of running the cells in one namespace; the last one fails."""
    namespace: dict[str, object] = {}
    try:
        for number, source in enumerate(cells, 1):
            exec(compile(source, f"cell-{number}", "exec"), namespace)
    except Exception as error:
        return Failure.of(error, CELLS.get)
    raise AssertionError("nothing failed")


def test_frames_of_the_notebook_are_named_and_others_passed_over():
    told = failure("import json\ndef read(text):\n    return json.loads(text)", "x = 1\nread('{')")
    lines = told.text().splitlines()
    assert lines[0].startswith("JSONDecodeError: Expecting property name")
    assert lines[1].startswith("  In[2], line 2")
    assert lines[2].startswith("  In[1], line 3, in read")
    assert lines[3] == "  json/decoder.py, in raw_decode (3 frames)"
    assert json.__file__ not in told.text(), "no path of this machine"
    assert told.cells == (2, 1)
    assert told.line_in(2) == 2


def test_what_it_missed():
    assert failure("prcie").missing[0] == "prcie"
    assert failure("{}['key']").missing == ("key",)
    assert "nothing" in failure("import json\njson.nothing").missing
    assert failure("open('/no/such/file.csv')").missing[0] == "file.csv"
    assert "n/a" in failure("raise ValueError(\"could not convert 'n/a'\")").missing


def test_the_cause_is_told():
    told = failure("try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('bad') from e")
    assert "ValueError: bad" in told.text()
    assert "caused by\nKeyError: 'k'" in told.text()


def test_causes_that_go_round_in_a_circle_end():
    one, two = ValueError("one"), KeyError("two")
    one.__cause__, two.__cause__ = two, one
    assert Failure.of(one, CELLS.get).text() == "ValueError: one\ncaused by\nKeyError: 'two'"


def test_of_a_long_chain_the_nearest_causes_are_told():
    error: Exception = ValueError("the first")
    for number in range(5_000):
        later = ValueError(f"try {number}")
        later.__context__, error = error, later
    told = Failure.of(error, CELLS.get).text()
    assert "try 4999" in told
    assert "try 4980" in told
    assert "the first" not in told


def test_a_message_that_holds_a_table_is_cut():
    told = failure("raise ValueError('x' * 100_000)")
    assert len(told.text()) < 2_000


def test_an_error_that_cannot_be_told():
    told = failure(
        "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd"
    )
    assert told.text().splitlines()[0] == "Odd"


def test_a_syntax_error_has_its_line():
    told = failure("x = (1,\n")
    assert told.text().startswith("SyntaxError: '(' was never closed")
    assert told.cells == (1,)
