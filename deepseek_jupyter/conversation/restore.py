"""The conversation of the running notebook: from the journal, and from what its file carries.

A file proves nothing: anyone may have written its ids. A turn of the file is *own* where the
journal has it with the same id, parent and messages, and all that it follows is own; the journal's
turn is used then, with its cards. Every other turn is *foreign*: it is not part of the conversation
until the user takes it along (`Memory.trust`).

At the path where the journal last saw it, and without a foreign turn, a notebook has its whole
conversation back. Any other file begins with the own turns that it carries. What only the journal
holds of it is offered, and never goes along by itself.

Sizes and types of what a file says are checked (`read_record`), what is malformed is ignored, and
no input makes this raise.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from deepseek_jupyter.errors import counted, one_line
from deepseek_jupyter.protocol.output import records_of

from .conversation import MAIN, Conversation
from .tree import is_branch_name
from .turn import Turn, dump, mapping, new_id, read_record, sound_id

if TYPE_CHECKING:
    from .journal import Journal
    from .rows import ConversationRow, NotebookRow

METADATA = "deepseek"  # the key of the notebook's metadata under which ours lie

_MOST_TURNS = 50_000
_MOST_TEXT = 200_000_000  # characters in all
_MOST_BRANCHES = 1_000
_RUNNING = ("waiting", "thinking", "answering")
_WORDS = 60  # characters of a prompt that represent its turn in a notice

Kind = Literal["new", "same", "renamed", "copied", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which notebook a file is.

    * new        one without a conversation
    * same       the one that was last seen at this path
    * renamed    one whose old file is gone: the name goes to this path
    * copied     a notebook of its own; `origin` is the one whose name the file carries
    * elsewhere  one that the journal has never seen
    """

    notebook: str
    kind: Kind
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Turns that only the journal holds: the conversation they are in, and a sentence that names
    them. `state` is the hash of the file's turns for which they are offered.
    """

    conversation: str
    sentence: str
    state: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` found. `foreign` are the file's turns that are not in the conversation,
    parents first, and `marked` the ids that the file gives them. `notice` is a line for the user,
    "" where there is nothing to say.
    """

    conversation: Conversation
    identity: Identity
    notice: str
    foreign: tuple[Turn, ...] = ()
    marked: tuple[str, ...] = ()
    offer: Offer | None = None


def restore(
    journal: Journal,
    path: str | None,
    content: object = None,
    exists: Callable[[str], bool] = os.path.exists,
) -> Restored:
    """The conversation of the notebook at `path`, whose parsed .ipynb is `content`.

    None for either where it is not known. Remembers the path; writes nothing else.
    """
    own, foreign, marked = sort_out(records_in(content), journal)
    newest = max((*own, *foreign), key=_age, default=None)
    home = journal.notebook_of(newest.conversation) if newest is not None else None
    id = notebook_id(content) or (home.id if home else None)
    identity = decide(
        id,
        path,
        by_id=journal.notebook(id) if id else None,
        at_path=journal.notebook_at(path) if path else None,
        exists=exists,
        new_id=new_id,
    )
    named = journal.notebook(identity.notebook)
    rows = journal.conversations(identity.notebook)
    since = named.moved if named else None
    here = [row for row in rows if since is None or row.opened > since]
    if path is not None:
        renamed = identity.kind == "renamed"
        journal.set_notebook(identity.notebook, path, identity.origin, moved=renamed)
    if here and identity.kind == "same" and not foreign:
        conversation = Conversation.load(journal, _opened_last(here).id, identity.notebook)
        return Restored(conversation, identity, _notice(conversation, identity, 0))
    conversation = _grown(own, _ours(content), new_id(), journal, identity.notebook)
    origin = identity.origin or (named.origin if named else None)
    if not rows and origin is not None:
        named, rows = journal.notebook(origin), journal.conversations(origin)
    offer = _offer(journal, named, rows, conversation, (*own, *foreign))
    notice = _notice(conversation, identity, len(foreign))
    return Restored(conversation, identity, notice, tuple(foreign), marked, offer)


def _opened_last(rows: list[ConversationRow]) -> ConversationRow:
    """The one that was begun or gone back to last; `rows` are in the order of `conversations`."""
    return max(rows, key=lambda row: row.opened)


def _notice(conversation: Conversation, identity: Identity, foreign: int) -> str:
    said = []
    if count := len(conversation.way()):
        turns = counted(count, "turn")
        if identity.kind == "copied":
            said.append(f"This notebook is a copy; it goes on from what it carries ({turns}).")
        else:
            said.append(f"This notebook's conversation is back ({turns}).")
    if foreign:
        turns = "1 turn of this file is" if foreign == 1 else f"{foreign} turns of this file are"
        said.append(
            f"{turns} not from here, or changed since, and not sent; "
            "%deepseek trust goes on with them."
        )
    return " ".join(said)


def _offer(
    journal: Journal,
    named: NotebookRow | None,
    rows: list[ConversationRow],
    conversation: Conversation,
    carried: Iterable[Turn],
) -> Offer | None:
    """What the last of a notebook's conversations has beyond `conversation`."""
    id = _opened_last(rows).id if rows else ""
    missing = [node for node in journal.nodes(id) if node.id not in conversation]
    newest = journal.turn(missing[-1].id) if missing else None
    if newest is None:
        return None
    turns = "1 more turn" if len(missing) == 1 else f"{len(missing)} more turns"
    place = (named.path if named else None) or "a notebook"
    sentence = (
        f"The journal of this machine has {turns} of {place} (the last of "
        f"{newest.created[:10]}: “{one_line(newest.prompt, _WORDS)}”), not sent; "
        "%deepseek trust journal takes them along."
    )
    state = sorted(f"{turn.id} {said_in(turn)}" for turn in carried)
    return Offer(id, sentence, hashlib.sha256(dump(state).encode()).hexdigest())


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
    if at_path is not None and id in (None, at_path.id, at_path.origin):
        return Identity(at_path.id, "same")  # a copy's file carries its origin's UUID for a while
    if id is None or path is None:
        return Identity(new_id(), "new")
    if by_id is None:
        return Identity(id, "elsewhere")
    if by_id.path == path:
        return Identity(id, "same")
    if by_id.path is not None and exists(by_id.path):
        return Identity(new_id(), "copied", origin=id)
    return Identity(id, "renamed")


# What its outputs carry


def sort_out(
    records: Iterable[object], journal: Journal | None
) -> tuple[list[Turn], list[Turn], tuple[str, ...]]:
    """The own turns among records, as the journal has them, and the foreign ones; parents first.
    And the ids that the foreign ones have in the file.

    A foreign turn whose id is taken by another turn, or whose parent is not in the file, gets an id
    made of what it says: by that it is found again when the user has taken it along.
    """
    given = [(turn, _label(turn)) for turn in _turns(records)]
    ids = [id for turn, label in given for id in (turn.id, label)]
    kept = journal.turns_of(ids) if journal is not None else {}
    count = Counter(turn.id for turn, _ in given)
    turns: dict[str, Turn] = {}
    labels: dict[str, str] = {}
    key_of: dict[str | None, str] = {}  # by the id in the file; of two the first
    for turn, label in given:
        if turn.status in _RUNNING and turn.id in kept:
            continue  # the file was saved in mid-answer
        key = turn.id if count[turn.id] == 1 else label
        turns[key], labels[key] = turn, label
        key_of.setdefault(turn.id, key)
    parents = {key: key_of.get(turn.parent) for key, turn in turns.items()}
    own: dict[str | None, Turn] = {}
    foreign: dict[str | None, Turn] = {}
    for key in _parents_first(turns, parents):
        turn, parent, label = turns[key], parents[key], labels[key]
        found = None
        if parent not in foreign:
            unmoved = parent is None or own[parent].id == turn.parent
            found = _equal(turn, kept.get(key)) if key == turn.id and unmoved else None
            found = found or _equal(turn, kept.get(label), moved=True)
        if found is not None:
            own[key] = found
            continue
        above = own.get(parent) or foreign.get(parent)
        under = above.id if above is not None else None
        moved = journal is not None and under != turn.parent
        id = label if turn.id in kept or moved else key
        foreign[key] = replace(_ended(turn), id=id, parent=under)
    marked = tuple(sorted({turns[str(key)].id for key in foreign}))
    return list(own.values()), list(foreign.values()), marked


def _equal(turn: Turn, kept: Turn | None, moved: bool = False) -> Turn | None:
    """`kept` where it has the parent of `turn` (or may have `moved`) and sends the same."""
    if kept is None or not kept.history or not (moved or kept.parent == turn.parent):
        return None
    # As the notebook's outputs have it, or as an export does.
    forms = [kept.record, *([kept.masked().written] if kept.pseudonyms else ())]
    return kept if said_in(turn) in [said_in(read_record(f) or kept) for f in forms] else None


def said_in(turn: Turn) -> str:
    """What a turn adds to the history, as text; of one read from a record without its cards."""
    said = [
        [m.role, m.content, m.reasoning or "", m.tool_call_id or "", *map(astuple, m.tool_calls)]
        for m in turn.messages()
    ]
    return dump(said)


def _label(turn: Turn) -> str:
    """An id that only this turn can have."""
    text = dump([turn.id, turn.parent, said_in(turn)])
    return f"file-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _grown(
    turns: Sequence[Turn],
    hints: object,
    id: str,
    journal: Journal | None = None,
    notebook: str | None = None,
) -> Conversation:
    """The conversation `id` of the newest of `turns` and those it is one conversation with."""
    if not turns:
        return Conversation(journal, notebook, id)
    by_id = {turn.id: turn for turn in turns}
    family = _family(by_id, max(turns, key=_age).conversation)
    ordered = [turn for turn in turns if turn.id in family]  # parents first, as they were
    branches, active = _branches(hints, set(family))
    if not branches:
        # Of two that were asked in one millisecond the one that follows the other.
        branches = {MAIN: max(reversed(ordered), key=lambda turn: turn.created).id}
    return Conversation.of_turns(id, ordered, branches, active, journal, notebook)


def records_in(content: object) -> Iterator[object]:
    """Everything in a notebook that claims to be a record; unchecked."""
    for cell in _list(mapping(content).get("cells")):
        for output in _list(mapping(cell).get("outputs")):
            output = mapping(output)
            data = mapping(output.get("data"))
            yield from records_of(data, mapping(output.get("metadata")))
    yield from _list(_ours(content).get("elsewhere"))


def notebook_id(content: object) -> str | None:
    """The UUID in a notebook's metadata, where it has one."""
    return sound_id(_ours(content).get("notebook"))


def _turns(records: Iterable[object]) -> list[Turn]:
    """The sound ones that belong to a conversation's memory; of two that are alike one."""
    turns: dict[tuple[str, str | None, str], Turn] = {}
    text = 0
    for record in records:
        turn = read_record(record)
        if turn is None or not turn.history:
            continue
        text += len(turn.prompt) + len(turn.answer) + len(turn.reasoning or "")
        if text > _MOST_TEXT or len(turns) >= _MOST_TURNS:
            break
        if turn.answer or turn.tool_calls or turn.steps:
            turn = replace(turn, from_file=True)
            turns.setdefault((turn.id, turn.parent, said_in(turn)), turn)
    return list(turns.values())


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


def _parents_first(turns: Mapping[str, Turn], parents: Mapping[str, str | None]) -> list[str]:
    """The keys of `turns` by age, but none before its parent; those in a circle are left out."""
    waiting: dict[str | None, list[str]] = {}
    for key in turns:
        waiting.setdefault(parents[key], []).append(key)
    ready = [(_age(turns[key]), key) for key in waiting.get(None, [])]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        _, key = heapq.heappop(ready)
        ordered.append(key)
        for child in waiting.get(key, []):
            heapq.heappush(ready, (_age(turns[child]), child))
    return ordered


def _branches(hints: object, known: set[str]) -> tuple[dict[str, str | None], str]:
    """The branches of the hints that are sound, and the active one among them."""
    given = mapping(mapping(hints).get("branches"))
    branches = {
        name: tip
        for name, tip in list(given.items())[:_MOST_BRANCHES]
        if is_branch_name(name) and (tip is None or (isinstance(tip, str) and tip in known))
    }
    active = mapping(hints).get("active")
    named = isinstance(active, str) and active in branches
    return branches, str(active) if named else next(iter(branches), MAIN)


def _ours(content: object) -> Mapping[str, Any]:
    return mapping(mapping(mapping(content).get("metadata")).get(METADATA))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
