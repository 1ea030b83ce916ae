"""``<think>`` inside the answer becomes thinking, however it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.stream import ThinkSplitter


def split(*parts: str, implied: bool = False) -> tuple[str, str]:
    """(thinking, answer)"""
    splitter = ThinkSplitter(implied=implied)
    deltas = [d for part in parts for d in splitter.feed(part)] + list(splitter.close())
    thinking = "".join(d.text for d in deltas if isinstance(d, ReasoningDelta))
    return thinking, "".join(d.text for d in deltas if isinstance(d, TextDelta))


CASES = [
    ("<think>Hm.</think>Yes.", False, ("Hm.", "Yes.")),
    ("<think>\n\nHm.\n</think>\n\nYes.", False, ("Hm.\n", "Yes.")),
    ("\n<think>\nHm.</think>Yes.", False, ("Hm.", "Yes.")),
    ("<think></think>Yes.", False, ("", "Yes.")),
    ("<think>\n\n</think>\n\nYes.", False, ("", "Yes.")),
    ("<think>never closed", False, ("never closed", "")),
    ("<think>a </thin b</think>Yes.", False, ("a </thin b", "Yes.")),
    ("Yes.", False, ("", "Yes.")),
    ("  Yes.", False, ("", "  Yes.")),
    ("<thin", False, ("", "<thin")),
    ("<thinner>", False, ("", "<thinner>")),
    ("I <think>so</think>.", False, ("", "I <think>so</think>.")),
    ("<think>a</think>b <think>c</think>", False, ("a", "b <think>c</think>")),
    ("Hm.</think>Yes.", True, ("Hm.", "Yes.")),
    ("no end", True, ("no end", "")),
    ("\n\n", False, ("", "\n\n")),
]


@pytest.mark.parametrize(("text", "implied", "said"), CASES)
def test_every_cut_gives_the_same(text, implied, said):
    assert split(text, implied=implied) == said
    assert split(*text, implied=implied) == said
    for a, b in itertools.combinations(range(len(text) + 1), 2):
        assert split(text[:a], text[a:b], text[b:], implied=implied) == said


@given(st.text("<>/think \n", max_size=30), st.booleans(), st.data())
def test_any_text_reads_the_same_in_any_cut(text, implied, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(*parts, implied=implied) == split(text, implied=implied)


def test_text_without_tags_is_not_held_back():
    splitter = ThinkSplitter()
    assert [d.text for d in splitter.feed("Hello")] == ["Hello"]
    assert splitter.passive


def test_blanks_without_end_are_not_held_for_ever():
    """Else the guard against runaway blanks would never see them."""
    splitter = ThinkSplitter()
    given_out = "".join(d.text for _ in range(100) for d in splitter.feed("  \n "))
    assert len(given_out) > 300
