"""Events in, state out, on a clock that the test winds."""

from __future__ import annotations

from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.protocol.deltas import (
    Finish,
    Notice,
    ReasoningDelta,
    Retry,
    TextDelta,
    ToolCallDelta,
)
from deepseek_jupyter.protocol.usage import Usage


def run(*events, began=100.0, step=1.0) -> Transcript:
    transcript = Transcript(began)
    for number, event in enumerate(events, 1):
        transcript.apply(event, now=began + number * step)
    return transcript


def test_it_waits_thinks_answers_and_ends():
    transcript = run()
    assert transcript.status == "waiting"
    for at, event, status in (
        (101, Retry("Busy.", "OverloadedError", 1.0, 2, 5), "waiting"),
        (102, ReasoningDelta("a"), "thinking"),
        (103, TextDelta("b"), "answering"),
        (104, ReasoningDelta("c"), "answering"),
        (105, Finish("stop"), "answering"),
    ):
        transcript.apply(event, now=at)
        assert transcript.status == status
    transcript.end("done", 106)
    assert transcript.status == "done"
    assert transcript.timing == {"first_token": 2.0, "thinking": 1.0, "total": 6.0}


def test_what_is_fresh_is_given_once():
    transcript = run(ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), TextDelta("d"))
    assert transcript.take_fresh() == ("ac", "bd")
    assert transcript.take_fresh() == ("", "")
    assert transcript.take_fresh() == ("", "")


def test_thinking_that_was_all_lasts_to_the_end():
    transcript = run(ReasoningDelta("a"))
    transcript.end("done", 105)
    assert transcript.timing == {"first_token": 1.0, "thinking": 4.0, "total": 5.0}


def test_a_tool_call_is_a_first_token_too():
    transcript = run(ToolCallDelta(0, "id", "f", "{}"))
    transcript.end("done", 102)
    assert transcript.timing["first_token"] == 1.0


def test_nothing_that_came_is_nothing_timed():
    transcript = run()
    transcript.end("error", 103)
    assert transcript.timing == {"first_token": None, "thinking": None, "total": 3.0}


def test_notices_and_usage_are_kept():
    transcript = run(Notice("one"), Usage(1, 2), Notice("two", once=True))
    assert transcript.notices == ["one", "two"]
    assert transcript.usage == Usage(1, 2)
    assert transcript.elapsed(110) == 10
