"""What streams is shown with the originals in it, and in the order in which it came."""

from __future__ import annotations

import pytest

from deepseek_jupyter.asking.run import RestoredEvents
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.deltas import Finish, ReasoningDelta, TextDelta


@pytest.fixture
def restored() -> RestoredEvents:
    redactor = Redactor(frozenset({"email"}))
    assert redactor.redact("Mail ann@x.org.") == "Mail <email-1>."
    return RestoredEvents(redactor)


def test_a_pseudonym_in_pieces_becomes_the_original(restored):
    pieces = [TextDelta(piece) for piece in ("To <em", "ail-", "1>", " now")]
    shown = [event.text for piece in pieces for event in restored.events([piece])]
    assert "".join(shown) == "To ann@x.org now"
    assert not any("<" in text for text in shown)


def test_thinking_that_is_held_back_comes_before_the_answer_that_follows_it(restored):
    shown = restored.events([ReasoningDelta("Hm <ema"), TextDelta("Yes <"), Finish("stop")])
    assert shown == [
        ReasoningDelta("Hm "),
        ReasoningDelta("<ema"),
        TextDelta("Yes "),
        TextDelta("<"),
        Finish("stop"),
    ]


def test_what_is_held_back_at_the_very_end_is_not_lost(restored):
    assert restored.events([TextDelta("Yes <em")]) == [TextDelta("Yes ")]
    assert list(restored.rest()) == [TextDelta("<em")]
    assert list(restored.rest()) == []


def test_where_nothing_was_masked_nothing_waits():
    batch = [TextDelta("a <em")]
    assert RestoredEvents(Redactor()).events(batch) is batch
