"""Whatever comes while an answer is being finished, its output gets the last word."""

from __future__ import annotations

import signal

import pytest

from deepseek_jupyter.asking.ask import _batches
from deepseek_jupyter.asking.prepare import place, prepare
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.asking.run import Run
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.errors import Interrupted
from tests.support.scripted import answer


class Seen(Nowhere):
    record = None

    def end(self, record) -> None:
        self.record = record


def finished(session, ended) -> Seen:
    surface = Seen()
    run = Run(session, prepare(session, place(session, Question("Q"))), surface, ended)
    try:
        with run:
            for batch in _batches(session, run):
                run.take(batch)
    finally:
        assert surface.record is not None
        assert surface.record["answer"] == "Whole."
    return surface


def test_an_interrupt_waits_for_it(session, server):
    server.queue(answer("Whole."))
    with pytest.raises(Interrupted) as caught:
        finished(session, lambda _: signal.raise_signal(signal.SIGINT))
    assert caught.value.reply.text == "Whole."
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert session.conversation.turns()[-1].answer == "Whole."


def test_a_bug_does_not_keep_it_back(session, server):
    def broken(_: object) -> None:
        raise RuntimeError("a bug")

    server.queue(answer("Whole."))
    with pytest.raises(RuntimeError):
        finished(session, broken)
