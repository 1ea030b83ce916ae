"""What a call returned, as text for the model: within a cap of rows and characters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.context.table import plain, shown

__all__ = ["ROWS", "TOKENS", "Told", "told"]

ROWS = 50  # that the model reads
TOKENS = 2_000  # that they may take
_CHARACTERS_A_TOKEN = 3  # 1 English character is about 0.3 tokens
_NOTHING = "(done; it returned nothing)"


@dataclass(frozen=True, slots=True)
class Told:
    """`text` for the model; `whole` is False where it is only the beginning."""

    text: str
    whole: bool = True


def told(value: Any, *, rows: int = ROWS, tokens: int = TOKENS, name: str = "") -> Told:
    """`value` as text. What is over a cap is cut; `name` is where the whole of it stays."""
    frame = _frame(value)
    if frame is not None:
        text, cut = _of_frame(frame, rows)
    elif isinstance(value, str):
        text, cut = value, ""
    elif value is None:
        text, cut = _NOTHING, ""
    else:
        text, cut = _of_value(value, rows)
    longest = tokens * _CHARACTERS_A_TOKEN
    if len(text) > longest:
        cut = f"cut after {longest:,} of {len(text):,} characters"
        text = text[:longest]
    if not cut:
        return Told(text)
    kept = f"; the whole is the notebook's variable {name}" if name else ""
    return Told(f"{text}\n… ({cut}{kept})", whole=False)


def _frame(value: Any) -> Any:
    """`value` as a narwhals frame or series; None for anything else."""
    import narwhals.stable.v2 as nw

    if isinstance(value, str | int | float | list | dict | tuple) or value is None:
        return None
    found = nw.from_native(value, pass_through=True, allow_series=True)
    if isinstance(found, nw.LazyFrame):
        return found
    return found if isinstance(found, nw.DataFrame | nw.Series) else None


def _of_frame(frame: Any, rows: int) -> tuple[str, str]:
    """A table as comma-separated lines, the form that costs the fewest tokens."""
    import narwhals.stable.v2 as nw

    if isinstance(frame, nw.Series):
        frame = frame.to_frame()
    if isinstance(frame, nw.LazyFrame):  # one row more tells whether there are more
        head, count = frame.head(rows + 1).collect(), None
    else:
        head, count = frame.head(rows + 1), len(frame)
    more = len(head) > rows
    lines = [_line(head.columns)]
    lines += [_line(row) for row in head.head(rows).iter_rows()]
    in_all = f" of {count:,}" if count is not None else ""
    return "\n".join(lines), f"the first {rows}{in_all} rows" if more else ""


def _line(values: Sequence[Any]) -> str:
    return ",".join(_cell(value) for value in values)


def _cell(value: Any) -> str:
    text = shown(plain(value)) if isinstance(value, float) or value is None else str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',"\n\r') else text


def _of_value(value: Any, rows: int) -> tuple[str, str]:
    cut = ""
    if (
        isinstance(value, Sequence | Set)
        and not isinstance(value, bytes | range)
        and (len(value) > rows)
    ):
        cut = f"the first {rows} of {len(value):,} items"
        value = list(value)[:rows]
    elif isinstance(value, Mapping) and len(value) > rows:
        cut = f"the first {rows} of {len(value):,} entries"
        value = dict(list(value.items())[:rows])
    return _json(value), cut


def _json(value: Any) -> str:
    """JSON where the value has such a form, else its repr."""
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return json.dumps(to_jsonable_python(value), ensure_ascii=False)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError):
        return repr(value)
