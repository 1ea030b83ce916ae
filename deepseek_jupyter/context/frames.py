"""Frames and series of every library as attachments: read, redacted, fitted to the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from math import prod
from typing import Any
from weakref import finalize

from deepseek_jupyter.errors import counted, shortened
from deepseek_jupyter.privacy.detectors import column_kind
from deepseek_jupyter.privacy.levels import (
    FULL,
    NONE,
    SAMPLE,
    SCHEMA,
    STATS,
    Level,
    Policy,
    plain_name,
)
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import Released, WithheldValues, too_short
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .attachment import Attachment, ColumnUse
from .card import Described, Facts, Rows, facts, fit, spread
from .table import HEAD, Column, Table, is_frame, is_lazy, leaves, plain, read, shown

_NAME = 60  # characters of a name
_MOST_TEXTS = 200_000  # distinct texts of a column that are withheld
_MOST_NUMBERS = 50_000
_SMALL = 200_000  # cells of a frame that is read for each question
_RECORD = ("{", "[", "<", "(")  # what begins a text that holds names and values
_NAMING = ("text", "category", "mixed", "object")
_SOFT = (False, True)

fits = is_frame


def fingerprint(value: Any) -> str:
    """The hash of its attachment, without the rest."""
    return _hash(read(value))


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """The card of a frame, each column at its level."""
    table = read(value)
    axis, inner = _axis_names(value), [_names_within(column) for column in table.columns]
    levels = levels_of(table, value, policy)
    # What all values of a column are, by its name or one within it: see `column_kind`.
    named = ((c.name, *names) for c, names in zip(table.columns, inner, strict=True))
    veils = [next(filter(None, map(column_kind, names)), None) for names in named]
    veils = [None if c.type == "bool" else v for c, v in zip(table.columns, veils, strict=True)]
    withheld = [redactor.withhold(_withheld(table, levels, soft=soft), soft=soft) for soft in _SOFT]
    every = [
        facts(column, table, level, veiled=veil is not None)
        for column, level, veil in zip(table.columns, levels, veils, strict=True)
    ]
    allowed = [_most_rows(level) for level in levels if level >= SAMPLE]
    chosen = shown_rows(len(table.places), allowed, policy.budget)
    before, figures = redactor.released, _figures(every)
    released = _released(table, levels, every, veils, chosen)
    redactor.released = before | figures | released
    columns = [
        _RedactedColumn(column, level, told, veil, redactor)
        for column, level, told, veil in zip(table.columns, levels, every, veils, strict=True)
    ]
    rows = _rows(table, columns, chosen)
    head = _head(redactor.redact(name), table, columns)
    fitted = fit(head, [column.described for column in columns], rows, policy.budget)
    most = max((n or table.rows or 0 for n in allowed), default=0)
    cut = [
        *_less(fitted.columns, len(columns), "columns"),
        *_less(fitted.rows, min(most, table.rows or most), "rows"),
        *fitted.cut,
    ]
    released = released.printed(fitted.text) | figures
    redactor.released = before | released
    return Attachment(
        name=name,
        kind="series" if table.series else "frame",
        text=fitted.text,
        source=table.kind,
        hash=_hash(table),
        policy=str(policy),
        tokens=estimate_tokens(fitted.text),
        columns=tuple(column.use(fitted.rows) for column in columns),
        rows=fitted.rows,
        all_rows=table.rows or 0,
        masked=redactor.count(fitted.text),
        withheld=tuple(filter(None, withheld)),
        released=released,
        notices=tuple(_unrecognised(table, levels, withheld)),
        labels=(*(c.name for c in table.columns), *axis, *(n for names in inner for n in names)),
        cut="; ".join(cut),
    )


def _less(shown: int, every: int, of: str) -> list[str]:
    return [f"{shown:,} of {every:,} {of}"] if shown < every else []


_remembered: dict[tuple[Any, ...], tuple[list[Any], Any]] = {}


def _once(ask: Callable[[], Any], key: Any, *frames: Any) -> Any:
    """`ask()`; of large frames once as long as they are there and keep their shape."""
    shapes = [getattr(frame, "shape", None) or (len(frame), 1) for frame in frames]
    if all(prod(shape) <= _SMALL for shape in shapes):
        return ask()
    place = (ask.__qualname__, *map(id, frames))
    known, answer = _remembered.get(place, ([], None))
    if [known[:-1], known[-1:]] != [shapes, [key]]:  # an id is given again
        answer = ask()
        _remembered[place] = ([*shapes, key], answer)
        for frame in frames:
            finalize(frame, _remembered.pop, place, None)
    return answer


def withhold(value: Any, policy: Policy, redactor: Redactor) -> tuple[WithheldValues, ...]:
    """Withhold the values that `policy` keeps of a frame that is not attached; of a lazy one none,
    for that would compute it.
    """
    if is_lazy(value):
        return ()

    def kept() -> list[dict[str, str]]:
        table = read(value)
        levels, names = levels_of(table, value, policy), {column.name for column in table.columns}
        hard, soft = ({**_withheld(table, levels, soft=soft)} for soft in _SOFT)
        # The frame's own card prints no text at ``stats``, so that no other card may release one.
        hard |= {text: soft.pop(text) for text in [*soft] if any(map(str.isalpha, text))}
        return [
            {t: label for t, label in texts.items() if t not in names} for texts in (hard, soft)
        ]

    found = _once(kept, str(policy), value)
    every = (redactor.withhold(t, soft=soft) for t, soft in zip(found, _SOFT, strict=True))
    return tuple(filter(None, every))


def may_be_made_of(value: Any, other: Any, names: Iterable[str]) -> bool:
    """Whether the frames have a value of these columns in common, or it cannot be determined."""

    def ask() -> bool:
        mine, theirs = _values_by_name(value), _values_by_name(other)
        pairs = [(mine.get(name), theirs.get(name)) for name in names]
        told = [(a, b) for a, b in pairs if a and b and len(a) < _MOST_NUMBERS > len(b)]
        return len(told) < len(pairs) or any(a & b for a, b in told)

    try:
        return is_lazy(value) or is_lazy(other) or _once(ask, sorted(names), value, other)
    except Exception:  # it cannot be compared: the stricter answer
        return True


def _values_by_name(value: Any) -> dict[str, set[str]]:
    """The values of each column as texts; of axes that are columns' values, the labels."""
    table = read(value)
    labels = {part for c in table.columns if not c.index for part in c.name.split(" / ")}
    found = {plain_name(name): labels for name in _axis_names(value)}
    return {**found, **{plain_name(c.name): set(_texts(c)) for c in table.columns}}


def _unrecognised(
    table: Table, levels: list[Level], withheld: Iterable[WithheldValues]
) -> Iterator[str]:
    """The notices about withheld values that would not be found in other texts."""
    for column, level in zip(table.columns, levels, strict=True):
        values = [shown(v) for v in column.values if v is not None] if level < STATS else []
        if column.type != "bool" and (count := too_short(values)):
            share = f"{max(count / len(values), 0.01):.0%}"
            yield f"{share} of `{column.name}` is too short to be recognised elsewhere."
        if more := _beyond(column) if level < SAMPLE else 0:
            yield f"{more:,} values of `{column.name}` are too many to be recognised elsewhere."
    if more := sum(index.dropped for index in withheld):
        yield f"{more:,} values are too many to be recognised elsewhere."


def _axis_names(value: Any) -> list[str]:
    """What the labels of pandas' columns are values of."""
    if type(value).__module__.partition(".")[0] not in ("pandas", "modin", "cudf", "dask"):
        return []
    names = getattr(getattr(value, "columns", None), "names", None) or ()
    return [str(name) for name in names if name is not None]


def _names_within(column: Column) -> dict[str, None]:
    """The keys of dicts and fields of structs in a column."""
    if not column.type.startswith(("struct", "list", "object", "mixed")):
        return {}
    found: dict[str, None] = {}
    todo = list(column.values)
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            found.update(dict.fromkeys(item))
            todo += item.values()
        elif isinstance(item, list):
            todo += item
    return found


def levels_of(table: Table, value: Any, policy: Policy) -> list[Level]:
    """The level of each column: the strictest of its own and of the names within it. Nothing leaves
    of columns whose labels are values that a rule keeps here; a name that is a value (transposed,
    melted) holds for every other column.
    """
    if any(policy.ruled(name) < SAMPLE for name in _axis_names(value)):
        return [policy.level(c.name) if c.index else NONE for c in table.columns]
    told = sorted((_told_in(column, policy), at) for at, column in enumerate(table.columns))
    return [
        min(
            policy.level(column.name),
            *map(policy.ruled, _names_within(column)),
            *map(policy.level_of_text, _records(column) if policy.names_columns else ()),
            *(level for level, other in told[:2] if other != at),
            FULL,
        )
        for at, column in enumerate(table.columns)
    ]


def _records(column: Column) -> list[str]:
    """Texts of a column, or within its values, that look like records of their own: JSON, XML; and
    names beside their values, as in a map.
    """
    if not column.type.startswith((*_NAMING, "list", "struct")):
        return []
    nested = not column.type.startswith(("text", "category"))
    texts = {leaf for value in column.values for leaf in leaves(value) if isinstance(leaf, str)}
    return [t for t in texts if nested or t.lstrip()[:1] in _RECORD]


def _told_in(column: Column, policy: Policy) -> Level:
    """The level of the names with a rule that are values of a column."""
    if not policy.names_columns or not column.type.startswith(_NAMING):
        return FULL
    found = {value for value in column.values if isinstance(value, str) and len(value) <= _NAME}
    return min((level for level in map(policy.ruled, found) if level < SAMPLE), default=FULL)


class _RedactedColumn:
    """A column under its level; every text of it has passed the redactor."""

    def __init__(
        self, column: Column, level: Level, told: Facts, veil: str | None, redactor: Redactor
    ) -> None:
        self.column, self.level, self._redactor = column, level, redactor
        self.veil = veil
        if level == NONE:
            self.name = redactor.pseudonym("column", column.name)
            self.described = Described(self.name, "withheld", ["withheld"] * 3)
            return
        short = len(column.name) < 2
        self.name = _clear((redactor.redact if short else redactor.redact_value)(column.name))
        details = told.described(redactor.redact, redactor.redact_value)
        label = f"{self.name} (index)" if column.index else self.name
        self.described = Described(label, details[0], details)

    def cell(self, at: int) -> str:
        text = shown(self.column.values[at])
        if not text or self.veil is None:
            return self._redactor.redact_value(text)
        return self._redactor.pseudonym(self.veil, text)

    def length(self, at: int) -> int:
        """Of the whole text, where it was read cut."""
        return self.column.sizes[at] if self.column.sizes else 0

    def use(self, rows: int) -> ColumnUse:
        """What of it leaves, in words, when the card shows `rows` rows."""
        if self.level == NONE:
            return ColumnUse(self.column.name, "none", "nothing")
        if self.level == SCHEMA:
            return ColumnUse(self.column.name, "schema", "name and type")
        allowed = _most_rows(self.level)
        count = rows if allowed is None else min(rows, allowed)
        parts = ["name, type, figures"]
        if self.level >= SAMPLE and self.veil is None:
            parts.append("frequent values")
        if count:
            masked = f", as <{self.veil}-…>" if self.veil else ""
            parts.append(f"values of {counted(count, 'row')}{masked}")
        return ColumnUse(self.column.name, str(self.level), "; ".join(parts))


def _head(name: str, table: Table, columns: list[_RedactedColumn]) -> str:
    """The first lines: what it is, how large, what was read of it."""
    name, read_rows = shortened(name, _NAME), len(table.places)
    width = counted(sum(not c.column.index for c in columns), "column")
    if table.rows is None:
        how = f"lazy: only its first {read_rows:,} rows were read; figures are theirs"
        return f"`{name}`: {width}, {HEAD:,} rows or more ({how})"
    remark = " (lazy: all of it was read)" if table.lazy else ""
    if not table.lazy and not table.whole:
        remark = f" (≈ is estimated from {read_rows:,} rows; the rest is exact)"
    return f"`{name}`: {counted(table.rows, 'row')} × {width}{remark}"


def _most_rows(level: Level) -> int | None:
    """How many rows of values may leave; None for any number."""
    if level < SAMPLE:
        return 0
    return None if level == FULL else level.rows


def _rows(table: Table, columns: list[_RedactedColumn], chosen: Sequence[int]) -> Rows:
    open_columns = [column for column in columns if column.level >= SAMPLE]
    allowed = [_most_rows(column.level) for column in open_columns]
    if not chosen:
        return Rows()
    cells = [
        [
            column.cell(at) if n is None or number < n else None
            for column, n in zip(open_columns, allowed, strict=True)
        ]
        for number, at in enumerate(chosen)
    ]
    lengths = [[column.length(at) for column in open_columns] for at in chosen]
    names, places = [c.name for c in open_columns], [table.places[at] for at in chosen]
    return Rows(names, places, cells, lengths, table.rows)


def shown_rows(read_rows: int, allowed: Sequence[int | None], budget: int) -> list[int]:
    """The rows, of so many read, whose values a card may show: as many as its budget could hold.

    `allowed` has for each open column how many of its values may leave, None for any number.
    """
    most = max((read_rows if n is None else min(n, read_rows) for n in allowed), default=0)
    return spread(read_rows, min(most, max(budget // max(len(allowed), 1), 1)))


def _clear(name: str) -> str:
    """A column's name on one line, in quotes where it would not be seen to end."""
    odd = not name or name != name.strip() or set(name) & set('\n\r\t,:;`"')
    text = repr(name) if odd else name
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}… ({len(name):,} characters)"


def _withheld(table: Table, levels: list[Level], *, soft: bool) -> dict[str, str]:
    """What the policy keeps here, texts before numbers, each with the word of its pseudonym.

    `soft`: values of the columns that show their figures; else those of the columns that do not,
    and names that do not leave.
    """
    found: dict[str, str] = {}
    pairs = list(zip(table.columns, levels, strict=True))
    kept = [pair for pair in pairs if (pair[1] == STATS if soft else pair[1] < STATS)]
    names = {column.name for column, level in pairs if level > NONE}
    for column, level in kept:
        if level == NONE:
            found[column.name] = "column"
    for column, level in sorted(kept, key=lambda pair: pair[0].type in ("int", "float")):
        label = column_kind(column.name) or "value"
        for text in _texts(column):
            if text and (level != SCHEMA or text not in names):
                found.setdefault(text, label)
    return found


def _released(
    table: Table,
    levels: list[Level],
    every: list[Facts],
    veils: Sequence[str | None],
    chosen: Sequence[int],
) -> Released:
    """The names and values that the card prints, as far as the budget holds them."""
    names, texts = set(), {f"{table.rows:,}"} if table.rows is not None else set[str]()
    for column, level, told, veil in zip(table.columns, levels, every, veils, strict=True):
        if level == NONE:
            continue
        names.add(column.name)
        texts |= {told.type} if "{" in told.type else set()
        texts |= {text for text, _ in told.top}
        if level >= SAMPLE and veil is None:
            most = _most_rows(level)
            texts.update(shown(column.values[at]) for at in chosen[:most])
    texts |= {str(table.places[at] + 1) for at in chosen}
    return Released(names, texts)


def _figures(every: list[Facts]) -> Released:
    """The figures of all columns, in each way in which they are written."""
    texts: set[str] = set()
    for told in every:
        texts |= told.numbers()
        for figure in told.figures:
            texts.update(_writings(figure))
            if isinstance(figure, datetime):
                texts.add(figure.date().isoformat())
    return Released(texts=texts)


def _texts(column: Column) -> Iterator[str]:
    """Every distinct value of a column as texts write it, up to a limit."""
    if column.type == "bool":
        return
    most = _most_kept(column)
    try:
        values = column.series.unique().head(most).to_list()
    except Exception:  # lists, dicts and mixed objects have no order and no hash
        values = column.series.head(most).to_list()
    for value in values:
        for leaf in leaves(plain(value)):
            yield from _writings(leaf)


def _most_kept(column: Column) -> int:
    return _MOST_NUMBERS if column.type in ("int", "float", "decimal") else _MOST_TEXTS


def _beyond(column: Column) -> int:
    """How many distinct values there are beyond those of `_texts`."""
    most = _most_kept(column)
    try:
        return max(0, int(column.series.n_unique()) - most) if len(column.series) > most else 0
    except Exception:  # no hash, so no count: as many as there can be
        return len(column.series) - most


def _writings(leaf: Any) -> Iterator[str]:
    """The ways in which Python writes a value."""
    if isinstance(leaf, bytes):
        yield leaf.decode("utf-8", "replace")
        yield repr(leaf)[2:-1]
    elif isinstance(leaf, float):
        yield from {repr(leaf), shown(leaf)}
    else:
        yield str(leaf)
        if hasattr(leaf, "isoformat"):
            yield from {leaf.isoformat(), shown(leaf)}


def _hash(table: Table) -> str:
    """A digest of shape, types, exact figures and the rows read."""
    digest = blake2b(repr((table.kind, table.rows)).encode(), digest_size=8)
    for c in table.columns:
        figures = (c.name, c.type, c.index, c.missing, c.low, c.high, c.total, c.lengths, c.sizes)
        digest.update(repr((figures, c.values)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
