"""Every row once: what is asked, kept, paid for and given back. Counted at the server."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from IPython.utils.capture import capture_output

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    ConfigurationError,
    InsufficientBalanceError,
    Interrupted,
    JobStoppedError,
    ParameterError,
    TemplateError,
)
from deepseek_jupyter.session.session import get_session
from deepseek_jupyter.transport import retry
from tests.jobs.conftest import begin
from tests.support.counting import last_words
from tests.support.fuzzing import rounds

PROMPT = "Repeat the last word. {{ text }}"
Topic = Literal["price", "quality"]


def frame(rows: int, distinct: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"review w{at % (distinct or rows)}" for at in range(rows)]})


def everything(of, prompt=PROMPT, **options):
    return ds.map(of, prompt, **{"rows": "all", "budget": "none", "show": False, **options})


def as_json(body):
    return json.dumps({"value": "price"})


class TestOnce:
    def test_equal_rows_are_one_request_and_a_rerun_is_none(self, serve, monkeypatch):
        server = serve()
        answered = everything(frame(1_000, 100))
        assert list(answered["answer"]) == [f"w{at % 100}" for at in range(1_000)]
        assert (server.accepted, answered.job.asked) == (100, 100)
        begin(monkeypatch)  # another kernel
        assert everything(frame(1_000, 100)).equals(answered)
        assert server.accepted == 100

    def test_a_changed_row_is_asked_alone(self, serve):
        server, rows = serve(), frame(20)
        everything(rows)
        rows.loc[7, "text"] = "review new"
        assert everything(rows)["answer"][7] == "new"
        assert server.accepted == 21

    def test_another_prompt_model_or_type_is_another_question(self, serve):
        server, rows = serve(as_json), frame(3)
        everything(rows)
        everything(rows, "Other words: {{ text }}")
        everything(rows, model="deepseek-v4-pro")
        everything(rows, to=Topic)
        assert server.accepted == 12

    def test_rows_that_differ_in_what_is_masked_are_equal(self, serve):
        server = serve(lambda body: body["messages"][-1]["content"])
        rows = pd.DataFrame({"text": [f"write to a{at}@example.org" for at in range(9)]})
        answered = everything(rows, "{{ text }}")
        assert server.accepted == 1
        assert list(answered["answer"]) == list(rows["text"])  # each with its own original

    def test_the_first_request_is_alone(self, serve):
        starts: list[int] = []
        server = serve(latency=0.05)
        server.fail = lambda body, number: starts.append(server.now) or 0
        everything(frame(12))
        assert starts[:2] == [0, 0]
        assert server.peak > 1

    @pytest.mark.slow
    def test_a_lost_kernel_loses_what_was_in_flight(self, serve, monkeypatch, child_environment):
        server = serve(latency=0.03)
        code = (
            "import pandas as pd, deepseek_jupyter as ds\n"
            "rows = pd.DataFrame({'text': [f'review w{at}' for at in range(300)]})\n"
            f"ds.map(rows, {PROMPT!r}, rows='all', budget='none', concurrency=8)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **child_environment}
        )
        deadline = time.monotonic() + 90
        while server.answered < 180 and time.monotonic() < deadline:
            time.sleep(0.005)
        child.kill()
        child.wait(30)
        time.sleep(0.1)
        everything(frame(300))
        assert sum(count - 1 for count in server.bodies.values()) <= 8
        assert len(server.bodies) == 300

    def test_replay_always_asks_nothing_and_never_asks_again(self, serve):
        server, rows = serve(), frame(3)
        with pytest.raises(JobStoppedError):
            everything(frame(30), replay="always")
        assert server.accepted == 0
        everything(rows)
        everything(rows, replay="never")
        assert server.accepted == 6


class TestFrames:
    def test_index_order_and_other_columns_stay(self, serve):
        serve()
        rows = frame(6).set_index(pd.Index([3, 3, 1, 1, 2, 9], name="id"))
        rows["kind"] = pd.Categorical(list("aabbcc"))
        answered = everything(rows)
        assert answered[["text", "kind"]].equals(rows)
        assert list(answered.columns) == ["text", "kind", "answer"]
        assert "answer" not in rows.columns

    def test_an_empty_frame_asks_nothing(self, serve):
        server = serve()
        assert list(everything(frame(0)).columns) == ["text", "answer"]
        assert list(ds.map(frame(0), PROMPT, show=False).columns) == ["text", "answer"]
        assert server.accepted == 0

    def test_a_missing_value_is_never_sent(self, serve):
        server = serve()
        rows = pd.DataFrame({"text": ["a", None, "b"], "n": [1, 2, None]})
        answered = everything(rows, "{{ text }} and {{ n }}")
        assert server.accepted == 1
        assert answered["answer"].isna().tolist() == [False, True, True]

    def test_a_record_is_a_column_a_field(self, serve):
        @dataclass
        class Facts:
            score: int
            words: list[str]

        server = serve(lambda body: json.dumps({"score": 4, "words": ["a", "b"]}))
        answered = everything(frame(2), to=Facts)
        assert answered["score"].tolist() == [4, 4]
        assert answered["score"].dtype == "int64"
        assert answered["words"].tolist() == [["a", "b"]] * 2
        assert "max_tokens" not in server.last

    @pytest.mark.parametrize(
        ("prompt", "options", "says"),
        [
            ("No column.", {}, "names no column"),
            ("`{{ text }}` in code", {}, "names no column"),
            ("{{ txet }}", {}, "no 'txet'"),
            (PROMPT, {"into": "text"}, "column 'text' already"),
            (PROMPT, {"rows": 0}, "rows"),
            (PROMPT, {"truth": "nothing"}, "truth"),
            (PROMPT, {"also": "nothing"}, "also"),
            (PROMPT, {"concurrency": 0}, "concurrency"),
            (PROMPT, {"budget": -1, "max_tokens": 9}, "sum of money"),
            ("{{ text.upper() }}", {}, "stands alone"),
            (PROMPT, {"attach": [1]}, "attach"),
        ],
    )
    def test_what_cannot_be_asked_is_refused(self, serve, prompt, options, says):
        server = serve()
        with pytest.raises(ConfigurationError, match=says):
            everything(frame(3), prompt, **options)
        assert server.number == 0

    def test_a_repeated_name_is_refused_where_it_is_named(self, serve):
        serve()
        rows = pd.DataFrame([["x", 1, 2]], columns=["text", "n", "n"])
        assert list(everything(rows).columns) == ["text", "n", "n", "answer"]
        with pytest.raises(ParameterError, match="2 columns 'n'"):
            everything(rows, "{{ n }}")

    def test_a_frame_that_changes_meanwhile_changes_nothing(self, serve):
        rows = frame(40)

        def answer(body):
            rows["more"] = 1
            return last_words(body)

        serve(answer, latency=0.01)
        assert everything(rows)["answer"].tolist() == [f"w{at}" for at in range(40)]

    def test_further_columns_on_demand(self, serve):
        serve(lambda body: "" if "w1" in body["messages"][-1]["content"] else "fine")
        answered = everything(frame(3), also=["error", "raw", "reasoning", "tokens"])
        assert answered["answer_error"].isna().tolist() == [True, False, True]
        assert answered["answer_raw"][0] == "fine"
        assert answered["answer_tokens"][0] > 1
        assert "answer_raw" in everything(frame(3), also="raw")

    def test_what_cannot_be_said_whole_is_not_sent(self, serve):
        server = serve()
        values = [
            b"\0",
            [*range(101)],
            {"a": b"\0"},
            np.arange(101.0),
            object(),
            {"a": [1.23456789]},
        ]
        answered = everything(pd.DataFrame({"x": values}), "{{ x }}")
        assert server.messages == [[{"role": "user", "content": '{"a": [1.23456789]}'}]]
        assert len(answered.job.errors()) == 5


class TestTrouble:
    def test_a_failed_row_is_a_value_and_can_be_tried_again(self, serve):
        server = serve()
        server.fail = lambda body, number: 400 if "w3" in body["messages"][-1]["content"] else 0
        answered = everything(frame(10))
        assert answered["answer"].isna().sum() == 1
        failed = answered.job.errors()
        assert failed["text"].tolist() == ["review w3"]
        assert "Failed on purpose" in failed["error"].iloc[0]
        server.fail, before = lambda body, number: 0, server.accepted
        assert answered.job.retry()["answer"].tolist() == [f"w{at}" for at in range(10)]
        assert server.accepted == before + 1

    def test_an_answer_that_does_not_fit_is_paid_for_and_asked_again(self, serve):
        server = serve(lambda body: json.dumps({"value": "neither"}))
        assert everything(frame(2), to=Topic)["answer"].isna().all()
        assert ds.job.cost > 0
        server.answer = as_json
        assert everything(frame(2), to=Topic)["answer"].tolist() == ["price"] * 2

    def test_many_errors_stop_the_job(self, serve):
        server = serve()
        server.fail = lambda body, number: 400 if number % 10 == 0 else 0
        with pytest.raises(JobStoppedError, match="requests failed") as stopped:
            everything(frame(500), concurrency=4)
        assert server.number < 60
        assert len(stopped.value.job.frame) == 500
        server.fail, before = lambda body, number: 400, server.number
        with pytest.raises(JobStoppedError):
            everything(frame(500), "Others: {{ text }}", concurrency=200)
        assert server.number - before <= 40

    def test_an_account_without_money_stops_it_at_once(self, serve):
        server = serve()
        server.fail = lambda body, number: 402 if number > 5 else 0
        with pytest.raises(InsufficientBalanceError):
            everything(frame(100), concurrency=2)
        assert server.number <= 8
        assert len(ds.job.values) == 5

    def test_an_overloaded_server_is_asked_again(self, serve):
        server = serve()
        server.fail = lambda body, number: 503 if number == 2 else 0
        assert everything(frame(4))["answer"].tolist() == ["w0", "w1", "w2", "w3"]
        assert server.number == 5

    def test_a_wait_that_the_server_names_is_kept(self, serve):
        moments, server = list[float](), serve()
        server.retry_after = 0.4
        server.fail = lambda body, number: moments.append(time.monotonic()) or 429 * (number == 1)
        everything(frame(1))
        assert moments[1] - moments[0] >= 0.4
        server.retry_after, server.fail = 3_600.0, lambda body, number: 429
        assert everything(frame(1), "Again: {{ text }}", max_errors=1)["answer"].isna().all()

    def test_rows_that_cannot_be_read_end_the_job(self, serve):
        class Timestamp:
            def to_pydatetime(self, warn=False):
                raise RuntimeError("torn")

        serve()
        rows = pd.DataFrame({"text": [f"review w{at}" for at in range(300)] + [Timestamp()]})
        with pytest.raises(RuntimeError, match="torn"):
            everything(rows)

    def test_a_stop_is_quick_and_keeps_what_came(self, serve):
        server = serve(latency=0.2)
        threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(Interrupted):
            everything(frame(3_000), concurrency=16)
        done = server.answered
        assert 0 < done < 3_000
        assert len(ds.job.values) == ds.job.asked  # also of those that the display had not reached
        began = time.monotonic()
        everything(frame(done // 2))
        assert len(server.bodies) == server.accepted  # nothing of those is asked again
        assert time.monotonic() - began < 10


class TestMoney:
    def test_a_trial_tells_the_price_and_gives_the_cap(self, serve, capsys):
        server = serve(as_json)
        shown = ds.map(frame(200, 50), PROMPT, to=Topic, show=False)
        assert len(shown) == server.accepted == 5
        answered = ds.map(frame(200, 50), PROMPT, to=Topic, rows="all", show=False)
        assert server.accepted == 50
        assert answered["answer"].tolist() == ["price"] * 200

    def test_numbers_of_numpy_are_numbers(self, serve):
        serve(as_json)
        found = ds.map(frame(9), PROMPT, to=Topic, rows=np.int64(3), budget=np.int64(1), show=False)
        assert len(found) == 3

    def test_the_longest_row_is_in_the_trial(self, serve):
        serve()
        rows = frame(50)
        rows.loc[31, "text"] = "a very long review " * 9
        assert 31 in ds.map(rows, PROMPT, show=False).index

    def test_all_rows_need_a_budget_or_a_trial(self, serve):
        server = serve(as_json)
        with pytest.raises(ConfigurationError, match="neither a budget nor"):
            everything(frame(9), to=Topic, budget=None)
        assert server.number == 0

    def test_a_retry_is_within_the_cap_of_the_trial_too(self, serve):
        serve(as_json)
        ds.map(frame(9), PROMPT, to=Topic, show=False)
        everything(frame(9), to=Topic, budget=None)
        cap = ds.job.runner.cap.most
        ds.job.retry()
        assert ds.job.runner.cap.most == cap > 0

    def test_what_is_kept_needs_none(self, serve, monkeypatch):
        server = serve(as_json)
        everything(frame(9), to=Topic)
        begin(monkeypatch)
        everything(frame(9), to=Topic, budget=None)
        assert server.accepted == 9

    def test_a_budget_needs_the_length_of_an_answer(self, serve):
        server = serve()
        with pytest.raises(ConfigurationError, match="max_tokens"):
            everything(frame(3), budget=1.0)
        everything(frame(3), budget=1.0, max_tokens=20)
        assert server.last["max_tokens"] == 20

    @pytest.mark.slow
    def test_the_cap_is_never_passed(self, serve, monkeypatch):
        """Jobs with caps, sizes, widths and failures drawn at random."""
        quick = partial(retry.RetryPolicy, base=0.001)
        monkeypatch.setattr(retry, "RetryPolicy", quick)
        draw = random.Random(7)
        server = serve(as_json)
        server.fail = lambda body, number: draw.choice((0, 0, 0, 0, 503, 500))

        def usage(body, text):
            most = sum(len(str(m["content"])) for m in body["messages"])
            return {
                "prompt_tokens": draw.randint(1, most),
                "completion_tokens": draw.randint(1, body["max_tokens"]),
            }

        server.usage = usage
        for run in range(rounds(200)):
            cap = Decimal(draw.randint(1, 400)) / 1_000_000
            before = len(server.billed)
            with suppress(JobStoppedError):
                everything(
                    frame(draw.randint(1, 40)), f"{run}: {{{{ text }}}}", to=Topic,
                    budget=float(cap), concurrency=draw.choice((1, 8, 64)), max_errors=1.0,
                )  # fmt: skip
            rate = ds.job.runner.price("deepseek-flash")
            billed = sum(
                (
                    b["prompt_tokens"] * rate.miss + b["completion_tokens"] * rate.output
                    for b in server.billed[before:]
                ),
                Decimal(),
            )
            assert billed / 1_000_000 <= cap
            assert ds.job.runner.cap.reserved == 0

    def test_an_answer_without_figures_stays_charged_as_reserved(self, serve):
        serve(as_json, usage=lambda body, text: {"prompt_tokens": 0, "completion_tokens": 0})
        everything(frame(2), to=Topic)
        assert ds.job.cost > 0

    def test_a_request_of_unknown_fate_stays_charged_as_reserved(self, serve, monkeypatch):
        server = serve(as_json)

        def broken(body, number):
            if number == 3:
                raise ConnectionResetError  # the request was read, and nobody says what came of it
            return 0

        server.fail = broken
        everything(frame(4), to=Topic, budget=1.0, concurrency=1)
        job = ds.job
        price = job.runner.price()
        told = sum(
            b["prompt_tokens"] * price.miss + b["completion_tokens"] * price.output
            for b in server.billed
        )
        assert len(server.billed) == 4  # it was asked again
        worst = job.cost - told / 1_000_000
        assert worst > max(b["completion_tokens"] for b in server.billed) * price.output / 1_000_000
        assert job.runner.cap.reserved == 0

    def test_a_changed_prompt_says_what_it_will_pay_before_it_does(self, serve, shell):
        server = serve(as_json)
        ds.map(frame(30), PROMPT, to=Topic, show=False)
        everything(frame(30), to=Topic, budget=None)
        paid, changed = server.accepted, "Once more: {{ text }}"
        with pytest.raises(ConfigurationError, match="30 rows are to be asked"):
            everything(frame(30), changed, to=Topic, budget=None)
        assert server.accepted == paid
        with capture_output() as captured:
            ds.map(frame(30), changed, to=Topic)
        told = captured.outputs[-1].data["text/plain"]
        assert re.search(r"left to ask\s+25,.*price of the rest", told, re.DOTALL)
        with capture_output() as captured:  # all of them kept
            ds.map(frame(30), changed, to=Topic)
        again = captured.outputs[-1].data["text/plain"]
        assert re.search("tokens out.*", again)[0] == re.search("tokens out.*", told)[0]
        everything(frame(30), changed, to=Topic, budget=None)
        assert server.accepted == paid + 30
        with capture_output() as captured:
            ds.map(frame(30), changed, to=Topic)
        assert "Nothing is left to ask" in captured.outputs[-1].data["text/plain"]

    def test_what_rows_cost_counts_for_the_notebook(self, serve, monkeypatch):
        from deepseek_jupyter.session.accounts import notebook_cost, usage

        server = serve(as_json)
        everything(frame(9), to=Topic)
        session = get_session()
        spent = notebook_cost(session, "USD")
        assert spent == ds.job.cost > 0
        assert "(rows)" in str(usage(session))
        assert "(rows)" in str(usage(session, "day"))
        session.config.notebook_budget = float(spent) + 1e-9
        before = server.number
        with pytest.raises(ConfigurationError, match="its budget is"):
            everything(frame(50, 40), "More: {{ text }}", to=Topic)
        assert server.number == before

    def test_truth_measures(self, serve):
        serve(as_json)
        rows = frame(8).assign(truth=["price"] * 6 + ["quality", None])
        accuracy = everything(rows, to=Topic, truth="truth").job.accuracy
        assert accuracy.share == pytest.approx(6 / 7)
        assert accuracy.interval[0] < 6 / 7 < accuracy.interval[1]
        assert accuracy.wrong["truth"].tolist() == ["quality"]
        assert "quality" in str(accuracy.confusion)


class TestWays:
    def test_a_notebook_variable_is_filled_in_once(self, serve, monkeypatch):
        from deepseek_jupyter.jobs import verbs

        server = serve()
        monkeypatch.setattr(verbs, "user_namespace", lambda: {"n": 3, "text": 1})
        with pytest.raises(ParameterError, match="a column and a variable"):
            everything(frame(1), "{{ text }}")
        everything(frame(1).rename(columns={"text": "a b"}), "{{ n + 1 }}: {{ a b }}")
        assert server.messages[0][-1]["content"] == "4: review w0"
        monkeypatch.setattr(verbs, "user_namespace", lambda: {"other": frame(1)})
        with pytest.raises(ParameterError, match="plain values"):
            everything(frame(1), "{{ text }} {{ other }}")

    def test_the_verbs(self, serve):
        server = serve(as_json)
        rows = frame(4)
        assert (
            ds.classify(rows, "text", ["price", "x"], show=False)["label"].tolist() == ["price"] * 4
        )
        with pytest.raises(ParameterError, match="labels as texts"):
            ds.classify(rows, "text", "price")
        server.answer = lambda body: json.dumps({"score": 2})

        @dataclass
        class Score:
            score: int

        assert ds.extract(rows, "text", Score, show=False)["score"].tolist() == [2] * 4
        server.answer = lambda body: "Kritik"
        assert ds.translate(rows, "text", "German", show=False)["translation"][0] == "Kritik"
        server.answer = lambda body: json.dumps({"value": "w2" in str(body["messages"])})
        kept = ds.filter(rows, "{{ text }} is good", rows="all", budget="none", show=False)
        assert kept["text"].tolist() == ["review w2"]
        assert kept.equals(rows.iloc[[2]])

    def test_a_dry_run_shows_a_row_and_sends_nothing(self, serve):
        server = serve()
        shown = ds.map(frame(3), PROMPT, dry_run=True)
        assert "review w" in str(shown)
        assert server.number == 0

    def test_a_row_function_is_pickled_and_asks(self, serve):
        import pickle

        server = serve()
        made = pickle.loads(pickle.dumps(ds.row_function(PROMPT, budget="none")))
        assert made(frame(3))["answer"].tolist() == ["w0", "w1", "w2"]
        assert [len(part) for part in made(iter([frame(2), frame(1)]))] == [2, 1]
        assert server.accepted == 3
        assert "sk-" not in pickle.dumps(made).decode("latin-1")

    def test_a_cell(self, serve, shell):
        server = serve(as_json)
        shell.user_ns.update(df=frame(30), Topic=Topic)
        line = "--map df --into topic --schema Topic --rows 4 -o labels --quiet"
        shown = shell.run_cell_magic("ds", line, "About what? {{ text }}")
        assert list(shown.columns) == ["text", "topic"]
        assert server.accepted == 4
        assert shell.user_ns["labels"] is shown
        with pytest.raises(TemplateError):
            shell.run_cell_magic("ds", "--map df --rows all --budget none", "Nothing")
