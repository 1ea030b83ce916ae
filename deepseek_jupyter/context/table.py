"""A frame of any library as a `Table` of plain Python values, and the text of such a value.

Eager frames: number of rows, missing values, least, greatest and sum of each column are exact, by
the library's own means; everything else comes from up to 10,000 rows (fewer of wide frames), drawn
evenly over the frame and always the same ones. Lazy frames: the first 1,000 rows are asked for and
nothing else, so no scan runs to its end.

Columns are read one by one and by place: names may repeat (pandas, pyarrow) or be no texts at all.
Their types are one word each, whatever the library (`_type_word`).
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import label_of

HEAD = 1_000  # rows of a lazy frame
_PARTITIONS = 16  # of a Dask frame, at most
_MOST_ROWS, _LEAST_ROWS, _CELLS = 10_000, 200, 400_000
_LONGEST = 2_000  # characters of a text that are read
_LONGEST_INT = 14_000  # bits; Python writes hardly more
_ITEMS, _DEPTH = 100, 8  # of a nested value
_LIBRARIES = {
    *("pandas", "polars", "pyarrow", "duckdb", "_duckdb", "dask", "dask_expr", "pyspark"),
    *("sqlframe", "ibis", "modin", "cudf", "narwhals"),
}
_ORDERED = ("int", "float", "decimal", "date", "datetime", "time", "duration")
_PLAIN = (int, str, bool, bytes, date, datetime, time, timedelta, Decimal)
_ZONED = " with zone"
_TYPES = {
    "Boolean": "bool", "String": "text", "Categorical": "category", "Enum": "category",
    "Date": "date", "Time": "time", "Duration": "duration", "Binary": "binary",
    "Decimal": "decimal",
}  # fmt: skip
_PYTHON = {
    "str": "text", "int": "int", "float": "float", "bool": "bool", "datetime": "datetime",
    "date": "date", "time": "time", "timedelta": "duration", "Decimal": "decimal",
    "bytes": "binary", "list": "list", "dict": "struct",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `values` are those of the rows that were read, None for a missing one.

    `missing` counts the whole frame's (of a lazy one: the rows read); `low` and `high` are its
    least and greatest where it is ordered; `total` its sum, to see whether it has changed;
    `lengths` those of the shortest and the longest text read. Where `values` hold texts cut,
    `sizes` has the lengths of the whole ones. `series` is the whole column.
    """

    name: str
    type: str
    values: list[Any]
    missing: int
    low: Any = None
    high: Any = None
    total: Any = None
    lengths: tuple[int, int] | None = None
    sizes: list[int] | None = None
    index: bool = False
    series: Any = None


@dataclass(frozen=True, slots=True)
class Table:
    """A frame that was read. `rows` is None for a lazy frame that has more than were read.

    `places` are the numbers of the rows read, from 0; `whole` says that they are all.
    """

    kind: str
    columns: list[Column]
    rows: int | None
    places: list[int]
    lazy: bool = False
    series: bool = False

    @property
    def whole(self) -> bool:
        return self.rows == len(self.places)


def is_frame(value: Any) -> bool:
    """Whether `value` is a frame or series; nothing is imported for values of other libraries."""
    if not any(c.__module__.partition(".")[0] in _LIBRARIES for c in type(value).__mro__):
        return False
    if is_dask(value):
        return True
    import narwhals as nw

    if type(value).__module__.startswith("narwhals"):
        return isinstance(value, nw.DataFrame | nw.LazyFrame | nw.Series)
    if nw.dependencies.is_pandas_like_dataframe(value) or nw.dependencies.is_pyarrow_table(value):
        return True  # narwhals itself refuses them when names repeat
    if nw.dependencies.is_pandas_index(value) or _of_arrow(value) is not value:
        return True
    wrapped = nw.from_native(value, pass_through=True, allow_series=True)
    return isinstance(wrapped, nw.DataFrame | nw.LazyFrame | nw.Series)


def read(value: Any) -> Table:
    """Read a frame or series. Raises `ParameterError` when its library cannot."""
    import narwhals as nw

    kind = _kind(value)
    native = value.to_native() if type(value).__module__.startswith("narwhals") else value
    native = _of_arrow(native)
    if nw.dependencies.is_pandas_index(native):
        native = native.to_frame(index=False)
    lazy = is_lazy(native)
    try:
        eager, complete = head(native) if lazy else (native, True)
        columns = list(columns_of(eager))
        with_rows = columns[0][1] if columns else eager
        count = len(with_rows) if hasattr(with_rows, "__len__") else 0
        places = _places(count, len(columns))
        found = [_column(name, series, places, count, index) for name, series, index in columns]
    except ParameterError:
        raise
    except Exception as error:
        raise ParameterError(
            f"The {kind} cannot be read: {type(error).__name__}: {str(error)[:300]}",
            "Attach a part of it that its library can compute.",
        ) from error
    rows = count if complete else None
    is_series = hasattr(value, "name") and not hasattr(value, "columns")
    return Table(kind, found, rows, places, lazy, is_series)


def _kind(value: Any) -> str:
    module = type(value).__module__.partition(".")[0].lstrip("_")
    names = {"DuckDBPyRelation": "relation", "dask_expr": "dask"}
    return f"{names.get(module, module)} {names.get(type(value).__name__, type(value).__name__)}"


def _of_arrow(value: Any) -> Any:
    """What narwhals reads, for what it does not read of pyarrow."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(value, arrow.RecordBatch):
        return arrow.Table.from_batches([value])
    array = arrow is not None and isinstance(value, arrow.Array)
    return arrow.chunked_array([value]) if arrow is not None and array else value


def columns_of(native: Any) -> Iterator[tuple[str, Any, bool]]:
    """Name, narwhals series and whether it is an index, for each column of an eager frame."""
    import narwhals as nw

    known = nw.dependencies
    if known.is_pandas_like_dataframe(native) or known.is_pandas_like_series(native):
        yield from _pandas(native, known.is_pandas_like_series(native))
        return
    if known.is_pyarrow_table(native):
        for at, name in enumerate(native.column_names):
            yield name, nw.from_native(native.column(at), series_only=True), False
        return
    wrapped: Any = nw.from_native(native, allow_series=True)
    if isinstance(wrapped, nw.Series):
        yield wrapped.name or "value", wrapped, False
    else:
        yield from ((series.name, series, False) for series in wrapped.iter_columns())


def _pandas(native: Any, is_series: bool) -> Iterator[tuple[str, Any, bool]]:
    import narwhals as nw

    index = native.index
    if type(index).__name__ != "RangeIndex" or index.start or index.step != 1:
        for at, name in enumerate(index.names):
            level = index.get_level_values(at).to_series()
            label = label_of(name) if name is not None else f"index {at}" if at else "index"
            yield label, nw.from_native(level, series_only=True), True
    if is_series:
        label = label_of(native.name) if native.name is not None else "value"
        yield label, nw.from_native(native, series_only=True), False
        return
    for at, name in enumerate(native.columns):
        yield label_of(name), nw.from_native(native.iloc[:, at], series_only=True), False


@lru_cache(maxsize=4)
def _drawn(rows: int, count: int) -> tuple[int, ...]:
    """One row of each of `count` equal stretches: even, and out of step with any period."""
    chance = random.Random(0)
    edges = [at * rows // count for at in range(count + 1)]
    inner = (low + int(chance.random() * (high - low)) for low, high in pairwise(edges[1:-1]))
    return (0, *inner, rows - 1)


def _places(rows: int, columns: int) -> list[int]:
    count = min(_MOST_ROWS, max(_LEAST_ROWS, _CELLS // max(columns, 1)))
    return list(range(rows) if rows <= count else _drawn(rows, count))


def _column(name: str, series: Any, places: list[int], count: int, index: bool) -> Column:
    kind = _type_word(series.dtype)
    part = series if len(places) == count else series[places]
    lengths = _lengths(part) if kind == "text" else None
    sizes = None
    if lengths is not None and lengths[1] > _LONGEST:
        sizes = [int(size) if size == size and size else 0 for size in part.str.len_chars()]
        part = part.str.slice(0, _LONGEST)
    values = [plain(value) for value in part.to_list()]
    if kind == "object":
        kind = _type_of_values(values)
    whole = len(places) == count
    missing = sum(v is None for v in values) if whole else _missing(series, kind)
    low, high, total = _extent(series, values, kind, whole)
    if kind == "text" and lengths is None:
        measured = [len(value) for value in values if isinstance(value, str)]
        lengths = (min(measured), max(measured)) if measured else None
    return Column(name, kind, values, missing, low, high, total, lengths, sizes, index, series)


def _lengths(part: Any) -> tuple[int, int] | None:
    """Shortest and longest text; None where the library cannot measure (mixed objects)."""
    try:
        measured = part.str.len_chars()
        low, high = measured.min(), measured.max()
    except Exception:  # whatever the library says: the values themselves are measured
        return None
    return None if low is None or low != low else (int(low), int(high))


def _missing(series: Any, kind: str) -> int:
    count = int(series.null_count())
    if kind != "float" or series.implementation.is_pandas_like():
        return count
    nan = series.is_nan().sum()  # a value to polars and pyarrow, missing to pandas and to the card
    return count + int(nan or 0)


def _extent(series: Any, values: list[Any], kind: str, whole: bool) -> tuple[Any, Any, Any]:
    """Least, greatest and sum."""
    if kind.partition("[")[0] not in _ORDERED:  # datetime[UTC]
        return None, None, None
    if whole:
        return (*_ends(values), None)
    try:
        total = plain(series.sum()) if kind in ("int", "float") else None
        low, high = plain(series.min()), plain(series.max())
    except Exception:  # an order that the library does not know: the rows read have one
        return (*_ends(values), None)
    if kind == "float" and (low is None or high is None):  # polars counts NaN as the greatest
        low, high = _ends(values)
    return low, high, f"{total:.10g}" if isinstance(total, float) else total


def _ends(values: list[Any]) -> tuple[Any, Any]:
    present = [value for value in values if value is not None]
    return (min(present), max(present)) if present else (None, None)


def is_dask(value: Any) -> bool:
    root = type(value).__module__.partition(".")[0]
    return root in ("dask", "dask_expr") and hasattr(value, "npartitions")


def is_lazy(native: Any) -> bool:
    """Whether its values are still to be computed."""
    import narwhals as nw

    if is_dask(native):
        return True
    if nw.dependencies.is_pandas_like_dataframe(native) or nw.dependencies.is_pyarrow_table(native):
        return False
    wrapped: Any = nw.from_native(native, allow_series=True, pass_through=True)
    return isinstance(wrapped, nw.LazyFrame)


def head(native: Any) -> tuple[Any, bool]:
    """The first rows of a lazy frame as an eager one, and whether they are all."""
    import narwhals as nw

    if is_dask(native):
        return _dask_head(native)
    if type(native).__module__.startswith("polars"):
        eager = native.head(HEAD).collect(engine="streaming")  # stops reading when it has enough
    else:
        lazy: Any = nw.from_native(native)
        eager = lazy.head(HEAD).collect().to_native()
    return eager, len(eager) < HEAD


def _dask_head(native: Any) -> tuple[Any, bool]:
    """Partition by partition; narwhals would read the head of each."""
    parts, count = [], 0
    for at in range(native.npartitions):
        if count >= HEAD or at >= _PARTITIONS:
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a partition is shorter than was asked for
            parts.append(native.get_partition(at).head(HEAD - count, npartitions=1))
        count += len(parts[-1])
    whole = count < HEAD and len(parts) == native.npartitions
    return (sys.modules["pandas"].concat(parts) if len(parts) > 1 else parts[0]), whole


def _type_word(dtype: Any) -> str:
    """A column's type in one word, whatever the library; nested ones with their parts."""
    name = type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
    if name.startswith(("Int", "UInt")):
        return "int"
    if name.startswith("Float"):
        return "float"
    if name == "Datetime":
        zone = getattr(dtype, "time_zone", None)
        return f"datetime[{zone}]" if zone else "datetime"
    if name in ("List", "Array"):
        return f"list[{_type_word(dtype.inner)}]"
    if name == "Struct":
        fields = [f"{field.name}: {_type_word(field.dtype)}" for field in dtype.fields]
        more = [f"… {len(fields) - 20} more"] if len(fields) > 20 else []
        return f"struct{{{', '.join(fields[:20] + more)}}}"
    return _TYPES.get(name, "object")


def _type_of_values(values: list[Any]) -> str:
    """The type of a column of Python objects, from its values."""
    kinds = sorted({_type_of(value) for value in values if value is not None})
    if not kinds:
        return "empty"
    if len(kinds) == 1:
        return kinds[0].removesuffix(_ZONED)
    return f"mixed {', '.join(kinds)}"


def _type_of(value: Any) -> str:
    """Times with a zone and those without are two types: they cannot be compared."""
    kind = _PYTHON.get(type(value).__name__, "object")
    return kind + _ZONED if getattr(value, "tzinfo", None) is not None else kind


class Opaque(str):
    """A word for an object whose content is not looked at: its repr might run anything."""

    __slots__ = ()


def plain(value: Any, depth: int = 0) -> Any:
    """`value` without its library: None for every kind of missing, lists, dicts and scalars."""
    kind = type(value)
    if kind is float:
        return None if value != value else value
    if kind is int:
        bits = value.bit_length()
        return value if bits <= _LONGEST_INT else Opaque(f"(an integer of {bits:,} bits)")
    if kind in _PLAIN or value is None:
        return None if kind is Decimal and value.is_nan() else value
    name = kind.__name__
    if name in ("NaTType", "NAType"):
        return None
    if name == "Timestamp" and hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    if name == "Timedelta" and hasattr(value, "to_pytimedelta"):
        return value.to_pytimedelta()
    if name in ("Period", "Interval", "UUID") or name.endswith("Path"):
        return str(value)
    if name == "Series" and hasattr(value, "to_dict"):  # its name and labels are keys
        return plain({value.name or "": value.to_dict()}, depth)
    if name == "ndarray":
        more = (
            [Opaque(f"… {len(value) - _ITEMS} more")] if value.ndim and len(value) > _ITEMS else []
        )
        found = plain(value[:_ITEMS].tolist() if value.ndim else value.item(), depth)
        return [*found, *more] if more else found
    if name == "Series":
        return plain(value.to_list(), depth)
    if hasattr(value, "as_py"):  # pyarrow scalars
        return plain(value.as_py(), depth)
    if hasattr(value, "item") and kind.__module__.startswith("numpy"):
        return _of_numpy(value, kind, depth)
    if isinstance(value, str | bytes | int | Decimal | datetime | date | time | timedelta):
        return value
    if isinstance(value, float):
        return plain(float(value))
    return _container(value, depth)


def _of_numpy(value: Any, kind: type, depth: int) -> Any:
    if value.dtype.kind in "mM":  # of nanoseconds numpy gives a bare number
        value = value.astype(f"{value.dtype.kind}8[us]")
    inner = value.item()
    if type(inner) is kind:  # longer than Python's own
        return plain(float(value)) if value.dtype.kind == "f" else Opaque(f"({kind.__name__})")
    return plain(inner, depth)


def _container(value: Any, depth: int) -> Any:
    if depth >= _DEPTH:
        return Opaque("…")
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        items = list(value.items())[:_ITEMS]
        found = {str(plain(k, depth + 1)): plain(v, depth + 1) for k, v in items}
        return found if len(value) <= _ITEMS else {**found, "…": len(value) - _ITEMS}
    if isinstance(value, set | frozenset):
        return sorted((plain(item, depth + 1) for item in value), key=repr)[:_ITEMS]
    if isinstance(value, list | tuple):
        found_items = [plain(item, depth + 1) for item in value[:_ITEMS]]
        more = [Opaque(f"… {len(value) - _ITEMS} more")] if len(value) > _ITEMS else []
        return found_items + more
    return Opaque(f"({type(value).__name__})")


def shown(value: Any) -> str:
    """The text of a plain value; floats with six digits, bytes by their number."""
    if value is None:
        return ""
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else f"{value:.6g}"
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(value, list):
        return f"[{', '.join(_item(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_item(item)}' for key, item in value.items())}}}"
    return str(value)


def _item(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Opaque):
        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else shown(value)


def cut(text: str, width: int, length: int | None = None) -> str:
    """`text` in at most about `width` characters; a cut one says its whole length."""
    length = max(length or 0, len(text))
    if length <= width:
        return text
    return f"{text[: max(width - 8, 4)]}… ({length:,} characters)"


def leaves(value: Any) -> list[Any]:
    """Every scalar within `value`, the keys of dicts included."""
    if isinstance(value, dict):
        return [leaf for pair in value.items() for part in pair for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None or isinstance(value, Opaque) else [value]
