"""From a `Question` to everything that a request needs, refused here or fit to be sent.

Provider, key, model, the turn's place in the tree and its messages are settled in this order, so
that the cheapest refusal comes first; nothing is changed before the last of them is past.

The message of a question: its cells, what it attaches, and the prompt, through the gate.

Everything that leaves is put together here, once, and is resent afterwards as it was sent.

The `ChatRequest` of a turn: parameters, thinking, tools and schema, and what a provider adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.cells import Chosen
from deepseek_jupyter.context.images import check_images, for_model
from deepseek_jupyter.conversation.conversation import Window, messages_of
from deepseek_jupyter.conversation.turn import Turn, new_id, now
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import MissingKeyError, ParameterError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.messages import Message, user
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.protocol.tokens import count_tokens, estimate_tokens

from .attachments import Gathered, gather, resolved
from .budget import check_context, check_spending
from .notebook_cells import chosen_cells
from .pin import request_hash
from .prompt_cache import Prefix
from .toolset import tools_of

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.privacy.redaction import Gate
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.asking import Asked
    from deepseek_jupyter.tools.tool import Tool
    from deepseek_jupyter.transport.keys import Secret
    from deepseek_jupyter.transport.providers import Provider

    from .question import Question


@dataclass(frozen=True, slots=True)
class Placed:
    """A question at its place in the conversation.

    The turn has neither provider nor model yet; its message is whole, as if nothing stood before.
    """

    question: Question
    conversation: Conversation
    turn: Turn
    parts: Parts


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
    gate: Gate
    teaching: Teaching
    notices: tuple[str, ...] = ()
    budget: float = 0.0
    approve: str | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    asked: Asked | None = None


def place(session: Session, question: Question) -> Placed:
    """Where the question stands, and what it says. Raises `ParameterError`, `PolicyError`."""
    question.check()
    memory = session.memory
    conversation = memory.another() if question.new else memory.conversation
    remember = session.config.history if question.history is None else question.history
    parent = _parent(session, question, conversation) if remember else None
    turn = Turn(
        id=new_id(),
        conversation=conversation.id,
        prompt=question.prompt,
        parent=parent,
        cell_id=question.cell_id,
        created=now(),
        parameters=parameters_of(session, question),
        history=remember,
        format="json" if question.schema is not None else question.format,
        branch=_sibling(conversation, parent) if remember else None,
    )
    parts = compose(session, question, conversation)
    turn = parts.written(turn)
    before = conversation.turn(turn.parent)
    hash = request_hash(session.config, question, turn, before)
    return Placed(question, conversation, replace(turn, request_hash=hash), parts)


def prepare(session: Session, placed: Placed) -> Prepared:
    """Settle everything. Raises `ConfigurationError` and its kind before anything is sent."""
    question, conversation = placed.question, placed.conversation
    turn, parts = placed.turn, placed.parts
    teaching = Teaching(session.policy_files())
    provider, key = _endpoint(session, question)
    teaching.check_provider(provider.name)
    model = session.endpoints.model(question.model, provider, key)
    teaching.check_model(model)
    turn = replace(turn, provider=provider.name, model=model, policy=teaching.marks)
    tools = tools_of(session, parts.question, parts.gate)
    asked = asked_shape(question, provider, tools)
    system = session.config.system if question.system is None else question.system
    system = parts.gate.text(teaching.system(system))
    window = _window(system, turn, conversation, provider, parts.gate.text)
    sees = provider.sees_images(model)
    path = conversation.path(turn.parent)[window.dropped :] if turn.history else ()
    turn = parts.for_model(model, sees=sees).written(turn, path)
    if asked is not None:
        turn = replace(turn, sent="\n\n".join(filter(None, (turn.sent, asked.words))))
    messages = _messages(session, question, turn, conversation, provider, window, parts.gate.text)
    unseen = 0 if sees else sum(len(message.images) for message in messages)
    messages = [replace(m, images=()) if m.images else m for m in messages] if unseen else messages
    parameters = with_tools(turn.parameters, tools, asked)
    request = request_of(session, question, turn, messages, parameters)
    request = replace(request, think=teaching.think(request.think, request.effort))
    body = build(request, provider.dialect).body  # refuses wrong parameters before anything is sent
    teaching.check_body(body, parts.gate.text(teaching.words), provider.dialect)
    check_images(url for message in messages for url in message.images)
    check_context(request, provider.context_tokens)
    budget = session.config.budget if question.budget is None else question.budget
    check_spending(session, request, provider, teaching, budget)
    turn = replace(
        turn,
        pseudonyms=parts.gate.used(*(message.content for message in messages)),
        sending={**turn.sending, "system": system, "dropped": window.dropped},
    )
    if question.new and not question.dry_run:  # only now: a refused question changes nothing
        session.memory.conversation = conversation
    branch = question.branch or conversation.active
    told = ((teaching.notice if teaching else ""), *(tool.notice for tool in tools.values()))
    return Prepared(
        request,
        provider,
        key,
        turn,
        conversation,
        branch,
        _prefix(request, turn, window),
        parts.gate,
        teaching,
        tuple(filter(None, (*told, _left_out(unseen, model)))),
        budget,
        question.approve,
        tools,
        asked,
    )


def _left_out(pictures: int, model: str) -> str:
    """What is told of pictures of earlier turns that this model cannot be sent."""
    if not pictures:
        return ""
    which = "A picture" if pictures == 1 else f"{pictures} pictures"
    return f"{which} of earlier turns stayed here: {model} is not known to see images."


def _endpoint(session: Session, question: Question) -> tuple[Provider, Secret]:
    """The provider and its key; nothing is sent by a dry run, so that it needs none."""
    try:
        return session.endpoints.provider(question.provider)
    except MissingKeyError:
        if not question.dry_run:
            raise
        return session.endpoints.keyless(question.provider)


def _prefix(request: ChatRequest, turn: Turn, window: Window) -> Prefix:
    names = ("tools", "response_format")
    given = request.parameters
    shape = {name: given[name] for name in names if given.get(name)}
    return Prefix(
        turn.conversation,
        turn.provider,
        turn.model,
        tuple(request.messages),
        repr(shape),
        window.dropped,
    )


def _parent(session: Session, question: Question, conversation: Conversation) -> str | None:
    """The turn that this one follows. A continuation follows what it continues, unless the same
    cell made that by continuing: run again, it continues the same turn as before.
    """
    if question.instead_of is not None:
        replaced = conversation.turn(question.instead_of)
        return replaced.parent if replaced else conversation.tip
    last = _last(session, conversation)
    if not question.go_on or last is None or conversation.turn(last.id) is None:
        prompt = question.prompt if question.by_prompt else None
        return conversation.parent_for(question.cell_id, prompt, question.branch)
    again = last.cell_id is not None and last.cell_id == question.cell_id
    return last.parent if again and not last.prompt.strip() else last.id


def _last(session: Session, conversation: Conversation) -> Turn | None:
    """What a continuation continues: the last answer, in a new kernel where the last one ended."""
    return session.last.turn if session.last else conversation.turn(conversation.tip)


def _window(
    system: str,
    turn: Turn,
    conversation: Conversation,
    provider: Provider,
    mask: Callable[[str], str],
) -> Window:
    """The history that fits three quarters of the context; the rest is for the answer."""
    limit = provider.context_tokens * 3 // 4 if provider.context_tokens else None
    return conversation.window(turn.parent if turn.history else None, system, limit, mask)


def _messages(
    session: Session,
    question: Question,
    turn: Turn,
    conversation: Conversation,
    provider: Provider,
    window: Window,
    mask: Callable[[str], str],
) -> list[Message]:
    messages = list(window.messages)
    if not question.go_on:
        return [*messages, user(turn.sent, turn.images)]
    last = _last(session, conversation)
    if last is not None and turn.history and conversation.turn(last.id):
        last = conversation.turn(turn.parent)  # see _parent
    if last is None or not last.answer:
        raise ParameterError("There is no answer to continue.", "Ask a question first.")
    if turn.parent != last.id:
        messages += messages_of(last, mask)
    if provider.dialect.prefix:
        return [*messages[:-1], replace(messages[-1], prefix=True)]
    return [*messages, user(turn.sent, turn.images)]


def _sibling(conversation: Conversation, parent: str | None) -> dict[str, int] | None:
    """Which of its siblings a new turn under `parent` is; None for the only one."""
    count = len(conversation.children(parent)) + 1
    return {"index": count, "count": count} if count > 1 else None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a message is made of."""

    question: Question
    gate: Gate
    cells: Chosen
    gathered: Gathered

    def for_model(self, model: str, *, sees: bool) -> Parts:
        """The same as `model` can take it: see `context.images.for_model`."""
        taken = tuple(for_model(a, model, sees=sees) for a in self.gathered.attachments)
        return replace(self, gathered=replace(self.gathered, attachments=taken))

    def written(self, turn: Turn, path: Iterable[Turn] = ()) -> Turn:
        """`turn` with its message behind the turns of `path`, which it does not repeat."""
        before = list(path)
        gathered = self.gathered.behind(before)
        cells = self.cells.text("\n".join(turn.sent for turn in before))
        parts = [("cells", cells), *gathered.texts, ("prompt", self.question.message)]
        # Who tries a question wants figures; who asks one wants the answer.
        size = count_tokens if self.question.dry_run else estimate_tokens
        sizes = [[name, size(text)] for name, text in parts if text]
        details = [
            {
                "name": a.name,
                "rows": a.rows,
                "columns": [asdict(column) for column in a.columns],
                "masked": dict(a.masked),
            }
            for a in gathered.attachments
        ]
        return replace(
            turn,
            sent=self.gate.text("\n\n".join(text for _, text in parts if text)),
            images=gathered.images,
            attachments=gathered.records,
            sending={**turn.sending, "attachments": details, "parts": sizes},
        )


def compose(session: Session, question: Question, conversation: Conversation) -> Parts:
    """The parts of the message. Raises `ParameterError`, `PolicyError`."""
    gate = session.gate_of(conversation)
    question = resolved(question, user_namespace())
    choice = session.config.cells if question.cells is None else question.cells
    gathered = gather(session, question, gate)
    cells = chosen_cells(choice, question.cell_id, gate.text)
    return Parts(question, gate, cells, gathered)


_THINK = {"auto": None, "on": True, "off": False}


def parameters_of(session: Session, question: Question) -> dict[str, Any]:
    """The settings' parameters and the question's, by wire name."""
    values = {**session.config.parameters, **question.parameters}
    if question.format == "json" and question.schema is None:
        values.setdefault("response_format", {"type": "json_object"})
    return values


def request_of(
    session: Session,
    question: Question,
    turn: Turn,
    messages: list[Message],
    parameters: Mapping[str, Any],
) -> ChatRequest:
    """The request of a turn, as the settings and the question want it."""
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
    from deepseek_jupyter import local

    mode = (parameters.get("response_format") or {}).get("type")
    return local.thinking_body(
        bool(think) or effort not in (None, "none"),
        response_format=bool(mode),
        tools=bool(parameters.get("tools")),
        repeatable="seed" in parameters or parameters.get("temperature") == 0,
        model=model,
    )


def asked_shape(question: Question, provider: Provider, tools: Mapping[str, Tool]) -> Asked | None:
    """How the answer's schema is asked of this provider; None without one."""
    if question.schema is None:
        return None
    from deepseek_jupyter.tools.asking import ask_for
    from deepseek_jupyter.tools.schemas import shape_of

    return ask_for(shape_of(question.schema), provider.dialect.schema, tools=bool(tools))


def with_tools(
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
