"""Frames for tests: one table as the frame of every library."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, list[Any]]


def pandas(data: Data) -> Any:
    import pandas as pd

    return pd.DataFrame(dict(data))


def polars(data: Data) -> Any:
    import polars as pl

    return pl.DataFrame(dict(data), strict=False)


def polars_lazy(data: Data) -> Any:
    return polars(data).lazy()


def pyarrow(data: Data) -> Any:
    return polars(data).to_arrow()


def duckdb(data: Data) -> Any:
    import duckdb as engine

    return engine.connect().from_arrow(pyarrow(data))


def dask(data: Data) -> Any:
    import dask.dataframe as dd

    return dd.from_pandas(pandas(data), npartitions=2)


def ibis(data: Data) -> Any:
    import ibis as engine

    return engine.memtable(pyarrow(data))


def spark(data: Data) -> Any:
    """sqlframe speaks PySpark's language and needs no Java."""
    from sqlframe.duckdb import DuckDBSession

    rows = list(zip(*data.values(), strict=True))
    return DuckDBSession().createDataFrame(rows, list(data))


LIBRARIES: dict[str, Callable[[Data], Any]] = {
    function.__name__: function
    for function in (pandas, polars, polars_lazy, pyarrow, duckdb, dask, ibis, spark)
}

_NAMES = "alpha beta gamma delta price city zone rate time unit code kind"
_WORDS = _NAMES.split()


def made(seed: int, columns: int, rows: int) -> dict[str, list[Any]]:
    """A table by lot, of types that every library has."""
    chance = random.Random(seed)
    makers: list[Callable[[], Any]] = [
        lambda: chance.gauss(0, 10 ** chance.randrange(6)),
        lambda: chance.randrange(10 ** chance.randrange(1, 12)),
        lambda: chance.choice(_WORDS),
        lambda: "".join(
            chance.choice("abcdefghij0123456789 ,\n") for _ in range(chance.randrange(80))
        ),
        lambda: chance.random() < 0.5,
        lambda: dt.datetime(2000, 1, 1) + dt.timedelta(seconds=chance.randrange(10**9)),
    ]
    table = {}
    for at in range(columns):
        make = chance.choice(makers)
        values = [make() for _ in range(rows)]
        if make is not makers[1] and make is not makers[4]:  # pandas has no missing int or bool
            values = [None if chance.random() < 0.1 else value for value in values]
            if all(value is None for value in values):
                values = [make() for _ in range(rows)]
        table[f"{chance.choice(_WORDS)}_{'x' * chance.randrange(12)}{at}"] = values
    return table
