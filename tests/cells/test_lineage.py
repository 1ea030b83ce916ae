"""Which earlier cells a cell depends on."""

from __future__ import annotations

import pytest

from deepseek_jupyter.cells.executed import Executed
from deepseek_jupyter.cells.lineage import Lineage, Selection, alike


def runs(*sources: str) -> list[Executed]:
    return [Executed(count, source, source) for count, source in enumerate(sources, 1)]


def choose(*sources: str, **options) -> Selection:
    """For the last of the cells."""
    done = runs(*sources)
    iterators = options.pop("iterators", ())
    return Lineage(done, iterators).choose(done[-1], **options)


def counts(*sources: str, **options) -> list[int]:
    return [chosen.run.count for chosen in choose(*sources, **options).cells]


CHOSEN = {
    "only what it reads": (["a = 1", "b = 2", "a"], [1]),
    "transitively": (["a = 1", "b = a", "c = b", "z = 9", "c"], [1, 2, 3]),
    "the newest definition": (["a = 1", "a = 2", "a"], [2]),
    "one built upon itself": (["a = [1]", "a = a + [2]", "a"], [1, 2]),
    "what changed it since": (["a = []", "a.append(1)", "b = 1", "a"], [1, 2]),
    "no change before it was bound": (["a.append(1)", "a = []", "a"], [2]),
    "definitions on some path": (["a = 1", "if c:\n    a = 2", "a"], [1, 2]),
    "as it was at that time": (["a = 1", "b = a", "a = 'later'", "b"], [1, 2]),
    "functions read their globals when called": (
        ["k = 1", "def f(): return k", "k = 2", "f()"],
        [2, 3],
    ),
    "a function that assigns a global": (
        ["n = 0", "def f():\n    global n\n    n = 1", "f()", "n"],
        [1, 2, 3],
    ),
    "a function that changes its argument": (
        ["def f(d): d.pop()", "x = [1]", "f(x)", "x[0]"],
        [1, 2, 3],
    ),
    "a change through another name": (["a = [1]", "b = a", "b.clear()", "a[0]"], [1, 2, 3]),
    "in a loop over names": (
        ["a = [1]", "b = [2]", "for x in (a, b):\n    x.clear()", "a[0]"],
        [1, 2, 3],
    ),
    "no change through a name that stood for something else": (
        ["a = [1]", "b = a", "b = [2]", "b.clear()", "a[0]"],
        [1],
    ),
    "a change through a name of a name": (
        ["a = [1]", "b = a", "c = b", "c.clear()", "a[0]"],
        [1, 2, 3, 4],
    ),
    "a change through a name whose own source stands for something else by now": (
        ["a = [1]", "b = a", "c = b", "b = 0", "c.clear()", "a[0]"],
        [1, 2, 3, 5],
    ),
    "no call of a module's functions for the module": (
        ["import np", "np.seed(1)", "np.array([1])", "np.mean()"],
        [1],
    ),
    "deletion, and what was deleted": (["a = 1", "del a", "a"], [1, 2]),
    "a reset": (["a = 1", "get_ipython().run_line_magic('reset', '-f')", "a"], [1, 2]),
    "a star import, for want of another": (["b = 1", "from m import *", "a"], [2]),
    "nothing of its own": (["a = 1", "a = 2\nprint(a)"], []),
}


@pytest.mark.parametrize("claim", CHOSEN)
def test_chosen_are(claim):
    sources, expected = CHOSEN[claim]
    assert counts(*sources) == expected


def test_reading_an_iterator_uses_it_up():
    cells = ["it = iter([1])", "list(it)", "next(it)"]
    assert counts(*cells) == [1]
    assert counts(*cells, iterators=["it"]) == [1, 2]


def test_cells_that_stand_in_the_traceback_are_chosen():
    assert counts("def f(): pass", "x = 1", "g()", called=[1, 3]) == [1]


def test_a_cell_that_knows_a_similar_word_is_chosen_for_a_missing_one():
    cells = ["def load_data(): pass", "colours = 3", "load_frame()"]
    assert counts(*cells) == []
    assert counts(*cells, missing=["load_frame"]) == [1]
    assert counts("d = {'Price': 1}", "x = 1", "y['price']", missing=["price"]) == [1]


LONG = "filler = '" + "x" * 600 + "'"


def test_the_nearest_fit_into_the_budget_first():
    cells = [f"a = 1; {LONG}", f"b = a; {LONG}", f"c = b; {LONG}", "c"]
    size = len(cells[0]) // 3 + 1
    assert counts(*cells, budget=2 * size) == [2, 3]
    left = choose(*cells, budget=2 * size).left_out
    assert [chosen.run.count for chosen in left] == [1]


def test_names_on_the_failing_line_come_before_the_others():
    cells = [f"a = 1; {LONG}", f"b = 1; {LONG}", "b\na"]
    size = len(cells[0]) // 3 + 1
    assert counts(*cells, budget=size) == [2]
    assert counts(*cells, budget=size, first=["a"]) == [1]


def test_of_a_long_cell_the_statements_that_matter():
    cells = [f"{LONG}\na = 1\n{LONG}", "a"]
    (chosen,) = choose(*cells, budget=100).cells
    assert (chosen.text, chosen.whole) == ("# …\na = 1\n# …", False)


def test_a_thousand_cells_are_followed():
    cells = ["x0 = 1", *(f"x{n} = x{n - 1}" for n in range(1, 1000)), "x999"]
    assert len(choose(*cells, budget=10**9).cells) >= 100


def test_where_a_name_was_defined():
    lineage = Lineage(runs("def f(): pass", "x = f", "f = f", "x = 2"))
    assert lineage.definition("f").count == 1
    assert lineage.definition("x").count == 4
    assert lineage.definition("nothing") is None


ALIKE = {
    "pirce": "price",
    "Price": "price",
    "load_frame": "load_data",
    "np": "numpy",
    "pd": "pandas",
}


@pytest.mark.parametrize("word", ALIKE)
def test_alike(word):
    assert alike(word, [ALIKE[word], "quite", "other", "things"]) == [ALIKE[word]]
