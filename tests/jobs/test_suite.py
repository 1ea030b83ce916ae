"""A suite: what is asked, kept, paid for, scored and said. Counted at the server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from decimal import Decimal

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    AuthenticationError,
    ConfigurationError,
    JobStoppedError,
    ParameterError,
)
from tests.jobs.conftest import begin

TWO = "deepseek-flash?name=old, deepseek-flash?think=off&name=new"
THREE = f"{TWO}, deepseek-v4-pro?name=pro"


def numbers(rows: int) -> pd.DataFrame:
    said = [f"one more than {n}" for n in range(rows)]
    return pd.DataFrame({"prompt": said, "expected": range(1, rows + 1)})


def variant_of(body) -> str:
    if body["model"] == "deepseek-v4-pro":
        return "pro"
    return "new" if body.get("thinking") == {"type": "disabled"} else "old"


def knowing(**shares):
    """Answers that are right in a share of the cases, by a hash of case and variant."""

    def answer(body):
        number, name = int(body["messages"][-1]["content"].split()[-1]), variant_of(body)
        mark = int(hashlib.sha256(f"{number} {name}".encode()).hexdigest(), 16) % 1000
        return str(number + 1) if mark < 1000 * shares[name] else "no idea"

    return answer


def whole(cases, variants=TWO, **options):
    return ds.suite(cases, variants, **{"rows": "all", "budget": "none", "show": False, **options})


def score(suite, name):
    (found,) = (one for one in suite.summaries if one.variant == name)
    return found


class TestScores:
    @pytest.mark.slow
    def test_known_accuracies_come_out_and_the_better_one_is_named(self, serve):
        server = serve(knowing(old=0.9, new=0.7, pro=0.9))
        suite = whole(numbers(200), THREE)
        assert (server.accepted, suite.asked) == (600, 600)
        truth = {"old": 0.9, "new": 0.7, "pro": 0.9}
        for name, share in truth.items():
            low, high = score(suite, name).interval
            assert low <= share <= high
        assert any(line.startswith("old beats new by") for line in suite.lines)
        assert any(line.startswith("pro beats new by") for line in suite.lines)
        assert any("and pro: no decision" in line or "pro and" in line for line in suite.lines)

    def test_the_same_call_again_asks_nothing_and_says_the_same(self, serve, monkeypatch):
        server = serve(knowing(old=0.9, new=0.7))
        first = whole(numbers(40))
        begin(monkeypatch)  # another kernel
        again = whole(numbers(40))
        assert (server.accepted, again.asked) == (80, 0)
        assert str(again) == str(first)
        assert again.spent == {"USD": 0}

    def test_a_repeat_is_never_answered_by_another_one(self, serve):
        server = serve(knowing(old=0.9, new=0.7))
        suite = whole(numbers(5), repeats=3)
        assert server.accepted == 30
        assert whole(numbers(5), repeats=4).asked == 10
        assert {one.repeat for one in suite.attempts} == {0, 1, 2}
        assert any("alike in all 3 repeats" in line for line in suite.lines)

    def test_variants_take_turns(self, serve):
        order: list[str] = []
        server = serve(knowing(old=1, new=1, pro=1))
        server.fail = lambda body, number: order.append(variant_of(body)) or 0
        whole(numbers(30), THREE, concurrency=1)
        for begun in range(0, 90, 3):
            assert {*order[begun : begun + 3]} == {"old", "new", "pro"}
        assert {*order[0::3]} == {"old", "new", "pro"}  # and none is always the first

    def test_what_has_no_score_is_neither_right_nor_wrong(self, serve):
        def answer(body):
            number = int(body["messages"][-1]["content"].split()[-1])
            return "" if number < 4 and variant_of(body) == "new" else str(number + 1)

        server = serve(answer)
        server.fail = lambda body, number: (
            400 if body["messages"][-1]["content"].endswith(" 9") else 0
        )
        suite = whole(numbers(20))
        new = score(suite, "new")
        assert new.counts == {"pass": 15, "fail": 0, "error": 1, "no answer": 4}
        assert new.score == 1.0
        assert suite.pairs[0].cases == 15
        assert any("old would be 20 points ahead of new" in line for line in suite.lines)

    def test_a_cut_answer_is_kept_and_not_paid_twice(self, serve):
        server = serve()
        server.finish = "length"
        suite = whole(numbers(3), max_tokens=5)
        assert {one.status for one in suite.attempts} == {"no answer"}
        assert any("3 answers of old were cut" in line for line in suite.lines)
        assert whole(numbers(3), max_tokens=5).asked == 0
        assert server.accepted == 6

    def test_a_scorer_that_fails_is_an_error_of_that_answer(self, serve):
        serve(knowing(old=1, new=1))

        def scorer(answer, case):
            return 1 / (case["expected"] - 3)

        suite = whole(numbers(6).tail(4), score=scorer)
        assert score(suite, "old").counts["error"] == 1
        assert any("ZeroDivisionError" in one.error for one in suite.attempts)
        assert any(line.startswith("Errors with old: 1.") for line in suite.lines)


class TestNoDecision:
    @pytest.mark.parametrize(
        ("cases", "shares", "says"),
        [
            (1, {"old": 1, "new": 0}, "They differ in 1 of 1 cases"),
            (12, {"old": 1, "new": 1}, "alike in all cases (12)"),
            (60, {"old": 0.7, "new": 0.68}, "With 60 cases only differences above"),
        ],
    )
    def test_it_says_why(self, serve, cases, shares, says):
        serve(knowing(**shares))
        (line,) = whole(numbers(cases)).lines
        assert "no decision" in line
        assert says in line

    def test_all_errors(self, serve):
        server = serve()
        server.fail = lambda body, number: 400
        suite = whole(numbers(6))
        assert "No case has a score of both." in suite.lines[0]
        assert score(suite, "old").counts["error"] == 6
        assert suite._repr_html_()

    @pytest.mark.parametrize(
        ("verdict", "says"),
        [
            ('{"value": "bananas"}', "no usable verdict"),
            ('{"value": "first"}', "In 8 of 8 pairs the judge chose by the order"),
        ],
    )
    def test_a_judge_that_talks_nonsense(self, serve, verdict, says):
        def answer(body):
            judged = "Two assistants" in body["messages"][-1]["content"]
            return verdict if judged else f"I am {variant_of(body)}"

        serve(answer)
        suite = whole(numbers(8), score=ds.scorers.judge("Which is true?"), max_errors=1.0)
        assert "no decision" in suite.lines[0]
        assert any(says in line for line in suite.lines)


class TestJudge:
    def test_the_order_is_swapped_and_no_name_is_said(self, serve):
        seen: list[str] = []

        def answer(body):
            text = body["messages"][-1]["content"]
            if "Two assistants" not in text:
                return f"text {'good' if variant_of(body) == 'old' else 'bad'}"
            seen.append(text)
            first = text.index("text good") < text.index("text bad")
            return json.dumps({"value": "first" if first else "second"})

        server = serve(answer)
        judge = ds.scorers.judge("Which is kinder?", "deepseek-flash")
        suite = whole(numbers(10), score=judge)
        assert len(seen) == 20
        assert server.accepted == 40
        assert not any(word in text for text in seen for word in ("old", "new", "flash", "pro"))
        assert score(suite, "old").score == 1.0
        assert score(suite, "new").score == 0.0
        assert suite.lines[0].startswith("old beats new by 100 points")
        assert any("judge cost $" in line for line in suite.lines)
        assert any("favour their own" in line for line in suite.lines)
        assert suite.judge_costs["USD"] > 0
        spent = sum(Decimal(one.cost) for one in suite.attempts)
        assert suite.spent["USD"] == spent + suite.judge_costs["USD"]
        assert whole(numbers(10), score=judge).asked == 0
        assert server.accepted == 40

    def test_what_is_masked_stays_masked(self, serve):
        def answer(body):
            text = body["messages"][-1]["content"]
            judged = "Two assistants" in text
            return '{"value": "tie"}' if judged else f"{variant_of(body)}: {text.split()[-1]}"

        server = serve(answer)
        cases = pd.DataFrame({"prompt": ["write to ada@example.org"], "expected": ["x"]})
        suite = whole(cases, score=ds.scorers.judge("Which is kinder?"))
        assert "ada@example.org" in suite.attempts[0].answer
        assert "ada@" not in str(server.messages)

    def test_its_cost_is_under_the_cap_too(self, serve):
        def answer(body):
            judged = "Two assistants" in body["messages"][-1]["content"]
            return '{"value": "tie"}' if judged else f"I am {variant_of(body)}"

        serve(answer)
        judge = ds.scorers.judge("Which is kinder?")
        trial = ds.suite(numbers(40), TWO, score=judge, max_tokens=20, show=False)
        assert "The judge cost $" in str(trial)
        every = trial.run(show=False)
        assert len(every.frame()) == 80
        again = numbers(40).assign(prompt=[f"so {n}" for n in range(40)])
        with pytest.raises(JobStoppedError, match="leaves less") as stopped:
            whole(again, score=judge, max_tokens=20, budget=0.0008)
        assert stopped.value.job.spent["USD"] <= Decimal("0.0008")
        assert stopped.value.job.judge_costs["USD"] > 0


class TestMoney:
    def test_a_trial_says_the_price_and_its_cap_holds(self, serve):
        server = serve(knowing(old=0.9, new=0.7))
        with pytest.raises(ConfigurationError, match="neither a budget nor a trial"):
            ds.suite(numbers(50), TWO, rows="all", max_tokens=20, show=False)
        assert server.accepted == 0
        trial = ds.suite(numbers(50), TWO, max_tokens=20, show=False)
        assert server.accepted == 10
        assert "A trial of 5 of 50 cases" in str(trial)
        assert [row[1] for row in trial.estimate.rows] == ["45", "45"]
        assert "rows='all' asks the rest" in trial.estimate.remark
        assert trial.run(show=False).asked == 90
        few = ds.suite(numbers(5), TWO, max_tokens=20, show=False)
        assert few.estimate.remark == "Nothing is left to ask; rows='all' gives all cases."

    def test_the_cap_is_never_passed(self, serve):
        server = serve(knowing(old=0.9, new=0.7))
        with pytest.raises(JobStoppedError) as stopped:
            whole(numbers(200), budget=0.0002, max_tokens=20)
        suite = stopped.value.job
        assert 0 < suite.spent["USD"] <= Decimal("0.0002")
        assert 0 < len(suite.attempts) < 400
        assert score(suite, "old").counts["pass"] > 0
        before = server.accepted
        assert whole(numbers(200), max_tokens=20).asked == 400 - before  # nothing is paid twice

    def test_a_budget_needs_an_answer_of_known_length(self, serve):
        serve()
        with pytest.raises(ConfigurationError, match="length of an answer"):
            whole(numbers(5), budget=1)

    def test_two_currencies_need_two_budgets(self, serve, monkeypatch):
        serve(knowing(old=1, new=1))
        monkeypatch.setenv("WCODE_API_KEY", "wc-" + "k" * 30)
        two = "deepseek-flash?think=off, wcode:deepseek/deepseek-v3.2-exp?think=off"
        with pytest.raises(ParameterError, match="several currencies"):
            whole(numbers(3), two, budget=0.1, max_tokens=20)

    def test_a_key_that_is_refused_stops_it(self, serve):
        server = serve()
        server.fail = lambda body, number: 401
        with pytest.raises(AuthenticationError):
            whole(numbers(50))
        assert server.number < 50


class TestAsking:
    @pytest.mark.parametrize(
        ("variants", "options", "says"),
        [
            ("deepseek-flash?t=0, deepseek-flash?t=1", {}, "temperature has no effect"),
            (TWO, {"n": 2}, "repeats=3"),
            (TWO, {"repeats": 0}, "repeats=3"),
            (TWO, {"rows": 0}, "rows"),
            (TWO, {"score": "exakt"}, "score cannot be 'exakt'"),
            (TWO, {"prompt": "Nothing named"}, "names no column"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, serve, variants, options, says):
        server = serve()
        with pytest.raises(ConfigurationError, match=says):
            whole(numbers(3), variants, **options)
        assert server.number == 0

    def test_cases_without_an_expected_answer(self, serve):
        server = serve(knowing(old=1, new=1))
        cases = numbers(3).assign(expected=["1", None, "3"])
        for score in ("exact", "number", "choice", "same_frame"):
            with pytest.raises(ParameterError, match="no expected answer"):
                whole(cases, score=score)
        assert server.number == 0
        assert whole(cases, score="json").asked == 6

    def test_a_choice_is_among_all_that_is_expected(self, serve):
        serve(lambda body: "not 1 but 2" if variant_of(body) == "old" else "1")
        suite = whole(numbers(2), score="choice")
        assert (score(suite, "old").score, score(suite, "new").score) == (0.0, 0.5)

    def test_a_dry_run_sends_nothing(self, serve):
        server = serve()
        shown = ds.suite(numbers(3), TWO, dry_run=True)
        assert list(shown) == ["old", "new"]
        assert shown["new"].body["thinking"] == {"type": "disabled"}
        assert server.number == 0

    def test_cases_from_jsonl_and_from_a_list(self, serve, tmp_path):
        server = serve(knowing(old=1, new=1))
        path = tmp_path / "cases.jsonl"
        rows = numbers(4).to_dict("records")
        path.write_text("\n".join(map(json.dumps, rows)))
        assert whole(path).asked == 8
        assert whole(rows).asked == 0
        assert server.accepted == 8

    def test_a_template_over_columns_and_a_missing_value(self, serve):
        server = serve(knowing(old=1, new=1))
        cases = pd.DataFrame({"n": ["1", None, "3"], "expected": ["2", "3", "4"]})
        suite = whole(cases, prompt="one more than {{ n }}")
        assert server.accepted == 4
        assert {one.case for one in suite.attempts} == {0, 2}

    @pytest.mark.slow
    def test_a_lost_kernel_pays_no_case_twice(self, serve, child_environment):
        server = serve(knowing(old=0.9, new=0.7), latency=0.03)
        code = (
            "from tests.jobs.test_suite import numbers, whole\nwhole(numbers(150), concurrency=8)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **child_environment}
        )
        deadline = time.monotonic() + 90
        while server.answered < 150 and time.monotonic() < deadline:
            time.sleep(0.005)
        child.kill()
        child.wait(30)
        time.sleep(0.1)
        before = server.accepted
        suite = whole(numbers(150))
        assert server.accepted - before == suite.asked
        assert server.accepted <= 300 + 8
        assert len(suite.attempts) == 300

    def test_first_token_and_total_are_measured_and_kept(self, serve):
        serve(knowing(old=1, new=1), latency=0.05)
        for suite in (whole(numbers(3)), whole(numbers(3))):
            assert all(0.04 <= one.first <= one.seconds for one in suite.attempts)


class TestResult:
    def test_frame_failures_and_regressions(self, serve):
        serve(knowing(old=0.9, new=0.6))
        suite = whole(numbers(60))
        frame = suite.frame()
        assert len(frame) == 120
        assert {"id", "variant", "answer", "status", "score", "cost", "first"} <= {*frame.columns}
        lost = suite.failures("old", "new")
        assert len(lost) == suite.pairs[0].better
        assert {*lost["new: answer"]} == {"no idea"}
        assert len(suite.failures("old", "old")) == 0
        card = suite._repr_html_()
        assert f"Cases right with old and wrong with new: {len(lost)}." in card
        with pytest.raises(ParameterError, match="There is no variant nobody"):
            suite.failures("old", "nobody")

    def test_the_card_is_small_and_inert(self, serve):
        serve(lambda body: "<script>alert(1)</script>" + "long words " * 500)
        cases = numbers(300)
        suite = whole(cases, score=lambda answer, case: case["expected"] % 3 == 0)
        for at, one in enumerate(suite.attempts):
            if one.variant == "old":
                suite.attempts[at] = one.__class__(
                    **{
                        **{n: getattr(one, n) for n in one.__dataclass_fields__},
                        "score": 1.0,
                        "reasoning": "<img src=x onerror=alert(1)>" * 100,
                    }
                )
        began = time.process_time()
        card = suite._repr_html_()
        assert time.process_time() - began <= 2
        assert len(card.encode()) <= 60_000
        assert "<script" not in card
        assert "<img" not in card
        assert "more are in failures()" in card
        assert '<svg role="img" aria-label="' in card

    def test_not_worse_is_shown_or_not(self, serve):
        serve(knowing(old=0.8, new=1.0))
        suite = whole(numbers(60))
        suite.assert_not_worse("new", "old")
        with pytest.raises(AssertionError, match="points worse than new"):
            suite.assert_not_worse("old", "new")
        few = whole(numbers(3), prompt="so one more than {{ prompt }}")
        with pytest.raises(AssertionError):  # three cases show nothing
            few.assert_not_worse("new", "old")

    def test_saved_loaded_and_run_with_another_variant(self, serve, tmp_path):
        server = serve(knowing(old=0.9, new=0.7, pro=0.9))
        suite = whole(numbers(20), score="number", repeats=2)
        suite.save(tmp_path / "suite.json")
        loaded = ds.Suite.load(tmp_path / "suite.json")
        assert str(loaded) == str(suite)
        assert loaded._repr_html_() == suite._repr_html_()
        assert loaded.run(show=False, budget="none").asked == 0
        added = loaded.run(THREE, show=False, budget="none")
        assert added.asked == 40
        assert server.accepted == 120
        good = json.loads((tmp_path / "suite.json").read_text())
        for part in ({"version": 2}, {"scorer": {"name": "os"}}, {"attempts": [7]}, {"more": 1}):
            (tmp_path / "suite.json").write_text(json.dumps({**good, **part}))
            with pytest.raises(ParameterError, match="saved suite"):
                ds.Suite.load(tmp_path / "suite.json")

    def test_files_for_other_tools(self, serve, tmp_path):
        serve(lambda body: "0")
        cases = numbers(2).assign(expected=[0, "zero"])
        suite = whole(cases, f"{TWO}&system=Be brief.", repeats=2)
        logs = [json.loads(path.read_text()) for path in suite.to_inspect(tmp_path / "logs")]
        assert [log["eval"]["task_args"]["variant"] for log in logs] == ["old", "new"]
        told = [
            (s["epoch"], s["target"], s["scores"]["exact"]["value"]) for s in logs[0]["samples"]
        ]
        assert told == [(1, ["0"], "C"), (2, ["0"], "C"), (1, ["zero"], "I"), (2, ["zero"], "I")]
        suite.to_promptfoo(tmp_path / "config.json")
        config = json.loads((tmp_path / "config.json").read_text())
        assert [p["label"] for p in config["providers"]] == ["old", "new"]
        assert config["providers"][1]["config"]["passthrough"] == {"thinking": {"type": "disabled"}}
        assert ["Be brief." in p["raw"] for p in config["prompts"]] == [False, True]
        assert config["tests"][0]["assert"] == [{"type": "equals", "value": "0"}]
        assert not any("sk-" in path.read_text() for path in tmp_path.rglob("*.json"))

    def test_a_function_that_scored_is_given_again(self, serve, tmp_path):
        serve(knowing(old=1, new=1))
        suite = whole(numbers(3), score=lambda answer, case: True)
        suite.save(tmp_path / "suite.json")
        loaded = ds.Suite.load(tmp_path / "suite.json")
        assert score(loaded, "old").score == 1.0
        with pytest.raises(ParameterError, match="score cannot be 'python'"):
            loaded.run(show=False)
        assert loaded.run(score="number", show=False, budget="none").asked == 0
