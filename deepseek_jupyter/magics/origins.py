"""Which of a notebook's cells came from a model: what a teacher sees of a notebook handed in.

Recognised are cells that a model's code was put into (their metadata says so), and cells whose text
is code of an answer, to the letter. Retyped code looks like the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from deepseek_jupyter.asking.notebook_cells import text_of
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.conversation.turn import Turn

_ASKS = re.compile(r"\s*%%?(?:ds|deepseek)\b|.*\bds\.(?:ask|aask|stream|map)\(", re.DOTALL)


def origins(cells: object, turns: Iterable[Turn]) -> list[str]:
    """A line for each code cell that came from a model, and one that counts them; [] without
    cells. `cells` are a notebook's, in nbformat's JSON, which is not trusted to be that.
    """
    wrote = {code.strip(): t for t in turns for code in Reply(t).code_cells if code.strip()}
    found = [c for c in cells if isinstance(c, Mapping)] if isinstance(cells, list) else []
    code = [cell for cell in found if cell.get("cell_type") == "code"]
    lines, asks = list[str](), 0
    for number, cell in enumerate(code, 1):
        source = text_of(cell.get("source")).strip()
        asks += bool(_ASKS.match(source))
        metadata = cell.get("metadata")
        put = metadata.get("deepseek") if isinstance(metadata, Mapping) else None
        turn = wrote.get(source)
        if turn is not None:
            lines.append(f"Code cell {number}: as {turn.served_model or turn.model} wrote it.")
        elif isinstance(put, Mapping):
            lines.append(f"Code cell {number}: from {put.get('model')}, changed since.")
    counts = f"{len(lines)} of {len(code)} code cells came from a model; {asks} ask one."
    return [counts, *lines] if code else []
