"""A conversation rebuilt from what a notebook's outputs carry.

The file may come from anybody, so nothing in it is believed: sizes and types are checked
(`records.read`), what is malformed is ignored, and no input makes this raise. The turns are marked
`from_file`; sending them anywhere is for the user to decide.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .conversation import MAIN, Conversation
from .records import read, sound_id
from .tree import is_branch_name
from .turn import Turn

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["METADATA", "MIME_TYPE", "notebook_id", "rebuild", "rebuild_records", "records_in"]

MIME_TYPE = "application/vnd.deepseek.turn+json"
METADATA = "deepseek"  # the key of the notebook's metadata under which ours lie

_MOST_TURNS = 50_000
_MOST_TEXT = 200_000_000  # characters in all
_MOST_BRANCHES = 1_000
_RUNNING = ("waiting", "thinking", "answering")


def rebuild(
    content: object, journal: Journal | None = None, notebook: str | None = None
) -> Conversation | None:
    """The conversation of a notebook (the parsed .ipynb), or None where it holds none."""
    return rebuild_records(records_in(content), _ours(content), journal, notebook)


def rebuild_records(
    records: Iterable[object],
    hints: object = None,
    journal: Journal | None = None,
    notebook: str | None = None,
) -> Conversation | None:
    """The same of records, in any order. `hints` may name branches: `{active, branches}`.

    The conversation is that of the newest turn; without hints its branch ends there.
    """
    turns = _turns(records)
    if not turns:
        return None
    newest = max(turns.values(), key=_age)
    family = _family(turns, newest.conversation)
    ordered = _parents_first(family)
    if not ordered:
        return None
    known = {turn.id for turn in ordered}
    branches, active = _branches(hints, known)
    if not branches:
        branches = {MAIN: max(ordered, key=_age).id}
    id = newest.conversation
    mine = [replace(turn, conversation=id) for turn in ordered]
    return Conversation.of_turns(id, mine, branches, active, journal, notebook)


def records_in(content: object) -> Iterator[object]:
    """Everything in a notebook that claims to be a record; unchecked."""
    for cell in _list(_mapping(content).get("cells")):
        for output in _list(_mapping(cell).get("outputs")):
            data = _mapping(_mapping(output).get("data"))
            if MIME_TYPE in data:
                yield data[MIME_TYPE]
    yield from _list(_ours(content).get("elsewhere"))


def notebook_id(content: object) -> str | None:
    """The UUID in a notebook's metadata, where it has one."""
    return sound_id(_ours(content).get("notebook"))


def _turns(records: Iterable[object]) -> dict[str, Turn]:
    """The sound ones that belong to a conversation's memory, by id; of two alike the first."""
    turns: dict[str, Turn] = {}
    text = 0
    for record in records:
        turn = read(record)
        if turn is None or turn.id in turns or not turn.history:
            continue
        text += len(turn.prompt) + len(turn.answer) + len(turn.reasoning or "")
        if text > _MOST_TEXT or len(turns) >= _MOST_TURNS:
            break
        if turn.answer or turn.tool_calls:
            turns[turn.id] = _ended(replace(turn, from_file=True))
    return turns


def _ended(turn: Turn) -> Turn:
    """A file that was saved in mid-answer holds a turn that never ended."""
    if turn.status not in _RUNNING:
        return turn
    return replace(turn, status="interrupted", finish_reason="interrupted")


def _age(turn: Turn) -> tuple[str, str]:
    return turn.created, turn.id


def _family(turns: Mapping[str, Turn], conversation: str) -> dict[str, Turn]:
    """The turns of a conversation, and what they follow: a copied notebook's began elsewhere."""
    family: dict[str, Turn] = {}
    for turn in turns.values():
        at: Turn | None = turn if turn.conversation == conversation else None
        while at is not None and at.id not in family:
            family[at.id] = at
            at = turns.get(at.parent) if at.parent is not None else None
    return family


def _parents_first(turns: Mapping[str, Turn]) -> list[Turn]:
    """In the order of their age, but none before its parent; those in a circle are left out.

    A turn whose parent is not there (its cell was deleted) begins a conversation.
    """
    waiting: dict[str | None, list[Turn]] = {}
    for turn in turns.values():
        parent = turn.parent if turn.parent in turns else None
        waiting.setdefault(parent, []).append(replace(turn, parent=parent))
    ready = [(_age(turn), turn.id, turn) for turn in waiting.get(None, [])]
    heapq.heapify(ready)
    ordered: list[Turn] = []
    while ready:
        turn = heapq.heappop(ready)[-1]
        ordered.append(turn)
        for child in waiting.get(turn.id, []):
            heapq.heappush(ready, (_age(child), child.id, child))
    return ordered


def _branches(hints: object, known: set[str]) -> tuple[dict[str, str | None], str]:
    """The branches of the hints that are sound, and the active one among them."""
    given = _mapping(_mapping(hints).get("branches"))
    branches = {
        name: tip
        for name, tip in list(given.items())[:_MOST_BRANCHES]
        if is_branch_name(name) and (tip is None or (isinstance(tip, str) and tip in known))
    }
    active = _mapping(hints).get("active")
    named = isinstance(active, str) and active in branches
    return branches, str(active) if named else next(iter(branches), MAIN)


def _ours(content: object) -> Mapping[str, Any]:
    return _mapping(_mapping(_mapping(content).get("metadata")).get(METADATA))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
