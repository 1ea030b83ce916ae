"""The first rows of a frame whose library computes later, and nothing beyond them."""

from __future__ import annotations

import sys
import warnings
from typing import Any

__all__ = ["HEAD", "head", "is_dask", "is_lazy"]

HEAD = 1_000  # rows
_PARTITIONS = 16  # of a Dask frame, at most


def is_dask(value: Any) -> bool:
    """Whether it is a frame or series of Dask."""
    root = type(value).__module__.partition(".")[0]
    return root in ("dask", "dask_expr") and hasattr(value, "npartitions")


def is_lazy(native: Any) -> bool:
    """Whether its values are still to be computed."""
    import narwhals as nw

    if is_dask(native):
        return True
    if nw.dependencies.is_pandas_like_dataframe(native) or nw.dependencies.is_pyarrow_table(native):
        return False
    return isinstance(nw.from_native(native, allow_series=True), nw.LazyFrame)


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
