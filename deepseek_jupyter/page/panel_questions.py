"""Requests that ask the model. Each runs on a thread of its own, so the cells' thread stays free.

The answer comes at the end; until then the page hears ``asked`` (the turn's id), the deltas and
the events of `state`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.ask import ask as ask_model
from deepseek_jupyter.asking.ask import resolve
from deepseek_jupyter.asking.attachments import Wanted
from deepseek_jupyter.asking.next_tokens import branching
from deepseek_jupyter.asking.notebook_cells import given_cells
from deepseek_jupyter.asking.preview import drawn, preview
from deepseek_jupyter.asking.preview import gauge as how_full
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.columns import Columns
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.display.surfaces import Deltas
from deepseek_jupyter.errors import ConversationError, DeepSeekError, Interrupted
from deepseek_jupyter.jobs.comparison import compared
from deepseek_jupyter.privacy.levels import asked_of
from deepseek_jupyter.protocol.responses import WEB_SEARCH

from .fields import flag, objects, text, texts, turn_id, whole
from .siblings import neighbour
from .state import send_state

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.turn import Turn
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session


_OF_ATTACHMENTS = ("sql", "inspect")

# What the panel's questions attached, by turn: "Ask again" attaches it under the rules it had.
_given: OrderedDict[str, tuple[Any, ...]] = OrderedDict()
_MOST_GIVEN = 500


def ask(session: Session, request: Request) -> dict[str, Any]:
    """``{prompt, instead_of?, new?, go_on?, web?, attach?, cells?, variants?}``: ask; a sibling
    with `instead_of`. With `variants`, texts as of ``--compare``, all of them are asked; `web` is
    ``--web``.

    Or ``{drawn}``, the id of a dry run: ask what it showed, and nothing else.

    `attach` are texts ``name:policy``; what the prompt mentions with ``@`` is attached anyway.
    `cells` are cells of the notebook, nbformat's JSON with their `place`.
    """
    if request.body.get("drawn"):
        return _asked(session, request, drawn(text(request.body, "drawn")))
    question = _resolved(session, _question(request.body))
    if not (variants := texts(request.body, "variants")):
        return _asked(session, request, question)

    def columns(names: Sequence[str]) -> Columns:
        return Columns(names, False, [_Announced(request, question) for _ in names])

    with suppress(Interrupted):
        compared(session, question, variants, 1, user_namespace(), columns)
    send_state()
    return _said(session.last)


def regenerate(session: Session, request: Request) -> dict[str, Any]:
    """``{turn}``: ask the turn's question again, searched for if it was; a sibling."""
    turn = _turn(session, request)
    tools = turn.sending.get("body", {}).get("tools") or ()
    question = Question(
        turn.prompt,
        instead_of=turn.id,
        format=turn.format,
        attach=_given.get(turn.id) or _attached(turn),
        go_on=not turn.prompt.strip(),
        web=WEB_SEARCH in tools,
        on_error="return",
    )
    return _asked(session, request, _resolved(session, question))


def branch(session: Session, request: Request) -> dict[str, Any]:
    """``{turn, at, choice}``: a sibling of the turn that goes on from another token; its bundle."""
    turn = _turn(session, request)
    at, choice = (whole(request.body, name, -1, 1_000_000, -1) for name in ("at", "choice"))
    reply = _reply(session, request, branching(turn, at, choice))
    if reply.error is not None and not reply.text:
        raise reply.error
    return neighbour(session.conversation, reply.turn.id, 0)


def dry_run(session: Session, request: Request) -> dict[str, Any]:
    """As `ask`, but nothing is sent: the messages that would be, and tables of what they hold."""
    question = replace(_resolved(session, _question(request.body)), dry_run=True)
    shown: Any
    if variants := texts(request.body, "variants"):
        columns = partial(Columns, show=False)
        shown = compared(session, question, variants, 1, user_namespace(), columns)
    else:
        shown = preview(session, question)
    return {
        "summary": shown.summary,
        "title": shown.title,
        "drawn": shown.id,
        "messages": [{"role": m["role"], "text": _text(m.get("content"))} for m in shown.messages],
        "bytes": len(shown.payload),
        "reports": [
            {"title": r.title, "heads": list(r.heads), "rows": list(r.rows), "remark": r.remark}
            for r in shown.reports
        ],
    }


def gauge(session: Session, request: Request) -> dict[str, Any]:
    """As `dry_run`, in one line for the composer; where it cannot be asked, why."""
    try:
        return {"gauge": how_full(session, _resolved(session, _question(request.body)))}
    except DeepSeekError as error:
        return {"gauge": error.what}


def _turn(session: Session, request: Request) -> Turn:
    turn = session.conversation.turn(turn_id(request.body, "turn"))
    if turn is None:
        raise ConversationError("This turn is not part of the conversation.")
    return turn


def _question(body: Mapping[str, Any]) -> Question:
    return Question(
        text(body, "prompt"),
        instead_of=turn_id(body, "instead_of") if body.get("instead_of") else None,
        new=flag(body, "new"),
        go_on=flag(body, "go_on"),
        web=flag(body, "web"),
        attach=(
            *texts(body, "attach"),
            *(Wanted(name, cell) for name, cell in given_cells(objects(body, "cells"))),
        ),
        on_error="return",
    )


def _attached(turn: Turn) -> tuple[str, ...]:
    """What a turn attached under which rules, as far as the notebook still has it."""
    names = user_namespace()
    given = [(str(a.get("name")), str(a.get("policy") or "")) for a in turn.attachments]
    found = [(name, policy) for name, policy in given if name.isidentifier() and name in names]
    return tuple(f"{name}:{asked_of(policy)}" for name, policy in found)


def _resolved(session: Session, question: Question) -> Question:
    """The question with the panel's tools; those that read attachments need one."""
    tools = tuple(session.config.panel_tools)
    question = resolve(replace(question, tools=tools), user_namespace())
    if question.attach:
        return question
    return replace(question, tools=tuple(t for t in question.tools if t not in _OF_ATTACHMENTS))


def _asked(session: Session, request: Request, question: Question) -> dict[str, Any]:
    return _said(_reply(session, request, question))


def _said(reply: Any) -> dict[str, Any]:
    turn = getattr(reply, "turn", None)
    return {"turn": turn.id, "status": turn.status} if turn is not None else {}


def _reply(session: Session, request: Request, question: Question) -> Any:
    try:
        return ask_model(session, question, _Announced(request, question))
    except Interrupted as stopped:
        return stopped.reply


class _Announced(Deltas):
    """A surface that tells the page that asked what is waited for, and the id of the turn."""

    def __init__(self, request: Request, question: Question) -> None:
        super().__init__()
        self._request, self._question = request, question

    def wait(self, waiting: Mapping[str, Any]) -> None:
        self._request.tell({"type": "waiting", "prompt": self._question.prompt, "waiting": waiting})

    def begin(self, record: Mapping[str, Any], stop: Callable[[], None]) -> None:
        super().begin(record, stop)
        _given[record["id"]] = self._question.attach
        if len(_given) > _MOST_GIVEN:
            _given.popitem(last=False)
        to = self._request.body.get("request")
        self._request.tell({"type": "asked", "to": to, "turn": record["id"]})


def _text(content: Any) -> str:
    """What a message says; of an image that it is one."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "[image]")) for part in content or ())
