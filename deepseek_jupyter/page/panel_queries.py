"""Requests that change nothing: looks at the conversation, and what ``@`` may name.

That is the notebook's frames and variables, never a value, and its cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.notebook_cells import take_document
from deepseek_jupyter.asking.reply import record_of
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.display.frontend import shell
from deepseek_jupyter.errors import one_line

from .fields import ids, text, whole
from .state import failed, position, running, values, way

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.turn import Turn
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session


_VERSION = 1
_HEAD = 90  # characters of a prompt that represent it
_MOST_FOREIGN = 50  # turns of the file that are shown


def conversation(session: Session, request: Request) -> dict[str, Any]:
    """Its position, its active branch without texts, what runs and came with the file, settings."""
    found = session.conversation
    return {
        "version": _VERSION,
        **position(found),
        "way": way(found),
        "running": [record for record in running() if record["conversation"] == found.id],
        "failed": failed(found),
        "settings": values(session),
        "foreign": list(map(record_of, session.memory.foreign[-_MOST_FOREIGN:])),
        "undecided": session.memory.undecided,
        "trouble": session.memory.trouble,
    }


def turns(session: Session, request: Request) -> dict[str, Any]:
    """``{ids}``: the records of these turns; those that are not there are left out."""
    wanted = ids(request.body, "ids")
    return {"records": list(map(record_of, session.conversation.turns_of(wanted)))}


def tree(session: Session, request: Request) -> dict[str, Any]:
    """``{limit?}``: the newest nodes, parents before children, each with the head of its prompt."""
    limit = whole(request.body, "limit", 1, 2000, 400)
    found = session.conversation
    nodes = found.nodes()[-limit:]
    heads = {turn.id: _head(turn.prompt) for turn in found.turns_of(node.id for node in nodes)}
    return {
        **position(found),
        "earlier": len(found) - len(nodes),
        "nodes": [
            {
                **{name: getattr(n, name) for name in ("id", "parent", "status", "created")},
                "head": heads.get(n.id, ""),
            }
            for n in nodes
        ],
    }


def search(session: Session, request: Request) -> dict[str, Any]:
    """``{query, limit?}``: turns of this conversation with all the words, the newest first."""
    query = text(request.body, "query", 1000)
    hits = session.conversation.search(query, whole(request.body, "limit", 1, 100, 30))
    return {
        "hits": [
            {
                "turn": hit.turn,
                "head": _head(hit.prompt),
                "field": hit.field,
                "pieces": [[piece, found] for piece, found in hit.pieces],
            }
            for hit in hits
        ]
    }


def conversations(session: Session, request: Request) -> dict[str, Any]:
    """``{limit?}``: those of this notebook, with the first prompt as title."""
    limit = whole(request.body, "limit", 1, 200, 50)
    found, journal = session.conversation, session.conversation.journal
    listed: list[dict[str, Any]] = []
    if journal is not None:
        for row in journal.conversations(found.notebook)[:limit]:
            first = [node.id for node in journal.nodes(row.id)[:1]]
            title = _title(journal.turns_of(first).values())
            listed.append({"id": row.id, "turns": row.turns, "newest": row.newest, "title": title})
    if found.id not in [row["id"] for row in listed]:
        title = _title(found.turns())
        listed.insert(0, {"id": found.id, "turns": len(found), "newest": None, "title": title})
    return {"current": found.id, "conversations": listed}


def usage(session: Session, request: Request) -> dict[str, Any]:
    """Tokens and money of this conversation, all branches; money by currency, an estimate."""
    found = session.conversation
    total = Total(found.id)
    if found.journal is not None and not found.journal.in_memory:
        total = sum(found.journal.totals("conversation", conversation=found.id), total)
    else:
        total = sum((Total.of_turn(turn) for turn in found.turns()), total)
    return {
        "turns": total.turns,
        "prompt": total.usage.prompt_tokens,
        "cached": total.usage.cache_hit_tokens,
        "thinking": total.usage.reasoning_tokens,
        "out": total.usage.completion_tokens,
        "cost": {currency: format(amount, "f") for currency, amount in total.cost.items()},
    }


def export(session: Session, request: Request) -> dict[str, Any]:
    """``{format: md | html | json | ipynb}``: the file's name and text."""
    from deepseek_jupyter.conversation.exports import export_text

    found, kind = session.conversation, text(request.body, "format", 10)
    return {"name": f"conversation-{found.id[-6:]}.{kind}", "text": export_text(found, f".{kind}")}


def _title(turns: Iterable[Turn]) -> str:
    return _head(next((turn.prompt for turn in turns), ""))


def _head(prompt: str) -> str:
    return one_line(prompt[: 4 * _HEAD], _HEAD)


# Whose shape can be asked without computing anything.
_SHAPED = {"pandas", "polars", "numpy", "pyarrow", "xarray", "torch", "scipy", "cudf", "modin"}
_SIZED = (str, bytes, list, tuple, dict, set, frozenset)
_LEFT_OUT = (ModuleType, FunctionType, BuiltinFunctionType, type)


def names(session: Session, request: Request) -> dict[str, Any]:
    """``{limit?}``: ``[name, type, shape]``, frames first, then by name."""
    limit = whole(request.body, "limit", 1, 2000, 500)
    running = shell()
    if running is None:
        return {"names": []}
    return {"names": describe(dict(running.user_ns), set(running.user_ns_hidden))[:limit]}


def document(session: Session, request: Request) -> None:
    """``{cells, …}``: the notebook as the page has it; questions that send cells read it."""
    take_document(request.body)


def describe(namespace: Mapping[str, Any], hidden: Collection[str]) -> list[list[str]]:
    """``[name, type, shape]`` of what a user would call a variable. `shape` may be empty."""
    found = []
    for name, value in namespace.items():
        if name.startswith("_") or name in hidden or isinstance(value, _LEFT_OUT):
            continue
        package = type(value).__module__.partition(".")[0]
        row = [name, type(value).__name__, _shape(value, package)]
        found.append((package not in _SHAPED, name.lower(), row))
    return [row for _, _, row in sorted(found)]


def _shape(value: Any, package: str) -> str:
    """``20 × 3`` for a frame, the length of a container, else nothing. Runs no user code."""
    if package in _SHAPED:
        try:
            shape = tuple(value.shape)
        except Exception:  # a lazy frame has none; nothing is worth a failure here
            return ""
        return " × ".join(str(n) for n in shape if isinstance(n, int))
    if type(value) in _SIZED:
        return str(len(value))
    return ""
