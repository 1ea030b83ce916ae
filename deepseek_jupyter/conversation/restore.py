"""The conversation of the running notebook: from the journal, else from the notebook's own outputs.

Which notebook it is: a notebook is known by a UUID, which its records (through their conversation)
and its metadata carry, and by the path where it was last seen. A file that was moved keeps its
conversation; of two files with one UUID the one that came later is a copy, and goes its own way
from there on. Where the file has turns that the journal lacks (it was worked on elsewhere and came
back), they join the tree as turns from a file.

What outputs carry: the file may come from anyone, so nothing in it is believed. Sizes and types are
checked (`records.read_record`), what is malformed is ignored, and no input makes this raise. The
turns are marked `from_file`; sending them anywhere is for the user to decide.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .conversation import MAIN, Conversation
from .records import read_record, sound_id
from .tree import is_branch_name
from .turn import Turn, new_id

if TYPE_CHECKING:
    from .journal import Journal
    from .rows import ConversationRow, NotebookRow

MIME_TYPE = "application/vnd.deepseek.turn+json"
METADATA = "deepseek"  # the key of the notebook's metadata under which ours lie

_MOST_TURNS = 50_000
_MOST_TEXT = 200_000_000  # characters in all
_MOST_BRANCHES = 1_000
_RUNNING = ("waiting", "thinking", "answering")

Kind = Literal["new", "same", "renamed", "copied", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What to do about a notebook.

    * new        begin an empty conversation
    * same       go on with the journal's conversation
    * renamed    go on with it too, and remember the new path
    * copied     a notebook of its own, that begins with the conversation of `origin`
    * elsewhere  the journal has never seen it: rebuild from the file's records, untrusted
    """

    notebook: str
    kind: Kind
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` found. `notice` is one line for the user, "" where there is nothing to say."""

    conversation: Conversation
    identity: Identity
    notice: str


def restore(
    journal: Journal,
    path: str | None,
    content: object = None,
    exists: Callable[[str], bool] = os.path.exists,
) -> Restored:
    """The conversation of the notebook at `path`, whose parsed .ipynb is `content`.

    None for either where it is not known. Remembers the path; writes nothing else.
    """
    saved = rebuild(content)
    home = journal.notebook_of(saved.id) if saved is not None else None
    id = notebook_id(content) or (home.id if home else None)
    identity = decide(
        id,
        path,
        by_id=journal.notebook(id) if id else None,
        at_path=journal.notebook_at(path) if path else None,
        exists=exists,
        new_id=new_id,
    )
    if path is not None:
        journal.set_notebook(identity.notebook, path, identity.origin)
    conversation = _known(journal, identity, saved)
    if saved is not None:
        conversation = _joined(conversation, rebuild(content, journal, identity.notebook))
    return Restored(conversation, identity, _notice(conversation, identity))


def _known(journal: Journal, identity: Identity, saved: Conversation | None) -> Conversation:
    """What the journal has of the notebook, or an empty conversation."""
    own = journal.conversations(identity.notebook)
    if own:
        return Conversation.load(journal, _opened_last(own).id, identity.notebook)
    row = journal.notebook(identity.notebook)
    origin = journal.conversations(row.origin) if row is not None and row.origin else []
    if not origin:
        return Conversation(journal, identity.notebook)
    named = [c.id for c in origin if saved is not None and c.id == saved.id]
    begun = (named or [_opened_last(origin).id])[0]
    copy = Conversation.load(journal, begun).copy(identity.notebook)
    if saved is not None and saved.tip in copy:
        copy.checkout(str(saved.tip))  # where the file was copied, not where the original is now
    return copy


def _opened_last(rows: list[ConversationRow]) -> ConversationRow:
    """The one that was begun or gone back to last; `rows` are in the order of `conversations`."""
    return max(rows, key=lambda row: row.opened)


def _joined(conversation: Conversation, saved: Conversation | None) -> Conversation:
    """`conversation` with the turns that only the file has; or the file's own, if that is newer."""
    if saved is None or not len(saved):
        return conversation
    if not len(conversation):
        return saved
    missing = [turn for turn in saved.turns() if turn.id not in conversation]
    if missing and conversation.journal is not None and saved.id != conversation.id:
        # The file may hold another conversation of this notebook's; it is news if it is not known.
        known = conversation.journal.turns_of([turn.id for turn in missing])
        missing = [turn for turn in missing if turn.id not in known]
    newest = max(node.created for node in conversation.nodes())
    if saved.id == conversation.id:
        conversation.join(missing, saved.tip if _newer(saved, newest) else None)
    elif missing and _newer(saved, newest) and conversation.origin is None:
        return saved
    return conversation


def _newer(saved: Conversation, moment: str) -> bool:
    return max(node.created for node in saved.nodes()) > moment


def _notice(conversation: Conversation, identity: Identity) -> str:
    count = len(conversation)
    if not count:
        return ""
    turns = f"{count} turn{'' if count == 1 else 's'}"
    if conversation.foreign:
        return (
            f"This notebook's conversation ({turns}) was read from its outputs; "
            "asking on sends it along, --new begins a new one."
        )
    if conversation.origin is not None:
        return f"This notebook is a copy; it goes on from the original's conversation ({turns})."
    return f"This notebook's conversation is back ({turns})."


# Which notebook this is


def notebook_path(environ: Mapping[str, str], namespace: Mapping[str, Any]) -> str | None:
    """The path of the running notebook, as the front end tells the kernel; None for a console.

    VS Code puts it into the user's namespace, Jupyter servers into ``JPY_SESSION_NAME``. Both are
    as of the kernel's start: a rename shows with the next one.
    """
    for path in (namespace.get("__vsc_ipynb_file__"), environ.get("JPY_SESSION_NAME")):
        if isinstance(path, str) and path.endswith(".ipynb"):
            return path
    return None


def decide(
    id: str | None,
    path: str | None,
    *,
    by_id: NotebookRow | None,
    at_path: NotebookRow | None,
    exists: Callable[[str], bool],
    new_id: Callable[[], str],
) -> Identity:
    """Which notebook the file at `path` is, that carries the UUID `id`.

    `by_id` and `at_path` are what the journal knows of the two; `exists` tells whether a file is
    still there.
    """
    if id is None:
        return Identity(at_path.id, "same") if at_path else Identity(new_id(), "new")
    if at_path is not None and id in (at_path.id, at_path.origin):
        return Identity(at_path.id, "same")  # a copy's file carries its origin's UUID for a while
    if by_id is None:
        return Identity(id, "elsewhere")
    if path is None or by_id.path is None:
        return Identity(id, "same" if path is None else "renamed")
    if by_id.path == path:
        return Identity(id, "same")
    if exists(by_id.path):
        return Identity(new_id(), "copied", origin=id)
    return Identity(id, "renamed")


# What its outputs carry


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
    """The conversation of records, in any order; None without a sound one.

    `hints` may name branches: `{active, branches}`. The conversation is that of the newest turn;
    without hints its branch ends there.
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
        turn = read_record(record)
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
