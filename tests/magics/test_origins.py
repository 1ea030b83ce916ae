"""Handing in: an export says which cells came from a model."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.magics.origins import origins
from tests.support.scripted import answer

CODE = "def twice(n):\n    return 2 * n"
ANSWER = f"Here it is:\n\n```python\n{CODE}\n```\n\n```sh\nls\n```"
TURN = Turn("t1", "c", "Write twice.", answer=ANSWER, model="deepseek-flash", status="done")


def cell(source: str | list[str], **metadata) -> dict:
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": []}


def test_cells_that_came_from_a_model_and_those_that_ask_one():
    cells = [
        cell("import math"),
        cell("%%ds --code\nWrite twice."),
        cell(f"{CODE}\n", deepseek={"turn": "t1", "model": "deepseek-flash"}),
        cell("def twice(n):\n    return n + n", deepseek={"turn": "t1", "model": "deepseek-flash"}),
        cell([line + "\n" for line in CODE.splitlines()]),  # pasted
        {"cell_type": "markdown", "source": CODE},
        cell("ls"),
        cell("reply = ds.ask('Hello?')"),
    ]
    assert origins(cells, [TURN]) == [
        "3 of 7 code cells came from a model; 2 ask one.",
        "Code cell 3: as deepseek-flash wrote it.",
        "Code cell 4: from deepseek-flash, changed since.",
        "Code cell 5: as deepseek-flash wrote it.",
    ]


@pytest.mark.parametrize("cells", [None, 7, {}, [], [7, None, {"cell_type": "raw"}]])
def test_what_is_no_notebook_has_none(cells):
    assert origins(cells, [TURN]) == []


def test_a_cell_that_is_nonsense_is_counted_and_harms_nothing():
    assert origins([{"cell_type": "code", "metadata": 7}], [TURN]) == [
        "0 of 1 code cells came from a model; 0 ask one."
    ]


@pytest.fixture
def handed_in(run, server, tmp_path, monkeypatch):
    book = tmp_path / "homework.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    made = nbformat.v4.new_notebook()
    hostile = {"turn": "t", "model": "<script>alert(1)</script>"}
    made.cells = [nbformat.v4.new_code_cell(CODE)]
    made.cells += [nbformat.v4.new_code_cell("2", metadata={"deepseek": hostile})]
    nbformat.write(made, book)
    server.queue(answer(ANSWER))
    run("%ds Write twice.")
    return book


@pytest.mark.parametrize("ending", ["md", "html"])
def test_the_export_says_so_for_people(handed_in, run, tmp_path, ending):
    told = run(f"%deepseek export {tmp_path / f'out.{ending}'}")
    assert "2 of 2 code cells came from a model" in told
    text = (tmp_path / f"out.{ending}").read_text()
    assert "Code cell 1: as deepseek-flash wrote it." in text
    assert "Code cell 2: from" in text
    assert "<script" not in text


def test_so_does_the_command_that_a_teacher_runs_on_the_file(
    handed_in, tmp_path, child_environment
):
    command = [sys.executable, "-m", "deepseek_jupyter", "export", handed_in, tmp_path / "all.md"]
    ran = subprocess.run(
        command, env=child_environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Code cell 1: as deepseek-flash wrote it." in ran.stdout
    assert "Code cell 1: as deepseek-flash wrote it." in (tmp_path / "all.md").read_text()
    assert json.loads(handed_in.read_text())
