"""From a `Question` to everything that a request needs, refused here or fit to be sent.

Provider, key, model, the turn's place in the tree and its messages are settled in this order, so
that the cheapest refusal comes first; nothing is changed before the last of them is past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .accounts import notebook_cost, notebook_tokens
from .context.images import check_images
from .conversation.turn import Turn, new_id, now
from .errors import ParameterError
from .limits import check_budget, check_context, check_notebook_budget, worst_cost
from .notebook_cells import chosen_cells
from .pin import request_hash
from .prefix import Prefix
from .protocol.messages import Message, assistant, user
from .protocol.request import ChatRequest, build
from .teaching import Teaching
from .toolset import tools_of
from .transport.providers import KEYLESS

if TYPE_CHECKING:
    from .context.cells import Chosen
    from .conversation.conversation import Conversation
    from .conversation.window import Window
    from .question import Question
    from .session import Session
    from .tools.asking import Asked
    from .tools.tool import Tool
    from .transport.keys import Secret
    from .transport.providers import Provider

__all__ = ["Prepared", "place", "prepare"]

_THINK = {"auto": None, "on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with everything settled."""

    request: ChatRequest
    provider: Provider
    key: Secret
    turn: Turn
    conversation: Conversation
    branch: str
    prefix: Prefix
    notices: tuple[str, ...] = ()
    budget: float = 0.0
    approve: str | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    asked: Asked | None = None


def place(session: Session, question: Question) -> tuple[Conversation, Turn]:
    """Where the question stands: its conversation, and its turn without provider and model."""
    question.check()
    memory = session.memory
    conversation = memory.another() if question.new else memory.conversation
    remember = session.config.history if question.history is None else question.history
    parent = _parent(session, question, conversation) if remember else None
    turn = Turn(
        id=new_id(),
        conversation=conversation.id,
        prompt=question.prompt,
        sent=question.message,
        parent=parent,
        cell_id=question.cell_id,
        created=now(),
        parameters=_parameters(session, question),
        history=remember,
        format="json" if question.schema is not None else question.format,
        branch=_sibling(conversation, parent) if remember else None,
    )
    before = conversation.turn(turn.parent)
    cells = _cells(session, question)
    hash = request_hash(session.config, question, _with_cells(turn, cells.text()), before)
    known = "\n".join(t.sent for t in conversation.path(parent)) if cells.cells else ""
    return conversation, replace(_with_cells(turn, cells.text(known)), request_hash=hash)


def _cells(session: Session, question: Question) -> Chosen:
    choice = session.config.cells if question.cells is None else question.cells
    return chosen_cells(choice, question.cell_id, session.gate.text)


def _with_cells(turn: Turn, cells: str) -> Turn:
    return replace(turn, sent=f"{cells}\n\n{turn.sent}") if cells else turn


def prepare(session: Session, question: Question) -> Prepared:
    """Settle everything. Raises `ConfigurationError` and its kind before anything is sent."""
    teaching = Teaching(session.policy_files())
    conversation, turn = place(session, question)
    provider, key = session.endpoints.provider(question.provider)
    teaching.check_provider(provider.name)
    model = session.endpoints.model(question.model, provider, key)
    teaching.check_model(model)
    turn = replace(turn, provider=provider.name, model=model, policy=teaching.marks)
    tools = tools_of(session, question)
    asked = _asked(question, provider, tools)
    if asked is not None:
        turn = replace(turn, sent="\n\n".join(filter(None, (turn.sent, asked.words))))
    system = session.config.system if question.system is None else question.system
    window = _window(teaching.system(system), turn, conversation, provider)
    messages = _messages(session, question, turn, conversation, provider, window)
    parameters = _with_tools(turn.parameters, tools, asked)
    request = _request(session, question, turn, messages, parameters)
    request = replace(request, think=teaching.think(request.think, request.effort))
    body = build(request, provider.dialect).body  # refuses wrong parameters before anything is sent
    teaching.check_body(body, provider.dialect)
    check_images(url for message in messages for url in message.images)
    check_context(request, provider.context_tokens)
    budget = session.config.budget if question.budget is None else question.budget
    price = session.price(provider, request.model)
    check_budget(request, price, budget)
    if price is not None and (cap := session.config.notebook_budget):
        check_notebook_budget(request, price, cap, notebook_cost(session, price.currency))
    teaching.check_budget(
        lambda currency: notebook_cost(session, currency),
        lambda: notebook_tokens(session),
        (worst_cost(request, price), price.currency) if price else None,
        free=provider.name in KEYLESS,
    )
    if question.new:  # only now: a refused question changes nothing
        session.memory.conversation = conversation
    branch = question.branch or conversation.active
    return Prepared(
        request,
        provider,
        key,
        turn,
        conversation,
        branch,
        _prefix(request, turn, window),
        (teaching.notice,) if teaching else (),
        budget,
        question.approve,
        tools,
        asked,
    )


def _asked(question: Question, provider: Provider, tools: Mapping[str, Tool]) -> Asked | None:
    if question.schema is None:
        return None
    from .tools.asking import ask_for
    from .tools.schemas import shape_of

    return ask_for(shape_of(question.schema), provider.dialect.schema, tools=bool(tools))


def _with_tools(
    parameters: Mapping[str, Any], tools: Mapping[str, Tool], asked: Asked | None
) -> dict[str, Any]:
    """The parameters with what tools and schema add to them; they cannot both be given twice."""
    added: dict[str, Any] = dict(asked.parameters) if asked else {}
    if tools:
        added["tools"] = [tool.to_wire() for tool in tools.values()]
    for name in added:
        if name in parameters:
            raise ParameterError(
                f"The parameter {name} and {'tools' if tools else 'a schema'} exclude each other.",
                "Leave one out.",
            )
    return {**parameters, **added}


def _prefix(request: ChatRequest, turn: Turn, window: Window) -> Prefix:
    names = ("tools", "response_format")
    given = request.parameters
    shape = {name: given[name] for name in names if given.get(name)}
    return Prefix(turn.provider, turn.model, tuple(request.messages), repr(shape), window.dropped)


def _parameters(session: Session, question: Question) -> dict[str, Any]:
    values = {**session.config.parameters, **question.parameters}
    if question.format == "json" and question.schema is None:
        values.setdefault("response_format", {"type": "json_object"})
    return values


def _request(
    session: Session,
    question: Question,
    turn: Turn,
    messages: list[Message],
    parameters: Mapping[str, Any],
) -> ChatRequest:
    config = session.config
    think = _THINK[config.think] if question.think is None else question.think
    effort = question.effort or (config.effort or None if question.think is None else None)
    extra = dict(config.extra_body)
    if turn.provider == "local":
        extra = {**_local_fields(turn.model, parameters, think, effort), **extra}
    return ChatRequest(
        model=turn.model,
        messages=messages,
        parameters=parameters,
        think=think,
        effort=effort,
        stream=config.stream if question.stream is None else question.stream,
        extra=extra,
    )


def _local_fields(
    model: str, parameters: Mapping[str, Any], think: bool | None, effort: str | None
) -> dict[str, Any]:
    from . import local

    mode = (parameters.get("response_format") or {}).get("type")
    return local.thinking_body(
        bool(think) or effort not in (None, "none"),
        response_format=bool(mode),
        tools=bool(parameters.get("tools")),
        repeatable="seed" in parameters or parameters.get("temperature") == 0,
        model=model,
    )


def _parent(session: Session, question: Question, conversation: Conversation) -> str | None:
    """The turn that this one follows. A continuation follows what it continues.

    That is the last answer, unless the same cell made it by continuing: run again, it continues the
    same turn as before.
    """
    if question.instead_of is not None:
        replaced = conversation.turn(question.instead_of)
        return replaced.parent if replaced else conversation.tip
    last = session.last.turn if session.last else None
    if not question.go_on or last is None or conversation.turn(last.id) is None:
        prompt = question.prompt if question.by_prompt else None
        return conversation.parent_for(question.cell_id, prompt, question.branch)
    again = last.cell_id is not None and last.cell_id == question.cell_id
    return last.parent if again and not last.prompt.strip() else last.id


def _window(system: str, turn: Turn, conversation: Conversation, provider: Provider) -> Window:
    """The history that fits three quarters of the context; the rest is for the answer."""
    limit = provider.context_tokens * 3 // 4 if provider.context_tokens else None
    return conversation.window(turn.parent if turn.history else None, system, limit)


def _messages(
    session: Session,
    question: Question,
    turn: Turn,
    conversation: Conversation,
    provider: Provider,
    window: Window,
) -> list[Message]:
    messages = list(window.messages)
    if not question.go_on:
        return [*messages, user(turn.sent, turn.images)]
    last = session.last.turn if session.last else None
    if last is not None and turn.history and conversation.turn(last.id):
        last = conversation.turn(turn.parent)  # see _parent
    if last is None or not last.answer:
        raise ParameterError("There is no answer to continue.", "Ask a question first.")
    if turn.parent != last.id:
        messages += last.messages()
    if provider.dialect.prefix:
        begun = assistant(last.answer, reasoning=last.reasoning)
        return [*messages[:-1], replace(begun, prefix=True)]
    return [*messages, user(turn.sent, turn.images)]


def _sibling(conversation: Conversation, parent: str | None) -> dict[str, int] | None:
    """Which of its siblings a new turn under `parent` is; None for the only one."""
    count = len(conversation.children(parent)) + 1
    return {"index": count, "count": count} if count > 1 else None
