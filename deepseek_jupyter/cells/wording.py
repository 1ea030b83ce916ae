"""The prompts about cells, one Markdown file each; ``$name`` stands for a part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from string import Template

from .executed import Executed
from .lineage import Chosen

__all__ = ["cells_text", "fenced", "notes_text", "prompt"]


def prompt(kind: str, **parts: str) -> str:
    """The prompt `kind` (a file's name) with its parts; empty ones leave no gap."""
    filled = Template(_template(kind)).substitute(parts)
    return re.sub(r"\n{3,}", "\n\n", filled).strip()


def cells_text(chosen: Sequence[Chosen], cell: Executed, left_out: Iterable[Chosen] = ()) -> str:
    """The cells in the order in which they ran, each with the reason, and `cell` as the last."""
    parts = ["Earlier cells, in the order in which they ran:"] if chosen else []
    for item in chosen:
        why = f" (for {', '.join(item.names)})" if item.names else ""
        part = "" if item.whole else ", an excerpt that must not be rewritten"
        parts.append(f"{item.run.name}{why}{part}:\n{fenced(item.text)}")
    parts += [
        f"{item.run.name} (for {', '.join(item.names)}) is too long to show." for item in left_out
    ]
    what = "The cell that failed" if cell.failed else "The cell"
    parts.append(f"{what}, {cell.name}:\n{fenced(cell.source)}")
    return "\n\n".join(parts)


def notes_text(notes: Sequence[str]) -> str:
    """Facts about the kernel's state as a list."""
    return "\n".join(["Note:", *(f"- {note}" for note in notes)]) if notes else ""


def fenced(text: str, language: str = "python") -> str:
    """`text` in a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


@cache
def _template(kind: str) -> str:
    return files(__package__).joinpath("prompts", f"{kind}.md").read_text("utf-8")
