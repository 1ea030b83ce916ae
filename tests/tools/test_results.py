"""What a call returned, as the model reads it."""

from __future__ import annotations

import dataclasses
import datetime
import decimal

import pandas as pd
import polars as pl
import pytest
from pydantic import BaseModel

from deepseek_jupyter.tools.loop import result_text


class City(BaseModel):
    name: str
    on: datetime.date


@dataclasses.dataclass
class Pair:
    left: int
    right: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "(done; it returned nothing)"),
        (3, "3"),
        (True, "true"),
        ({"größe": [1, None]}, '{"größe": [1, null]}'),
        (City(name="Ulm", on=datetime.date(854, 7, 22)), '{"name": "Ulm", "on": "0854-07-22"}'),
        (Pair(1, (2, 3)), '{"left": 1, "right": [2, 3]}'),
        (decimal.Decimal("1.10"), '"1.10"'),
    ],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_values_become_text(value, text):
    assert result_text(value).text == text
    assert not result_text(value).cut


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_becomes_lines_of_values(library):
    frame = library.DataFrame({"name": ["Ulm", "a,b"], "x": [1.5, 2.0], "n": [1, 2]})
    assert result_text(frame).text == 'name,x,n\nUlm,1.5,1\n"a,b",2,2'


@pytest.mark.parametrize("library", [pd, pl])
def test_a_long_frame_is_cut_and_says_where_the_rest_is(library):
    cut = result_text(library.DataFrame({"x": range(1000)}), rows=3, name="_tool_1")
    assert cut.cut
    assert cut.text == (
        "x\n0\n1\n2\n… (the first 3 of 1,000 rows; the whole is the notebook's variable _tool_1)"
    )


def test_a_lazy_frame_is_collected_no_further_than_needed():
    assert (
        result_text(pl.LazyFrame({"x": range(10)}), rows=2).text == "x\n0\n1\n… (the first 2 rows)"
    )


def test_a_whole_number_keeps_its_digits_where_a_missing_one_made_it_a_float():
    frame = pd.DataFrame({"id": [12345678, None], "share": [1 / 3, None]})
    assert result_text(frame).text == "id,share\n12345678,0.333333\n,"


def test_a_series_is_a_table_of_one_column():
    assert result_text(pd.Series([1, 2], name="x")).text == "x\n1\n2"


def test_long_lists_and_long_texts_are_cut():
    assert result_text(list(range(100)), rows=2).text == "[0, 1]\n… (the first 2 of 100 items)"
    assert result_text({n: n for n in range(100)}, rows=1).text.endswith(
        "(the first 1 of 100 entries)"
    )
    cut = result_text("x" * 10_000, tokens=10)
    assert cut.text == "x" * 30 + "\n… (30 of 10,000 characters)"
    assert cut.cut


def test_a_value_without_a_json_form_is_shown_by_its_repr():
    recursive: list = []
    recursive.append(recursive)
    assert result_text(recursive).text == "[[...]]"
    assert result_text(object).text == "<class 'object'>"
