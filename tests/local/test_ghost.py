"""Ghost text of the embedded model: the cheapest there is."""

from __future__ import annotations

import ast

import pytest

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.session.session import Session
from tests.support.ghosts import Page

pytestmark = pytest.mark.local_model

ABOVE = "import math\n\n\ndef area(radius):\n    return math.pi * radius ** 2\n\n\n"


def test_it_writes_code_between_two_pieces(home):
    session = Session(DeepSeek(provider="local", journal=False))
    page = Page(session)
    page.complete(
        "g1", prefix=f"{ABOVE}def circumference(radius):\n    ", suffix="\n", max_tokens=32
    )
    told = page.until(lambda message: message.get("done"), 60)
    assert "error" not in told
    text = page.text("g1")
    assert "radius" in text
    first = text.strip().split("\n")[0]
    ast.parse(f"def f(radius):\n    {first}")
    total = sum(session.ghosts.spent.values(), Total(""))
    assert total.turns == 1
    assert total.usage.prompt_tokens > 20
    assert total.usage.completion_tokens > 3


def test_the_prefix_is_kept_between_two(home):
    session = Session(DeepSeek(provider="local", journal=False))
    page = Page(session)
    for id, typed in (("g1", "x = area("), ("g2", "x = area(2) + ")):
        page.complete(id, prefix=ABOVE * 4 + typed, max_tokens=8)
        page.until(lambda message, id=id: message["id"] == id and message.get("done"), 60)
    usage = sum(session.ghosts.spent.values(), Total("")).usage
    assert usage.cache_hit_tokens > usage.prompt_tokens / 3


def test_cancelling_frees_the_server(home):
    session = Session(DeepSeek(provider="local", journal=False))
    page = Page(session)
    page.complete("g1", prefix="numbers = [1, 2, 3, ", max_tokens=512)
    page.until(lambda message: message.get("text"), 60)
    page.complete("g2", prefix="x = area(", max_tokens=4)  # the server has one place
    page.until(lambda message: message["id"] == "g2" and message.get("done"), 60)
    assert not any(message.get("done") for message in page.told if message["id"] == "g1")
