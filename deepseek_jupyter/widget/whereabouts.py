"""Where a conversation stands: its active branch, from the root to the tip, as small values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation

__all__ = ["way", "whereabouts"]


def whereabouts(conversation: Conversation) -> dict[str, Any]:
    """What tells one state of the tree from another; branches by name with their tips."""
    return {
        "conversation": conversation.id,
        "active": conversation.active,
        "tip": conversation.tip,
        "branches": dict(conversation.branches),
        "count": len(conversation),
    }


def way(conversation: Conversation) -> list[list[Any]]:
    """``[id, tokens, index, count]`` of each turn of the active branch, oldest first.

    `index` and `count` say which of how many siblings it is, from 1. Texts stay where they are.
    """
    siblings: dict[str | None, list[str]] = {}
    for node in conversation.nodes():
        siblings.setdefault(node.parent, []).append(node.id)
    found: list[list[Any]] = []
    for node in conversation.way():
        same = siblings[node.parent]
        found.append([node.id, node.tokens, same.index(node.id) + 1, len(same)])
    return found
