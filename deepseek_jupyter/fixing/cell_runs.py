"""The cells that ran in this kernel, and the error that came last, read from the running shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.asking.notebook_cells import cells_of
from deepseek_jupyter.cells.executed import Executed, log
from deepseek_jupyter.cells.failure import Failure
from deepseek_jupyter.cells.lineage import Lineage, NotebookCell
from deepseek_jupyter.display.frontend import shell
from deepseek_jupyter.errors import CellError

_NUMBER = re.compile(r"(?:In ?)?\[?(\d+)\]?$", re.IGNORECASE)
_OURS = re.compile(r"\s*%{1,2}(?:deepseek|ds)\b")


def executed() -> list[Executed]:
    """Every run that has ended, in order. Empty outside IPython.

    The shell remembers the sources of those that ran before the extension was loaded; the last that
    it remembers is the running cell's.
    """
    running = shell()
    if running is None:
        return []
    return log.runs(running.history_manager.input_hist_raw[:-1], running.transform_cell)


def last_failure() -> tuple[Executed, Failure]:
    """The cell that failed last and why. Raises `CellError` when none did, or it ran well since."""
    if log.error is None or log.failed is None:
        raise CellError("No cell has failed since the extension was loaded.")
    runs = executed()
    # IPython before 9.4 does not tell what it made of a cell; `executed` finds out.
    run = next((r for r in runs if r.count == log.failed.count), log.failed)
    same = (r for r in runs if (r.id == run.id if r.id or run.id else r.source == run.source))
    again = [r for r in same if r.count > run.count]
    if again and not again[-1].failed:
        raise CellError(f"{run.name} ran without an error as {again[-1].name}.")
    return run, Failure.of(log.error, _count_of)


def previous() -> Executed:
    """The newest run that is not a question to us. Raises `CellError` when there is none."""
    for run in reversed(executed()):
        if run.source.strip() and not _OURS.match(run.source):
            return run
    raise CellError("No cell has run before this one.")


def find(named: str) -> Executed:
    """A run by ``3``, ``In[3]``, its cell's id or a name. Raises `CellError` for none."""
    runs = executed()
    if number := _NUMBER.match(named):
        found = next((run for run in runs if run.count == int(number[1])), None)
    else:
        by_id = [run for run in runs if run.id == named]
        found = by_id[-1] if by_id else Lineage(runs).definition(named)
    if found is None:
        raise CellError(f"No cell ran as {named}, and none defined it.")
    return found


def iterators(namespace: Mapping[str, Any]) -> frozenset[str]:
    """The names whose values are used up by reading: generators, files, readers, zip and map."""
    return frozenset(
        name
        for name, value in list(namespace.items())
        if not name.startswith("_") and hasattr(type(value), "__next__")
    )


def saved_cells(content: object) -> dict[str, NotebookCell]:
    """The code cells of a notebook file by id; empty where it has none."""
    document = cells_of(content.get("cells") if isinstance(content, Mapping) else None, None)
    cells = enumerate(document.cells if document else ())
    return {cell.id: NotebookCell(index, cell.source) for index, cell in cells if cell.id}


def _count_of(file: str) -> int | None:
    """The count of the cell that a code's file name means, as IPython labels it."""
    running = shell()
    label = running.compile.format_code_name(file) if running is not None else None
    number = _NUMBER.match(label[1]) if label else None
    return int(number[1]) if number else None
