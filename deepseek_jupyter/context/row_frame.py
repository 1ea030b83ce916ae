"""A frame's rows, read in pieces, and answers put back as columns of the same kind of frame.

An eager frame gets its columns by place, so that index, order and repeated names stay. A lazy one
(polars, DuckDB, Ibis, Dask, PySpark) is read as far as the named columns go, and joined with the
answers by their values: it stays lazy, and no plan asks anything when it is computed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import label_of

from .table import columns_of, is_dask, is_frame, is_lazy, plain

AT_ONCE = 1_000  # rows


@dataclass(frozen=True, slots=True)
class NewColumn:
    """`values` for each row; `kind` is str, int, float, bool, or None for what they are."""

    name: str
    values: Sequence[Any]
    kind: type | None = None


class RowFrame:
    """A frame whose `rows` are read after `read` has chosen its columns."""

    def __init__(self, frame: Any) -> None:
        """Raises `ParameterError` for what is no frame."""
        self._wrapped = type(frame).__module__.startswith("narwhals")
        self.native: Any = frame.to_native() if self._wrapped else frame
        kinds = ("collect_schema", "column_names", "columns")
        if not is_frame(frame) or not any(hasattr(self.native, name) for name in kinds):
            raise ParameterError(
                f"{type(frame).__name__} is not a type of frame with columns.",
                "Give a frame of pandas, polars, pyarrow, DuckDB, Dask, Ibis or PySpark.",
            )
        self.lazy = is_lazy(self.native)
        self._eager: Any = None if self.lazy else self.native
        self._named: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The names of the columns, as a prompt writes them."""
        import narwhals as nw

        if is_dask(self.native):
            return [label_of(name) for name in self.native.columns]
        if self.lazy:
            return list(nw.from_native(self.native).collect_schema().names())
        return [name for name, _, index in columns_of(self.native) if not index]

    def read(self, columns: Sequence[str]) -> int:
        """Choose the columns to read; of a lazy frame they are computed now. How many rows."""
        import narwhals as nw

        self._named = tuple(columns)
        if is_dask(self.native):
            self._eager = self.native[dask_names(self.native, columns)].compute()
        elif self.lazy:
            lazy: Any = nw.from_native(self.native)
            self._eager = lazy.select(*columns).collect().to_native()
        return len(self._eager)

    def rows(self, columns: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """The values of the chosen columns, or of others of an eager frame, row by row."""
        every = {name: one for name, one, index in columns_of(self._eager) if not index}
        series = [every[name] for name in columns or self._named]
        for begin in range(0, len(self._eager), AT_ONCE):
            parts = (one[begin : begin + AT_ONCE].to_list() for one in series)
            yield from (tuple(map(plain, row)) for row in zip(*parts, strict=True))

    def answered(self, new: Sequence[NewColumn], places: Sequence[int] | None = None) -> Any:
        """The frame with `new` columns, which may be none; of `places` only those rows, the values
        being theirs. Of a lazy frame these are the rows that have the values of one of those.
        """
        import narwhals as nw

        frame = self._taken(self._eager, places)
        made = _with_columns(frame, new)
        if self.lazy:
            how = "left" if places is None else "inner"
            made = self._joined(made, [column.name for column in new], how)
        return nw.from_native(made) if self._wrapped else made

    @staticmethod
    def _taken(frame: Any, places: Sequence[int] | None) -> Any:
        if places is None:
            return frame
        if hasattr(frame, "iloc"):
            return frame.iloc[list(places)]
        if hasattr(frame, "take"):
            return frame.take(sys.modules["pyarrow"].array(places, "int64"))
        return frame[list(places)]

    def _joined(self, answered: Any, new: list[str], how: str) -> Any:
        """The lazy frame with what `answered` has for the values of its named columns."""
        import narwhals as nw

        native, on = self.native, list(self._named)
        if is_dask(native):
            names = dask_names(native, on)
            rows = answered[names].itertuples(index=False, name=None)
            known = dict(zip(map(_key, rows), range(len(answered)), strict=True))
            found = answered[new].reset_index(drop=True)
            meta = _looked_up(native._meta, names, known, found, how)
            return native.map_partitions(_looked_up, names, known, found, how, meta=meta)
        if hasattr(answered, "take"):  # pyarrow has no keys of lists and structs
            rows = zip(*(answered[name].to_pylist() for name in on), strict=True)
            first = {_key(row): at for at, row in reversed([*enumerate(rows)])}
            once: Any = nw.from_native(self._taken(answered, sorted(first.values())))
        else:
            once = nw.from_native(answered).unique(subset=on, maintain_order=True)
        once = once.select(*on, *new)
        if type(native).__module__.startswith("polars"):
            return native.join(once.to_native().lazy(), on=on, how=how, maintain_order="left")
        if hasattr(native, "query") and hasattr(native, "fetchall"):  # DuckDB's relation
            # DuckDB finds it by its name, unless a table of the user's has it.
            deepseek_answers = once.to_arrow()  # noqa: F841
            same = " AND ".join(f"f.{_quoted(n)} = a.{_quoted(n)}" for n in on)
            added = "".join(f", a.{_quoted(name)}" for name in new)
            joined = f"deepseek_rows f {how} JOIN deepseek_answers a ON {same}"
            return native.query("deepseek_rows", f"SELECT f.*{added} FROM {joined}")
        if type(native).__module__.startswith("ibis"):
            other = sys.modules["ibis"].memtable(once.to_arrow())
        else:
            other = native.sparkSession.createDataFrame(once.to_pandas())
        lazy: Any = nw.from_native(native)
        return lazy.join(nw.from_native(other), on=on, how=how).to_native()


def dask_names(frame: Any, labels: Sequence[str]) -> list[Any]:
    """The columns of a Dask frame that have these labels."""
    return [next(name for name in frame.columns if label_of(name) == label) for label in labels]


def _with_columns(frame: Any, new: Sequence[NewColumn]) -> Any:
    """An eager frame with further columns at its end."""
    import narwhals as nw

    if hasattr(frame, "iloc"):
        made = frame.copy(deep=False)
        for column in new:
            made[column.name] = pandas_series(column, frame.index)
        return made
    backend = nw.from_native(frame).implementation if hasattr(frame, "with_columns") else "pyarrow"
    for column in new:
        series = _narwhals_series(column, backend).to_native()
        if hasattr(frame, "append_column"):
            frame = frame.append_column(column.name, series)
        else:
            frame = frame.with_columns(series)
    return frame


def pandas_series(column: NewColumn, index: Any, dtype: Any = None) -> Any:
    """The column as a series, of the type that fits its kind and values if none is given."""
    pandas = sys.modules["pandas"]
    values = list(column.values)
    missing = any(value is None for value in values)
    nullable = {int: "Int64", bool: "boolean"} if missing else {int: "int64", bool: "bool"}
    dtype = dtype or {**nullable, float: "float64"}.get(column.kind or object)
    try:
        return pandas.Series(values, index=index, dtype=dtype)
    except (OverflowError, TypeError, ValueError):  # an integer of more than 64 bits
        return pandas.Series(values, index=index, dtype=object)


def _narwhals_series(column: NewColumn, backend: Any) -> Any:
    import narwhals as nw

    kinds: Mapping[Any, Any] = {str: nw.String, int: nw.Int64, float: nw.Float64, bool: nw.Boolean}
    values = list(column.values)
    try:
        return nw.new_series(column.name, values, kinds.get(column.kind), backend=backend)
    except Exception:  # of two kinds, or too large: as their library refuses it, so as texts
        texts = [None if value is None else str(value) for value in values]
        return nw.new_series(column.name, texts, nw.String, backend=backend)


def _key(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(repr, map(plain, row)))


def _looked_up(part: Any, names: list[Any], known: Mapping[Any, int], found: Any, how: str) -> Any:
    """A partition of a Dask frame with the rows of `found` that belong to its values."""
    rows = part[names].itertuples(index=False, name=None)
    places = [known.get(_key(row), -1) for row in rows]
    if how == "inner":
        part = part.iloc[[at for at, place in enumerate(places) if place >= 0]]
        places = [place for place in places if place >= 0]
    taken = found.reindex(places)
    taken.index = part.index
    return part.assign(**{name: taken[name] for name in found.columns})


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
