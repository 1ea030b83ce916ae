"""The changes that an answer proposes, and how they are shown."""

from __future__ import annotations

import pytest

from deepseek_jupyter.cells.edits import diff, read_edits
from deepseek_jupyter.cells.executed import Executed
from deepseek_jupyter.cells.lineage import prompt
from deepseek_jupyter.sanitizer.text import fenced

CELLS = {n: Executed(n, f"x = {n}") for n in (1, 2, 3)}


def edits(*blocks: tuple[str, str]) -> dict[int, str]:
    found, _ = read_edits(blocks, CELLS, 3)
    return {edit.run.count: edit.after for edit in found}


@pytest.mark.parametrize(
    "info", ["python In[2]", "python In [2]", "python cell=2", "py [2]", "python title='In[2]'"]
)
def test_a_block_is_for_the_cell_its_fence_names(info):
    assert edits((info, "x = 9\n")) == {2: "x = 9"}


def test_or_its_first_line():
    assert edits(("python", "# In[2]:\nx = 9")) == {2: "x = 9"}


def test_a_single_block_is_for_the_failing_cell():
    assert edits(("python", "x = 9")) == {3: "x = 9"}


def test_beside_named_blocks_an_unnamed_one_is_an_example():
    assert edits(("python", "example()"), ("python In[1]", "x = 9")) == {1: "x = 9"}


def test_the_last_block_of_a_cell_counts_and_no_change_is_none():
    assert edits(("python In[1]", "x = 8"), ("python In[1]", "x = 9")) == {1: "x = 9"}
    assert edits(("python In[1]", "x = 1\n"), ("python In[2]", "  \n")) == {}


def test_a_cell_that_was_not_sent_is_told():
    found, told = read_edits([("python In[7]", "x = 9")], CELLS, 3)
    assert found == []
    assert told == ["The answer changes In[7], which was not sent; that is left out."]


def test_a_difference_holds_the_changed_lines_and_some_around():
    before = "\n".join(f"line {n}" for n in range(20))
    lines = diff(before, before.replace("line 10", "line ten").replace("line 19", ""))
    assert ("-", "line 10") in lines
    assert ("+", "line ten") in lines
    assert ("@", "…") in lines
    assert (" ", "line 1") not in lines
    assert diff("same", "same\n") == []


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b", "\ufeff", "\x00", "\u2066"])
def test_nothing_in_a_difference_is_hidden(hidden):
    ((_, old), (_, new)) = diff("a", f"a{hidden}")
    assert old == "a"
    assert hidden not in new
    assert f"U+{ord(hidden):04X}" in new


def test_a_fence_is_longer_than_those_in_the_cell():
    text = fenced('"""\n```\ncode\n````\n"""', "python")
    assert text.startswith("`````python\n")
    assert text.endswith("\n`````")


def test_a_dollar_in_a_cell_is_no_part_of_a_prompt():
    parts = dict.fromkeys(("failure", "notes", "target", "name"), "")
    assert "x = '$notes ${name}'" in prompt("fix", cells="x = '$notes ${name}'", **parts)
