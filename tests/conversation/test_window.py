"""The window: a deep cut to half, never turn by turn, and the bytes behind it stay as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.conversation import dropped

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
