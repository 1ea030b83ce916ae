"""The project's notebooks from their recordings: no model, no key, no network, no request."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from deepseek_jupyter.conversation.recording import read_recording
from deepseek_jupyter.local import DEFAULT_MODEL
from deepseek_jupyter.protocol.output import TURN_MIME
from deepseek_jupyter.session.recordings import ONLY

from .support.kernels import record_in

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PACKS = sorted((NOTEBOOKS / "packs").glob("*.dsrec"))
ASKS = re.compile(r"%%?(ds|deepseek) |ds\.(ask|map|aask|stream|suite|compare)\(")

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(child_environment: dict[str, str], tmp_path: Path) -> Play:
    """Run ``deepseek-jupyter replay``; the network guard is in the kernel that it starts."""

    def run(notebook: Path, pack: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deepseek_jupyter", "replay", notebook, "--pack", pack, *flags],
            env={**child_environment, "IPYTHONDIR": str(tmp_path / "ipython")},
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run


def contents(executed: Path) -> list[Any]:
    """What of each answer's output is no matter of the run: texts, calls, who answered."""
    outputs = [o for c in nbformat.read(executed, 4).cells for o in c.get("outputs", ())]
    found = [o["data"][TURN_MIME] for o in outputs if TURN_MIME in o.get("data", {})]
    return [{name: value for name, value in one.items() if name != "run"} for one in found]


def recording_of(notebook: Path) -> Path:
    return NOTEBOOKS / "packs" / f"{notebook.name.partition('.')[0]}.dsrec"


def test_every_notebook_that_asks_has_one():
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        code = "\n".join(c.source for c in nbformat.read(notebook, 4).cells if "outputs" in c)
        assert bool(ASKS.search(code)) == recording_of(notebook).exists(), notebook.name


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_recordings_are_small_and_of_the_embedded_model(pack):
    found = read_recording(pack)
    assert pack.stat().st_size < 30_000
    assert {t.model.removeprefix("local:") for t in found.turns.values()} <= {"", DEFAULT_MODEL}
    assert {t.provider for t in found.turns.values()} <= {"local", ""}
    assert not any(turn.prompt for turn in found.turns.values())


@pytest.mark.parametrize(
    "notebook",
    [book for book in sorted(NOTEBOOKS.glob("*.ipynb")) if recording_of(book).exists()],
    ids=lambda book: book.name,
)
def test_a_notebook_runs_from_its_recording(play, notebook, tmp_path):
    ran = play(notebook, recording_of(notebook), "--yes", "--out", str(tmp_path / "first.ipynb"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nothing was sent" in ran.stdout
    cells = nbformat.read(tmp_path / "first.ipynb", 4).cells
    outputs = [o for cell in cells for o in cell.get("outputs", ()) if "data" in o]
    turns = [record_in(o) for o in outputs if TURN_MIME in o["data"]]
    assert all(turn["replayed"] and turn["recorded"] for turn in turns)
    assert all(re.match(r"replayed · recorded \d{4}-", turn["footer"]) for turn in turns)


def test_a_second_run_is_the_first_again(play, tmp_path):
    notebook, runs = NOTEBOOKS / "04-conversations.ipynb", []
    for name in ("first.ipynb", "second.ipynb"):
        ran = play(notebook, recording_of(notebook), "--yes", "--out", str(tmp_path / name))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        runs.append(contents(tmp_path / name))
    assert runs[0] == runs[1]
    assert len(runs[0]) == 8


def book(path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(made, path)
    return path


LOAD = "%load_ext deepseek_jupyter\n%config DeepSeek.provider = 'local'"
PARIS = "%%deepseek -t 0\nWhat is the capital of France? Answer in one short sentence."


def test_each_miss_is_said_with_its_cell_and_fails(play, tmp_path):
    notebook = book(
        tmp_path / "talk.ipynb", LOAD, PARIS, "%ds --replay never And of Spain?", "1 / 0",
        "import os\nprint(os.environ.get('DEEPSEEK_API_KEY'))",
    )  # fmt: skip
    ran = play(notebook, NOTEBOOKS / "packs" / "01-ask.dsrec", "--yes")
    assert ran.returncode == 1
    assert ran.stdout.splitlines() == [
        "cell 3: ReplayError: This question has no kept answer; --replay always sends nothing. "
        "Ask it once with --replay auto; other words or another history count as new.",
        "cell 4: ZeroDivisionError: division by zero",
    ]


def test_a_recording_from_elsewhere_needs_a_yes(play, tmp_path):
    notebook = book(tmp_path / "talk.ipynb", LOAD, PARIS)
    ran = play(notebook, NOTEBOOKS / "packs" / "01-ask.dsrec")
    assert ran.returncode == 1
    assert "was not made here" in ran.stderr
    assert "--yes" in ran.stderr
    (tmp_path / "evil.dsrec").write_bytes(b"evil")
    assert "it is none" in play(notebook, tmp_path / "evil.dsrec", "--yes").stderr
    assert "cannot be read" in play(tmp_path / "no.ipynb", PACKS[0], "--yes").stderr
    assert ONLY not in ran.stdout
