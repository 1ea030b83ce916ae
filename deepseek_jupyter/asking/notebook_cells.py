"""The notebook's cells, from the best available source.

1. A page with the extension: the document as it is at this moment.
2. The notebook's file, where the running cell is in it: the document as it was saved last.
3. The kernel's history: what was run, in the order in which it was run.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from deepseek_jupyter.cells.executed import log
from deepseek_jupyter.context.cell_text import Cell, ChosenCells, check_choice, choose, joined
from deepseek_jupyter.conversation.restore import notebook_path
from deepseek_jupyter.display.frontend import shell, user_namespace
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import SAMPLE
from deepseek_jupyter.privacy.policy_file import DataRules
from deepseek_jupyter.privacy.rules import check_kind, strictest
from deepseek_jupyter.protocol.output import COMPARE_MIME, TURN_MIME
from deepseek_jupyter.session.memory import notebook_content
from deepseek_jupyter.words import english

_HEAD = 4_000  # characters of HTML that say what it is
_PATIENCE = 0.5  # seconds that a page has to send its document
_KEPT = "[kept back by the data policy]"


@dataclass(frozen=True, slots=True)
class Document:
    """Code cells in the notebook's order, and the place of the asking one, else their number."""

    cells: tuple[Cell, ...]
    here: int


def chosen_cells(
    choice: str,
    cell_id: str | None,
    mask: Callable[[str], str],
    files: Sequence[DataRules] = (),
) -> ChosenCells:
    """The cells for ``--cells``; see `context.cell_text.choose`. No output leaves where a policy
    file keeps any data below ``sample``: it may show all that the notebook holds.

    Raises `ParameterError`, `PolicyError`.
    """
    if check_choice(choice) == "none":
        return ChosenCells()
    check_kind("the notebook's cells", "cell", files)
    document = cells_of(_page_cells(), cell_id) or _from_file(cell_id) or from_history(shell())
    cells = document.cells
    if strictest(files) < SAMPLE:
        cells = tuple(replace(cell, output=cell.output and _KEPT) for cell in cells)
    return choose(cells, document.here, choice, mask)


def all_cells() -> tuple[Cell, ...]:
    return (cells_of(raw_cells(), None) or from_history(shell())).cells


def raw_cells() -> object:
    """The notebook's cells in nbformat's JSON, of the page or the file; None for none."""
    return _page_cells() or _saved_cells()


# The page


_waiting: dict[str, SimpleQueue[object]] = {}  # by the id of the request to the page


def take_document(body: Mapping[str, Any]) -> None:
    """A page sends its document: ``{type: "document", ask, cells: [nbformat cells]}``."""
    if asked := _waiting.get(str(body.get("ask"))):
        asked.put(body.get("cells"))


def _page_cells() -> object:
    if not pages.connected:
        return None
    ask = uuid4().hex
    _waiting[ask] = SimpleQueue()
    try:
        pages.send({"type": "document", "ask": ask})
        return _waiting[ask].get(timeout=_PATIENCE)
    except Empty:
        return None
    finally:
        del _waiting[ask]


# The file


def _from_file(cell_id: str | None) -> Document | None:
    if cell_id is None:
        return None
    document = cells_of(_saved_cells(), cell_id)
    return document if document and document.here < len(document.cells) else None


def _saved_cells() -> object:
    content = notebook_content(notebook_path(os.environ, user_namespace()))
    return content.get("cells") if isinstance(content, dict) else None


def cells_of(cells: object, cell_id: str | None) -> Document | None:
    """The code cells of a notebook's JSON, which may be malformed; None if it is not a notebook."""
    if not isinstance(cells, list):
        return None
    code = [c for c in cells if isinstance(c, Mapping) and c.get("cell_type") == "code"]
    wanted = cell_id.partition("#")[0] if cell_id else None
    here = (at for at, cell in enumerate(code) if wanted and cell.get("id") == wanted)
    return Document(tuple(map(_cell, code)), next(here, len(code)))


def _cell(cell: Mapping[str, Any]) -> Cell:
    number = cell.get("execution_count")
    count = number if isinstance(number, int) else None
    source, output = text_of(cell.get("source")), output_text(cell.get("outputs"))
    return Cell(source, output, count, str(cell.get("id") or ""))


# The history


def from_history(running: Any) -> Document:
    """What this kernel ran before the asking cell, each source once, where it ran last."""
    manager = getattr(running, "history_manager", None)
    sources: Sequence[str] = list(getattr(manager, "input_hist_raw", None) or [""])
    asks = not log.has(len(sources) - 1)
    newest: dict[str, int] = {}
    for number, source in enumerate(sources[:-1] if asks else sources):
        if number and source.strip():
            newest.pop(source, None)
            newest[source] = number
    cells = tuple(
        Cell(source, output_text(_outputs(manager, number)), number)
        for source, number in newest.items()
    )
    return Document(cells, len(cells))


def _outputs(manager: Any, number: int) -> list[dict[str, Any]]:
    """A cell's outputs in the notebook's form. IPython before 9.1 keeps only results."""
    kept = getattr(manager, "outputs", None)
    if not isinstance(kept, Mapping):
        text = (getattr(manager, "output_hist_reprs", None) or {}).get(number)
        return [{"output_type": "execute_result", "data": {"text/plain": text}}] if text else []
    outputs: list[dict[str, Any]] = []
    for output in kept.get(number) or ():
        if output.output_type in ("out_stream", "err_stream"):
            text = text_of(output.bundle.get("stream"))
            outputs.append({"output_type": "stream", "text": text})
        else:
            outputs.append({"output_type": output.output_type, "data": output.bundle})
    failed = (getattr(manager, "exceptions", None) or {}).get(number)
    return [*outputs, {"output_type": "error", **failed}] if failed else outputs


# One cell by its number

_NUMBERED = re.compile(r"(In|Out)\s*\[\s*(\d+)\s*\]")


def cell_named(expression: str) -> Cell | None:
    """The cell that ``In[n]`` names, or the outputs that ``Out[n]`` names where it has no value.

    None for any other expression. Raises `ParameterError` for a cell that was not run.
    """
    match = _NUMBERED.fullmatch(expression.strip())
    running = shell()
    if match is None or running is None:
        return None
    number, manager = int(match[2]), running.history_manager
    sources = manager.input_hist_raw
    if not 0 < number < len(sources):
        raise ParameterError(
            f"{expression}: this kernel has run no cell [{number}].",
            f"The newest is [{len(sources) - 1}].",
        )
    if match[1] == "In":
        return Cell(sources[number], number=number)
    if number in user_namespace().get("Out", {}):
        return None
    outputs = _outputs(manager, number)
    text, images = output_text(outputs), tuple(_pictures(outputs))
    if not text and not images:
        kept = getattr(manager, "outputs", None) is not None
        raise ParameterError(
            f"{expression}: cell [{number}] has left no output in the kernel."
            if kept
            else f"{expression}: IPython before 9.1 does not keep what a cell printed.",
            f"Attach In[{number}], or give its last line a value.",
        )
    return Cell("", text, number, images=images)


def given_cells(cells: Iterable[Mapping[str, Any]]) -> list[tuple[str, Cell]]:
    """Cells as a page gives them, nbformat's JSON and their `place`, each with a name."""
    found = []
    for at, given in enumerate(cells, 1):
        cell, place = _cell(given), given.get("place")
        place = place if isinstance(place, int) else at
        found.append((f"In[{cell.number}]" if cell.number else f"cell {place}", cell))
    return found


# Outputs


def output_text(outputs: object) -> str:
    """The outputs of a cell, in nbformat, as text; a frame is only named: its policy holds."""
    if not isinstance(outputs, list):
        return ""
    return joined(_one(output) for output in outputs if isinstance(output, Mapping))


def _one(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{text_of(output.get('ename'))}: {text_of(output.get('evalue'))}"
    if output.get("output_type") == "stream":
        return english(text_of(output.get("text")))
    data = output.get("data")
    if not isinstance(data, Mapping) or not data.keys().isdisjoint({TURN_MIME, COMPARE_MIME}):
        return ""
    plain = english(text_of(data.get("text/plain")))
    if 'class="dataframe"' in text_of(data.get("text/html"))[:_HEAD]:
        return "[a frame; attach it to show it]"
    return "[an image]" if any(str(kind).startswith("image/") for kind in data) else plain


def _pictures(outputs: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for output in outputs:
        for kind in ("image/png", "image/jpeg"):
            if isinstance(raw := (output.get("data") or {}).get(kind), str | bytes):
                text = raw if isinstance(raw, str) else b64encode(raw).decode("ascii")
                yield f"data:{kind};base64,{''.join(text.split())}"


def text_of(value: object) -> str:
    """A multi-line string of nbformat: a string, or a list of them."""
    if isinstance(value, list):
        return "".join(item for item in value if isinstance(item, str))
    return value if isinstance(value, str) else ""
