"""The project's notebooks, executed on the embedded model as ``make run HEADLESS=1`` does it.

Those that ask what their recordings have (tests/test_packs.py) are answered by the model itself in
tests/everywhere/embedded.py: one request has one answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from .local.conftest import installed_home, model_file  # noqa: F401
from .support.notebooks import Executed, execute

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.local_model, pytest.mark.kernel, pytest.mark.timeout(600)]


@pytest.fixture(scope="class")
def runs(request, installed_home, tmp_path_factory) -> list[Executed]:  # noqa: F811
    """The notebook of the test's class, with the class's edits and as often as it says."""
    folder, of = tmp_path_factory.mktemp("notebooks"), request.cls
    edits, again = getattr(of, "edits", ()), getattr(of, "again", ())
    return execute(of.notebook, installed_home, folder, edits, again)


@pytest.fixture(scope="class")
def executed(runs: list[Executed]) -> Executed:
    """The same where it was run once."""
    (once,) = runs
    return once


def check(executed: Executed) -> None:
    """What holds for every notebook."""
    nbformat.validate(executed.notebook)
    assert executed.errors == []
    for turn in executed.turns:
        assert turn["status"] == "done"
        assert turn["answer"].strip()
        assert turn["provider"] == "local"
        assert f"-- {turn['footer']}" in executed.printed


class TestAsk:
    notebook = "01-ask.ipynb"
    again = ("--think",)  # which takes half of the time; `test_answers` repeats thinking

    def test_every_question_is_answered_by_the_embedded_model(self, runs):
        for executed in runs:
            check(executed)
            assert len(executed.turns) >= (6 if executed is runs[0] else 5)
            assert "Paris" in executed.turns[0]["answer"]
        assert sum(bool(turn["reasoning"]) for turn in runs[0].turns) == 1

    def test_the_second_run_gives_the_same_answers(self, runs):
        first, second = (
            [(t["prompt"], t["answer"]) for t in run.turns if not t["reasoning"]] for run in runs
        )
        assert first == second

    def test_the_conversation_is_remembered(self, runs):
        answers = {turn["prompt"]: turn["answer"] for turn in runs[0].turns}
        assert "Ada" in answers["What is my name?"]

    def test_question_and_answer_are_printed(self, runs):
        for turn in runs[0].turns:
            assert f">>> {turn['prompt']}" in runs[0].printed
            assert turn["answer"] in runs[0].printed
        assert "Saved: " in runs[0].printed


def test_sparse_attention_is_learned_in_half_a_minute_with_numpy_alone():
    from nbclient import NotebookClient

    path = ROOT / "notebooks" / "09-sparse-attention.ipynb"
    notebook = nbformat.read(path, 4)
    # Not `ru_maxrss`: a process begins with that of the one which started it.
    measure = "import sys\nfor line in open('/proc/self/status'):\n"
    measure += "    if line.startswith('VmHWM'): print(line.split()[1])\n"
    measure += "print(sorted({'pandas', 'torch', 'matplotlib', 'httpx'} & {*sys.modules}))"
    notebook.cells.append(nbformat.v4.new_code_cell(measure))
    began = time.process_time()
    before = os.times()
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()  # its asserts are in it
    after = os.times()
    used = after.children_user - before.children_user + time.process_time() - began
    kilobytes, imported = notebook.cells[-1].outputs[0].text.splitlines()
    assert imported == "[]"
    assert int(kilobytes) <= 400_000
    assert used <= 30


def test_notebooks_in_two_languages_are_those_of_their_source():
    made = subprocess.run(
        [sys.executable, "-c", "import bilingual as b; print([p.name for p, t in b.built().items()"
         " if p.read_text('utf-8') != t], len(b.built()))"],
        cwd=ROOT / "notebooks", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.startswith("[] ")
    assert int(made.stdout.split()[-1]) >= 2
