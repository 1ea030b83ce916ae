"""The conversation that a file carries, as if all of it were taken along."""

from __future__ import annotations

from collections.abc import Iterable

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.restore import _age, _grown, _ours, records_in, sort_out


def rebuild(content: object) -> Conversation | None:
    """That of a notebook (the parsed .ipynb); None without a turn."""
    return rebuild_records(records_in(content), _ours(content))


def rebuild_records(records: Iterable[object], hints: object = None) -> Conversation | None:
    """That of records, in any order, whose branches `hints` may name: ``{active, branches}``."""
    _, turns, _ = sort_out(records, None)
    return _grown(turns, hints, max(turns, key=_age).conversation) if turns else None
