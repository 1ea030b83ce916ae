"""Executing the project's notebooks on the embedded model, as ``make run HEADLESS=1`` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from deepseek_jupyter.protocol.output import TURN_MIME

from .kernels import record_in

Edits = Sequence[tuple[str, str]]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


class Executed(NamedTuple):
    """What was printed, and the notebook with its outputs."""

    printed: str
    notebook: Any

    @property
    def outputs(self) -> list[Any]:
        return [output for cell in self.notebook.cells for output in cell.get("outputs", ())]

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The record of each output that is an answer, in order."""
        return [record_in(o) for o in self.outputs if TURN_MIME in o.get("data", {})]

    @property
    def texts(self) -> str:
        """Everything else that the cells said."""
        plain = [o["data"].get("text/plain", "") for o in self.outputs if "data" in o]
        return "\n".join([*plain, *(o["text"] for o in self.outputs if "text" in o)])

    @property
    def errors(self) -> list[Any]:
        return [output for output in self.outputs if output["output_type"] == "error"]


def execute(
    name: str, home: Path, folder: Path, edits: Edits, again: Sequence[str]
) -> list[Executed]:
    """Run a copy of notebooks/`name` in `folder`, with `edits` and with the models of `home`.

    Once more for each of `again`, without the cells that hold this text.
    """
    for file in NOTEBOOKS.iterdir():
        if file.name in (name, "run.py"):
            shutil.copy(file, folder)
        elif file.is_dir() and file.name != "executed":
            shutil.copytree(file, folder / file.name, dirs_exist_ok=True)
    for old, new in edits:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DEEPSEEK_")},
        "DEEPSEEK_JUPYTER_HOME": str(home),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    try:
        runs = [_once(name, folder, environment)]
        for text in again:
            notebook = nbformat.read(folder / name, as_version=4)
            notebook.cells = [cell for cell in notebook.cells if text not in cell.source]
            nbformat.write(notebook, folder / name)
            runs.append(_once(name, folder, environment))
        return runs
    finally:
        code = "from deepseek_jupyter import local; local.stop_server()"
        subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)


def _once(name: str, folder: Path, environment: dict[str, str]) -> Executed:
    ran = subprocess.run(
        [sys.executable, "run.py", name, "--headless"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return Executed(ran.stdout, nbformat.read(folder / "executed" / name, as_version=4))
