"""Run a notebook, save the executed copy, print what was asked and answered, open JupyterLab on it.

python notebooks/run.py notebooks/01-ask.ipynb [--headless]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from deepseek_jupyter.protocol.output import TURN_MIME, unpacked


def execute(source: Path) -> tuple[Path, bool]:
    """Execute `source` into the ``executed`` folder beside it; whether every cell succeeded."""
    notebook = nbformat.read(source, as_version=4)
    target = source.parent / "executed" / source.name
    target.parent.mkdir(exist_ok=True)
    client = NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(source.parent)}}
    )
    succeeded = True
    try:
        client.execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        succeeded = False
    finally:
        nbformat.write(notebook, target)
    return target, succeeded


def report(executed: Path) -> None:
    """Print question, thinking, answer and footer of every turn, and other text outputs."""
    for cell in nbformat.read(executed, as_version=4).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if TURN_MIME in data:
                _print_turn(unpacked(data, output.metadata))
            elif "text/plain" in data or output.get("name") == "stdout":
                text = data.get("text/plain") or output.get("text", "")
                print(f"{textwrap.indent(text.rstrip(), '    ')}\n")


def _print_turn(turn: dict[str, object]) -> None:
    print(f">>> {turn['prompt']}")
    if turn.get("reasoning"):
        print(textwrap.indent(str(turn["reasoning"]).strip(), "  | "))
    print(f"{turn.get('answer', '')}\n-- {turn.get('footer', '')}\n")


def main() -> int:
    """Exit status 0 when the notebook ran to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--headless", action="store_true", help="no JupyterLab afterwards")
    options = parser.parse_args()
    executed, succeeded = execute(options.notebook)
    report(executed)
    print(f"Saved: {executed}")
    if not options.headless:
        # JupyterLab refuses to run as root, which is what a container's user often is.
        root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        subprocess.run([sys.executable, "-m", "jupyterlab", *root, str(executed)], check=False)
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
