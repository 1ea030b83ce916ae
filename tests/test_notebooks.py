"""The first notebook, executed on the embedded model as ``make run HEADLESS=1`` does it, twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .local.conftest import installed_home, model_file  # noqa: F401

pytestmark = [pytest.mark.local_model, pytest.mark.kernel, pytest.mark.timeout(400)]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
TURN_MIME = "application/vnd.deepseek.turn+json"


@pytest.fixture(scope="module")
def executed(installed_home: Path, tmp_path_factory: pytest.TempPathFactory):  # noqa: F811
    """(what was printed, the executed notebook) of two runs of a copy."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name in ("01-ask.ipynb", "run.py"):
        shutil.copy(NOTEBOOKS / name, folder)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DEEPSEEK_")},
        "DEEPSEEK_JUPYTER_HOME": str(installed_home),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    runs = []
    try:
        for _ in range(2):
            ran = subprocess.run(
                [sys.executable, "run.py", "01-ask.ipynb", "--headless"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=190,
                check=False,
            )
            assert ran.returncode == 0, ran.stderr
            saved = folder / "executed" / "01-ask.ipynb"
            runs.append((ran.stdout, nbformat.read(saved, as_version=4)))
    finally:
        _stop(environment)
    return runs


def _stop(environment: dict[str, str]) -> None:
    code = "from deepseek_jupyter import local; local.stop_server()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)


def turns(notebook: Any) -> list[dict[str, Any]]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [o["data"][TURN_MIME] for o in outputs if TURN_MIME in o.get("data", {})]


def test_every_question_is_answered_by_the_embedded_model(executed):
    for _, notebook in executed:
        found = turns(notebook)
        assert len(found) >= 6
        assert all(turn["answer"].strip() and turn["status"] == "done" for turn in found)
        assert {turn["provider"] for turn in found} == {"local"}
        assert sum(bool(turn["reasoning"]) for turn in found) == 1
        assert "Paris" in found[0]["answer"]


def test_the_second_run_gives_the_same_answers(executed):
    first, second = ([(t["reasoning"], t["answer"]) for t in turns(nb)] for _, nb in executed)
    assert first == second


def test_the_conversation_is_remembered(executed):
    answers = {turn["prompt"]: turn["answer"] for turn in turns(executed[0][1])}
    assert "Ada" in answers["What is my name?"]


def test_question_answer_and_footer_are_printed(executed):
    printed, notebook = executed[0]
    for turn in turns(notebook):
        assert f">>> {turn['prompt']}" in printed
        assert turn["answer"] in printed
        assert f"-- {turn['footer']}" in printed
    assert "Saved: " in printed


def test_the_executed_copy_is_a_valid_notebook_without_errors(executed):
    for _, notebook in executed:
        nbformat.validate(notebook)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert [o for o in outputs if o["output_type"] == "error"] == []
