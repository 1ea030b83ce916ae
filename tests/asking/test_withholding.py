"""What a policy withholds holds from one question to the next, and is lifted by none that stays."""

from __future__ import annotations

import pytest

from deepseek_jupyter import DeepSeekError
from deepseek_jupyter.api import ask
from deepseek_jupyter.protocol.tokens import estimate_tokens
from tests.asking.test_tools import calls
from tests.support.framing import pandas
from tests.support.scripted import answer

FRAME = {"customer": ["Alice Quux", "Bob Zyzzy"], "revenue_eur": [1.5, 2.5]}

REFUSED = {
    "a misspelt column": {"attach": "df:full,custmer=none"},
    "another attachment": {"attach": ["df:full", "df:most"]},
    "a budget": {"attach": "df:full", "budget": 1e-12, "model": "deepseek-flash"},
    "a tool": {"attach": "df:full", "tools": "nosuch"},
    "the sql tool": {"attach": "df:schema", "tools": "sql"},
    "a provider": {"attach": "df:full", "provider": "nosuch"},
    "a parameter": {"attach": "df:full", "temperature": "warm"},
    "a schema": {"attach": "df:full", "schema": "nosuch"},
    "a picture": {"attach": "df:full", "extra_body": {"messages": []}, "cells": "some"},
}


@pytest.fixture
def names(monkeypatch):
    space = {"df": pandas(FRAME), "other": pandas({"customer": ["Carl Xyzzy"]})}
    for module in ("api", "asking.notebook_cells", "asking.toolset", "display.frontend"):
        monkeypatch.setattr(f"deepseek_jupyter.{module}.user_namespace", lambda: space)
    return space


def last(server):
    return server.requests[-1].json["messages"][-1]["content"]


@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_question_lifts_nothing(session, server, names, why):
    server.queue(answer("A"), answer("B"), answer("C"))
    ask("Q", attach="df:customer=none")
    with pytest.raises((DeepSeekError, TypeError)):
        ask("Q", **REFUSED[why])
    assert len(server.requests) == 1
    ask("KeyError: 'Alice Quux'")
    assert last(server) == "KeyError: '<value-1>'"
    ask("KeyError: 'Alice Quux'", attach="df:full")
    assert last(server).endswith("\n\nKeyError: 'Alice Quux'")


def test_a_refused_or_tried_question_withholds_nothing_either(session, server, names):
    server.queue(answer("A"))
    with pytest.raises(DeepSeekError):
        ask("Q", attach="other:customer=none", tools="nosuch")
    ask("Q", attach="other:customer=none", dry_run=True)
    ask("Carl Xyzzy")
    assert last(server) == "Carl Xyzzy"


def test_a_name_on_a_card_is_no_secret_while_the_card_is_in_the_conversation(
    session, server, names
):
    names["df"] = pandas({"country": ["France", "revenue_eur"], "revenue_eur": [1, 2]})
    server.queue(*(answer(word) for word in "ABCD"))
    ask("Sum revenue_eur by country", attach="df:stats")
    assert "- revenue_eur: int" in last(server)
    assert last(server).endswith("\n\nSum revenue_eur by country")
    ask("Sum revenue_eur for France")
    assert last(server) == "Sum revenue_eur for <value-1>"
    ask("Sum revenue_eur", new=True)
    assert last(server) == "Sum <value-1>"


def test_a_changed_frame_goes_on_withholding_its_earlier_values(session, server, names):
    server.queue(*(answer(word) for word in "ABC"))
    ask("Q", attach="df:customer=none")
    names["df"].loc[0, "customer"] = "Dora Wxyz"
    ask("Q", attach="df:customer=none")
    ask("Alice Quux and Dora Wxyz and Bob Zyzzy")
    assert not [name for name in ("Alice", "Dora", "Bob") if name in last(server)]


def test_a_tool_that_fails_with_the_whole_table_says_no_more_than_a_result(session, server, names):
    def rows(n: int) -> str:
        """Rows."""
        raise KeyError(" ".join(["Alice Quux", *map(str, range(n))]))

    server.queue(calls(("rows", {"n": 300_000})), answer("A"))
    ask("Q", attach="df:customer=none", tools=rows, approve="always")
    said = last(server)
    assert said.startswith("Error: KeyError: '<value-1> 0 1 2")
    assert estimate_tokens(said) <= session.config.tool_tokens
    assert "more characters]" in said


@pytest.mark.parametrize(
    ("values", "share"),
    [
        (["HIV", "flu", "ok", "hepatitis C"], "75%"),
        (["HIV", "cancer"], "50%"),
        ([1234, 99999], "50%"),
        (["hepatitis C", "melanoma"], ""),
    ],
)
def test_values_that_cannot_be_recognised_are_told_when_attached(
    session, server, names, values, share
):
    names["df"] = pandas({"dx": values})
    server.queue(answer("A"), answer("B"))
    said = " ".join(ask("Q", attach="df:dx=none").turn.notices)
    assert (f"{share} of `dx` is too short to be recognised elsewhere." in said) == bool(share)
    assert "too short" not in " ".join(ask("Q", attach="df:full").turn.notices)
