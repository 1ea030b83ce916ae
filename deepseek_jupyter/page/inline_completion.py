"""`InlineCompletion`: ghost text for a page, asked of the provider's fill-in-the-middle.

The life of one: while the user types a page sends ``settle``, so that provider and key are known
when they are needed; then ``complete`` with the code before and after the cursor; a task on the
engine asks and sends the page what comes, piece by piece; the page's ``cancel``, or its next
``complete``, ends the task, which closes the connection, so that the server stops writing. It is
no part of the conversation: nothing of it is kept but what it cost, in the journal. The rules of a
policy and the budgets hold for it as for a question.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from deepseek_jupyter.asking.attachments import protecting
from deepseek_jupyter.asking.budget import check_notebook
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.errors import DeepSeekError, PolicyError
from deepseek_jupyter.privacy.redaction import Restorer
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.protocol.fim import FimRequest
from deepseek_jupyter.protocol.tokens import count_tokens, estimate_tokens
from deepseek_jupyter.protocol.usage import Price, Usage

if TYPE_CHECKING:
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.transport.client import Client
    from deepseek_jupyter.transport.engine import Stop
    from deepseek_jupyter.transport.exchange import Exchange
    from deepseek_jupyter.transport.keys import Secret
    from deepseek_jupyter.transport.providers import Provider

_DEFAULT_TOKENS = 96
_MOST_TOKENS = 512  # more is no ghost text, whatever the page asks
_LONGEST = 400_000  # characters of prefix or suffix; the page cuts far below
_SETTLED = 30.0  # seconds for which provider and key are not looked up again
_SETTINGS = ("provider", "base_url", "model", "local_model", "fim_provider", "fim_model")


class _Host(NamedTuple):
    """Where ghost text is asked for."""

    provider: Provider
    key: Secret
    model: str


class InlineCompletion:
    """The ghost texts of this kernel's pages; what they cost is in ``session.ghosts``."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = threading.Lock()
        self.running: dict[str, tuple[str, Stop]] = {}  # page -> its newest request
        self._host: tuple[float, list[str], _Host] | None = None  # until when, for which settings

    def begin(self, page: str, running: tuple[str, Stop] | None) -> None:
        """Let `running`, an id and its stop, be the page's ghost text; the one before ends."""
        with self.lock:
            before = self.running.pop(page, None)
            if running is not None:
                self.running[page] = running
        if before is not None:
            before[1]()

    async def run(self, asked: FimRequest, send: Callable[..., None], page: str, id: str) -> None:
        """One ghost text, from its place at the provider to its last word."""
        from deepseek_jupyter.transport.exchange import Exchange

        error: DeepSeekError | None = None
        exchange: Exchange | None = None
        try:
            asked, host = await asyncio.to_thread(self.prepared, asked)
            exchange = Exchange(asked, host.provider, host.key)
            revealer = Restorer(self.session.redactor.known, in_links=True)
            async with aclosing(self.client.stream(exchange)) as batches:
                async for batch in batches:
                    text = "".join(event.text for event in batch if isinstance(event, TextDelta))
                    if text := revealer.feed(text):
                        send(text=text)
            if text := revealer.flush():
                send(text=text)
        except DeepSeekError as problem:
            error = problem
            self._host = None  # the key, the model or the server may be another by now
        except Exception as bug:  # the page must not wait for what will never come
            error = DeepSeekError(f"{type(bug).__name__}: {bug}")
        finally:
            if exchange is not None and exchange.attempts:
                paid = self._cost(asked, exchange, refused=error is not None)
                if paid is not None:  # written unawaited: this task may be cancelled
                    self.session.ghosts.add(paid, self._write_down)
            with self.lock:
                if self.running.get(page, ("",))[0] == id:
                    del self.running[page]
        send(done=True, **({"error": error.record} if error is not None else {}))

    def prepared(self, asked: FimRequest) -> tuple[FimRequest, _Host]:
        """What may leave, and where to. Raises `PolicyError` or `ConfigurationError`."""
        session, (provider, key, model) = self.session, self.settled()
        mask = protecting(session).redact
        prefix, suffix = mask(asked.prefix), mask(asked.suffix)
        teaching = Teaching(session.policy_files())
        if teaching.marks:  # ghost text writes code, never thinks, and knows no system prompt
            raise PolicyError(
                "The policy of this notebook allows no provider for ghost text.",
                "%deepseek doctor names its file.",
            )
        teaching.check_provider(provider.name)
        teaching.check_model(model)

        def worst(price: Price) -> Decimal:
            read = count_tokens(prefix) + count_tokens(suffix)
            return price.cost(Usage(read, asked.parameters["max_tokens"])).amount

        price = session.price(provider, model)
        check_notebook(session, provider, model, teaching, price, worst)
        asked = replace(asked, model=model, prefix=prefix, suffix=suffix)
        return asked, _Host(provider, key, model)

    def settled(self) -> _Host:
        """Provider, key and model, for the settings as they are.

        Asks the key store, or starts the embedded model: slow.
        """
        config, endpoints = self.session.config, self.session.endpoints
        settings = [str(getattr(config, name)) for name in _SETTINGS]
        until, known_for, host = self._host or (0.0, settings, None)
        if host is None or known_for != settings or time.monotonic() >= until:
            provider, key = endpoints.provider(config.fim_provider or None)
            model = config.fim_model or endpoints.model(None, provider, key)
            host = _Host(provider.for_fim(), key, model)
            self._host = (time.monotonic() + _SETTLED, settings, host)
        return host

    @cached_property
    def client(self) -> Client:
        """A client of its own: no second tries, and no place taken from a question."""
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.retry import RetryPolicy

        timeouts = Timeouts(connect=5.0, first=30.0, idle=10.0, write=10.0)
        return Client(timeouts, RetryPolicy(attempts=1), concurrency=4)

    def _write_down(self, paid: Total) -> None:
        """Keep in the journal what a ghost text cost."""
        conversation = self.session.conversation
        if conversation.journal is not None:
            conversation.journal.add_ghosts(conversation.notebook or "", paid)
        self.session.announce("paid", {})

    def _cost(self, asked: FimRequest, exchange: Exchange, refused: bool) -> Total | None:
        """What this one cost; None for nothing."""
        completion = exchange.completion
        usage = completion.usage
        if usage is None:
            if refused and not completion.answer:
                return None
            # Cancelled: the host bills what it read and wrote, and says neither.
            read = estimate_tokens(asked.prefix) + estimate_tokens(asked.suffix)
            usage = Usage(prompt_tokens=read, completion_tokens=estimate_tokens(completion.answer))
        key = f"{exchange.provider.name}:{completion.model or asked.model}"
        price = self.session.price(exchange.provider, completion.model, asked.model)
        cost = price.cost(usage) if price else None
        return Total(key, 1, usage, {cost.currency: cost.amount} if cost else {})


# Requests

# The one of a session, made at first use.
completion_of = lru_cache(maxsize=1)(InlineCompletion)


def settle(session: Session, request: Request) -> None:
    """Look up what a ghost text needs; what forbids one is said when one is asked for."""
    completion = completion_of(session)
    with suppress(DeepSeekError):
        completion.settled()
        _ = completion.client, session.redactor


def complete(session: Session, request: Request) -> None:
    """Begin a ghost text: ``{id, prefix, suffix, max_tokens}``.

    The page gets ``{type: "ghost", id, text}`` for each piece, then ``{type: "ghost", id,
    done: true}``, with ``error`` where it failed.
    """
    from deepseek_jupyter.transport.engine import Stop, engine

    completion = completion_of(session)
    body, stop = request.body, Stop()
    page, id = str(body.get("page")), str(body.get("id"))
    prefix, suffix = str(body.get("prefix") or ""), str(body.get("suffix") or "")
    limit = body.get("max_tokens")
    tokens = limit if isinstance(limit, int) else _DEFAULT_TOKENS
    asked = FimRequest(
        "",
        prefix[-_LONGEST:],
        suffix[:_LONGEST],
        {"max_tokens": max(1, min(tokens, _MOST_TOKENS)), "temperature": 0},
    )
    completion.begin(page, (id, stop))

    def send(**message: Any) -> None:
        request.tell({"type": "ghost", "id": id, **message})

    engine().start(completion.run(asked, send, page, id), stop)


def cancel(session: Session, request: Request) -> None:
    """End a page's ghost text ``{id}``, if it is still on its way."""
    completion = completion_of(session)
    page, id = str(request.body.get("page")), str(request.body.get("id"))
    if completion.running.get(page, ("",))[0] == id:
        completion.begin(page, None)
