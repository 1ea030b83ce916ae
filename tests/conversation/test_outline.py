"""The steps of a chain of thought."""

from __future__ import annotations

import pytest

from deepseek_jupyter.conversation.turn import outline, steps
from deepseek_jupyter.display.report import Folds

SENTENCE = "This is said at some length, so that a step of it is worth a line of its own."


@pytest.mark.parametrize(
    ("turn", "number"),
    [
        ("Wait, no.", 1),
        ("But wait: no.", 1),
        ("1. Then", 1),
        ("## Next", 1),
        ("等等，不对。", 1),
        ("And no turn at all.", 0),
        ("Waiting for it.", 0),
        ("Sofas are soft.", 0),
    ],
)
def test_a_step_begins_with_a_turn(turn, number):
    text = "\n\n".join([SENTENCE, f"{turn} {SENTENCE}", f"Let me see. {SENTENCE}", "So: it is."])
    assert len(outline(text)) == 3 + number if number else outline(text) in ([0, 4, 6], [])
    assert "".join(steps(text)).replace("\n", "") == text.replace("\n", "")


def test_a_long_paragraph_ends_a_step_and_a_short_one_none():
    long = SENTENCE * 7
    assert outline("\n\n".join([long, "And on.", "So it is.", long, "And on.", long])) == [0, 2, 8]


def test_code_is_not_cut():
    code = f"```python\n{SENTENCE * 8}\n\nNext = 1\n```"
    assert outline("\n\n".join([code, f"So {SENTENCE}", f"So {SENTENCE}"])) == [0, 6, 8]


@pytest.mark.parametrize("text", ["", "\n\n", "Hm.", f"{SENTENCE}\n\nWait, no."])
def test_little_thinking_has_no_steps(text):
    assert outline(text) == []
    assert steps(text) == ([text.strip()] if text.strip() else [])


def test_folds_show_model_text_inert():
    folds = Folds(["# First <b>\nmore", "Second"])
    assert str(folds) == "1. # First <b>\nmore\n\n2. Second"
    html = folds._repr_html_()
    assert html.count("<details>") == 2
    assert "<summary>First &lt;b&gt;</summary>" in html
