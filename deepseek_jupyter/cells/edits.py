"""A change to a cell as a value, how a model writes one, and its difference line by line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

from deepseek_jupyter.sanitizer.listing import visible

from .effects import parsed
from .executed import Executed

Mark = Literal[" ", "-", "+", "@"]
_LABEL = re.compile(r"(?:\bIn ?\[(\d+)\]|\bcell[ =:#]*(\d+)|\[(\d+)\])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Edit:
    """`run` is the cell as it ran, `after` the whole new source."""

    run: Executed
    after: str

    @property
    def before(self) -> str:
        """What the cell says now, if it was not edited."""
        return self.run.source


class DiffLine(NamedTuple):
    """``-`` only before, ``+`` only after, ``@`` a gap, a space in both."""

    mark: Mark
    text: str


def read_edits(
    blocks: Iterable[tuple[str, str]], cells: Mapping[int, Executed], default: int
) -> tuple[list[Edit], list[str]]:
    """The edits in an answer's Python blocks, each (what follows the fence, text).

    A block is for the cell whose ``In[N]`` follows its fence or in a comment on its first
    line. One without a number is for `default`, unless a numbered one is there: then it is an
    example. The last block for a cell counts. Also returns what the user should know: of blocks
    for cells that were not sent, and of code that does not parse.
    """
    found: dict[int, str] = {}
    unnumbered: list[str] = []
    notes: list[str] = []
    for info, text in blocks:
        count, source = _addressed(info, text)
        if count is None:
            unnumbered.append(source)
        elif count in cells:
            found[count] = source
        else:
            notes.append(f"The answer changes In[{count}], which was not sent; that is left out.")
    if not found and unnumbered:
        found[default] = unnumbered[-1]
    edits = [
        Edit(cells[count], source)
        for count, source in sorted(found.items())
        if source.strip() and source.rstrip() != cells[count].source.rstrip()
    ]
    notes += [
        f"The new source of {edit.run.name} is not valid Python; look at it before you accept."
        for edit in edits
        if parsed(edit.after) is None
    ]
    return edits, notes


def _addressed(info: str, text: str) -> tuple[int | None, str]:
    source = text.rstrip("\n")
    if (label := _LABEL.search(info)) is not None:
        return int(label[1] or label[2] or label[3]), source
    first, _, rest = source.partition("\n")
    if first.lstrip().startswith("#") and (label := re.search(r"\bIn ?\[(\d+)\]", first)):
        return int(label[1]), rest
    return None, source


def diff(before: str, after: str) -> list[DiffLine]:
    """The difference of two sources, with three lines around each change."""
    lines: list[DiffLine] = []
    unified = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    for line in islice(unified, 2, None):  # without the two file names
        mark: Mark = line[0]  # type: ignore[assignment]
        if mark == "@":
            if lines:
                lines.append(DiffLine("@", "…"))
            continue
        lines.append(DiffLine(mark, visible(line[1:])))
    return lines
