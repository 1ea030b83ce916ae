"""The window: a deep cut to half, never turn by turn, and the bytes behind it stay as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.conversation import Conversation, dropped
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.protocol.usage import Usage

from .turns import ask

SIZES = st.lists(st.integers(1, 400), max_size=120)
LIMITS = st.integers(50, 2_000)


@given(SIZES, LIMITS)
def test_what_is_kept_fits(sizes, limit):
    assert sum(sizes[dropped(sizes, limit) :]) <= limit


@given(SIZES, LIMITS)
def test_nothing_is_dropped_while_all_fits(sizes, limit):
    if sum(sizes) <= limit:
        assert dropped(sizes, limit) == 0


@given(SIZES, LIMITS)
def test_a_cut_happens_only_when_the_window_is_full_and_goes_to_half(sizes, limit):
    cuts = [dropped(sizes[:n], limit) for n in range(len(sizes) + 1)]
    for n in range(1, len(cuts)):
        assert cuts[n] >= cuts[n - 1]  # what was dropped stays dropped
        if cuts[n] > cuts[n - 1]:
            assert sum(sizes[cuts[n - 1] : n]) > limit
            kept = sizes[cuts[n] : n]
            assert sum(kept) <= limit // 2 or len(kept) == 1


@given(st.lists(st.integers(1, 20), min_size=1, max_size=300), st.integers(100, 400))
def test_the_prefix_changes_only_once_in_half_a_window(sizes, limit):
    cuts = {dropped(sizes[:n], limit) for n in range(len(sizes) + 1)}
    assert len(cuts) - 1 <= sum(sizes) / (limit / 2 - 20) + 1


def test_thinking_counts_where_the_provider_gets_it_back():
    conversation = Conversation()
    for number in range(6):
        ask(conversation, f"Question {number}?", reasoning="It may well be so. " * 100)
    assert conversation.window(conversation.tip, limit=1_000).dropped == 0
    assert conversation.window(conversation.tip, limit=1_000, thinking=True).dropped > 2


def test_the_thinking_of_a_turn_is_kept_with_its_size(tmp_path):
    journal = Journal.open(tmp_path / "journal.sqlite3")
    conversation = Conversation(journal)
    ask(conversation, "Why?", reasoning="1234567890" * 300, usage=Usage(10, 3_100, 0, 3_000))
    (asked,), (loaded,) = conversation.nodes(), Conversation.load(journal, conversation.id).nodes()
    assert asked == loaded
    assert asked.thinking >= 3_000, "the host's count, where the estimate is lower"
