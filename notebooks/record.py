"""Ask a notebook's questions of the embedded model, and keep the answers as ``packs/NAME.dsrec``.

    python notebooks/record.py notebooks/01-ask.ipynb …

`deepseek-jupyter replay` runs the notebook from them, without a model. Recorded from the one that
the notebook names, in a state directory of its own, so that nothing else is packed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from deepseek_jupyter import local
from deepseek_jupyter.home import home


def record(source: Path) -> Path:
    """Run the notebook at `source` with one more cell, which packs; the path of the recording."""
    pack = (source.parent / "packs" / f"{source.stem}.dsrec").resolve()
    pack.unlink(missing_ok=True)
    pack.parent.mkdir(exist_ok=True)
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"%deepseek pack {pack}"))
    with tempfile.TemporaryDirectory() as state:
        (Path(state) / "local").symlink_to(home() / "local")
        where = {"DEEPSEEK_JUPYTER_HOME": state, "JPY_SESSION_NAME": str(source.resolve())}
        resources = {"metadata": {"path": str(source.parent)}}
        client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources)
        client.execute(env={**os.environ, **where})
    return pack


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(record(Path(name)))
    local.stop_server()
