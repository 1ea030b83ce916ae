"""The same kind of frame comes back, whatever the library; Ray and Spark are not installed here."""

from __future__ import annotations

import json
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepseek_jupyter.context.row_frame import NewColumn, RowFrame
from tests.jobs.test_row_map import everything
from tests.support.later import Later

dd = Later("dask.dataframe")
duckdb = Later("duckdb")
ibis = Later("ibis")

ROWS = {"text": ["a", "b", None, "a"], "n": [1, 2, 3, 4]}


def dask_frame() -> Any:
    return dd.from_pandas(pd.DataFrame(ROWS, index=[4, 5, 6, 7]), npartitions=2)


KINDS = {
    "pandas": lambda: pd.DataFrame(ROWS),
    "polars": lambda: pl.DataFrame(ROWS),
    "lazy polars": lambda: pl.LazyFrame(ROWS),
    "pyarrow": lambda: pa.table(ROWS),
    "duckdb": lambda: duckdb.connect().from_arrow(pa.table(ROWS)),
    "ibis": lambda: ibis.memtable(pd.DataFrame(ROWS)),
    "dask": dask_frame,
    "narwhals": lambda: nw.from_native(pl.DataFrame(ROWS)),
}


def as_rows(value: Any) -> list[dict[str, Any]]:
    if hasattr(value, "compute"):
        value = value.compute()
    lazy = nw.from_native(value, pass_through=False)
    eager = lazy.collect() if isinstance(lazy, nw.LazyFrame) else lazy
    rows = eager.to_arrow().to_pylist()
    return sorted(rows, key=lambda row: row["n"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_comes_back_with_the_answers(serve, kind):
    server, rows = serve(), KINDS[kind]()
    answered = everything(rows, "Repeat: {{ text }}")
    assert type(answered) is type(rows)
    assert server.accepted == 2
    expected = ["a", "b", None, "a"]
    assert [row["answer"] for row in as_rows(answered)] == expected
    kept = [[{n: row[n] for n in ROWS} for row in as_rows(one)] for one in (answered, rows)]
    assert kept[0] == kept[1]
    assert server.accepted == 2  # no plan asks anything when it is computed


@pytest.mark.parametrize("kind", ["lazy polars", "duckdb", "dask"])
def test_a_trial_of_a_lazy_frame_has_the_rows_of_its_values(serve, kind):
    import deepseek_jupyter as ds

    serve()
    answered = ds.map(KINDS[kind](), "Repeat: {{ text }}", rows=1, show=False)
    assert {row["answer"] for row in as_rows(answered)} <= {"a", "b"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_for_which_a_sentence_holds(serve, kind):
    import deepseek_jupyter as ds

    serve(lambda body: json.dumps({"value": "it a" in body["messages"][-1]["content"]}))
    options = {"rows": "all", "budget": "none", "show": False}
    for prompt, places in (("Is it {{ text }}", [1, 4]), ("Not {{ text }}", [])):
        found = ds.filter(KINDS[kind](), prompt, **options)
        assert [row["n"] for row in as_rows(found)] == places
        assert as_rows(ds.job.errors()) == []


def test_tables_of_the_user_are_not_taken_for_the_answers(serve):
    serve()
    connection = duckdb.connect()
    connection.execute("create table answers as select 'a' as text, 'wrong' as answer")
    connection.execute("create table frame as select 'a' as text, 1 as n")
    answered = everything(connection.table("frame"), "Repeat: {{ text }}")
    assert as_rows(answered) == [{"text": "a", "n": 1, "answer": "a"}]


@pytest.mark.parametrize("kind", ["lazy polars", "duckdb", "ibis"])
def test_lists_and_structs_of_a_lazy_frame_are_values_too(serve, kind):
    server = serve()
    told = {"li": [[1, 2], [3], [1, 2]], "st": [{"x": 1}, {"x": 2}, {"x": 1}], "n": [1, 2, 3]}
    rows = {
        "lazy polars": lambda: pl.LazyFrame(told),
        "duckdb": lambda: duckdb.connect().from_arrow(pa.table(told)),
        "ibis": lambda: ibis.memtable(pa.table(told)),
    }[kind]()
    answered = everything(rows, "Repeat: {{ li }} {{ st }}")
    assert [row["answer"] for row in as_rows(answered)] == ["1}", "2}", "1}"]
    assert server.accepted == 2


def test_dask_keeps_its_index_and_partitions(serve):
    serve()
    answered = everything(dask_frame(), "Repeat: {{ text }}")
    assert answered.npartitions == 2
    assert answered.compute().index.tolist() == [4, 5, 6, 7]


LABELS = st.sampled_from(["x", "y", "x y", "n", "ß", "a / b", "index"])
VALUES = st.one_of(
    st.lists(st.integers(-(2**60), 2**60)),
    st.lists(st.floats()),
    st.lists(st.text(max_size=5)),
    st.lists(st.booleans()),
    st.lists(st.datetimes(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))),
)


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    size = draw(st.integers(0, 6))
    labels = draw(st.lists(LABELS, min_size=1, max_size=4))
    columns = [pd.Series(draw(VALUES)[:size]).reindex(range(size)) for _ in labels]
    made = pd.concat(columns, axis=1)
    made.columns = labels
    made.index = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    return made


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(frames(), st.booleans())
def test_index_order_and_types_of_any_frame_stay(made, with_none):
    before = made.copy(deep=True)
    source = RowFrame(made)
    size = source.read([label for label in source.labels if source.labels.count(label) == 1])
    new = NewColumn("answer", [None if with_none and at % 2 else at for at in range(size)], int)
    answered = source.answered([new])
    pd.testing.assert_frame_equal(answered.iloc[:, :-1], before)
    assert answered.columns[-1] == "answer"
    pd.testing.assert_frame_equal(made, before)
