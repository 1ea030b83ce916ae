"""Objects in questions: what goes out, once, through the redactor; and what the user sees of it."""

from __future__ import annotations

import asyncio
import json

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.api import ask
from deepseek_jupyter.asking.ask import aask, resolve
from deepseek_jupyter.asking.preview import Preview, preview, sent
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.turn import Turn, new_id
from deepseek_jupyter.errors import ParameterError, PolicyError
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.session.session import Session
from tests.support.scripted import Reply, answer, close, event, send
from tests.support.wording import chunk

FRAME = {"email": ["ann@x.org", "bob@y.org"], "price": [1.5, 2.5], "city": ["Rome", "Bern"]}


@pytest.fixture
def df():
    return pd.DataFrame(FRAME)


@pytest.fixture
def names(monkeypatch, df):
    """The variables of a notebook."""
    space = {"df": df, "n": 3, "ds": ds}
    for module in ("api", "asking.notebook_cells", "asking.reply"):
        monkeypatch.setattr(f"deepseek_jupyter.{module}.user_namespace", lambda: space)
    return space


def message(server, at=-1, which=-1):
    return server.requests[at].json["messages"][which]["content"]


def test_a_rule_for_a_column_that_is_not_there_stops_the_question(session, server, names):
    with pytest.raises(ParameterError, match="no column 'emial'") as told:
        ask("?", attach=["df:emial=none"])
    assert told.value.hint == "Did you mean email?"
    assert server.requests == []
    session.config.data_policy = "sample,nowhere=none"  # said of every frame there will be
    server.queue(answer("Fine."))
    ask("?", attach=["df:email=none"])
    assert "email" not in message(server)


def test_a_mentioned_frame_goes_as_its_card(session, server, names):
    server.queue(answer("Fine."))
    reply = ask("What is in @df? Ask ann@home.org, not @nobody.")
    assert message(server) == (
        "`df` is a pandas DataFrame.\n"
        "`df`: 2 rows × 3 columns\n"
        "- email: text; all distinct; 9 characters\n"
        "- price: float; all distinct; 1.5 to 2.5\n"
        "- city: text; all distinct; 4 characters\n"
        "All rows as CSV:\n"
        "email,price,city\n"
        "<email-1>,1.5,Rome\n"
        "<email-2>,2.5,Bern\n"
        "\n"
        "What is in `df`? Ask <email-3>, not @nobody."
    )
    (record,) = reply.turn.record["attachments"]
    assert record["name"] == "df"
    assert record["kind"] == "frame"
    assert record["policy"] == "sample(5)"
    assert record["tokens"] > 20
    assert reply.turn.record["prompt"].startswith("What is in @df?")
    assert "Rome" not in json.dumps(reply.turn.record)


@pytest.mark.parametrize(
    "attach",
    [
        lambda df: ["df:schema"],
        lambda df: "df:schema",
        lambda df: [(df, "schema")],
        lambda df: (df, "schema"),
    ],
)
def test_python_has_a_word_for_each(session, server, names, df, attach):
    server.queue(answer("Fine."))
    ask("Q", attach=attach(df))
    assert "- price: float\n- city: text\n\nQ" in message(server)
    assert message(server).startswith("`df` is a pandas DataFrame.")


def test_objects_may_be_named_in_a_dict_or_have_no_name(session, server, df):
    server.queue(answer("A."), answer("B."))
    ask("Q", attach={"sales": df})
    assert message(server).startswith("`sales` is a pandas DataFrame.")
    ask("Q", attach=[df.head(1)], new=True)
    assert message(server).startswith("`data_1` is a pandas DataFrame.")


def test_what_cannot_be_found_is_refused_before_anything_is_sent(session, server, names):
    for wrong in ("dff", "df:most", "df.nothing", "1/0", ":schema"):
        with pytest.raises(ParameterError) as told:
            ask("Q", attach=wrong)
        assert told.value.hint
    assert server.requests == []


def test_the_same_frame_again_is_one_line_and_a_changed_one_a_new_card(session, server, names, df):
    server.queue(*(answer(word) for word in "ABCD"))
    ask("Q1 @df")
    ask("Q2 @df")
    assert message(server) == "`df` is as it was above.\n\nQ2 `df`"
    df.loc[0, "price"] = 99.0
    ask("Q3 @df")
    assert message(server).startswith("`df` is a pandas DataFrame, changed since it was shown abov")
    assert "99" in message(server)
    ask("Q4", attach="df:schema")
    assert "- price: float\n" in message(server)


def test_what_was_sent_is_sent_again_under_the_policy_of_today(session, server, names):
    server.queue(*(answer("To <email-1>.") for _ in range(3)))
    ask("Q1 @df to ann@x.org")
    ask("Q2", attach="df:city=none")
    ask("Rome?")
    first, second, third = (request.json["messages"] for request in server.requests)
    assert "Rome" in first[0]["content"]
    assert "Rome" not in str(second)  # each time it leaves, today's policy holds for it
    assert third[: len(second)] == second
    assert third[1]["content"] == "To <email-1>."
    assert third[-1]["content"] == "<value-1>?"


def test_a_card_that_the_window_dropped_is_written_again(session, server, names, monkeypatch):
    server.queue(*(answer("A " * 400) for _ in range(6)))
    real = session.endpoints.provider

    def small(name=None, starting=None):
        provider, key = real(name)
        return provider.derive(context_tokens=1600), key

    monkeypatch.setattr(session.endpoints, "provider", small)
    for number in range(6):
        ask(f"Q{number} @df")
        sent = [m["content"] for m in server.requests[-1].json["messages"]]
        assert sum("email,price,city" in text for text in sent) == 1, number
    assert any("as it was above" in text for text in sent[:-1]) or "CSV" in sent[-1]


def test_the_user_sees_originals_and_the_model_pseudonyms(session, server, names):
    server.queue(answer("Dear <email-2>, <email-9>: <email-1>!", reasoning="<email-1> it is"))
    server.queue(answer("Yes."))
    reply = ask("Q @df", think=True)
    assert reply.text == "Dear bob@y.org, <email-9>: ann@x.org!"
    assert reply.reasoning == "ann@x.org it is"
    assert reply.turn.record["answer"] == reply.text
    assert reply.turn.answer == "Dear <email-2>, <email-9>: <email-1>!"
    ask("And?")
    assert message(server, which=-2) == "Dear <email-2>, <email-9>: <email-1>!"


@pytest.mark.parametrize("size", [1, 3, 8])
def test_pseudonyms_come_back_while_they_stream(session, server, names, size):
    text = "Dear <email-1>, a < b, <email-2"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    steps = [send(event(chunk({"content": piece}))) for piece in pieces]
    steps.append(send(event(chunk({}, finish="stop")) + b"data: [DONE]\n\n"))
    server.queue(Reply(*steps, close()))
    shown = [delta.text for delta in ds.stream("Q @df") if isinstance(delta, TextDelta)]
    assert "".join(shown) == "Dear ann@x.org, a < b, <email-2" == ds.last.text
    assert len(shown) > 1


def test_what_waits_at_a_cut_is_not_lost(session, server, names):
    session.config.on_error = "return"
    server.queue(Reply(send(event(chunk({"content": "To <email-1> and <ema"}))), close()))
    shown = [delta.text for delta in ds.stream("Q @df") if isinstance(delta, TextDelta)]
    assert "".join(shown) == "To ann@x.org and <ema" == ds.last.text


def test_pseudonyms_survive_the_kernel(session, server, names, tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "study.ipynb"))
    server.queue(answer("<email-1>"), answer("<email-1> <email-4>"))
    ask("Q @df")
    later = Session(session.config)
    reply = asyncio.run(aask(later, Question("again: new@z.org, bob@y.org")))
    messages = [m["content"] for m in server.requests[-1].json["messages"]]
    assert messages[0] == message(server, 0)
    assert messages[1] == "<email-1>"
    assert messages[2] == "again: <email-3>, <email-2>"
    assert reply.text == "ann@x.org <email-4>"
    shown = later.conversation.turn(reply.turn.parent)
    assert shown.record["answer"] == "ann@x.org"


def test_turns_from_a_file_pass_the_gate(session, server):
    record = {
        "schema": 1,
        "id": "a",
        "conversation": "c",
        "parent": None,
        "status": "done",
        "prompt": "I am eve@x.org",
        "answer": "Hello eve@x.org",
        "history": True,
    }
    from tests.support.rebuilt import rebuild_records

    session.memory.conversation = rebuild_records([record])
    server.queue(answer("A"), answer("B"))
    ask("Q1")
    ask("Q2")
    first, second = (request.json["messages"] for request in server.requests)
    assert [m["content"] for m in first] == ["I am <email-1>", "Hello <email-1>", "Q1"]
    assert second[:3] == first


def test_the_system_prompt_passes_the_gate(session, server):
    server.queue(answer("A"))
    ask("Q", system="You work for ann@x.org")
    assert message(server, which=0) == "You work for <email-1>"


def test_a_new_conversation_has_pseudonyms_of_its_own_and_withholds_the_same(
    session, server, names
):
    server.queue(answer("A"), answer("B"))
    ask("Q ann@x.org", attach="df:city=none")
    ask("carl@x.org in Rome", new=True)
    assert message(server) == "<email-1> in <value-1>"


def test_the_last_policy_of_a_name_holds(session, server, names):
    server.queue(*(answer("A") for _ in range(3)))
    ask("Q", attach="df:city=none")
    preview(session, resolve(Question("Q", attach="df:city=full"), names))
    ask("Rome")
    assert message(server) == "<value-1>"
    ask("Rome", attach="df:city=full")
    assert message(server).endswith("\n\nRome")


def test_detectors_can_be_switched_off(session, server):
    session.config.detectors = ["phone"]
    server.queue(answer("A"))
    ask("ann@x.org +49 30 901820")
    assert message(server) == "ann@x.org <phone-1>"


# Policy files


def test_a_policy_file_only_tightens(session, server, names, policy):
    policy('[data]\nlevel = "stats"\n[data.columns]\n"*mail*" = "none"\n')
    server.queue(answer("A"))
    ask("Q", attach="df:full,city=schema")
    assert "- <column-1>: withheld" in message(server)
    assert "- city: text\n" in message(server)
    assert "CSV" not in message(server)
    policy("[data]\nbudget = 60\n")
    assert ds.card(names["df"], "budget=900").tokens <= 60


def test_a_rule_may_be_about_one_frame_and_about_a_kind(session, server, names, policy):
    policy('[data]\nforbid = ["series"]\ndetectors = ["email"]\n[data.frames]\ndf = "schema"\n')
    session.config.detectors = []
    server.queue(answer("A"))
    ask("ann@x.org", attach="df:full")
    assert message(server).endswith("- city: text\n\n<email-1>")
    with pytest.raises(PolicyError, match="series"):
        ask("Q", attach="df.price")


# Looking first


def test_the_dry_run_is_the_request_byte_for_byte(session, server, names):
    server.queue(*(answer("To <email-1>.", reasoning="Hm.") for _ in range(4)))
    questions = [
        {"prompt": "What of @df? ann@home.org", "system": "Be kind to bob@y.org.", "think": True},
        {"prompt": "Again @df", "attach": "df:city=none", "temperature": 0.5},
        {"prompt": "Rome, @df", "new": True, "format": "json", "stop": ["é"]},
        {"prompt": "Outside", "history": False, "cells": "none"},
    ]
    for asked in questions:
        before = len(server.requests)
        shown = ask(dry_run=True, **asked)
        assert isinstance(shown, Preview)
        assert len(server.requests) == before
        ask(**asked)
        assert server.requests[-1].raw == shown.payload
        assert server.requests[-1].json["messages"] == shown.messages


def test_the_dry_run_changes_nothing(session, server, names):
    server.queue(answer("A"))
    ask("Q1")
    tip, conversation = session.conversation.tip, session.conversation
    ask("Q2 @df", dry_run=True, new=True)
    ask("Q3 @df", dry_run=True)
    assert session.conversation is conversation
    assert session.conversation.tip == tip
    assert len(conversation) == 1


def test_the_dry_run_says_what_leaves_and_what_it_costs(session, server, names):
    text = str(ask("Q @df ann@z.org", attach="df:city=schema", system="S", dry_run=True))
    for said in (
        "Nothing was sent.",
        "system prompt",
        "not in cache",
        "city    schema     name and type",
        "values of 2 rows",
        "<email-3>      1  an e-mail address",
        "4 values of `email`, `price` leave.",
        "── user ──\n`df` is a pandas DataFrame.",
    ):
        assert said in text, text
    assert "Rome" not in text
    assert text.split("\n")[1].startswith("Nothing was sent. It would go to")
    kept = str(ask("Q @df", attach="df:full,city=none", dry_run=True))
    assert "4 values of `email`, `price` leave, `city` stays.\n" in kept, kept
    html = ask("Q <b>", dry_run=True)._repr_html_()
    assert "<details open" not in html, "a long message does not fill the page"
    assert html.count("<details>") == 2, "tokens, and the message"
    assert "Q &lt;b&gt;" in html


def test_a_dry_run_needs_no_key(session, server, monkeypatch):
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    session.config.provider = "deepseek"
    session.config.base_url = "https://api.deepseek.com"
    assert ask("Q", dry_run=True).messages == [{"role": "user", "content": "Q"}]


def test_what_was_sent_can_be_seen_afterwards(session, server, names):
    server.queue(answer("A"), answer("B <email-1>"))
    ask("Q1 @df", system="S ann@x.org")
    reply = ask("Q2 @df", system="S ann@x.org", attach="df:city=none")
    seen = sent(session, session.conversation.turn(reply.turn.id))
    assert [m["content"] for m in seen.messages] == [
        m["content"] for m in server.requests[-1].json["messages"]
    ]
    assert "nothing" in str(seen)


def test_a_turn_of_somebody_elses_file_is_shown_as_it_went_out_masked(session, server):
    foreign = Turn(new_id(), "", "Mail ann@x.org", answer="Sent to ann@x.org.", from_file=True)
    session.memory.conversation = Conversation.of_turns(
        new_id(), [foreign], {"main": foreign.id}, "main", session.conversation.journal
    )
    server.queue(answer("Yes."))
    reply = ask("Did you?")
    seen = sent(session, reply.turn)
    assert seen.messages == server.requests[-1].json["messages"]
    assert "ann@x.org" not in str(seen)


def test_a_frame_may_be_called_prompt(session, server, names):
    names["prompt"] = names["df"]
    shown = ask("What is in @prompt?", dry_run=True)
    (report,) = (report for report in shown.reports if report.title == "Tokens")
    rows = [row[0] for row in report.rows]
    assert rows == ["prompt", "prompt", "tools and answer schema", "chat template", "in all"]


def test_a_card_can_be_seen_without_asking(session, server, df):
    card = ds.card(df, "city=none,budget=300")
    assert "<column-1>: withheld" in card.text
    assert card.tokens <= 300
    assert "nothing" in card._repr_html_()
    assert str(card) == card.text
    assert server.requests == []


# Changed since


def test_a_frame_that_changed_since_the_answer_is_told_when_it_is_shown_again(
    session, server, names, df, capsys
):
    server.queue(answer("A"))
    reply = ask("Q @df and @n")
    reply._ipython_display_()
    assert "changed" not in capsys.readouterr().out
    df.loc[0, "city"] = "Oslo"
    reply._ipython_display_()
    assert "df has changed since this answer." in capsys.readouterr().out
    assert "df has changed since this answer." in reply.bundle(reply.changed())["text/markdown"]
    del names["df"]
    assert reply.changed() == []


def test_a_function_takes_every_form_that_a_flag_takes(session, server, names):
    def mean(values: list[float]) -> float:
        """The mean."""
        return sum(values) / len(values)

    names["mean"] = mean
    options = {"attach": "df:schema", "tools": "mean, inspect", "stop": "END", "cells": 2}
    shown = ask("Q", dry_run=True, schema="list[str]", **options)
    assert [tool["function"]["name"] for tool in shown.body["tools"]][:2] == ["mean", "inspect"]
    assert shown.body["stop"] == ["END"]
    assert "`df` is a" in shown.messages[-1]["content"]
    assert server.requests == []
