"""How often a growing answer goes out, on a clock that the test winds."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.surfaces import Notebook
from deepseek_jupyter.display.transcript import Throttle, Transcript
from deepseek_jupyter.protocol.deltas import TextDelta
from tests.support.shells import one_shell

TEXT = "A line of prose with `code` and **bold** words in it.\n\n" * 1900
RECORD = {**Turn(id="t", conversation="c", prompt="p", model="m").record, "footer": "m"}


class Publisher(DisplayPublisher):
    """IPython's own, with what was published kept."""

    sizes: list[int]

    def publish(self, data: Any, *args: Any, **how: Any) -> None:
        self.sizes.append(len(json.dumps(data)))


@pytest.fixture
def publisher(monkeypatch):
    with one_shell() as shell:
        shell.kernel = object()  # as a kernel's shell has
        shell.display_pub = Publisher()
        shell.display_pub.sizes = []
        yield shell.display_pub


@pytest.mark.parametrize("lab", [False, True], ids=["any front end", "under a Jupyter server"])
def test_a_long_steady_answer_is_cheap_and_yet_lively(publisher, monkeypatch, lab):
    """100 kB at 50 tokens a second: at most 40 kB a second, and 5 updates a second at first."""
    if lab:
        monkeypatch.setenv("JPY_SESSION_NAME", "a notebook")
    else:
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shown, transcript = Notebook(), Transcript(0.0)
    shown.begin(RECORD, lambda: None)
    updates: list[tuple[float, int]] = []
    now = 0.0
    for start in range(0, 100_000, 4):
        now = start / 200
        transcript.apply(TextDelta(TEXT[start : start + 4]), now=now)
        before = len(publisher.sizes)
        shown.refresh(transcript, transcript.take_fresh(), now)
        updates += [(now, start + 4)] * (len(publisher.sizes) - before)
    assert sum(publisher.sizes) / now <= 40_000
    early = [at for at, size in updates if size <= 8_000]
    assert len(early) / (8_000 / 200) >= 5
    assert max(b - a for a, b in pairwise(early[:-10])) <= 0.25
    assert max(b[0] - a[0] for a, b in pairwise(updates)) < 15


def test_the_first_words_go_out_at_once(publisher):
    shown, transcript = Notebook(), Transcript(0.0)
    shown.begin(RECORD, lambda: None)
    transcript.apply(TextDelta("Hello"), now=0.01)
    shown.refresh(transcript, transcript.take_fresh(), 0.01)
    assert len(publisher.sizes) == 2


def test_nothing_new_is_not_published(publisher):
    shown, transcript = Notebook(), Transcript(0.0)
    shown.begin(RECORD, lambda: None)
    transcript.apply(TextDelta("Hello"), now=0.01)
    for tick in range(1, 100):
        shown.refresh(transcript, transcript.take_fresh(), tick / 10)
    assert len(publisher.sizes) == 2


def test_while_it_waits_the_clock_moves_once_a_second(publisher):
    shown, transcript = Notebook(), Transcript(0.0)
    shown.begin(RECORD, lambda: None)
    for tick in range(1, 101):
        shown.refresh(transcript, transcript.take_fresh(), tick / 10)
    assert 9 <= len(publisher.sizes) <= 12


def test_bytes_a_second_stay_under_the_rate():
    throttle, now, sent, size = Throttle(), 0.0, 0, 0
    while size < 500_000:
        if throttle.due(now):
            throttle.published(now, size, size)
            sent += size
        now += 0.02
        size += 20
    assert sent / now <= throttle.rate * 1.1


def test_never_more_than_ten_a_second():
    throttle, count = Throttle(), 0
    for tick in range(1000):
        if throttle.due(tick / 100):
            throttle.published(tick / 100, 10, 10)
            count += 1
    assert count <= 101
