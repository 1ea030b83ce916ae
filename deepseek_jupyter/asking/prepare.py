"""From a `Question` to everything that a request needs: either refused here, or ready to be sent.

`place` finds where the question belongs and reads what it says, under the policy files, which are
read once; `prepare` settles provider, key, model, the turn's message and the request, in this
order, so that the cheapest refusal comes first. Nothing changes before all of them have passed.

Below them is what they use: the place, the history, the request, and what is said of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.cell_text import ChosenCells
from deepseek_jupyter.context.images import check_images, for_model
from deepseek_jupyter.conversation.conversation import Conversation, Window, messages_of
from deepseek_jupyter.conversation.turn import Turn, new_id, now
from deepseek_jupyter.display.surfaces import NOWHERE, Surface
from deepseek_jupyter.errors import ContextLengthError, MissingKeyError, ParameterError
from deepseek_jupyter.privacy.policy_file import PolicyFiles
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.deltas import Detail
from deepseek_jupyter.protocol.dialect import model_id, thinking_fields
from deepseek_jupyter.protocol.messages import Message, assistant, user
from deepseek_jupyter.protocol.request import Built, ChatRequest, replays_thinking
from deepseek_jupyter.protocol.responses import WEB_SEARCH
from deepseek_jupyter.protocol.tokens import (
    count_body,
    count_forms,
    count_later,
    count_message,
    count_tokens,
    estimate_tokens,
    least_answer,
)
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.session.withholding import Held
from deepseek_jupyter.transport.keys import Secret
from deepseek_jupyter.transport.providers import Provider

from .attachments import Gathered, gather, held_back
from .budget import budget_at, check_context, check_spending, search_notice
from .long_texts import check_citable, choices, detail, fitted, pace, tokens_without
from .notebook_cells import chosen_cells
from .prompt_cache import Prefix
from .question import Beginning, Question, request_hash
from .toolset import offers_tools, remember, tools_of

if TYPE_CHECKING:
    from deepseek_jupyter.tools.functions import Tool
    from deepseek_jupyter.tools.schemas import Asked


NO_KEY = "There is no API key, so a small local model answers. %deepseek login stores a key."

_THINK = {"auto": None, "on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Placed:
    """A question at its place in the conversation, and what its message is made of.

    The turn has neither provider, model nor message yet. `files` are the policy files that hold,
    read once for the whole question.
    """

    question: Question
    conversation: Conversation
    turn: Turn
    files: PolicyFiles
    redactor: Redactor
    cells: ChosenCells
    gathered: Gathered

    @property
    def message(self) -> str:
        """All of it as one text, before redaction and without a history."""
        texts = (self.cells.text(), *(a.text for a in self.gathered.attachments))
        return "\n\n".join((*texts, self.question.message))

    @property
    def tokens(self) -> int:
        texts = (self.cells.text(), self.question.message)
        return sum(map(estimate_tokens, texts)) + sum(a.tokens for a in self.gathered.attachments)

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(url for a in self.gathered.attachments for url in a.images)

    def for_model(self, model: str, *, sees: bool) -> Placed:
        """What of them `model` can take: see `context.images.for_model`."""
        if not self.gathered.attachments:
            return self
        taken = tuple(for_model(a, model, sees=sees) for a in self.gathered.attachments)
        return replace(self, gathered=replace(self.gathered, attachments=taken))

    def written(
        self, turn: Turn, path: Iterable[Turn], asked: Asked | None
    ) -> tuple[Turn, list[tuple[str, str]]]:
        """`turn` with its message, without what `path` said before, and its texts by name."""
        if (begins := self.question.begins) and (of := begins.of):  # that question, as it went out
            sending = {"attachments": of.sending.get("attachments", []), "shortened": []}
            said = {name: getattr(of, name) for name in ("sent", "images", "attachments")}
            return replace(turn, **said, sending={**turn.sending, **sending}), []
        before = list(path)
        gathered = self.gathered.behind(before)
        cells = self.cells.text("\n".join(turn.sent for turn in before))
        # Documents first: the long beginning of a request is what a provider's cache finds again.
        every = list(zip(gathered.texts, gathered.attachments, strict=True))
        parts = [text for text, a in every if a.unit]
        parts += [("cells", cells), *(text for text, a in every if not a.unit)]
        parts.append(("prompt", self.question.message))
        texts = [(name, text) for name, text in parts if text]
        sent = self.redactor.redact("\n\n".join(text for _, text in texts))
        if asked is not None and asked.words:
            texts.append(("form of the answer", asked.words))
            sent = "\n\n".join(filter(None, (sent, asked.words)))
        details = [
            {
                "name": a.name,
                "rows": a.rows,
                "columns": [asdict(column) for column in a.columns],
                "masked": dict(a.masked),
                **detail(a, sent),
            }
            for a in gathered.attachments
        ]
        shortened = [*self.question.shortened, *self.cells.shortened, *gathered.shortened]
        turn = replace(
            turn,
            sent=sent,
            images=gathered.images,
            attachments=gathered.records,
            sending={**turn.sending, "attachments": details, "shortened": shortened},
        )
        return turn, texts


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with everything settled."""

    request: ChatRequest
    built: Built
    provider: Provider
    key: Secret
    turn: Turn
    conversation: Conversation
    branch: str
    prefix: Prefix
    redactor: Redactor
    teaching: Teaching
    notices: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    budget: float = 0.0
    approve: str | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    asked: Asked | None = None
    begins: Beginning | None = None
    fallbacks: tuple[Prepared, ...] = ()

    def saying(self, text: str) -> tuple[ChatRequest, Built]:
        """The request with another last message, a redacted one, for one of many questions.

        What says the form of the answer goes into the system prompt: what all of them have in
        common comes first, for the provider's cache. Raises `ContextLengthError`.
        """
        *before, _ = self.request.messages
        first = [m.content for m in before if m.role == "system"]
        first += [self.asked.words] if self.asked is not None and self.asked.words else []
        heads = [Message("system", "\n\n".join(first))] if first else []
        request = replace(self.request, messages=(*heads, user(text)))
        built = WIRES[self.provider.wire].build(request, self.provider.dialect)
        return request, check_context(built, self.provider)


def place(session: Session, question: Question, on: Surface = NOWHERE) -> Placed:
    """Where the question belongs, and what it says; what takes a while is shown `on`, as by
    `prepare`. Raises `ParameterError`, `PolicyError`.
    """
    question.check()
    memory, config = session.memory, session.config
    conversation = memory.another() if question.new else memory.conversation
    remember = config.history if question.history is None else question.history
    parent = _parent(session, question, conversation) if remember else None
    siblings = len(conversation.children(parent)) + 1 if remember else 1
    files = session.policy_files()
    own = session.redactor_of(conversation, files)
    gathered, redactor = gather(session, question, own, files, conversation.path(parent), on)
    choice = config.cells if question.cells is None else str(question.cells)
    cells = chosen_cells(choice, question.cell_id, redactor.redact, files.data)
    turn = Turn(
        id=new_id(),
        conversation=conversation.id,
        prompt=question.prompt,
        parent=parent,
        cell_id=question.cell_id,
        created=now(),
        history=remember,
        format="json" if question.schema is not None else question.format,
        branch={"index": siblings, "count": siblings} if siblings > 1 else None,
        sending={"cite": True} if question.cite else {},
    )
    placed = Placed(question, conversation, turn, files, redactor, cells, gathered)
    return asked_of(session, placed, question)


def asked_of(session: Session, placed: Placed, question: Question, **turn: Any) -> Placed:
    """`placed` for a `question` of another model or parameters; `turn`: fields of its turn."""
    config = session.config
    parameters = {**config.parameters, **question.parameters}
    if question.format == "json" and question.schema is None:
        parameters.setdefault("response_format", {"type": "json_object"})
    before = placed.conversation.turn(placed.turn.parent)
    hashed = request_hash(config, question, parameters, before, placed.message, placed.images)
    own = replace(placed.turn, parameters=parameters, request_hash=hashed, **turn)
    return replace(placed, question=question, turn=own)


def prepare(session: Session, placed: Placed, on: Surface = NOWHERE) -> Prepared:
    """Settle everything. Raises `ConfigurationError` and its kind before anything is sent.

    The body is built here, once: it is what is counted, drawn, checked and posted.
    """
    return _Preparation(session, placed, on).prepared()


def host(provider: Provider) -> str:
    """Where its requests go; the embedded server has another port each time."""
    return provider.base_url if provider.name != "local" else provider.name


def _changed(drawn: tuple[str, bytes], to: str, payload: bytes) -> str:
    """What differs from what a dry run showed; "" where no byte does."""
    if drawn == (to, payload):
        return ""
    before, after = json.loads(drawn[1]), json.loads(payload)
    names = [n for n in {**before, **after} if before.get(n) != after.get(n)]
    where = [f"it would go to {to}"] if to != drawn[0] else []
    return ", ".join([*where, *(f"{n.replace('_', ' ')} changed" for n in names)]) or "its bytes"


# The place


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
    last = session.last.turn if session.last else None
    return last if last and last.answer else conversation.turn(conversation.tip)


class _Preparation:
    """What the steps of `prepare` settle, each from the results of those before it."""

    def __init__(self, session: Session, placed: Placed, on: Surface) -> None:
        self.session, self.config = session, session.config
        self.placed, self.question = placed, placed.question
        self.conversation, self.files = placed.conversation, placed.files
        self.redact = placed.redactor.redact
        self.teaching = Teaching(placed.files)
        self.provider, self.key, self.model = self._endpoint(on)
        provider, model, turn = self.provider, self.model, placed.turn
        self.facts = provider.facts(model)
        self.path = self.conversation.path(turn.parent) if turn.history else []
        offering = offers_tools(provider, model)
        redactor = placed.redactor
        self.tools = tools_of(session, self.question, redactor, placed.files, self.path, offering)
        self.asked = self._asked()
        self.words, asked = self.redact(self.teaching.words), self.question.system
        system = self.redact(self.config.system if asked is None else asked)
        if not system.endswith(self.words):
            system = "\n\n".join(filter(None, (system, self.words)))
        self.system = system
        given, *self.remarks = session.endpoints.parameters(provider)
        given |= {
            name: value
            for name, value in turn.parameters.items()
            if name in self.question.parameters or name not in self.config.parameters
        }
        self.parameters = {**given, **self._added(given)}
        self.think, self.effort = self._thinking()
        if provider.dialect.prefix != "prefix" and self._completes():
            self.think = False  # it would think between its own words
        policy = self.teaching.marks
        self.turn = replace(
            turn, provider=provider.name, model=model, parameters=given, policy=policy
        )
        self.mask = session.withholding.for_history(self.conversation, redactor)

    def prepared(self) -> Prepared:
        session, question, provider = self.session, self.question, self.provider
        placed = self._fitted()
        window = self._window(placed.tokens)
        said = self.path[window.dropped :]
        seen = placed.for_model(self.model, sees=bool(self.facts.images))
        turn, texts = seen.written(self.turn, said, self.asked)
        check_citable(question, [*said, turn])
        if any(turn.attachments for turn in (*said, turn)):
            self.teaching.check_data(provider.name)
        messages = self._messages(turn, window)
        if unseen := 0 if self.facts.images else sum(len(m.images) for m in messages):
            messages = [replace(m, images=()) if m.images else m for m in messages]
        request = self._request(messages)
        built = WIRES[provider.wire].build(request, provider.dialect)  # refuses wrong parameters
        self.teaching.check_body(built.body, self.words, thinks=built.thinks)
        check_images(url for message in messages for url in message.images)
        notices = (*built.notices, *filter(None, self.remarks))
        built, budget = self._checked(placed, replace(built, notices=notices))
        turn = self._noted(turn, request, built, window, [] if self._completes() else texts)
        if question.new and not question.dry_run:  # only now: a refused question changes nothing
            session.memory.conversation = self.conversation
        remember(session, question, self.conversation.id)
        return Prepared(
            request,
            built,
            provider,
            self.key,
            turn,
            self.conversation,
            question.branch or self.conversation.active,
            self._prefix(request, window),
            placed.redactor,
            self.teaching,
            self._notices(placed, unseen),
            placed.gathered.held,
            budget,
            question.approve,
            self.tools,
            self.asked,
            question.begins and replace(question.begins, text=messages[-1].content),
        )

    # Who is asked

    def _endpoint(self, on: Surface) -> tuple[Provider, Secret, str]:
        """Provider, key and model. What sends nothing, a dry run or kept answers, needs no key."""
        question, endpoints = self.question, self.session.endpoints
        name, named = endpoints.named(question.provider, question.model)
        try:
            if self.session.recordings.wanted(question.replay) == "always":
                provider, key = endpoints.keyless(name)
            else:
                provider, key = endpoints.provider(
                    name, lambda model: on.wait({"reason": "start", "name": model})
                )
        except MissingKeyError:
            if not question.dry_run:
                raise
            provider, key = endpoints.keyless(name)
        self.teaching.check_provider(provider.name)
        if question.web and not provider.web_search:
            raise ParameterError(
                f"{provider.title} has no web search on its server.",
                "-p deepseek asks one that has; or leave --web out.",
            )
        provider = provider.speaking("responses" if question.web else self.config.wire)
        model = endpoints.model(named, provider, key)
        self.teaching.check_model(model)
        return endpoints.taught(provider, model), key, model

    def _asked(self) -> Asked | None:
        """How the answer's schema is asked of this provider; None without one."""
        if self.question.schema is None:
            return None
        from deepseek_jupyter.tools.schemas import ask_for, shape_of

        form = self.provider.dialect.schema
        return ask_for(shape_of(self.question.schema), form, tools=bool(self.tools))

    def _thinking(self) -> tuple[bool | None, str | None]:
        """Thinking and effort as asked. Settings that do not fit this provider are left out."""
        config, question, dialect = self.config, self.question, self.provider.dialect
        think = _THINK[config.think] if question.think is None else question.think
        effort = question.effort or (config.effort or None if question.think is None else None)
        of_settings = question.think is None and question.effort is None
        if of_settings and (think is not None or effort):
            try:
                model_id(dialect, self.model, think, effort)
                thinking_fields(dialect, self.model, think, effort)
            except ParameterError as error:
                self.remarks.append(f"The thinking settings do not apply here: {error.what}")
                return None, None
        return think, effort

    def _added(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of tools and schema, which cannot both be `given` too."""
        added: dict[str, Any] = dict(self.asked.parameters) if self.asked else {}
        if self.tools:
            added["tools"] = [tool.to_wire() for tool in self.tools.values()]
        if self.question.web:
            added["tools"] = [*added.get("tools", ()), dict(WEB_SEARCH)]
        if name := next((name for name in added if name in given), ""):
            raise ParameterError(
                f"The parameter {name} and {'tools' if name == 'tools' else 'a schema'} exclude "
                "each other.",
                "Leave one out.",
            )
        return added

    # What is said

    def _fitted(self) -> Placed:
        """What of its documents fits the model's context, as the question's `fit` says."""
        placed = self.placed
        if not placed.gathered.attachments:
            return placed
        texts = (self.system, placed.cells.text(), self.question.message)
        taken = tokens_without(placed.gathered.attachments, *texts)
        taken += count_forms(self.parameters, estimate_tokens)
        gathered = placed.gathered.behind(self.path)
        return replace(placed, gathered=fitted(gathered, self.question, self.facts.context, taken))

    def _said(self, turn: Turn) -> list[Message]:
        """What an earlier turn says to the model now: its texts under today's policies. A card that
        shows more than a policy file allows today is left out, with all that was sent with it.
        """
        if turn.sent and held_back(turn, self.files.data):
            turn = replace(turn, sent=turn.prompt, images=())
        return messages_of(turn, self.mask)

    def _window(self, tokens: int) -> Window:
        """The history that fits three quarters of the context, next to tools and the answer's
        schema, and leaves room for the question's own `tokens` and a short answer.
        """
        limit = None
        if context := self.facts.context:
            room = context - least_answer(context) - tokens
            limit = min(context * 3 // 4, room) - count_forms(self.parameters, estimate_tokens)
        return self.conversation.window(
            self.turn.parent if self.turn.history else None,
            self.system,
            limit,
            self._said,
            thinking=replays_thinking(self.model, self.provider.dialect),
        )

    def _messages(self, turn: Turn, window: Window) -> list[Message]:
        messages, own = list(window.messages), user(turn.sent, turn.images)
        prefix = self.provider.dialect.prefix
        if begins := self.question.begins:
            if not prefix:
                raise ParameterError(
                    f"{self.provider.title} cannot continue an answer whose beginning is given.",
                    "-p deepseek and -p local can, and vLLM, SGLang, llama.cpp and OpenRouter.",
                )
            of = begins.of and replace(begins.of, answer=begins.text, reasoning=None)
            said = self._said(of) if of else (own, assistant(self.redact(begins.text)))
            *before, begun = said
            return [*messages, *before, replace(begun, reasoning_details=(), prefix=True)]
        if not self.question.go_on:
            return [*messages, own]
        last = _last(self.session, self.conversation)
        if last is not None and turn.history and self.conversation.turn(last.id):
            last = self.conversation.turn(turn.parent)  # see _parent
        if last is None or not last.answer:
            raise ParameterError("There is no answer to continue.", "Ask a question first.")
        if turn.parent != last.id:
            messages += self._said(last)
        if not self._completes():
            return [*messages, own]
        begun = replace(messages[-1], prefix=True)
        if prefix != "prefix":
            begun = replace(begun, reasoning=None, reasoning_details=())
        return [*messages[:-1], begun]

    def _completes(self) -> bool:
        """Whether the model goes on from the very text of the last answer. With words of the
        user's it is asked to go on, as it is where it should think first.
        """
        prefix = self.provider.dialect.prefix
        if not self.question.go_on or self.question.prompt.strip():
            return False
        thinks = self.think or self.effort not in (None, "none")
        return prefix == "prefix" or (bool(prefix) and not thinks)

    # The request

    def _request(self, messages: list[Message]) -> ChatRequest:
        """The request of a turn, as the settings and the question want it."""
        given, extra = self.parameters, dict(self.config.extra_body)
        if self.provider.name == "local":
            from deepseek_jupyter import local

            fields = local.thinking_body(
                bool(self.think) or self.effort not in (None, "none"),
                response_format=bool((given.get("response_format") or {}).get("type")),
                tools=bool(given.get("tools")),
                repeatable="seed" in given or given.get("temperature") == 0,
                model=self.model,
            )
            extra = {**fields, **extra}
        stream = self.question.stream
        return ChatRequest(
            model=self.model,
            messages=messages,
            parameters=given,
            think=self.teaching.think(self.think, self.effort),
            effort=self.effort,
            stream=self.config.stream if stream is None else stream,
            extra=extra,
        )

    def _checked(self, placed: Placed, built: Built) -> tuple[Built, float]:
        """The request within context and budgets, and the question's own budget here."""
        session, question, provider = self.session, self.question, self.provider
        allowed = self.config.budget if question.budget is None else question.budget
        budget = budget_at(session, allowed, provider)
        try:
            built = check_context(built, provider)
        except ContextLengthError as error:
            context, price = self.facts.context or 0, session.price(provider, self.model)
            speed = pace(self.conversation, self.model)
            at_once = 1 if provider.name == "local" else 16
            attachments = placed.gathered.attachments
            raise choices(error, attachments, context, price, speed, at_once) from None
        check_spending(session, built, provider, self.teaching, budget)
        if question.drawn and (changed := _changed(question.drawn, host(provider), built.payload)):
            raise ParameterError(f"Not what the dry run showed: {changed}.", "Draw it again.")
        return built, budget

    # What is known of it afterwards

    def _noted(
        self,
        turn: Turn,
        request: ChatRequest,
        built: Built,
        window: Window,
        texts: Sequence[tuple[str, str]],
    ) -> Turn:
        """`turn` with the facts about its request; `texts` are its message's parts."""
        shortened = list(turn.sending["shortened"])
        if count := window.dropped:
            what = "The oldest turn is" if count == 1 else f"The {count} oldest turns are"
            shortened.insert(0, f"{what} left out: the context is full.")
        sending = {
            "system": self.system,
            "dropped": window.dropped,
            # Who tries a question wants figures; who asks one wants the answer.
            "parts": _sizes(built, texts, exact=self.question.dry_run),
            "shortened": shortened,
            "body": {name: value for name, value in built.body.items() if name != "messages"},
        }
        if kept := [t.id for t in self.path if t.sent and held_back(t, self.files.data)]:
            sending["held_back"] = kept
        if built.beta:
            sending["beta"] = True
        used = self.placed.redactor.used(*(message.content for message in request.messages))
        asked = {"think": request.think, "effort": request.effort}
        audit = {name: said for name, said in asked.items() if said is not None}
        return replace(turn, pseudonyms=used, sending={**turn.sending, **sending}, audit=audit)

    def _prefix(self, request: ChatRequest, window: Window) -> Prefix:
        given, turn, messages = request.parameters, self.turn, tuple(request.messages)
        forms = {name: given[name] for name in ("tools", "response_format") if given.get(name)}
        place = (turn.conversation, turn.provider, turn.model)
        return Prefix(*place, messages, repr(forms), window.dropped)

    def _notices(self, placed: Placed, unseen: int) -> tuple[str, ...]:
        """What the user reads with the answer; `unseen` pictures of the history are not sent."""
        session, question, provider = self.session, self.question, self.provider
        said = [self.teaching.notice if self.teaching else ""]
        said += [tool.notice for tool in self.tools.values()]
        said.append(self.asked.notice if self.asked else "")
        said.append(search_notice(session.price(provider, self.model)) if question.web else "")
        stands_in = session.endpoints.stands_in
        if provider.name == "local" and stands_in(question.provider, question.model):
            said.append(NO_KEY)
        if unseen:
            which = "A picture" if unseen == 1 else f"{unseen} pictures"
            what = f"stayed here: {self.model} is not known to see images."
            said.append(f"{which} of earlier turns {what}")
        of_attachments = [notice for a in placed.gathered.attachments for notice in a.notices]
        # What a change to a cell sends of a frame is not the user's choice.
        said += map(Detail, of_attachments) if question.material else of_attachments
        said += placed.gathered.renewed
        return tuple(filter(None, said))


def _sizes(built: Built, texts: Sequence[tuple[str, str]], *, exact: bool) -> list[list[Any]]:
    """Tokens of each part of a body, ``[name, tokens]``; `texts` are those of its last message,
    none where that is the answer to go on from.
    """
    measure = count_tokens if exact else estimate_tokens
    if exact:
        count_later(text for _, text in texts)
    body = built.body
    messages = body["messages"]
    first = 1 if messages and messages[0].get("role") == "system" else 0
    users = (at for at, m in enumerate(messages) if m.get("role") == "user")
    last = max(users, default=first) if texts else len(messages)
    history = messages[first:last]
    thinking = sum(measure(m.get("reasoning_content") or "") for m in history)
    parts = [(name, measure(text)) for name, text in texts]
    rows: list[tuple[str, int]] = [
        ("system prompt", sum(count_message(m, measure) for m in messages[:first])),
        ("history", sum(count_message(m, measure) for m in history) - thinking),
        ("earlier thinking, sent again", thinking),
        *parts,
        ("tools and answer schema", count_forms(body, measure)),
    ]
    sent = messages[last].get("content") if last < len(messages) else None
    own = sum(size for _, size in parts)
    whole = count_body(body, lambda text: own if text is sent else measure(text))
    rest = whole - sum(size for _, size in rows)
    return [[name, size] for name, size in (*rows, ("chat template", rest)) if size > 0]
