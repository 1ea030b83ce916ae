"""Where the notebook stands: which one it is, what its conversation and its ghost texts cost.

A page is told after each turn (``{type: "standing", …}``) and may ask in between. Money is an
estimate; `hit` is the share of the prompt tokens that the provider's cache had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.display.pages import pages

from .accounts import in_words, notebook_ghosts, notebook_totals

if TYPE_CHECKING:
    from .session import Session

__all__ = ["standing", "tell"]


def standing(session: Session) -> dict[str, Any]:
    """``{notebook, asked, turns, spent, tokens, hit, ghosts, ghost_spent}``.

    Before the first question `asked` is false and `notebook` null: looking must not open the
    journal, nor give a UUID to a notebook that never asks anything. Ghost texts of earlier kernels
    count from the first question or ghost text on.
    """
    paid = bool(session.spent or session.completing.spent)
    ghosts = notebook_ghosts(session) if paid else Total("")
    told: dict[str, Any] = {
        "notebook": None,
        "asked": bool(session.spent),
        "turns": 0,
        "spent": "",
        "tokens": 0,
        "hit": None,
        "ghosts": ghosts.turns,
        "ghost_spent": in_words([ghosts]),
    }
    if not session.spent:
        return told
    total = sum(notebook_totals(session), Total(""))
    usage = total.usage
    share = usage.cache_hit_tokens / usage.prompt_tokens if usage.prompt_tokens else None
    return told | {
        "notebook": session.conversation.notebook,
        "turns": total.turns,
        "spent": in_words([total]),
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "hit": share,
    }


def tell(session: Session) -> None:
    """Tell every page."""
    if pages.connected:
        pages.send({"type": "standing", **standing(session)})
