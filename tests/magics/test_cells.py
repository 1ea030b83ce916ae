"""``--cells`` in a real shell: the notebook's own code goes along, from history, file or page."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from IPython.core.history import HistoryManager

from deepseek_jupyter import api
from deepseek_jupyter.asking import notebook_cells
from deepseek_jupyter.display.pages import pages
from tests.support.scripted import answer

KEEPS_OUTPUTS = hasattr(HistoryManager, "outputs")  # and errors; from IPython 9.1 on


def sent(server) -> str:
    return server.requests[-1].json["messages"][-1]["content"]


@pytest.fixture
def asked(run, server, shell):
    """Ask in a cell with flags; the user message that was sent."""
    for name in ("outputs", "exceptions"):  # IPython 9 keeps them for all shells of a process
        getattr(shell.history_manager, name, {}).clear()

    def ask(flags: str, prompt: str = "Why?") -> str:
        server.queue(answer("Because."))
        run(f"%%ds {flags}\n{prompt}")
        return sent(server)

    return ask


class TestHistory:
    def test_nothing_goes_along_unless_it_is_wanted(self, run, asked):
        run("secret_plan = 1")
        assert asked("") == "Why?"

    def test_the_cells_above_with_their_outputs(self, run, asked):
        run("n = 6 * 7")
        run("n")
        run("print('hello')")
        run("1 / 0")
        said = asked("--cells above")
        assert said.startswith("4 code cells of the notebook above this one:\n\nIn [1]:\nn = 6 * 7")
        assert "In [2]:\nn\nOut [2]:\n42" in said
        assert said.endswith("\n\nWhy?")
        assert "In [4]:\n1 / 0" in said
        if KEEPS_OUTPUTS:
            assert "1 / 0\nOut [4]:\nZeroDivisionError: division by zero" in said

    def test_prompts_of_ours_and_this_cell_are_left_out(self, run, asked, server):
        run("n = 1")
        asked("", "An earlier question")
        said = asked("--cells 5")
        assert "An earlier question" not in said
        assert "--cells" not in said
        assert said.startswith("1 code cell")

    def test_a_cell_run_twice_stands_once_where_it_was_run_last(self, run, asked):
        for code in ("n = 1", "m = 2", "n = 1"):
            run(code)
        said = asked("--cells above")
        assert said.count("n = 1") == 1
        assert said.index("m = 2") < said.index("n = 1")

    def test_a_second_question_tells_only_what_is_new(self, run, asked):
        run("n = 1")
        asked("--cells above")
        run("m = 2")
        said = asked("--cells above")
        assert "m = 2" in said
        assert "n = 1" not in said
        assert "1 unchanged, shown before" in said

    def test_setting_and_python(self, run, asked, server):
        run("n = 1")
        api.get_session().config.cells = "above"
        assert "n = 1" in asked("")
        assert asked("--cells none --no-history") == "Why?"
        server.queue(answer("Because."))
        ask = "r = ds.ask('So?', cells='1', history=False, show=False)"
        run(f"import deepseek_jupyter as ds; {ask}")
        assert "n = 1" in sent(server)
        assert "ds.ask" not in sent(server)

    def test_a_cell_that_awaits_the_answer_is_not_its_own_context(self, run, asked, server):
        run("n = 1")
        server.queue(answer("Because."))
        ask = "r = await ds.aask('So?', cells='all', history=False, show=False)"
        run(f"import deepseek_jupyter as ds\n{ask}")
        assert "n = 1" in sent(server)
        assert "ds.aask" not in sent(server)

    def test_a_run_that_keeps_no_history_hides_no_cell(self, run, asked, shell, server):
        run("n = 1")
        run("m = 2")
        server.queue(answer("Because."))
        shell.run_cell("%%ds --cells all\nWhy?", store_history=False)
        assert "m = 2" in sent(server)

    def test_it_passes_the_gate(self, run, asked):
        run("mail = 'ada@example.com'; print(mail)")
        said = asked("--cells above")
        assert "ada@example.com" not in said
        assert "<email-1>" in said

    @pytest.mark.parametrize("keeps", [KEEPS_OUTPUTS, False])
    def test_an_output_that_is_not_there_is_told_from_one_that_is_not_kept(
        self, run, asked, shell, monkeypatch, keeps
    ):
        run("n = 1")
        if not keeps:  # as before IPython 9.1
            monkeypatch.setattr(shell.history_manager, "outputs", None, raising=False)
        said = run("%%ds -a Out[1]\nWhy?")
        assert ("has left no output" in said) == keeps
        assert ("IPython before 9.1" in said) != keeps

    def test_a_choice_that_is_none_is_a_mistake(self, run, server):
        assert "above, all, none or a number" in run("%%ds --cells below\nWhy?")
        assert server.requests == []


class TestFile:
    def test_the_saved_notebook_tells_order_and_cells_that_were_never_run(
        self, run, asked, shell, tmp_path: Path, monkeypatch
    ):
        run("n = 1")
        cells = [
            {"cell_type": "code", "source": "never_run()", "id": "a", "outputs": []},
            {"cell_type": "code", "source": "%%ds\nWhy?", "id": "b", "outputs": []},
            {"cell_type": "code", "source": "below()", "id": "c", "outputs": []},
        ]
        path = tmp_path / "lab.ipynb"
        path.write_text(json.dumps({"cells": cells}), "utf-8")
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        parent = {"metadata": {"cellId": "b"}, "header": {"msg_id": "1"}}
        monkeypatch.setattr(type(shell), "get_parent", lambda self: parent, raising=False)
        said = asked("--cells all")
        assert "never_run()" in said
        assert "below()" in said
        assert "n = 1" not in said

    def test_a_file_that_does_not_know_the_cell_is_not_believed(
        self, run, asked, tmp_path, monkeypatch
    ):
        run("n = 1")
        path = tmp_path / "lab.ipynb"
        path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "old"}]}), "utf-8")
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        assert "n = 1" in asked("--cells above")


class Page:
    """A page's data comm, that answers a question for its document on another thread."""

    comm_id = "page"

    def __init__(self, cells: object) -> None:
        self.cells = cells

    def send(self, message: dict) -> None:
        if message["type"] == "document":
            body = {"type": "document", "ask": message["ask"], "cells": self.cells}
            threading.Thread(target=notebook_cells.take_document, args=[body]).start()


def test_a_page_tells_the_document_as_it_is_now(run, asked, monkeypatch):
    run("n = 1")
    unsaved = [{"cell_type": "code", "source": "just_typed()", "id": "x"}]
    monkeypatch.setattr(pages, "_data", {"page": Page(unsaved)})
    said = asked("--cells above")
    assert "just_typed()" in said
    assert "n = 1" not in said


def test_a_page_that_does_not_answer_is_not_waited_for(run, asked, monkeypatch):
    run("n = 1")
    monkeypatch.setattr(notebook_cells, "_PATIENCE", 0.01)
    page = Page([])
    page.send = lambda message: None
    monkeypatch.setattr(pages, "_data", {"page": page})
    assert "n = 1" in asked("--cells above")
