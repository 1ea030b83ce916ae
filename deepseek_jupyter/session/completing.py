"""`Completing`: ghost text for a page, asked of the provider's fill-in-the-middle.

The life of one: while somebody types a page sends ``settle``, so that provider and key are known
when they are needed; then ``complete`` with the code before and after the cursor; a task on the
engine asks and tells the page what comes, piece by piece; the page's ``cancel``, or its next
``complete``, ends the task, which closes the connection, so that the server stops writing. It is
no part of the conversation: nothing of it is kept but what it cost, in the journal.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.privacy.redaction import Revealer
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.protocol.fim import FimRequest
from deepseek_jupyter.protocol.tokens import estimate_tokens
from deepseek_jupyter.protocol.usage import Usage

from .ghost_rules import check_ghost
from .standing import tell as tell_standing

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.transport.client import Client
    from deepseek_jupyter.transport.engine import Stop
    from deepseek_jupyter.transport.exchange import Exchange
    from deepseek_jupyter.transport.keys import Secret
    from deepseek_jupyter.transport.providers import Provider

    from .session import Session

__all__ = ["Completing"]

_DEFAULT_TOKENS = 96
_MOST_TOKENS = 512  # more is no ghost text, whatever the page asks
_LONGEST = 400_000  # characters of prefix or suffix; the page cuts far below
_CLERK = "deepseek_jupyter.accounts"
_SETTLED = 30.0  # seconds for which provider and key are not looked up again
_AHEAD = 10.0  # seconds before their end in which a page that types has them looked up again


class _Host(NamedTuple):
    """Where ghost text is asked for."""

    provider: Provider
    key: Secret
    model: str


_Found = tuple[FimRequest, _Host]  # what may leave, and where to


class Completing:
    """The ghost texts of this kernel's pages. `spent` is what they cost in this kernel, by model.

    Those that were cancelled are estimated: no host tells what it billed for them.
    """

    def __init__(self, session: Session) -> None:
        self.spent: dict[str, Total] = {}
        self._session = session
        self._lock = threading.Lock()
        self._running: dict[str, tuple[str, Stop]] = {}  # page -> its newest request
        self._host: tuple[float, tuple[str, ...], _Host] | None = None
        self._client: Client | None = None
        self._clerk: ThreadPoolExecutor | None = None  # one thread: what was paid, in its order

    def settle(self, request: Request) -> None:
        """Look up what a ghost text needs, before it is asked for; what forbids it is told then."""
        with suppress(DeepSeekError):
            self._settled(_AHEAD)
            self._its_client().warm()
            _ = self._session.gate

    def complete(self, request: Request) -> None:
        """Begin a ghost text: ``{id, prefix, suffix, max_tokens}``; what comes is told.

        ``{type: "ghost", id, text}`` for each piece, then ``{type: "ghost", id, done: true}`` with
        ``error`` where it failed.
        """
        from deepseek_jupyter.transport.engine import Stop, engine

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
        self._replace(page, (id, stop))

        def tell(**message: Any) -> None:
            request.tell({"type": "ghost", "id": id, **message})

        found: _Found | DeepSeekError | None = None
        if self._known() is not None:  # then it takes a millisecond, and no thread is waited for
            try:
                found = self._ready(asked)
            except DeepSeekError as error:
                found = error
        engine().start(self._carry(asked, found, tell, page, id), stop)

    def cancel(self, request: Request) -> None:
        """End a page's ghost text ``{id}``, if it is still on its way."""
        page, id = str(request.body.get("page")), str(request.body.get("id"))
        with self._lock:
            running = self._running.get(page)
        if running is not None and running[0] == id:
            self._replace(page, None)

    def total(self) -> Total:
        """All of it, of this kernel."""
        return sum(self.spent.values(), Total(""))

    def flush(self) -> None:
        """Wait until the journal knows all that was paid. Not for the engine's thread."""
        here = threading.current_thread().name
        if self._clerk is not None and not here.startswith(_CLERK):
            self._clerk.submit(lambda: None).result()

    def _replace(self, page: str, running: tuple[str, Stop] | None) -> None:
        with self._lock:
            before = self._running.pop(page, None)
            if running is not None:
                self._running[page] = running
        if before is not None:
            before[1]()

    async def _carry(
        self,
        asked: FimRequest,
        found: _Found | DeepSeekError | None,
        tell: Callable[..., None],
        page: str,
        id: str,
    ) -> None:
        """One ghost text, from its place at the provider to its last word.

        `found` is what `_ready` said, None where it has not been asked.
        """
        from deepseek_jupyter.transport.exchange import Exchange

        error: DeepSeekError | None = None
        exchange: Exchange | None = None
        try:
            if found is None:
                found = await asyncio.to_thread(self._ready, asked)
            if isinstance(found, DeepSeekError):
                raise found
            asked, host = found
            exchange = Exchange(asked, host.provider, host.key)
            revealer = Revealer(self._session.gate)
            async with aclosing(self._its_client().stream(exchange)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    text = "".join(event.text for event in batch if isinstance(event, TextDelta))
                    if text := revealer.feed(text):
                        tell(text=text)
            if text := revealer.flush():
                tell(text=text)
        except DeepSeekError as problem:
            error = problem
            self._host = None  # the key, the model or the server may be another by now
        except Exception as bug:  # the page must not wait for what will never come
            error = DeepSeekError(f"{type(bug).__name__}: {bug}")
        finally:
            paid: Total | None = None
            if exchange is not None and exchange.attempts:
                paid = self._account(asked, exchange, refused=error is not None)
            if paid is not None:
                # On a thread, for the disk may be slow; unawaited: this task may be cancelled.
                self._clerks().submit(self._write_down, paid)
            with self._lock:
                if self._running.get(page, ("",))[0] == id:
                    del self._running[page]
        if error is None:
            tell(done=True)
        else:
            tell(done=True, error=error.record)

    def _ready(self, asked: FimRequest) -> _Found:
        """What may leave, and where to. Raises what forbids it."""
        host = self._settled()
        mask = self._session.gate.text
        asked = replace(
            asked, model=host.model, prefix=mask(asked.prefix), suffix=mask(asked.suffix)
        )
        check_ghost(self._session, asked, host.provider)
        return asked, host

    def _known(self, ahead: float = 0.0) -> _Host | None:
        """Provider, key and model, where they hold for the present settings, `ahead` seconds on."""
        kept = self._host
        if kept is None or kept[1] != self._settings() or time.monotonic() + ahead >= kept[0]:
            return None
        return kept[2]

    def _settings(self) -> tuple[str, ...]:
        names = ("provider", "base_url", "model", "local_model", "fim_provider", "fim_model")
        return tuple(str(getattr(self._session.config, name)) for name in names)

    def _settled(self, ahead: float = 0.0) -> _Host:
        """Provider, key and model. Asks the key store, or starts the embedded model: slow."""
        if known := self._known(ahead):
            return known
        config, settings = self._session.config, self._settings()
        endpoints = self._session.endpoints
        provider, key = endpoints.provider(config.fim_provider or None)
        wired = provider.for_fim()
        model = config.fim_model or endpoints.model(None, provider, key)
        host = _Host(wired, key, model)
        self._host = (time.monotonic() + _SETTLED, settings, host)
        return host

    def _its_client(self) -> Client:
        """A client of its own: no second tries, and no place taken from a question."""
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.retry import RetryPolicy

        if self._client is None:
            timeouts = Timeouts(connect=5.0, first=30.0, idle=10.0, write=10.0)
            self._client = Client(timeouts, RetryPolicy(attempts=1), concurrency=4)
        return self._client

    def _clerks(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        if self._clerk is None:
            self._clerk = ThreadPoolExecutor(1, _CLERK)
        return self._clerk

    def _write_down(self, paid: Total) -> None:
        """Keep in the journal what a ghost text cost, and tell the pages."""
        conversation = self._session.conversation
        if conversation.journal is not None:
            conversation.journal.add_ghosts(conversation.notebook or "", paid)
        tell_standing(self._session)

    def _account(self, asked: FimRequest, exchange: Exchange, refused: bool) -> Total | None:
        """What this one cost; None for nothing."""
        completion = exchange.completion
        usage = completion.usage
        if usage is None:
            if refused and not completion.answer:
                return None
            # Cancelled: the host bills what it read and wrote, and told neither.
            read = estimate_tokens(asked.prefix) + estimate_tokens(asked.suffix)
            usage = Usage(prompt_tokens=read, completion_tokens=estimate_tokens(completion.answer))
        model = completion.model or asked.model
        price = self._session.price(exchange.provider, completion.model, asked.model)
        cost = price.cost(usage) if price else None
        spent = Total(model, 1, usage, {cost.currency: cost.amount} if cost else {})
        self.spent[model] = self.spent.get(model, Total(model)) + spent
        return spent
