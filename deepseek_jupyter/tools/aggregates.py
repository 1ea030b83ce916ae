"""The aggregate gate: a model's SQL over protected frames, checked and written again.

A statement has one meaning. Is every row of its result an aggregate, the frames in it are all of
their rows; is none, they are the rows that the card may show (`Query.scope`). Each SELECT over
protected rows is grouped or total, and drops groups of fewer than `least` different rows (or
units) per frame; `sql_select` says what its aggregates may read.

What runs is written here from the checked tree, with names and brackets of our own: nothing that
is not understood passes. Differences between two statements are not looked for.

Pure: values in, values out. The caller fills tables under the frames' names: for ``all`` every row
of the columns from `stats` up (and the unit), with pseudonyms for texts that may not leave; for
``sample`` and ``full`` only what may leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deepseek_jupyter.privacy.levels import FULL, SAMPLE

from . import sql_tree as tree
from .sql_select import LEAST, Gate, GatedFrame
from .sql_tree import AGGREGATES, SCALARS, WINDOWS, function, kind, makes_one_of_many, refuse

_FLOOR = 2  # rows of a group; no setting goes below it


@dataclass(frozen=True, slots=True)
class Query:
    """What runs, over which rows, and what is said of it.

    `labels` are places of output columns whose values leave as pseudonyms. `left_out` counts the
    groups that are missing: one value, NULL where the count would tell of a single one.
    """

    sql: str
    scope: Literal["all", "sample", "full"]
    notes: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    left_out: str = ""


def check(
    text: str, frames: Iterable[GatedFrame], least: int = LEAST, restore: Callable[[str], str] = str
) -> Query:
    """The query to run for `text`. `restore` puts originals for pseudonyms in literals that are
    compared with numbers and dates.

    Raises `QueryRefusedError`; its hint says how to write the statement instead.
    """
    known = {frame.name.casefold(): frame for frame in frames if frame.columns}
    if known and not any(frame.below(FULL) for frame in known.values()):
        return Query(text, "full")
    statement = tree.parsed(text)
    used = _used(statement, known)
    if not any(_closed(statement, frame) for frame in used):
        return Query(tree.written(statement), "full")
    if not any(map(makes_one_of_many, statement.walk())):
        return _of_samples(statement, used)
    gate = Gate(known, max(_FLOOR, least), restore)
    try:
        found = gate.query(statement, {}, titled=True)
    except RecursionError:
        refuse("The query is nested too deeply.", "Write it with fewer levels.")
    if found.owners:
        refuse(
            "The result has rows of the data beside aggregates.",
            "Ask in two statements: the aggregate first, then write its value into the other.",
        )
    rows = " and ".join(f"all {frame.size} of {frame.name}" for frame in used)
    notes = [f"Computed over {rows}; groups of fewer than {gate.least} are left out."]
    if gate.joined:
        notes.append("Sums and means over rows that a join repeats are NULL.")
    labels = tuple(at for at, (_, value) in enumerate(found.columns) if value.label)
    return Query(found.sql, "all", tuple(notes), labels, found.left_out)


# What kind of statement it is


def _used(statement: Any, known: Mapping[str, GatedFrame]) -> list[GatedFrame]:
    own = {node.alias.casefold() for node in statement.walk() if kind(node) == "CTE"}
    found: dict[str, GatedFrame] = {}
    for node in statement.walk():
        if kind(node) != "Table":
            continue
        plain = kind(node.this) == "Identifier" and not node.args.get("db")
        name = node.name.casefold() if plain else ""
        if name in known:
            found[name] = known[name]
        elif name not in own:
            names = ", ".join(frame.name for frame in known.values()) or "none"
            what = tree.written(node)[:60] if plain or node.name else "like this"
            refuse(f"There is no table {what} here.", f"There are: {names}.")
    return list(found.values())


def _closed(statement: Any, frame: GatedFrame) -> bool:
    """Whether `statement` may read a column of `frame` that is not at `full`."""
    closed = frame.below(FULL)
    if len(closed) == len(frame.columns):
        return True
    for node in statement.walk() if closed else ():
        if kind(node) == "Star" and function(node.parent) != "count":
            return True
        if kind(node) == "Identifier" and node.name.casefold() in closed:
            return True
    return False


def _of_samples(statement: Any, used: Iterable[GatedFrame]) -> Query:
    """`statement` over the rows that cards may show: all that its tables hold may leave."""
    notes = []
    for frame in used:
        below = frame.below(SAMPLE)
        names = [n.name for n in statement.walk() if kind(n) == "Column"]
        told = next((name for name in names if name.casefold() in below), "")
        if told or len(below) == len(frame.columns):
            refuse(
                f"Rows of {told or frame.name} may not leave, only aggregates.",
                "Write it with GROUP BY, count, sum or avg, without other columns.",
            )
        if frame.below(FULL):
            notes.append(f"{frame.shown:,} of {frame.size} of {frame.name}")
    for name in filter(None, map(function, statement.walk())):
        if name not in SCALARS and name not in WINDOWS and name not in AGGREGATES:
            refuse(f"The function {name} does not run here.", f"There are: {', '.join(SCALARS)}.")
    return Query(tree.written(statement), "sample", tuple(notes))
