"""What a question sends, and what comes of the answer."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.asking.ask import aask
from deepseek_jupyter.asking.ask import ask as ask_model
from deepseek_jupyter.asking.attachments import Wanted
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.errors import (
    AuthenticationError,
    ConfigurationError,
    ContextLengthError,
    EmptyAnswerError,
    InvalidResponseError,
    ParameterError,
    TruncatedError,
)
from deepseek_jupyter.session.accounts import session_totals
from tests.support.scripted import Reply, answer, error, keepalives, pause, reset, whole
from tests.support.scripted import send as send
from tests.support.wording import USAGE, chunk, event


def ask(prompt: str = "Hello?", **options):
    return ds.ask(prompt, show=False, **options)


class Watching(Nowhere):
    """Notes what a question waits for, and how it was refused."""

    def __init__(self, waits: list) -> None:
        self.waits = waits
        self.refused: BaseException | None = None
        self.threads: set[int] = set()

    def wait(self, waiting):
        self.threads.add(threading.get_ident())
        self.waits.append(waiting)

    def refresh(self, transcript, fresh, now):
        if transcript.waiting and transcript.waiting not in self.waits:
            self.waits.append(transcript.waiting)

    def refuse(self, error):
        self.refused = error


def contents(request) -> list[str]:
    return [message["content"] for message in request.json["messages"]]


class TestRequest:
    def test_only_what_was_set_is_sent(self, session, server):
        server.queue(answer("Fine."))
        ask()
        assert server.requests[0].json == {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": "Hello?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def test_options_settings_and_extra_fields_meet_in_the_body(self, session, server):
        server.queue(answer("Fine."))
        session.config.parameters = {"temperature": 0.3, "max_tokens": 9000}
        session.config.extra_body = {"a_new_field": [1]}
        session.config.system = "Be brief."
        ask(temperature=1.5, think=False, stop="END", seed=7)
        body = server.requests[0].json
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (body["temperature"], body["max_tokens"], body["seed"]) == (1.5, 9000, 7)
        assert (body["stop"], body["thinking"]) == (["END"], {"type": "disabled"})
        assert body["a_new_field"] == [1]

    def test_a_system_prompt_of_one_question_is_of_that_question(self, session, server):
        server.queue(answer("A1"), answer("A2"))
        session.config.system = "Be brief."
        ask("Q1", system="Be long.")
        ask("Q2")
        assert contents(server.requests[0]) == ["Be long.", "Q1"]
        assert contents(server.requests[1]) == ["Be brief.", "Q1", "A1", "Q2"]

    @pytest.mark.parametrize(
        ("setting", "option", "sent"),
        [
            ("auto", None, None),
            ("on", None, "enabled"),
            ("off", None, "disabled"),
            ("on", False, "disabled"),
            ("off", True, "enabled"),
        ],
    )
    def test_thinking_by_setting_and_by_option(self, session, server, setting, option, sent):
        server.queue(answer("Fine."))
        session.config.think = setting
        ask(think=option)
        assert server.requests[0].json.get("thinking", {}).get("type") == sent

    def test_no_stream_is_one_plain_request(self, session, server):
        server.queue(whole("Fine.", reasoning="Hm."))
        reply = ask(stream=False)
        assert "stream" not in server.requests[0].json
        assert (reply.text, reply.reasoning, reply.finish_reason) == ("Fine.", "Hm.", "stop")

    def test_format_code_asks_for_code_only(self, session, server):
        server.queue(answer("```python\nx = 1\n```"), answer("Fine."))
        reply = ask("Set x.", format="code")
        assert contents(server.requests[0]) == [
            "Set x.\n\nReply with code only, in one fenced block."
        ]
        assert reply.code == "x = 1"
        assert reply.turn.prompt == "Set x."
        ask("And now?")
        assert contents(server.requests[1])[0] == contents(server.requests[0])[0]

    @pytest.mark.parametrize("prompt", ["", " \n"])
    def test_an_empty_prompt_is_refused(self, session, server, prompt):
        with pytest.raises(ParameterError, match="empty"):
            ask(prompt)
        assert server.requests == []

    def test_an_unknown_option_is_refused_with_a_suggestion(self, session, server):
        with pytest.raises(ParameterError, match="temperature"):
            ask(temprature=1)
        with pytest.raises(ParameterError, match="json"):
            ask(format="xml")
        with pytest.raises(ParameterError, match="on_error"):
            ask(on_error="ignore")
        assert server.requests == []


class TestRefusalsBeforeSending:
    def test_over_budget(self, session, server):
        with pytest.raises(ConfigurationError, match="budget") as told:
            ask(budget=0.000001)
        assert "--budget" in told.value.hint
        assert server.requests == []

    def test_within_budget(self, session, server):
        server.queue(answer("Fine."))
        assert ask(budget=5.0, max_tokens=100, think=False).text == "Fine."

    def test_the_budget_setting_counts_and_an_option_replaces_it(self, session, server):
        session.config.budget = 0.000001
        with pytest.raises(ConfigurationError):
            ask()
        server.queue(answer("Fine."))
        assert ask(budget=0).text == "Fine."

    @pytest.mark.parametrize(
        ("how", "worst"),
        [({"think": False}, "0.0082"), ({}, "0.0655"), ({"effort": "max"}, "0.1311")],
        ids=str,
    )
    def test_the_longest_answer_that_may_come_is_what_counts(self, session, server, how, worst):
        session.config.prices = {"deepseek-flash": [0, 0, 1, "USD"]}
        with pytest.raises(ConfigurationError, match=f"up to {worst} USD"):
            ask(budget=0.001, **how)

    def test_own_prices_count_for_budget_and_cost(self, session, server):
        session.config.prices = {"deepseek-flash": [1, 10, 100, "EUR"]}
        with pytest.raises(ConfigurationError, match="EUR"):
            ask(budget=0.01)
        server.queue(answer("Fine.", usage=USAGE))
        reply = ask()
        assert reply.cost == Decimal(4 * 1 + 8 * 10 + 7 * 100) / 1_000_000
        assert reply.currency == "EUR"
        assert "~€0.00078" in reply.footer

    def test_a_prompt_that_cannot_fit(self, session, server):
        session.config.providers = {
            "small": {"like": "deepseek", "base_url": server.url, "context_tokens": 100}
        }
        with pytest.raises(ContextLengthError, match="100"):
            ask("word " * 1000, provider="small")
        assert server.requests == []

    def test_a_refused_new_conversation_keeps_the_old_one(self, session, server):
        server.queue(answer("A1"))
        ask("Q1")
        with pytest.raises(ParameterError):
            ask("Q2", new=True, temperature=9)
        assert len(list(session.conversation)) == 1


class Rows:
    """As many rows as it says, of nothing."""

    shape = (10_000_000, 1)

    def __repr__(self) -> str:
        return "Rows"


class TestBeforeItIsSent:
    @pytest.mark.parametrize("awaited", [False, True], ids=["ask", "aask"])
    def test_what_takes_a_while_is_named(self, session, server, monkeypatch, awaited):
        from deepseek_jupyter import local

        def started(model, starting):
            starting("small-model")
            raise ParameterError("Far enough.")

        monkeypatch.setattr(local, "ensure_server", started)
        on = Watching([])
        question = Question("Q", provider="local", attach=(Wanted("big", Rows()),))
        asked = (lambda *how: asyncio.run(aask(*how))) if awaited else ask_model
        with pytest.raises(ParameterError) as refused:
            asked(session, question, on)
        assert on.threads <= {threading.get_ident()}
        assert on.waits == [
            {"reason": "read", "name": "big", "rows": 10_000_000},
            {"reason": "start", "name": "small-model"},
        ]
        assert on.refused is refused.value
        assert list(session.conversation) == []

    def test_an_error_after_it_was_sent_is_no_refusal(self, session, server):
        server.queue(error(401, "No."))
        on = Watching([])
        with pytest.raises(AuthenticationError):
            ask_model(session, Question("Q"), on)
        assert on.refused is None


class TestWhatEndedEarlyIsPaidFor:
    def test_its_tokens_are_estimated_and_counted(self, session, server):
        server.queue(
            Reply([send(event(chunk({"reasoning_content": "Hm, " * 100}))), reset()]),
            Reply([send(event(chunk({"content": "Half. " * 100}))), reset()]),
        )
        first, second = (ask("A question.", on_error="return") for _ in range(2))
        assert first.usage.estimated
        assert first.usage.reasoning_tokens == first.usage.completion_tokens > 50
        assert second.usage.completion_tokens > 100
        assert second.usage.reasoning_tokens == 0
        assert second.usage.prompt_tokens > 3
        assert second.cost > 0
        assert "about " in second.footer
        assert second.turn.record["usage"]["estimated"] is True
        (total,) = session_totals(session)
        assert total.usage.completion_tokens > 150
        assert total.cost["USD"] == first.cost + second.cost

    def test_what_never_began_costs_nothing(self, session, server):
        server.queue(error(402, "No money"))
        assert ask(on_error="return").usage is None

    def test_the_host_s_own_figures_win(self, session, server):
        half = chunk({"content": "Half."}, usage=USAGE)
        server.queue(Reply([send(event(half)), reset()]))
        usage = ask(on_error="return").usage
        assert (usage.prompt_tokens, usage.estimated) == (12, False)


class TestNotices:
    def test_a_notice_about_a_setting_is_told_once(self, session, server):
        server.queue(answer("A"), answer("B"))
        first, second = (ask(temperature=0.5) for _ in range(2))
        assert any("thinking mode" in text.lower() for text in first.turn.notices)
        assert second.turn.notices == ()

    def test_every_retry_is_told(self, session, server):
        session.config.attempts = 2
        for _ in range(2):
            busy = error(503, "busy", headers={"retry-after": "0"})
            # Told and over at one moment it would not be seen.
            server.queue(busy, answer("A", before=[pause(0.2)]))
            retries: list[object] = []
            assert ask_model(session, Question("Q"), Watching(retries)).turn.notices == ()
            assert [(r["kind"], r["number"], r["of"]) for r in retries] == [
                ("OverloadedError", 2, 2)
            ]

    @pytest.mark.parametrize(
        ("finish", "word", "footer"),
        [
            ("length", "token limit", "cut at the token limit"),
            ("content_filter", "filter", "content filter"),
            ("insufficient_system_resource", "gave up", "ran out of capacity"),
            ("something_new", "", "something_new"),
        ],
    )
    def test_how_it_ended_is_told(self, session, server, finish, word, footer):
        server.queue(answer("Half", finish=finish))
        reply = ask()
        assert any(word in text for text in [*reply.turn.notices, ""])
        assert footer in reply.footer
        assert reply.finish_reason == finish

    def test_thinking_without_an_answer_says_what_helps(self, session, server):
        server.queue(answer("", reasoning="On and on", finish="length"))
        reply = ask()
        assert (reply.text, reply.reasoning) == ("", "On and on")
        assert "--no-think" in reply.turn.notices[0]
        assert reply.bundle()["text/plain"].startswith("(")

    def test_leaked_tool_markup_is_told(self, session, server):
        server.queue(answer("<｜DSML｜function_calls>…"))
        assert any("tool-call markup" in text for text in ask().turn.notices)


class TestEndings:
    def test_no_answer_at_all_is_an_error_with_the_turn(self, session, server):
        server.queue(answer(" "))
        with pytest.raises(EmptyAnswerError) as told:
            ask()
        assert told.value.reply is ds.last
        assert len(session.conversation) == 0 or session.conversation.tip is None

    def test_a_broken_answer_is_kept_marked_and_remembered(self, session, server):
        server.queue(Reply(send(event(chunk({"content": "Half an"}))), reset()), answer("A2"))
        with pytest.raises(TruncatedError) as told:
            ask("Q1")
        assert told.value.reply.turn.status == "truncated"
        assert told.value.reply.finish_reason == "truncated"
        assert "broke off" in told.value.reply.footer
        ask("Q2")
        assert contents(server.requests[1]) == ["Q1", "Half an", "Q2"]

    def test_keep_alives_alone_are_waiting(self, session, server):
        server.queue(Reply(keepalives(5, 0.05), answer("A").steps))
        reply = ask()
        assert reply.text == "A"
        assert reply.timing["first_token"] >= 0.2

    def test_no_usage_means_no_cost(self, session, server):
        server.queue(answer("A", usage=None))
        reply = ask()
        assert (reply.usage, reply.cost, reply.currency) == (None, None, None)
        assert "~" not in reply.footer


class TestJson:
    def test_the_word_is_added_where_the_host_wants_it(self, session, server):
        server.queue(answer('{"a": 1}'))
        reply = ask("One as an object", format="json")
        body = server.requests[0].json
        assert body["response_format"] == {"type": "json_object"}
        assert "json" in body["messages"][-1]["content"].lower()
        assert reply.data == {"a": 1}
        assert reply.turn.prompt == "One as an object"

    def test_a_prompt_that_says_it_is_left_alone(self, session, server):
        server.queue(answer("[]"))
        ask("As JSON, please", format="json")
        assert contents(server.requests[0]) == ["As JSON, please"]

    def test_blanks_are_asked_again_once(self, session, server):
        server.queue(answer("\n \n"), answer('{"a": 2}'))
        reply = ask(format="json")
        assert reply.data == {"a": 2}
        assert len(server.requests) == 2
        assert any("once more" in text for text in reply.turn.details)
        server.queue(answer(" "), answer(" "))
        with pytest.raises(EmptyAnswerError):
            ask(format="json")
        assert len(server.requests) == 4

    @pytest.mark.parametrize("text", ["```json\n[1]\n```", " [1] ", "```\n[1]\n```\n"])
    def test_data_reads_a_fenced_value_too(self, session, server, text):
        server.queue(answer(text))
        assert ask(format="json").data == [1]

    def test_data_of_prose_is_an_error_with_the_reply(self, session, server):
        server.queue(answer("No."))
        reply = ask()
        with pytest.raises(InvalidResponseError) as told:
            _ = reply.data
        assert told.value.reply is reply


class TestContinue:
    @pytest.fixture
    def cut(self, session, server):
        server.queue(answer("One, two,", reasoning="Count.", finish="length"))
        return ask("Count.")

    def test_deepseek_completes_the_prefix_under_beta(self, cut, server):
        server.queue(answer(" three.", finish="length"), answer(" four."))
        ask("", go_on=True)
        request = server.requests[1]
        assert request.path == "/deepseek/beta/chat/completions"
        assert request.json["messages"] == [
            {"role": "user", "content": "Count."},
            {
                "role": "assistant",
                "content": "One, two,",
                "prefix": True,
                "reasoning_content": "Count.",
            },
        ]
        ask("", go_on=True)
        assert contents(server.requests[2])[-1] == " three."

    @pytest.mark.parametrize("host", ["vllm", "sglang", "llamacpp", "openrouter"])
    def test_hosts_that_complete_an_answer_do_so_in_their_way(self, cut, session, server, host):
        session.config.providers = {host: {"base_url": server.base_url(host), "key_variables": []}}
        server.queue(answer(" three."))
        ask("", go_on=True, provider=host, model="m")
        body = server.requests[1].json
        assert body["messages"][0]["content"] == "Count."
        assert body["messages"][1:] == [{"role": "assistant", "content": "One, two,"}]
        assert body.get("continue_final_message") == (True if host in ("vllm", "sglang") else None)
        off = [{"enabled": False}, {"thinking": False}, {"enable_thinking": False}]
        off.append({"thinking": False, "enable_thinking": False})
        assert (body.get("reasoning") or body.get("chat_template_kwargs")) in off
        assert {name for name, _ in ds.last.turn.sending["parts"]} == {"history"}

    def test_elsewhere_it_is_asked_to_go_on(self, cut, session, server):
        session.config.providers = {"ollama": {"base_url": server.base_url("ollama")}}
        server.queue(answer(" three."))
        ask("", go_on=True, provider="ollama", model="m")
        assert contents(server.requests[1]) == [
            "Count.",
            "One, two,",
            "Go on exactly where you stopped.",
        ]

    def test_where_it_should_think_or_has_words_of_its_own_too(self, cut, session, server):
        session.config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
        server.queue(answer(" three."), answer("Drei."))
        ask("", go_on=True, provider="vllm", model="m", think=True)
        assert contents(server.requests[1])[-1] == "Go on exactly where you stopped."
        ask("In German.", go_on=True)
        assert server.requests[2].path == "/deepseek/chat/completions"
        assert contents(server.requests[2])[-1] == "In German."

    def test_an_answer_outside_the_conversation_too(self, cut, session, server):
        server.queue(answer("Red,", finish="length"), answer(" blue."))
        ask("Colours.", history=False)
        ask("", go_on=True, history=False)
        assert contents(server.requests[2]) == ["Colours.", "Red,"]
        assert len(session.conversation) == 1

    def test_without_an_answer_there_is_nothing_to_continue(self, session, server):
        with pytest.raises(ParameterError, match="no answer"):
            ask("", go_on=True)
        assert server.requests == []


class TestResults:
    def test_a_reply_tells_everything(self, session, server):
        server.queue(answer("Text", reasoning="Thought", usage=USAGE))
        reply = ask()
        assert (str(reply), reply.reasoning, reply.model) == ("Text", "Thought", "deepseek-flash")
        assert reply.usage.total_tokens == 19
        assert reply.cost > 0
        assert reply.currency == "USD"
        assert set(reply.timing) == {"first_token", "thinking", "total"}
        assert "Text" in repr(reply)
        assert reply.error is None
        assert ds.last is reply

    def test_what_was_spent_is_kept_by_model(self, session, server):
        from deepseek_jupyter.session.accounts import usage

        server.queue(answer("A", usage=USAGE), answer("B", usage=USAGE))
        ask()
        ask()
        (row,) = usage(session).rows
        assert row[:6] == ("deepseek:deepseek-flash", "2", "16", "8", "6", "8")
        assert row[6].startswith("$")

    def test_on_error_return_by_option_and_by_setting(self, session, server):
        server.queue(error(402, "No money"), error(402, "No money"))
        assert type(ask(on_error="return").error).__name__ == "InsufficientBalanceError"
        session.config.on_error = "return"
        assert "failed" in ask().footer


def test_a_bug_in_the_display_loses_nothing_that_arrived(session, server):
    class Broken(Nowhere):
        def refresh(self, transcript, fresh, now):
            if transcript.status == "answering":
                raise ZeroDivisionError("a bug")

    words = "Words that arrived before it, and some more of them."
    server.queue(answer(words))
    with pytest.raises(ZeroDivisionError):
        ask_model(session, Question("Say something."), Broken())
    assert session.last.text
    assert words.startswith(session.last.text)
    assert session.last.turn.status == "error"
