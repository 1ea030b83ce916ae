"""Requests that ask the model. Each runs on a thread of its own, so the cells' thread stays free.

The answer comes at the end; until then the page hears ``asked`` (the turn's id), the deltas and
the events of `watching`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.notebook import Beside
from deepseek_jupyter.errors import ConversationError, Interrupted

from .fields import flag, optional_text, text, texts, turn_id

if TYPE_CHECKING:
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session

__all__ = ["ask", "dry_run", "regenerate"]


def ask(session: Session, request: Request) -> dict[str, Any]:
    """``{prompt, instead_of?, new?, attach?}``: ask. With `instead_of` it is that turn's sibling.

    `attach` are texts ``name:policy``; what the prompt mentions with ``@`` is attached anyway.
    """
    return _asked(session, request, _question(request.body))


def regenerate(session: Session, request: Request) -> dict[str, Any]:
    """``{turn}``: ask the turn's question again; the answer is its sibling."""
    id = turn_id(request.body, "turn")
    turn = session.conversation.turn(id)
    if turn is None:
        raise ConversationError("This turn is no part of the conversation.")
    question = Question(turn.prompt, instead_of=id, format=turn.format, on_error="return")
    return _asked(session, request, question)


def dry_run(session: Session, request: Request) -> dict[str, Any]:
    """As `ask`, but nothing is sent: the messages that would be, and tables of what they hold."""
    shown = session.preview(_question(request.body))
    return {
        "title": shown.title,
        "messages": [{"role": m["role"], "text": _text(m.get("content"))} for m in shown.messages],
        "bytes": len(shown.payload),
        "reports": [
            {"title": r.title, "heads": list(r.heads), "rows": list(r.rows), "remark": r.remark}
            for r in shown.reports
        ],
    }


def _question(body: Mapping[str, Any]) -> Question:
    replaced = optional_text(body, "instead_of")
    return Question(
        text(body, "prompt"),
        instead_of=None if replaced is None else turn_id(body, "instead_of"),
        new=flag(body, "new"),
        attach=tuple(texts(body, "attach")),
        on_error="return",
    )


def _asked(session: Session, request: Request, question: Question) -> dict[str, Any]:
    def begun(id: str) -> None:
        request.tell({"type": "asked", "to": request.body.get("request"), "turn": id})

    try:
        reply = session.ask(question, _Announced(begun))
    except Interrupted as stopped:
        reply = stopped.reply
    turn = getattr(reply, "turn", None)
    return {"turn": turn.id, "status": turn.status} if turn is not None else {}


class _Announced(Beside):
    """Tells the page that asked which turn it was."""

    def __init__(self, begun: Callable[[str], None]) -> None:
        super().__init__()
        self._begun = begun

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        super().begin(record, stop)
        self._begun(str(record["id"]))


def _text(content: Any) -> str:
    """What a message says; of an image that it is one."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "[image]")) for part in content or ())
