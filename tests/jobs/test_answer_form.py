"""The columns of an answer, and how long it can be."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import Field

from deepseek_jupyter.jobs.answer_form import AnswerForm


@dataclass
class Found:
    kind: Literal["a", "b"]
    count: int | None
    names: list[str]


class Colour(enum.Enum):
    RED = "red"


def test_a_record_is_a_column_a_field():
    form = AnswerForm.of(Found, "answer")
    assert (form.names, form.kinds) == (("kind", "count", "names"), (str, int, None))


@pytest.mark.parametrize(
    ("to", "kind", "known"),
    [
        (str, str, False),
        (bool, bool, True),
        (int, int, True),
        (Literal["x", "y"], str, True),
        (Colour, str, True),
        (list[str], None, False),
        (list[int], None, False),
        (Annotated[list[int], Field(max_length=3)], None, True),
        (Annotated[str, Field(max_length=40)], str, True),
        (int | None, int, True),
    ],
)
def test_kinds_and_lengths(to, kind, known):
    form = AnswerForm.of(to, "answer")
    assert form.kinds == (kind,)
    assert (form.most_tokens is not None) is known


def test_the_longest_label_fits():
    form = AnswerForm.of(Literal["short", "a label of many words " * 4], "answer")
    assert form.most_tokens is not None
    assert form.most_tokens > 60


def test_a_record_with_an_open_text_has_no_end():
    assert AnswerForm.of(Found, "answer").most_tokens is None
