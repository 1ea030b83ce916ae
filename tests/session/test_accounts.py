"""What was spent: by turn, branch, notebook and day; and a notebook's budget."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import ConfigurationError
from deepseek_jupyter.session.accounts import notebook_cost, usage
from tests.support.scripted import answer

USAGE = {
    "prompt_tokens": 1_000_000,
    "completion_tokens": 0,
    "total_tokens": 1_000_000,
    "prompt_cache_hit_tokens": 0,
    "prompt_cache_miss_tokens": 1_000_000,
}


def ask(prompt: str, **options):
    return ds.ask(prompt, show=False, **options)


@pytest.fixture
def two_turns(session, server, monkeypatch, tmp_path):
    """A million tokens each, at one dollar the million, and one of them on a branch."""
    session.config.prices = {"deepseek-flash": ["0.1", "1", "2", "USD"]}
    session.config.model = "deepseek-flash"
    server.queue(answer("A", usage=USAGE), answer("B", usage=USAGE))
    ask("First question?")
    ask("Second?", branch="other")
    return session


def column(report, name: str) -> list[str]:
    return [row[report.heads.index(name)] for row in report.rows]


@pytest.mark.parametrize(
    ("by", "keys", "costs"),
    [
        (None, ["deepseek:deepseek-flash"], ["$2.00"]),
        ("model", ["deepseek:deepseek-flash"], ["$2.00"]),
        ("branch", ["main", "other"], ["$1.00", "$2.00"]),
    ],
)
def test_the_sums_are_those_of_the_turns(two_turns, by, keys, costs):
    report = usage(two_turns, by)
    assert sorted(column(report, by or "model")) == keys
    assert sorted(column(report, "cost (estimate)")) == costs


def test_a_turn_is_named_by_its_question(two_turns):
    names = column(usage(two_turns, "turn"), "turn")
    assert ["First question?" in names[0], "Second?" in names[1]] == [True, True]


def test_a_day_is_the_users_own(two_turns):
    import datetime

    assert column(usage(two_turns, "day"), "day") == [datetime.date.today().isoformat()]


def test_a_notebook_that_may_cost_too_much_is_refused_before_sending(two_turns, server):
    two_turns.config.notebook_budget = 2.05
    assert notebook_cost(two_turns, "USD") == 2
    with pytest.raises(ConfigurationError, match="This notebook has cost") as told:
        ask("Third?", max_tokens=50_000)
    assert "notebook_budget" in told.value.hint
    assert len(server.requests) == 2
    server.queue(answer("C"))
    assert ask("Third?", max_tokens=10).text == "C"


def test_a_new_kernel_knows_what_the_notebook_has_cost(two_turns):
    from deepseek_jupyter.session.session import Session

    again = Session(two_turns.config)
    again.memory.conversation = type(two_turns.conversation).load(
        two_turns.conversation.journal,
        two_turns.conversation.id,
        two_turns.conversation.notebook,
    )
    assert notebook_cost(again, "USD") == 2
