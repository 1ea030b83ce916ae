"""A kept answer comes again as it came: in its rhythm, at a pace, until stopped or skipped."""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import threading
import time
from dataclasses import replace

import pytest

from deepseek_jupyter.asking import run
from deepseek_jupyter.asking.ask import aask, ask, astream, stream
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.display.surfaces import Deltas, Nowhere
from deepseek_jupyter.errors import Interrupted, ParameterError
from deepseek_jupyter.protocol import rhythm
from deepseek_jupyter.protocol.rhythm import Rhythm, unpacked
from tests.asking.test_replay import kernel
from tests.support.scripted import Reply, answer, deltas, event, pause, send
from tests.support.wording import DONE, USAGE, chunk

GAPS = [0.15, 0.01, 0.01, 0.2, 0.02, 0.0, 0.25, 0.04, 0.01, 0.1, 0.01, 0.01, 0.2, 0.01, 0.01]
Q = Question("Tell me.", cell_id="c1", replay="auto")


def uneven(gaps=GAPS, thinking: int = 4) -> Reply:
    """A word after each gap; the first of them are thinking."""
    steps = []
    for number, gap in enumerate(gaps):
        name = "reasoning_content" if number < thinking else "content"
        steps += [pause(gap), send(event(chunk({name: f"word{number} "})))]
    steps.append(send(event(chunk({"content": ""}, finish="stop", usage=USAGE)) + DONE))
    return Reply(steps)


class Watch(Nowhere):
    """When which word was shown."""

    def __init__(self, on_word=lambda number: None) -> None:
        self.moments: list[float] = []
        self.on_word, self.record, self.statuses = on_word, None, []

    def begin(self, record, stop) -> None:
        self.began, self.stop, self.first = time.monotonic(), stop, record

    def refresh(self, transcript, fresh, now) -> None:
        for _ in range("".join(fresh).count("word")):
            self.moments.append(time.monotonic() - self.began)
            self.on_word(len(self.moments))
        self.statuses.append(transcript.status)

    def end(self, record) -> None:
        self.record = record


@pytest.fixture
def recorded(notebook, server):
    """What a person saw of the answer as it came; the server is gone afterwards."""
    server.queue(uneven())
    watch = Watch()
    ask(kernel(), Q, watch)
    server.__exit__()
    return watch


def test_it_comes_as_it_came_within_50_ms(recorded):
    again = Watch()
    reply = ask(kernel(), Question("Tell me.", cell_id="c1", pace="1"), again)
    errors = [abs(a - b) for a, b in zip(recorded.moments, again.moments, strict=True)]
    assert statistics.quantiles(errors, n=20)[-1] <= 0.05, errors
    assert reply.turn.replayed
    assert again.record["answer"] == recorded.record["answer"]
    assert list(dict.fromkeys(again.statuses)) == ["waiting", "thinking", "answering"]


def test_four_times_as_fast_and_thinking_squeezed(recorded):
    fast, squeezed = Watch(), Watch()
    session = kernel()
    ask(session, Question("Tell me.", cell_id="c1", pace="4"), fast)
    session.config.pace = "1,think=0"
    ask(session, Q, squeezed)
    assert fast.moments[-1] == pytest.approx(recorded.moments[-1] / 4, abs=0.1)
    assert squeezed.moments[3] < 0.1
    text = recorded.moments[-1] - recorded.moments[3]
    assert squeezed.moments[-1] == pytest.approx(text, abs=0.1)


def test_at_once_is_the_default(recorded):
    again = Watch()
    ask(kernel(), Q, again)
    assert again.moments[-1] < 0.1


def test_a_silence_is_cut_but_for_real(notebook, server, monkeypatch):
    assert rhythm._SILENCE == 2.0
    monkeypatch.setattr(rhythm, "_SILENCE", 0.5)
    server.queue(uneven([0.01, 1.1], 0))
    ask(kernel(), Q, Watch())
    cut, real = Watch(), Watch()
    ask(kernel(), Question("Tell me.", cell_id="c1", pace="1"), cut)
    ask(kernel(), Question("Tell me.", cell_id="c1", pace="real"), real)
    assert cut.moments[1] == pytest.approx(0.5, abs=0.2)
    assert real.moments[1] == pytest.approx(1.1, abs=0.2)


def test_the_footer_says_when_it_was_recorded_and_by_which_model(recorded):
    reply = ask(kernel(), Q, Nowhere())
    day = recorded.record["created"][:10]
    assert reply.footer.startswith(f"replayed · recorded {day} · deepseek-flash")
    assert reply.record["recorded"] == recorded.record["created"]


def test_a_stop_leaves_what_was_seen_and_keeps_the_answer_whole(recorded):
    session = kernel()
    watch = Watch(lambda number: number == 6 and watch.stop())
    with pytest.raises(Interrupted) as stopped:
        ask(session, Question("Tell me.", cell_id="c1", pace="1"), watch)
    assert stopped.value.reply.turn.status == watch.record["status"] == "interrupted"
    assert stopped.value.reply.text == "word4 word5 "
    assert watch.record["history"] is False  # a file with it has no turn that is not from here
    assert len(session.conversation.turns()) == 1
    assert ask(session, Q, Nowhere()).text.endswith("word14 ")


def test_an_interrupt_stops_it_too(recorded):
    session = kernel()
    watch = Watch(lambda number: number == 6 and signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted):
        ask(session, Question("Tell me.", cell_id="c1", pace="1"), watch)
    assert watch.record["status"] == "interrupted"


def test_a_key_shows_the_rest_at_once(recorded):
    class Skipped(Deltas):
        def refresh(self, transcript, fresh, now):
            super().refresh(transcript, fresh, now)
            pages.asked({"type": "skip", "id": self._record["id"]})

    on, began = Skipped(), time.monotonic()
    reply = ask(kernel(), Question("Tell me.", cell_id="c1", pace="1"), on)
    assert time.monotonic() - began < 1
    assert reply.text.endswith("word14 ")


def test_a_skip_of_an_answer_that_is_being_written_does_nothing(notebook, server):
    class Skipped(Deltas):
        def refresh(self, transcript, fresh, now):
            super().refresh(transcript, fresh, now)
            self.skip()

    server.queue(answer("Fine."))
    assert ask(kernel(replay="never"), Question("Q?"), Skipped()).text == "Fine."


def test_streams_and_coroutines_keep_the_pace(recorded):
    asked = Question("Tell me.", cell_id="c1", pace="2")

    def moments(found: list[float]) -> None:
        assert len(found) > len(GAPS) // 2  # a busy machine gets some of them together
        assert found[-1] == pytest.approx(recorded.moments[-1] / 2, abs=0.3)

    began = time.monotonic()
    moments([time.monotonic() - began for _ in stream(kernel(), asked)])

    async def streamed() -> list[float]:
        began = time.monotonic()
        return [time.monotonic() - began async for _ in astream(kernel(), asked)]

    moments(asyncio.run(streamed()))
    watch = Watch()
    asyncio.run(aask(kernel(), asked, watch))
    moments(watch.moments)


def test_a_coroutine_is_cancelled_and_shows_it_was_stopped(recorded):
    watch = Watch()

    async def cancelled() -> None:
        task = asyncio.create_task(
            aask(kernel(), Question("Tell me.", cell_id="c1", pace="1"), watch)
        )
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert watch.record["status"] == "interrupted"


def test_pseudonyms_that_come_in_pieces_are_originals_on_the_screen(notebook, server):
    mail = "ada@example.com"
    name = "<email-1>"
    words = ["Write ", "to ", name[:4], name[4:], " now", "."]
    steps = [s for w in words for s in (pause(0.03), send(event(chunk({"content": w}))))]
    end = send(event(chunk({"content": ""}, finish="stop", usage=USAGE)) + DONE)
    server.queue(Reply(steps, end))
    asked = Question(f"Who is {mail}?", cell_id="c1", pace="1", replay="auto")
    first = ask(kernel(), asked, Nowhere())
    assert name in json.dumps(server.requests[0].json)
    assert first.turn.answer == f"Write to {name} now."
    shown = [d.text for d in stream(kernel(), asked)]
    assert "".join(shown) == f"Write to {mail} now."
    assert len(shown) > 2


def test_calls_of_tools_come_again_between_their_rounds(session, server):
    def twice(n: int) -> int:
        """Twice n."""
        return 2 * n

    call = {"id": "1", "function": {"name": "twice", "arguments": '{"n": 4}'}}
    server.queue(answer("I look.", tool_calls=[call], before=[pause(0.2)]))
    server.queue(answer("It is 8.", before=[pause(0.2)]))
    asked = Question("Twice 4?", tools=(twice,), cell_id="c1", pace="1", replay="auto")
    session.config.replay = "auto"
    ask(session, asked, Nowhere())
    seen = []

    class Rounds(Nowhere):
        def refresh(self, transcript, fresh, now):
            seen.append((transcript.rounds, len(transcript.steps), *fresh))

    reply = ask(session, asked, Rounds())
    assert reply.turn.replayed
    assert len(server.requests) == 2
    rounds = {}
    for number, steps, _, text in seen:
        rounds.setdefault((number, steps), []).append(text)
    assert {key: "".join(texts) for key, texts in rounds.items()} == {
        (0, 0): "I look.",
        (1, 1): "It is 8.",
    }


def test_without_its_rhythm_it_comes_at_once(session, server):
    server.queue(answer("Fine."))
    session.config.replay = "auto"
    ask(session, Q, Nowhere())
    journal = session.conversation.journal
    assert unpacked(journal.turn(session.conversation.tip).rhythm)
    watch = Watch()
    forged = Question("Tell me.", cell_id="c1", pace="1")
    (turn,) = session.conversation.turns()
    journal.put_last([replace(turn, rhythm="no rhythm")])
    assert ask(kernel(), forged, watch).text == "Fine."


def test_a_pace_that_is_none_is_refused_before_anything_is_sent(session, server):
    with pytest.raises(ParameterError, match="pace cannot be 'fast'"):
        ask(session, Question("Q?", pace="fast"), Nowhere())
    assert server.requests == []


def test_recording_costs_at_most_one_percent_of_a_stream(session, server, monkeypatch):
    """Of a flood: one that is written by a model takes a hundred times as long."""
    spent = []

    class Timed(Rhythm):
        def take(self, events, now):
            began = time.thread_time()
            super().take(events, now)
            spent.append(time.thread_time() - began)

    server.queue(Reply(deltas(4800, rate=2400)))
    monkeypatch.setattr(run, "Rhythm", Timed)
    began = time.monotonic()
    reply = ask(session, Question("Q?", replay="never"), Nowhere())
    took = time.monotonic() - began
    assert sum(mark.length for mark in unpacked(reply.turn.rhythm)) == len(reply.turn.answer)
    assert sum(spent) <= 0.01 * took, (sum(spent), took)


def test_a_stop_from_another_thread_is_heard_in_a_silence(recorded):
    session, watch = kernel(), Watch()
    timer = threading.Timer(0.1, lambda: watch.stop())
    timer.start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        ask(session, Question("Tell me.", cell_id="c1", pace="0.1"), watch)
    assert time.monotonic() - began < 1
