"""The material of a question about a cell: the cells it depends on, the error, what is stale."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepseek_jupyter.cells.effects import effects
from deepseek_jupyter.cells.excerpt import names_on_line
from deepseek_jupyter.cells.executed import Executed
from deepseek_jupyter.cells.lineage import Lineage, Selection
from deepseek_jupyter.cells.stale import Placed, stale_notes
from deepseek_jupyter.cells.wording import cells_text, notes_text, prompt
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.protocol.tokens import estimate_tokens
from deepseek_jupyter.session.memory import notebook_content

from .runs import executed, iterators, notebook_cells

if TYPE_CHECKING:
    from deepseek_jupyter.cells.failure import Failure

__all__ = ["Material", "gather"]


@dataclass(frozen=True, slots=True)
class Material:
    """What a question about `cell` says beside the user's own words.

    `on_the_line` are the names in the statement that failed.
    """

    cell: Executed
    selection: Selection
    runs: tuple[Executed, ...]
    notes: tuple[str, ...]
    failure: Failure | None
    on_the_line: frozenset[str]

    @property
    def cells(self) -> dict[int, Executed]:
        """The cells that an answer may rewrite, by count: shown whole, and as they are now."""
        shown = [chosen.run for chosen in self.selection.cells if chosen.whole]
        newest = {run.id: run.count for run in self.runs if run.id}
        return {
            run.count: run
            for run in [*shown, self.cell]
            if run.id is None or newest.get(run.id, run.count) <= run.count or run is self.cell
        }

    def text(self, kind: str, target: str) -> str:
        """The prompt `kind` about `target`."""
        return prompt(
            kind,
            cells=cells_text(self.selection.cells, self.cell, self.selection.left_out),
            notes=notes_text(self.notes),
            target=target,
            name=self.cell.name,
            failure=self.failure.text() if self.failure else "",
        )


def gather(
    cell: Executed, failure: Failure | None, *, budget: int, notebook: str | None
) -> Material:
    """`budget` is in tokens, for the earlier cells; `notebook` the path of the notebook file."""
    runs = executed()
    namespace = user_namespace()
    lineage = Lineage(runs, iterators(namespace))
    line = failure.line_in(cell.count) if failure else None
    first = names_on_line(cell.python, line) & effects(cell.python).reads if line else frozenset()
    selection = lineage.choose(
        cell,
        first=first,
        called=failure.cells if failure else (),
        missing=failure.missing if failure else (),
        budget=budget,
        count=estimate_tokens,
    )
    placed, saved = _saved(notebook)
    notes = stale_notes(selection.cells, cell, runs, placed, saved)
    return Material(cell, selection, tuple(runs), tuple(notes), failure, first)


def _saved(path: str | None) -> tuple[dict[str, Placed] | None, float]:
    """The notebook's cells by id as they were saved last, and when that was."""
    placed = notebook_cells(notebook_content(path))
    try:
        return placed or None, os.path.getmtime(path) if path else 0.0
    except OSError:
        return None, 0.0
