"""A change to cells that a model proposes, and what has become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.cells.edits import Edit, diff
from deepseek_jupyter.display.changes import Changes

__all__ = ["MIME", "Proposal", "State"]

MIME = "application/vnd.deepseek.changes+json"

State = Literal["none", "offered", "asked", "accepted", "rejected", "reverted"]

_WORDS = {
    "none": "No change is offered.",
    "offered": "%deepseek fix accept [--run] applies it, %deepseek fix reject drops it.",
    "asked": "The page was asked to write it and has not answered yet.",
    "accepted": "Accepted. %deepseek fix revert takes it back.",
    "rejected": "Rejected; nothing was changed.",
    "reverted": "Taken back: the cells are as they were.",
}


@dataclass(slots=True)
class Proposal:
    """`reply` is the answer it came with; `id` that turn's.

    States: offered → accepted → reverted, which may be accepted again, or offered → rejected.
    `asked` stands between them while a page has not answered; `none` is an answer without edits.
    """

    kind: str
    reply: Reply
    edits: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()
    state: State = "none"
    before: tuple[Mapping[str, str] | None, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """The id of the turn."""
        return self.reply.turn.id

    def changes(self) -> Changes:
        """The difference, cell by cell, and what can be done about it."""
        parts = [
            (f"{edit.run.name}", [(mark, text) for mark, text in diff(edit.before, edit.after)])
            for edit in self.edits
        ]
        return Changes(parts, "\n".join([*self.notes, _WORDS[self.state]]))

    @property
    def record(self) -> dict[str, Any]:
        """For a page that has our extension; its twin is `IProposal` in ``changes.ts``."""
        shown = self.changes()
        return {
            "schema": 1,
            "turn": self.id,
            "kind": self.kind,
            "state": self.state,
            "cells": [
                {"name": name, "lines": [list(line) for line in lines]}
                for name, lines in shown.parts
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return str(self.changes())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {MIME: self.record}

    def _repr_html_(self) -> str:
        return self.changes()._repr_html_()

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        self.changes()._repr_pretty_(printer, cycle)
