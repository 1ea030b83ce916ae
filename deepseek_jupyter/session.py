"""`Session`: everything this kernel holds, and the one place where the parts meet.

The way of a question: `prepare` settles provider, model, key and parameters and refuses what is
wrong before anything is sent; a `Run` carries it through the wire and onto a surface; its `Reply`
and turn are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .conversation.conversation import Conversation
from .conversation.turn import Turn, new_id, now
from .conversation.window import Window
from .display.frontend import user_namespace
from .display.live import Surface, surface
from .endpoint import Endpoints
from .errors import (
    ParameterError,
)
from .limits import check_budget, check_context
from .memory import Memory
from .protocol.messages import Message, assistant, user
from .protocol.request import ChatRequest, build
from .protocol.usage import Price, Usage, price_of
from .question import Question
from .reply import Reply
from .run import Run

if TYPE_CHECKING:
    from .config import DeepSeek
    from .protocol.deltas import Delta, Event
    from .transport.keys import Secret
    from .transport.providers import Provider

__all__ = ["Question", "Session"]

_TICK = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with everything settled. `dropped` turns no longer fit the model's context."""

    request: ChatRequest
    provider: Provider
    key: Secret
    turn: Turn
    dropped: int = 0


class Session:
    """One per kernel; `deepseek_jupyter.get_session()` is the running one."""

    def __init__(self, config: DeepSeek) -> None:
        self.config = config
        self.memory = Memory(persistent=config.journal, namespace=user_namespace())
        self.last: Reply | None = None
        self.spent: list[tuple[Turn, Usage | None]] = []
        self.endpoints = Endpoints(config)
        self._told: set[str] = set()

    @property
    def conversation(self) -> Conversation:
        """The notebook's conversation."""
        return self.memory.conversation

    # Asking

    def ask(self, question: Question, on: Surface | None = None) -> Reply:
        """Ask and wait. Raises one of the package's errors, or `Interrupted`, with `reply` set."""
        run = Run(self, self.prepare(question), on or surface(None))
        with run, closing(self._batches(run)) as batches:
            for batch in batches:
                run.take(batch)
        return self._kept(run, question)

    async def aask(self, question: Question, on: Surface | None = None) -> Reply:
        """The same for code with a loop of its own; cancelling it stops the answer."""
        run = Run(self, await asyncio.to_thread(self.prepare, question), on or surface(None))
        with run:
            async with _ticking(run), aclosing(self._abatches(run)) as batches:
                async for batch in batches:
                    run.take(batch)
        return self._kept(run, question)

    def stream(self, question: Question) -> Iterator[Delta]:
        """The deltas as they come, shown nowhere; `last` is the reply once they are through."""
        run = Run(self, self.prepare(question), surface(False))
        with run, closing(self._batches(run)) as batches:
            for batch in batches:
                yield from run.deltas(batch)
        self._kept(run, question)

    async def astream(self, question: Question) -> AsyncGenerator[Delta]:
        """The same for ``async for``."""
        run = Run(self, await asyncio.to_thread(self.prepare, question), surface(False))
        with run:
            async with _ticking(run), aclosing(self._abatches(run)) as batches:
                async for batch in batches:
                    for delta in run.deltas(batch):
                        yield delta
        self._kept(run, question)

    def _batches(self, run: Run) -> Generator[list[Event] | None]:
        from .transport.engine import engine

        client = self.endpoints.client
        return engine().drain(lambda: client.stream(run.exchange), run.stop)

    def _abatches(self, run: Run) -> AsyncGenerator[list[Event]]:
        from .transport.engine import engine

        client = self.endpoints.client
        return engine().adrain(lambda: client.stream(run.exchange), run.stop)

    def _kept(self, run: Run, question: Question) -> Reply:
        assert run.reply is not None
        on_error = question.on_error or self.config.on_error
        if run.reply.error is not None and on_error != "return":
            raise run.reply.error
        return run.reply

    # Settling a question

    def prepare(self, question: Question) -> Prepared:
        """Settle everything; raises `ConfigurationError` and its kind before anything is sent."""
        question.check()
        conversation = self.memory.another() if question.new else self.conversation
        provider, key = self.endpoints.provider(question.provider)
        model = self.endpoints.model(question.model, provider, key)
        parent = self._parent(question, conversation)
        remember = self.config.history if question.history is None else question.history
        turn = Turn(
            id=new_id(),
            conversation=conversation.id,
            prompt=question.prompt,
            sent=question.message,
            parent=parent if remember else None,
            cell_id=question.cell_id,
            created=now(),
            provider=provider.name,
            model=model,
            parameters=self._parameters(question),
            history=remember,
            format=question.format,
            branch=_branch(conversation, parent) if remember else None,
        )
        request = self._request(question, turn, conversation, provider)
        build(request, provider.dialect)  # refuses wrong parameters while nothing is on its way
        check_context(request, provider.context_tokens)
        budget = self.config.budget if question.budget is None else question.budget
        check_budget(request, self.price(provider, request.model), budget)
        cut = self._window(question, turn, conversation, provider).dropped
        if question.new:  # only now: a refused question changes nothing
            self.memory.conversation = conversation
        return Prepared(request, provider, key, turn, cut)

    # Results

    def keep(self, reply: Reply) -> None:
        """Remember a finished turn."""
        self.last = reply
        self.spent.append((reply.turn, reply.turn.usage))
        self.memory.finish(reply.turn)

    def first_time(self, sentence: str) -> bool:
        """True the first time a sentence is told in this session."""
        if sentence in self._told:
            return False
        self._told.add(sentence)
        return True

    def price(self, provider: Provider, *models: str | None) -> Price | None:
        """The price of the first of `models` that anyone knows."""
        from datetime import UTC, datetime

        from .transport.providers import price_override

        for model in filter(None, models):
            price = price_override(self.config.prices, model) or price_of(
                provider.prices, model, datetime.now(UTC)
            )
            if price:
                return price
        return None

    # Details

    def _parameters(self, question: Question) -> dict[str, Any]:
        values = {**self.config.parameters, **question.parameters}
        if question.format == "json":
            values.setdefault("response_format", {"type": "json_object"})
        return values

    def _request(
        self, question: Question, turn: Turn, conversation: Conversation, provider: Provider
    ) -> ChatRequest:
        think = {"auto": None, "on": True, "off": False}[self.config.think]
        think = think if question.think is None else question.think
        effort = question.effort or (self.config.effort or None if question.think is None else None)
        extra = dict(self.config.extra_body)
        if provider.name == "local":
            from . import local

            thinks = bool(think) or effort not in (None, "none")
            mode = (turn.parameters.get("response_format") or {}).get("type")
            fields = local.thinking_body(
                thinks,
                response_format=bool(mode),
                tools=bool(turn.parameters.get("tools")),
                repeatable="seed" in turn.parameters or turn.parameters.get("temperature") == 0,
                model=turn.model,
            )
            extra = {**fields, **extra}
        return ChatRequest(
            model=turn.model,
            messages=self._messages(question, turn, conversation, provider),
            parameters=turn.parameters,
            think=think,
            effort=effort,
            stream=self.config.stream if question.stream is None else question.stream,
            extra=extra,
        )

    def _parent(self, question: Question, conversation: Conversation) -> str | None:
        """The turn that this one follows. A continuation follows what it continues.

        That is the last answer, unless the same cell made it by continuing: run again, it
        continues the same turn as before.
        """
        last = self.last.turn if self.last else None
        if not question.go_on or last is None or conversation.turn(last.id) is None:
            return conversation.parent_for(question.cell_id)
        again = last.cell_id is not None and last.cell_id == question.cell_id
        return last.parent if again and not last.prompt.strip() else last.id

    def _window(
        self, question: Question, turn: Turn, conversation: Conversation, provider: Provider
    ) -> Window:
        """The history that fits three quarters of the context; the rest is for the answer."""
        prompt = self.config.system if question.system is None else question.system
        limit = provider.context_tokens * 3 // 4 if provider.context_tokens else None
        return conversation.window(turn.parent if turn.history else None, prompt, limit)

    def _messages(
        self, question: Question, turn: Turn, conversation: Conversation, provider: Provider
    ) -> list[Message]:
        messages = list(self._window(question, turn, conversation, provider).messages)
        if not question.go_on:
            return [*messages, user(turn.sent)]
        last = self.last.turn if self.last else None
        if last is not None and turn.history and conversation.turn(last.id):
            last = conversation.turn(turn.parent)  # see _parent
        if last is None or not last.answer:
            raise ParameterError("There is no answer to continue.", "Ask a question first.")
        if turn.parent != last.id:
            messages += last.messages()
        if provider.dialect.prefix:
            begun = assistant(last.answer, reasoning=last.reasoning)
            return [*messages[:-1], replace(begun, prefix=True)]
        return [*messages, user(turn.sent)]


@asynccontextmanager
async def _ticking(run: Run) -> AsyncIterator[None]:
    """A quiet tick now and then, for the clock on the screen.

    And for Stop: ipykernel (7.4) cancels an awaiting cell from a signal handler that does not wake
    the loop, so that without other events the cell would go on until the server says something.
    """

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK)
            run.take(None)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()


def _branch(conversation: Conversation, parent: str | None) -> dict[str, int] | None:
    """Which of its siblings a new turn under `parent` is; None for the only one."""
    count = len(conversation.children(parent)) + 1
    return {"index": count, "count": count} if count > 1 else None
