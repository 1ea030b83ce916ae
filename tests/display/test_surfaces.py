"""Deltas for pages and panels, on a clock that the test winds."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.display.surfaces import Deltas, Surface, Terminal, Watched
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta

RECORD = {**Turn(id="t", conversation="c", prompt="p", model="m").record, "footer": "m"}


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    messages: list[dict[str, Any]] = []
    pages.join("panel", lambda message: messages.append(dict(message)))
    yield messages
    pages.leave("panel")
    pages.end("t")


def show(surface: Surface, transcript: Transcript, now: float) -> None:
    surface.refresh(transcript, transcript.take_fresh(), now)


def so_far(deltas: Deltas) -> dict[str, Any]:
    told: list[Any] = []
    deltas.catch_up(told.append)
    return told[0]["record"]


def test_a_page_that_catches_up_hears_of_a_new_phase_after_the_snapshot(heard):
    deltas, transcript = Deltas(), Transcript(0.0)
    deltas.begin(RECORD, lambda: None)
    transcript.apply(ReasoningDelta("Hm."), now=0.0)
    phase = threading.Thread(target=show, args=(deltas, transcript, 0.0))

    def tell(snapshot: Mapping[str, Any]) -> None:
        phase.start()
        phase.join(0.2)  # a page may be slow to take it
        heard.append(dict(snapshot))

    deltas.catch_up(tell)
    phase.join()
    assert [m["type"] for m in heard] == ["snapshot", "status", "delta"]


def test_what_comes_too_soon_after_a_message_goes_with_the_next(heard):
    deltas, transcript = Deltas(), Transcript(0.0)
    deltas.begin(RECORD, lambda: None)
    for number, text in enumerate("abcdef"):
        transcript.apply(TextDelta(text), now=number / 100)
        show(deltas, transcript, number / 100)
    sent = [m["answer"] for m in heard if m["type"] == "delta"]
    assert sent == ["a", "bc", "de"]
    assert [m["seq"] for m in heard if m["type"] == "delta"] == [0, 1, 2]
    show(deltas, transcript, 1.0)
    assert so_far(deltas)["answer"] == "abcdef"


def test_a_new_round_drops_what_was_not_sent_of_the_last(heard):
    deltas, transcript = Deltas(), Transcript(0.0)
    deltas.begin(RECORD, lambda: None)
    for text in ("sent", "unsent"):
        transcript.apply(TextDelta(text), now=0.0)
        show(deltas, transcript, 0.0)
    transcript.show_steps([{"answer": "sentunsent"}], None)
    transcript.begin_round()
    show(deltas, transcript, 1.0)
    transcript.apply(TextDelta("answer"), now=2.0)
    show(deltas, transcript, 2.0)
    kinds = [m["type"] for m in heard]
    assert kinds == ["status", "delta", "snapshot", "steps", "status", "status", "delta"]
    assert [m["answer"] for m in heard if m["type"] == "delta"] == ["sent", "answer"]
    assert so_far(deltas)["answer"] == "answer"


def test_an_output_and_a_panel_are_shown_the_same(heard, capsys):
    watched, transcript, stops = Watched(), Transcript(0.0), []
    watched.begin(RECORD, lambda: stops.append("stop"))
    for event in (ReasoningDelta("Hm."), TextDelta("Hi"), TextDelta(" there.")):
        transcript.apply(event, now=0.0)
        show(watched, transcript, 0.0)
    show(watched, transcript, 1.0)
    pages.asked({"type": "stop", "id": "t"})
    watched.end({**RECORD, "answer": "Hi there.", "reasoning": "Hm.", "footer": "done"})
    deltas = [m for m in heard if m["type"] == "delta"]
    assert "".join(m.get("reasoning", "") for m in deltas) == "Hm."
    assert "".join(m.get("answer", "") for m in deltas) == "Hi there."
    assert stops == ["stop"]
    assert heard[-1] == {"type": "status", "id": "t", "status": "interrupted"}
    assert capsys.readouterr().out.splitlines()[-1] == "Hi there."


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_answer_is_printed_where_stdout_cannot_write_all_of_it(encoding):
    raw = io.BytesIO()
    terminal, transcript = Terminal(io.TextIOWrapper(raw, encoding=encoding)), Transcript(0.0)
    terminal.begin({**RECORD, "notices": []}, lambda: None)
    transcript.apply(TextDelta("Beijing is 北京."), now=0.1)
    show(terminal, transcript, 0.1)
    assert raw.getvalue().decode(encoding) == "Beijing is ??."
