"""The project's notebooks, executed on the embedded model as ``make run HEADLESS=1`` does it.

Those that ask what their recordings have (tests/test_packs.py) are answered by the model itself in
tests/everywhere/embedded.py: one request has one answer.
"""

from __future__ import annotations

import os
import re
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


class TestDocuments:
    """What a small model says, nobody knows; what the marks say of it is true."""

    notebook = "06-documents.ipynb"

    def test_each_quote_has_its_place_or_none(self, executed):
        check(executed)
        lines = (ROOT / "notebooks/data/minutes.txt").read_text().splitlines()
        marks = re.compile(
            r'(?:"([^"]+)"|^> (.+?)) \[(?:data/minutes\.txt:(\d+)(?:-(\d+))?|not found)\]', re.M
        )
        found = [m for turn in executed.turns for m in marks.finditer(turn["answer"])]
        assert len(executed.turns) == 2
        assert found
        for match in found:
            quote = " ".join((match[1] or match[2]).split())
            first, last = int(match[3] or 1), int(match[4] or match[3] or len(lines))
            stands = quote.rstrip(".") in " ".join(" ".join(lines[first - 1 : last]).split())
            assert stands == bool(match[3])

    def test_what_does_not_fit_is_refused_and_planned(self, executed):
        for part in ("--fit map asks each of", "The plan", "the most relevant", "Nothing was sent"):
            assert part in executed.printed


class TestRows:
    notebook = "07-rows.ipynb"
    edits = (("reviews.head(12)", "reviews.head(4)"),)  # each takes the model seconds

    def test_a_trial_its_rows_and_nothing_twice(self, executed):
        assert executed.errors == []
        for part in ("200, 200 different", "Nothing was sent", "4 of 4 rows", "0 requests"):
            assert part in executed.printed


class TestSwitching:
    notebook = "08-switching.ipynb"
    edits = ((", (8, 8), (25, 50), (64, 19), (7, 95)]", "]"),)

    def test_a_printed_table_and_a_suite_that_says_how_little_it_shows(self, executed):
        assert executed.errors == []
        for part in (
            "A trial of 2 of 4 cases",
            "Scored by number",
            "thinking",
            "Scored by python",
            "Not shown: thinking may be",
        ):
            assert part in executed.printed


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
