"""Answers of jobs in the journal: found by their key, summed, bounded, outside of search."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.rows import KeptAnswer
from deepseek_jupyter.protocol.usage import Usage


def kept(key: str, text: str = "yes", **more) -> KeptAnswer:
    given = {"model": "deepseek:m", "usage": Usage(9, 1), "cost": Decimal("0.5"), "currency": "USD"}
    return KeptAnswer(key, text, **{**given, **more})


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal.open(tmp_path / "journal.sqlite3")


def test_the_newest_whole_answer_is_found(journal):
    journal.add_answers("n", [kept("a"), kept("b", whole=False)])
    journal.add_answers("n", [kept("a", "no", reasoning="hm", cost=None, currency="")])
    found = Journal.open(journal.path).answers(["a", "b", "c"])
    assert found == {"a": kept("a", "no", reasoning="hm", cost=None, currency="")}


def test_all_of_them_are_paid_for(journal):
    journal.add_answers("n", [kept("a"), kept("b", whole=False)])
    journal.add_answers("other", [kept("a")])
    (total,) = journal.answer_totals("model", notebook="n")
    assert (total.key, total.turns, dict(total.cost)) == ("deepseek:m", 2, {"USD": Decimal(1)})
    assert len(journal.answer_totals("day")) == 1
    assert journal.answer_totals("turn") == []


def test_they_are_in_no_search_and_no_list_of_turns(journal):
    journal.add_answers("n", [kept("a", "xylophone")])
    assert journal.search("xylophone") == []
    assert journal.everything() == []


def test_the_oldest_make_room(journal):
    journal.add_answers("n", [kept(str(at), "x" * 10_000) for at in range(200)])
    journal.prune(max_bytes=1_000_000)
    left = journal.answers([str(at) for at in range(200)])
    assert 30 < len(left) < 60
    assert "199" in left
    assert "0" not in left
    journal.prune(keep_days=-2)
    assert journal.answers(["199"]) == {}


def test_more_keys_than_a_statement_takes(journal):
    journal.add_answers("n", [kept(str(at)) for at in range(1_200)])
    assert len(journal.answers([str(at) for at in range(1_300)])) == 1_200
