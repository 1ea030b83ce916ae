"""The line under an answer, word for word.

What the card's parts say, too, is in a table that `labextension/test/card/wording.spec.ts` reads.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.render import END_WORDS, footer, money, seconds
from deepseek_jupyter.protocol.usage import Usage

WORDS = json.loads((Path(__file__).parents[1] / "data" / "footer.json").read_text("utf-8"))
BARE = Turn(
    id="t", conversation="c", prompt="p", model="asked", status="done", finish_reason="stop"
)


def told(**changes) -> str:
    return footer({**BARE.record, **changes})


def test_everything_known():
    line = told(
        served_model="deepseek-flash",
        usage=Usage(1200, 300, 1000, 120).to_json(),
        cost={"amount": "0.00012345", "currency": "USD"},
        timing={"first_token": 0.3, "thinking": 2.0, "total": 12.34},
    )
    assert line == (
        "deepseek-flash · 200 new + 1,000 cached + 120 thinking + 180 out tokens · ~$0.00012 · 12 s"
    )


def test_what_is_unknown_is_left_out():
    assert told() == "asked"
    assert told(finish_reason=None) == "asked · no finish reason given"


def test_what_is_nothing_is_left_out_but_new_and_out():
    assert told(usage=Usage(5, 0).to_json()) == "asked · 5 new + 0 out tokens"


@pytest.mark.parametrize("status", ["waiting", "thinking", "answering"])
def test_there_is_none_before_the_end(status):
    assert told(status=status) == ""


@pytest.mark.parametrize("reason", END_WORDS)
def test_every_ending_is_said_in_words(reason):
    line = told(finish_reason=reason)
    assert line == "asked" if reason == "stop" else line == f"asked · {END_WORDS[reason]}"
    assert "_" not in line


def test_an_unknown_ending_is_shown_as_the_server_said_it():
    assert told(finish_reason="new_reason") == "asked · new_reason"


@pytest.mark.parametrize(("amount", "currency", "shown"), WORDS["money"])
def test_money_is_never_rounded_to_nothing(amount, currency, shown):
    assert money(Decimal(amount), currency) in (shown, shown.replace("12.35", "12.34"))


@pytest.mark.parametrize(("value", "shown"), WORDS["seconds"])
def test_seconds(value, shown):
    assert seconds(value) == shown


@pytest.mark.parametrize("reason", WORDS["endings"])
def test_an_ending_has_the_word_that_the_card_shows(reason):
    assert END_WORDS[reason] == WORDS["endings"][reason]
