"""Where the kernel and the page have come apart."""

from __future__ import annotations

from deepseek_jupyter.cells.executed import Executed
from deepseek_jupyter.cells.lineage import Lineage, NotebookCell, stale_notes


def notes(*cells: tuple[str, str], notebook: dict[str, NotebookCell] | None = None) -> list[str]:
    """For the last of the cells, each (id, source); all of them ran at 1, the file is of 2."""
    runs = [Executed(n, text, text, name, at=1.0) for n, (name, text) in enumerate(cells, 1)]
    chosen = Lineage(runs).choose(runs[-1]).cells
    return stale_notes(chosen, runs[-1], runs, notebook, saved=2.0)


def test_a_cell_that_ran_again_with_other_code():
    told = notes(("a", "limit = 1"), ("a", "bound = 1"), ("b", "limit"))
    assert told == [
        "In[1] was run again with other code as In[2]; what it did to limit is still in effect."
    ]
    assert notes(("a", "limit = 1"), ("a", "limit = 2"), ("b", "limit")) == []


def test_a_cell_that_was_edited_after_it_ran():
    cells = (("a", "limit = 1"), ("b", "limit"))
    page = {"a": NotebookCell(0, "limit = 2"), "b": NotebookCell(1, "limit")}
    assert notes(*cells, notebook=page) == ["The cell that ran as In[1] was edited after it ran."]
    assert notes(*cells, notebook={**page, "a": NotebookCell(0, "limit = 1\n")}) == []


def test_a_cell_that_is_gone():
    told = notes(("a", "limit = 1"), ("b", "limit"), notebook={"b": NotebookCell(0, "limit")})
    assert told == ["The cell that ran as In[1] is no longer in the notebook."]


def test_a_file_that_is_older_than_the_run_proves_nothing():
    run, last = Executed(1, "x = 1", "x = 1", "a", at=5.0), Executed(2, "x", "x", "b", at=6.0)
    chosen = Lineage([run, last]).choose(last).cells
    page = {"a": NotebookCell(0, "old")}
    assert stale_notes(chosen, last, [run, last], page, saved=4.0) == []
    assert stale_notes(chosen, last, [run, last], page, saved=7.0) != []


def test_a_definition_below_its_use():
    page = {"a": NotebookCell(1, "x = 1"), "b": NotebookCell(0, "x")}
    told = notes(("a", "x = 1"), ("b", "x"), notebook=page)
    assert told == ["In[1] is below In[2] and ran before it (x)."]
