"""Cells of the notebook: one as an attachment, several by ``--cells``. Pure.

Where they come from (the page's view of the document, the saved file, the kernel's history) is
`asking.notebook_cells`; here is what is chosen and how it reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.errors import ParameterError, counted
from deepseek_jupyter.privacy.levels import SAMPLE, Policy
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import estimate_tokens

from .attachment import Attachment, digest, excerpt, made

BUDGET = 2_000  # tokens of all cells together
_OUTPUT = 400  # characters of one cell's outputs
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MAGIC_CELL = re.compile(r"\s*%%(?:ds|deepseek)\b")
_MAGIC_LINE = re.compile(
    r"^\s*(?:[\w.]+\s*=\s*)?%(?:ds|deepseek|load_ext\s+deepseek_jupyter)\b.*\n?", re.MULTILINE
)
CHOICES = "above, all, none or a number"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: `number` is its execution count, `output` its outputs as short text."""

    source: str
    output: str = ""
    number: int | None = None
    id: str | None = None
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenCells:
    """The chosen cells as text, in the notebook's order; `left_out` more did not fit, and of
    `cut` of them the outputs are shortened.
    """

    cells: tuple[str, ...] = ()
    left_out: int = 0
    order: str = ""
    cut: int = 0

    @property
    def shortened(self) -> list[str]:
        """A sentence, where not all that was chosen leaves."""
        every = len(self.cells) + self.left_out
        said = [f"{len(self.cells)} of {counted(every, 'cell')}"] if self.left_out else []
        said += [f"{_OUTPUT} characters of the outputs of {self.cut}"] if self.cut else []
        return [f"Of the notebook the model reads {'; '.join(said)}."] if said else []

    def text(self, known: str = "") -> str:
        """For the prompt, "" for none; cells that are in `known` are left out."""
        if not self.cells:
            return ""
        fresh = [cell for cell in self.cells if cell not in known]
        remarks = [f"{self.left_out:,} more did not fit"] if self.left_out else []
        if len(fresh) < len(self.cells):
            remarks.append(f"{len(self.cells) - len(fresh):,} unchanged, shown before")
        remark = f" ({'; '.join(remarks)})" if remarks else ""
        head = f"{counted(len(self.cells), 'code cell')} of the notebook{self.order}{remark}:"
        return "\n\n".join([head, *fresh])


def check_choice(choice: str) -> str:
    """`choice` as `choose` takes it. Raises `ParameterError`."""
    if choice in ("above", "all", "none") or (choice.isdecimal() and int(choice) > 0):
        return choice
    raise ParameterError(f"--cells takes {CHOICES}, not {choice}.", "Write --cells above.")


def choose(
    cells: Sequence[Cell],
    here: int,
    choice: str,
    mask: Callable[[str], str],
    budget: int = BUDGET,
) -> ChosenCells:
    """The text of the cells around place `here` that `choice` names, in the notebook's order.

    ``above`` are those before `here`, a number the nearest so many of them, ``all`` those after it
    too. The nearest come first until the `budget` of tokens is used up; a cell that does not fit
    ends the choice, so that what is shown has no gaps. The cell at `here`, and cells that only ask
    (`%%deepseek`), are no context: the conversation has them.
    """
    places = [at for at, cell in enumerate(cells) if at != here and _code(cell)]
    if choice == "none":
        return ChosenCells()
    if choice != "all":
        places = [at for at in places if at < here]
    nearest = sorted(places, key=lambda at: (abs(at - here), at > here))
    if choice.isdecimal():
        nearest = nearest[: int(choice)]
    drawn: dict[int, tuple[str, bool]] = {}
    left = budget - 40  # the line above them
    for at in nearest:
        text, whole = _drawn(cells[at], mask)
        cost = estimate_tokens(text) + 2
        if cost > left:
            break
        drawn[at], left = (text, whole), left - cost
    order = "" if choice == "all" else " above this one"
    texts = tuple(drawn[at][0] for at in sorted(drawn))
    cut = sum(not whole for _, whole in drawn.values())
    return ChosenCells(texts, len(nearest) - len(drawn), order, cut)


def _code(cell: Cell) -> str:
    """Its source without what only asks; "" where nothing is left."""
    if _MAGIC_CELL.match(cell.source):
        return ""
    return _MAGIC_LINE.sub("", cell.source).strip("\n").rstrip()


def _drawn(cell: Cell, mask: Callable[[str], str]) -> tuple[str, bool]:
    """A cell with its outputs, and whether that is all of them."""
    number = f" [{cell.number}]" if cell.number else ""
    parts = [f"In{number}:\n{mask(_code(cell))}"]
    output = mask(plain_text(cell.output)).strip()
    if output:
        parts.append(f"Out{number}:\n{excerpt(output, _OUTPUT)}")
    return "\n".join(parts), len(output) <= _OUTPUT


def plain_text(text: str) -> str:
    """`text` as a terminal would finally show it: no colours, progress bars in their last state."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in _ANSI.sub("", text).split("\n"))
    return "\n".join(lines)


# One cell as an attachment


def fits(value: Any) -> bool:
    return isinstance(value, Cell)


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """Source and outputs, pictures among them; below ``sample`` the source alone."""
    cell: Cell = value
    parts = [cell.source.strip("\n")]
    shown = policy.whole >= SAMPLE
    if shown and (output := plain_text(cell.output).strip()):
        parts += ["Output:", output] if cell.source else [output]
    images = cell.images if shown else ()
    head = "cell" if cell.source else "output of a cell"
    body = "\n".join(filter(None, parts))
    return made(name, "cell", head, body, policy, redactor, hash=fingerprint(cell), images=images)


def fingerprint(value: Any) -> str:
    return digest(value.source, value.output, *value.images)


def joined(outputs: Iterable[str]) -> str:
    """Several outputs of one cell as one text."""
    return "\n".join(text.rstrip("\n") for text in outputs if text.strip())
