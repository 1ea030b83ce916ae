"""Where the state of the kernel and the notebook on the page have come apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .effects import effects
from .executed import Executed
from .lineage import Chosen

__all__ = ["Placed", "stale_notes"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A cell as it stands in the notebook now: its place from the top, and its source."""

    index: int
    source: str


def stale_notes(
    chosen: Iterable[Chosen],
    cell: Executed,
    runs: Sequence[Executed],
    notebook: Mapping[str, Placed] | None = None,
    saved: float = 0.0,
) -> list[str]:
    """One sentence for each definition that the page does not show as it took effect.

    `notebook` has the cells by id as they were `saved` (seconds since the epoch); what it says of
    runs that are newer proves nothing. Without it only the runs speak.
    """
    notes: list[str] = []
    bound: dict[str, Executed] = {}
    for item in sorted(chosen, key=lambda c: c.run.count):
        run, names = item.run, ", ".join(item.names)
        notes += _replaced(run, names, cell, runs)
        if notebook is not None and run.id is not None and 0 < run.at <= saved:
            notes += _edited(run, names, cell, notebook)
        for name in effects(run.python).binds & set(item.names):
            before = bound.get(name)
            if before is not None and notebook is not None and _stands_above(run, before, notebook):
                notes.append(
                    f"{name} was bound in {before.name} and again in {run.name}, above it."
                )
            bound[name] = run
    return list(dict.fromkeys(notes))


def _replaced(run: Executed, names: str, cell: Executed, runs: Sequence[Executed]) -> list[str]:
    """The same cell ran again with other code, which did not bind these names anew."""
    for newer in runs:
        same = run.id is not None and newer.id == run.id
        if same and run.count < newer.count < cell.count and newer.source != run.source:
            return [
                f"{run.name} was run again with other code as {newer.name}; "
                f"what it did to {names or 'other names'} is still in effect."
            ]
    return []


def _edited(run: Executed, names: str, cell: Executed, notebook: Mapping[str, Placed]) -> list[str]:
    placed = notebook.get(run.id or "")
    if placed is None:
        return [f"The cell that ran as {run.name} is no longer in the notebook."]
    notes = []
    if placed.source.rstrip() != run.source.rstrip():
        notes.append(f"The cell that ran as {run.name} was edited after it ran.")
    here = notebook.get(cell.id or "")
    if here is not None and placed.index > here.index:
        notes.append(f"{run.name} stands below {cell.name} and ran before it ({names}).")
    return notes


def _stands_above(run: Executed, before: Executed, notebook: Mapping[str, Placed]) -> bool:
    a, b = notebook.get(run.id or ""), notebook.get(before.id or "")
    return a is not None and b is not None and run.id != before.id and a.index < b.index
