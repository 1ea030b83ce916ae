"""The conversation of the running notebook: from the journal, else from the notebook's own outputs.

Where the file knows turns that the journal lacks (it was worked on elsewhere and came back), they
join the tree as turns from a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from .conversation import Conversation
from .identity import Identity, decide
from .journal import Journal
from .notebook_records import notebook_id, rebuild
from .places import ConversationRow
from .turn import new_id

__all__ = ["Restored", "restore"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` found. `told` is one line for the user, "" where there is nothing to say."""

    conversation: Conversation
    identity: Identity
    told: str


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
    return Restored(conversation, identity, _told(conversation, identity))


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


def _told(conversation: Conversation, identity: Identity) -> str:
    count = len(conversation)
    if not count:
        return ""
    turns = f"{count} turn{'' if count == 1 else 's'}"
    if conversation.foreign:
        return (
            f"This notebook's conversation ({turns}) was read from its outputs; "
            "asking on sends it along, --new begins afresh."
        )
    if conversation.origin is not None:
        return f"This notebook is a copy; it goes on from the original's conversation ({turns})."
    return f"This notebook's conversation is back ({turns})."
