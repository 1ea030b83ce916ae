"""One question to several variants at once: siblings, side by side, one budget, one stop."""

from __future__ import annotations

import _thread
import json
import threading

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    BadRequestError,
    ConfigurationError,
    Interrupted,
    ParameterError,
    PolicyError,
)
from deepseek_jupyter.protocol.output import records_of
from tests.session.conftest import session
from tests.support.rebuilt import rebuild
from tests.support.scripted import Reply, answer, chunk, error, event, send, stall, wait_for

__all__ = ["session"]

THREE = ["deepseek-flash?think=off", "deepseek-v4-pro?think=off", "deepseek-flash?think=off&t=0.2"]


def answers(server, **replies):
    """Let a server answer each model its own."""
    server.fallback = lambda request: replies[request.json["model"].replace("-", "_")]


def texts(found):
    return [reply.text for reply in found.values()]


class TestTogether:
    def test_all_are_asked_before_one_has_answered(self, session, server):
        everyone = threading.Event()

        def reply(request):
            if len(server.requests) == 3:
                everyone.set()
            body = request.json
            said = f"{body['model']} at {body.get('temperature')}"
            return answer(said, before=[wait_for(everyone)])

        server.fallback = reply
        found = ds.compare("Name a colour.", THREE)
        assert everyone.is_set()
        assert list(found) == THREE
        assert texts(found) == ["deepseek-flash at None", "deepseek-v4-pro at None",
                                "deepseek-flash at 0.2"]  # fmt: skip

    def test_they_are_siblings_and_the_first_is_gone_on_with(self, session, server):
        first_is_last = threading.Event()

        def reply(request):
            if request.json["model"] == "deepseek-flash" and len(server.requests) < 4:
                return answer("slow", before=[wait_for(first_is_last)])
            return answer("quick", after=[lambda _: first_is_last.set()])

        server.queue(answer("Hello."))
        server.fallback = reply
        parent = ds.ask("Hi.").turn
        found = ds.compare("Name a colour.", ["deepseek-flash", "deepseek-v4-pro"])
        turns = [reply.turn for reply in found.values()]
        assert {turn.parent for turn in turns} == {parent.id}
        assert [turn.branch for turn in turns] == [{"index": i, "count": 2} for i in (1, 2)]
        conversation = session.conversation
        assert len(conversation.children(parent.id)) == 2
        assert conversation.tip == turns[0].id
        assert session.last.turn.id == turns[0].id
        ds.ask("Another.")
        said = [m["content"] for m in server.requests[-1].json["messages"]]
        assert said == ["Hi.", "Hello.", "Name a colour.", "slow", "Another."]

    def test_what_is_used_is_followed_and_the_others_stay(self, session, server):
        answers(server, deepseek_flash=answer("Red."), deepseek_v4_pro=answer("Blue."))
        found = ds.compare("Name a colour.", "deepseek-flash,deepseek-v4-pro")
        assert found.use("deepseek-v4-pro").text == "Blue."
        ds.ask("Another.", model="deepseek-flash")
        said = [m["content"] for m in server.requests[-1].json["messages"]]
        assert said == ["Name a colour.", "Blue.", "Another."]
        assert len(session.conversation.children(None)) == 2

    def test_none_says_that_another_broke_its_cache(self, session, server):
        server.fallback = answer("Hm.")
        ds.ask("word " * 4000)
        found = ds.compare("Name a colour.", ["deepseek-v4-pro", "deepseek-flash"])
        assert found["deepseek-flash"].turn.details == ()
        assert ds.ask("And?", model="deepseek-v4-pro").turn.details == ()

    def test_the_system_prompt_of_a_variant(self, session, server):
        server.fallback = answer("Hm.")
        given = [{"model": "deepseek-flash", "system": "Be terse."}, "deepseek-flash"]
        ds.compare("Name a colour.", given)
        firsts = {request.json["messages"][0]["content"] for request in server.requests}
        assert firsts == {"Be terse.", "Name a colour."}


class TestRefused:
    def test_two_that_ask_the_same(self, session, server):
        given = ["deepseek-flash?think=on&t=0", "deepseek-flash?think=on&t=1"]
        with pytest.raises(ParameterError, match="ask the same"):
            ds.compare("Name a colour.", given)
        assert server.requests == []

    def test_a_sum_that_may_exceed_the_budget(self, session, server):
        server.fallback = answer("Hm.")
        ask = {"max_tokens": 4000, "think": False, "budget": 0.003}
        two = [f"deepseek-flash?t={t}" for t in (0, 1)]
        assert ds.ask("Hi.", model="deepseek-flash", **ask).text == "Hm."
        for how in ({}, {"dry_run": True}):
            with pytest.raises(ConfigurationError, match="These 2 answers may cost up to"):
                ds.compare("Hi.", two, **ask, **how)
        assert len(server.requests) == 1
        assert len(ds.compare("Hi.", two, **{**ask, "budget": 0.006})) == 2

    def test_a_sum_that_may_exceed_the_notebooks_budget(self, session, server):
        server.fallback = answer("Hm.")
        session.config.notebook_budget = 0.003
        ask = {"max_tokens": 4000, "think": False}
        assert ds.ask("Hi.", model="deepseek-flash", **ask).text == "Hm."
        with pytest.raises(ConfigurationError, match="This notebook has cost"):
            ds.compare("Hi.", [f"deepseek-flash?t={t}" for t in (0, 1)], **ask)
        assert len(server.requests) == 1

    def test_a_model_that_the_policy_does_not_allow(self, session, server, tmp_path, monkeypatch):
        (tmp_path / "deepseek-policy.toml").write_text('[teaching]\nmodels = ["deepseek-flash"]\n')
        monkeypatch.chdir(tmp_path)
        with pytest.raises(PolicyError):
            ds.compare("Hi.", ["deepseek-flash", "deepseek-v4-pro"])
        assert server.requests == []

    @pytest.mark.parametrize("times", [0, 1, 21])
    def test_columns_that_are_none_or_too_many(self, session, server, times):
        with pytest.raises(ParameterError, match="side by side"):
            ds.compare("Hi.", None, times)

    def test_a_failure_is_its_own_unless_all_fail(self, session, server):
        answers(server, deepseek_flash=answer("Red."), deepseek_v4_pro=error(400, "No."))
        found = ds.compare("Hi.", ["deepseek-v4-pro", "deepseek-flash"])
        assert isinstance(found["deepseek-v4-pro"].error, BadRequestError)
        assert session.conversation.tip == found["deepseek-flash"].turn.id
        answers(server, deepseek_flash=error(400, "No."), deepseek_v4_pro=error(400, "No."))
        with pytest.raises(BadRequestError):
            ds.compare("Hi.", ["deepseek-v4-pro", "deepseek-flash"])


class TestStop:
    def test_it_stops_all_and_keeps_what_came(self, session, server):
        half = [send(event(chunk({"role": "assistant", "content": "half"})))]

        def reply(request):
            if len(server.requests) == 2:
                half.append(lambda _: threading.Timer(0.3, _thread.interrupt_main).start())
            return Reply(*half, stall())

        server.fallback = reply
        with pytest.raises(Interrupted):
            ds.compare("Hi.", ["deepseek-flash", "deepseek-v4-pro"])
        turns = session.conversation.turns()
        assert [(turn.answer, turn.status) for turn in turns] == [("half", "interrupted")] * 2
        assert all(request.closed.wait(60) for request in server.requests)


class TestTimes:
    def test_agreement_and_distinct_answers(self, session, server):
        server.queue(*map(answer, ("Red.", "red", "Blue.")))
        found = ds.compare("Name a colour.", "deepseek-flash", 3)
        assert sorted(texts(found)) == ["Blue.", "Red.", "red"]
        assert list(found) == [f"deepseek-flash #{n}" for n in (1, 2, 3)]
        assert found.report.remark == "deepseek-flash. Distinct answers: 2 of 3; 2 agree."

    def test_a_question_without_variants(self, session, server):
        server.queue(*map(answer, ("Red.", "Red.")))
        found = ds.compare("Name a colour.", times=2)
        assert list(found) == ["#1", "#2"]
        assert found.report.remark == "Distinct answers: 1 of 2; 2 agree."

    def test_repeats_are_never_kept_answers_and_variants_may_be(self, session, server):
        server.fallback = answer("Red.")
        given = {"variants": ["deepseek-flash", "deepseek-v4-pro"], "history": False}
        ds.compare("Name a colour.", replay="auto", **given)
        again = ds.compare("Name a colour.", replay="auto", **given)
        assert len(server.requests) == 2
        assert all(reply.turn.replayed for reply in again.values())
        ds.compare("Name a colour.", times=2, replay="auto", **given)
        assert len(server.requests) == 6


class TestShown:
    def test_in_a_terminal_each_at_its_end_then_the_figures(self, session, server, capsys):
        answers(server, deepseek_flash=answer("Red."), deepseek_v4_pro=answer("Blue."))
        found = ds.compare("Hi.", ["deepseek-flash", "deepseek-v4-pro"], show=True)
        said = capsys.readouterr().out
        for name, text in (("deepseek-flash", "Red."), ("deepseek-v4-pro", "Blue.")):
            assert f"── {name} ──\n{text}" in said
        assert said.index("Compared") > said.index("Blue.")
        assert "deepseek-flash · 8 new + 4 cached + 3 thinking + 4 out tokens" in repr(found)

    def test_its_output_holds_every_record_and_restores_them(self, session, server, monkeypatch):
        said = "First.\n\n| a |\n|---|\n| 1 |\n\n```python\nx < 1\n```"
        answers(server, deepseek_flash=answer(said), deepseek_v4_pro=answer("Blue."))
        found = ds.compare("Hi.", ["deepseek-flash", "deepseek-v4-pro"])
        from deepseek_jupyter.display.render import compared_bundle

        bundle = compared_bundle("c", {n: r.record for n, r in found.items()}, "All agree.")
        assert [record["answer"] for record in records_of(bundle)] == [said, "Blue."]
        assert bundle["text/plain"].splitlines()[1] == "deepseek-v4-pro: Blue."
        file = {"cells": [{"outputs": [{"data": bundle}]}]}
        turns = rebuild(file).turns()
        assert [turn.answer for turn in turns] == [said, "Blue."]
        assert turns[0].compare == found["deepseek-flash"].turn.compare

    def test_a_dry_run_shows_all_with_their_prices(self, session, server):
        seen = ds.compare("Hi.", THREE, dry_run=True)
        assert server.requests == []
        rows = {row[0]: row for row in seen.reports[0].rows}
        assert list(rows) == THREE
        assert rows[THREE[1]][1] == "deepseek:deepseek-v4-pro"
        assert all(row[3].startswith("$") for row in rows.values())
        assert seen.summary.startswith("3 requests, in all at most $")
        assert json.loads(seen.reports[3].remark)["temperature"] == 0.2
        assert seen.id == ""
