"""Nothing is shortened silently: what leaves in part is said before it is sent, and after."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import deepseek_jupyter as ds
from deepseek_jupyter.asking.notebook_cells import Document
from deepseek_jupyter.cells.failure import Failure
from deepseek_jupyter.context.cell_text import Cell
from deepseek_jupyter.errors import ContextLengthError
from deepseek_jupyter.tools.functions import Tool
from deepseek_jupyter.tools.python import Ran, python_tool
from tests.support.scripted import answer
from tests.support.wording import tool_call

MARK = re.compile(r"q\d{6}z")
ANSWERED = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
COUNTS = st.sampled_from([0, 1, 4, 30, 400, 2_500])


def marks(count: int) -> list[str]:
    return [f"q{n:06}z" for n in range(count)]


@dataclass
class Offering:
    """An object that describes itself."""

    said: str

    def _deepseek_context_(self) -> str:
        return self.said


class Holding:
    """Names of attributes are all that is known of it."""

    def __init__(self, count: int) -> None:
        self.__dict__.update(dict.fromkeys(marks(count), 0))


class Repr:
    def __init__(self, count: int) -> None:
        self.count = count

    def __repr__(self) -> str:
        return f"Repr of {' '.join(marks(self.count))}"


def function(count: int):
    space: dict = {}
    code = f"def made():\n    '''{' '.join(marks(count))}'''"
    # Without a source: its documentation. ("<string>" is that of `python -c`, since Python 3.13.)
    exec(compile(code, "<made>", "exec"), space)
    return space["made"]


WHOLE = {
    "text": lambda n: "\n".join(marks(n)),
    "one line": lambda n: " ".join(marks(n)),
    "list of texts": lambda n: marks(n),
    "dict of texts": lambda n: {str(at): mark for at, mark in enumerate(marks(n))},
    "long texts": lambda n: [" ".join(marks(n)), "b"],
    "cell": lambda n: Cell("\n".join(marks(n)), "out"),
    "output": lambda n: Cell("", "\n".join(marks(n))),
    "offering": lambda n: Offering(" ".join(marks(n))),
    "function": function,
}
PARTLY = {
    "mixed list": lambda n: [1, *marks(n)],
    "nested": lambda n: {"a": {"b": [marks(n), 1]}},
    "deep": lambda n: [[[[[[[[[marks(n)]]]]]]]], 1],
    "long text in a record": lambda n: {"id": 1, "text": " ".join(marks(n))},
    "long key": lambda n: {" ".join(marks(n)): 1},
    "repr": Repr,
    "attributes": Holding,
    "array": lambda n: np.array(marks(n), dtype=object),
    "matrix": lambda n: np.array(marks(n - n % 2), dtype=object).reshape(2, -1),
    "cells of a frame": lambda n: pd.DataFrame({"t": [" ".join(marks(n)), "b"]}),
    "rows": lambda n: pd.DataFrame({"t": marks(n)}),
    "columns": lambda n: pd.DataFrame([range(n)], columns=marks(n)),
    "series": lambda n: pd.Series(marks(n), name="s"),
}


def sent(session, server, **how) -> tuple[str, str, list[str], list]:
    """What a question sends, what its dry run says before, and the notices and record after."""
    before = str(ds.ask("?", dry_run=True, history=False, **how).reports[0])
    server.queue(answer("Fine."))
    reply = ds.ask("?", history=False, **how)
    text = server.requests[-1].json["messages"][-1]["content"]
    assert reply.record["notices"] == list(reply.turn.notices)
    return text, before, reply.record["notices"], reply.record["attachments"]


@pytest.mark.parametrize("kind", [*WHOLE, *PARTLY])
@ANSWERED
@given(count=COUNTS, budget=st.sampled_from(["", ":full,budget=200", ":full"]))
def test_what_of_an_attachment_stays_here_is_said(session, server, kind, count, budget):
    """The marks in an object leave, or the shortening is said; and nothing is said for nothing."""
    if kind == "columns":
        count = min(count, 300)  # each is read for itself
    value = (WHOLE | PARTLY)[kind](count)
    text, before, notices, (record,) = sent(session, server, attach=[(value, budget[1:] or "full")])
    missing = set(marks(count - count % 2 if kind == "matrix" else count)) - {*MARK.findall(text)}
    said = [notice for notice in notices if "the model reads" in notice]
    assert bool(said) == bool(record.get("cut"))
    if missing:
        assert said, f"{len(missing)} marks stayed here silently"
        assert record["cut"] in said[0]
        assert said[0] in before
    if kind in WHOLE and "budget" not in budget:
        assert not missing
        assert not said


@ANSWERED
@given(count=COUNTS.filter(bool))
def test_files_leave_whole(session, server, tmp_path, count):
    path = tmp_path / "meeting.txt"
    path.write_text("\n".join(marks(count)))
    text, _, notices, _ = sent(session, server, attach=[path])
    assert set(MARK.findall(text)) == set(marks(count))
    assert not notices


def test_a_part_is_told_in_lines(session, server):
    talk = "\n".join(f"Line {n} of what was said in this meeting." for n in range(1_200))
    _, before, notices, (record,) = sent(session, server, attach={"talk": talk})
    assert not notices
    _, before, notices, (record,) = sent(session, server, attach=[(talk, "budget=800")])
    (share,) = re.findall(r"\d+ of 1,200 lines", notices[0])
    assert record["cut"] == share
    assert share in before
    _, _, notices, (record,) = sent(session, server, attach=[(talk, "sample(20)")])
    assert record["cut"] == "20 of 1,200 lines"
    assert record["cut"] in notices[0]


def test_what_does_not_fit_the_window_is_refused(session, server):
    for extra in ({}, {"max_tokens": 90_000}):
        small = {"base_url": server.base_url(), "like": "vllm", "context_tokens": 100_000}
        session.config.providers = {**session.config.providers, "small": small}
        talk = "some words of a talk\n" * (9_000 if extra else 40_000)
        with pytest.raises(ContextLengthError, match="takes 100,000 in all"):
            ds.ask("?", provider="small", model="m", attach={"talk": talk}, **extra)
    assert server.requests == []


def test_a_long_question_takes_the_room_of_the_history(session, server):
    small = {"base_url": server.base_url(), "like": "vllm", "context_tokens": 20_000}
    session.config.providers = {**session.config.providers, "small": small}
    session.config.exact_tokens = False
    for words in (9_000, 13_000):
        server.queue(answer("Fine."))
        reply = ds.ask("word " * words, provider="small", model="m")
    assert len(server.requests[-1].json["messages"]) == 1
    assert "The oldest turn is left out: the context is full." in reply.turn.notices


@ANSWERED
@given(cells=st.lists(COUNTS, max_size=6), outputs=st.booleans())
def test_what_of_the_cells_stays_here_is_said(session, server, cells, outputs):
    texts = [" ".join(marks(count)) for count in cells]
    made = [Cell(f"{n} #", t) if outputs else Cell(f"{n} # {t}") for n, t in enumerate(texts)]
    document = Document(tuple(made), len(made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deepseek_jupyter.asking.notebook_cells.from_history", lambda _: document)
        text, before, notices, _ = sent(session, server, cells="above")
    missing = sum(map(len, map(str.split, texts))) - len(MARK.findall(text))
    assert bool(missing) == any("Of the notebook the model reads" in n for n in notices)
    assert not missing or notices[0] in before


RESULTS = {
    "text": lambda n: " ".join(marks(n)),
    "list": marks,
    "dict": lambda n: dict.fromkeys(marks(n), 0),
    "frame": lambda n: pd.DataFrame({"t": marks(n)}),
    "wide": lambda n: pd.DataFrame([range(n)], columns=marks(n)),
    "object": Repr,
}


def after_a_call(server, tool, name: str) -> tuple[str, list[str]]:
    """What the model reads of a call's result, and the notices of the turn."""
    call = tool_call("c1", name, json.dumps({"code": "1"} if name == "run_python" else {}))
    server.queue(answer("", None, [call], finish="tool_calls"), answer("Fine."))
    reply = ds.ask("?", tools=[tool], approve="always", history=False)
    return server.requests[-1].json["messages"][-1]["content"], reply.record["notices"]


@pytest.mark.parametrize("kind", RESULTS)
@ANSWERED
@given(count=COUNTS)
def test_what_of_a_result_stays_here_is_said(session, server, kind, count):
    def look():
        """Look."""
        return RESULTS[kind](count)

    text, notices = after_a_call(server, look, "look")
    missing = set(marks(count)) - set(MARK.findall(text))
    assert bool(missing) == any("Of what look returned the model reads" in n for n in notices)


@ANSWERED
@given(count=COUNTS, where=st.sampled_from(["printed", "result", "error"]))
def test_what_of_python_s_output_stays_here_is_said(session, server, count, where):
    made = python_tool(object())
    ran = Ran(**{where: " ".join(marks(count))})
    tool = Tool(
        made.name, "", made.parameters_schema, lambda code="": ran, text=made.text, cut=made.cut
    )
    text, notices = after_a_call(server, tool, "run_python")
    missing = set(marks(count)) - set(MARK.findall(text))
    assert bool(missing) == any("Of what run_python returned" in n for n in notices)


@ANSWERED
@given(count=COUNTS)
def test_what_of_an_error_stays_here_is_said(session, server, count):
    def fail():
        """Fail."""
        raise ValueError(" ".join(marks(count)))

    text, notices = after_a_call(server, fail, "fail")
    missing = set(marks(count)) - set(MARK.findall(text))
    assert bool(missing) == any("Of what fail returned" in n for n in notices)
    failure = Failure.of(ValueError(" ".join(marks(count))), lambda _: None)
    missing = set(marks(count)) - set(MARK.findall(failure.text()))
    assert bool(missing) == bool(failure.shortened)


def test_a_long_docstring_is_told(session, server):
    def look():
        return 1

    look.__doc__ = "word " * 400
    _, notices = after_a_call(server, look, "look")
    assert "Of the docstring of look the model reads 1,024 characters." in notices
