"""Notebooks in two languages from one source: `notebooks/sources/NAME.py`.

    python notebooks/bilingual.py          # writes NAME.ipynb and NAME.zh.ipynb for each source

A source has cells that begin with ``# %% code``, with ``# %% magic`` for code that is no Python,
commented out, or with ``# %% en`` and ``# %% zh`` for a text in
each language, commented out. Code is written once; the notebooks are written without outputs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LANGUAGES = {"en": "", "zh": ".zh"}


def notebook(source: str, language: str) -> dict[str, Any]:
    """The notebook (nbformat 4.5) in that language."""
    cells = []
    for number, part in enumerate(re.split(r"^# %% ", source, flags=re.MULTILINE)[1:]):
        kind, text = part.split("\n", 1)
        text = text.strip()
        if kind in ("magic", language):
            text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
        if kind in ("code", "magic"):
            code = {"cell_type": "code", "execution_count": None, "outputs": []}
            cells.append({**code, "id": f"cell-{number}", "metadata": {}, "source": text})
        elif kind == language:
            cells.append(
                {"cell_type": "markdown", "id": f"cell-{number}", "metadata": {}, "source": text}
            )
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": python, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def built() -> dict[Path, str]:
    """Every notebook of the sources: its path and its text."""
    found = {}
    for path in sorted((FOLDER / "sources").glob("*.py")):
        for language, ending in LANGUAGES.items():
            made = notebook(path.read_text("utf-8"), language)
            text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
            found[FOLDER / f"{path.stem}{ending}.ipynb"] = text
    return found


if __name__ == "__main__":
    for path, text in built().items():
        path.write_text(text, "utf-8")
        print(path)
