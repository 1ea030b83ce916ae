"""One question through the transport, and everything that came of it, for tests to look at."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.protocol.deltas import (
    Completion,
    Event,
    Notice,
    ReasoningDelta,
    Retry,
    TextDelta,
)
from deepseek_jupyter.protocol.messages import Message, user
from deepseek_jupyter.protocol.request import ChatRequest
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.client import Client, Timeouts
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.exchange import Exchange
from deepseek_jupyter.transport.keys import Secret
from deepseek_jupyter.transport.providers import PROVIDERS, Provider
from deepseek_jupyter.transport.retry import RetryPolicy

KEY = "sk-THE0KEY0MUST0NOT0SHOW0ANYWHERE"  # looked for in everything that can be seen

# No test waits for these to pass; a busy machine must not reach them.
PATIENT = Timeouts(connect=60.0, first=60.0, idle=60.0, write=60.0, listing=60.0)
ONCE = RetryPolicy(attempts=1)
HASTY = RetryPolicy(attempts=4, base=0.01, cap=0.02)


def provider_at(server: Any, name: str = "deepseek", **changes: Any) -> Provider:
    """The profile `name`, at a scripted server."""
    return PROVIDERS[name].derive(base_url=server.base_url(name), **changes)


def exchange_with(provider: Provider, *messages: Message, **request: Any) -> Exchange:
    """An exchange that has not begun."""
    asked = ChatRequest(
        request.pop("model", provider.default_model or "a-model"),
        messages or (user("Say hello."),),
        **request,
    )
    return Exchange(asked, provider, Secret(KEY, "a test"))


def session_at(server: Any, idle_timeout: float = 60.0) -> Session:
    """A session whose providers are all at a scripted server."""
    config = DeepSeek(attempts=1, first_timeout=60.0, idle_timeout=idle_timeout)
    names = ("deepseek", "openrouter", "vllm", "llamacpp")
    config.providers = {name: {"base_url": server.base_url(name)} for name in names}
    config.provider = "deepseek"
    return Session(config)


@dataclass
class Outcome:
    """What one exchange brought."""

    exchange: Exchange
    events: list[Event] = field(default_factory=list)
    error: DeepSeekError | None = None
    seconds: float = 0.0

    @property
    def completion(self) -> Completion:
        return self.exchange.completion

    @property
    def text(self) -> str:
        """The answer as the deltas told it."""
        return "".join(e.text for e in self.events if isinstance(e, TextDelta))

    @property
    def reasoning(self) -> str:
        """The thinking as the deltas told it."""
        return "".join(e.text for e in self.events if isinstance(e, ReasoningDelta))

    @property
    def notices(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Notice)]

    @property
    def retries(self) -> list[Retry]:
        return [e for e in self.events if isinstance(e, Retry)]

    @property
    def waits(self) -> int:
        """Signs of life of a server that lets a request wait."""
        return self.exchange.decoder.sse.comments


def ask(exchange: Exchange, client: Client | None = None) -> Outcome:
    """Run `exchange` on the engine to its end or error, and look for the key in what is left."""
    outcome = Outcome(exchange)
    own = client or Client(PATIENT, ONCE)
    began = time.monotonic()
    try:
        for events in engine().drain(lambda: own.stream(exchange)):
            outcome.events += events or []
    except DeepSeekError as error:
        outcome.error = error
        assert_keyless(error)
    finally:
        outcome.seconds = time.monotonic() - began
        if client is None:
            engine().run(own.close())
    assert KEY not in repr(outcome) + repr(vars(exchange))
    return outcome


async def aask(exchange: Exchange, client: Client) -> Outcome:
    """The same from a running loop."""
    outcome = Outcome(exchange)
    try:
        async for events in engine().adrain(lambda: client.stream(exchange)):
            outcome.events += events
    except DeepSeekError as error:
        outcome.error = error
    return outcome


def assert_keyless(error: BaseException) -> None:
    """The key is in no part of `error` that anyone could print, local variables included."""
    for text in _visible(error):
        assert KEY not in text, text.replace(KEY, "<<<THE KEY>>>")


def _visible(error: BaseException) -> Iterator[str]:
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield _with_locals(error)
    if render := getattr(error, "_render_traceback_", None):
        yield "\n".join(render())
    for linked in (error.__cause__, error.__context__):
        if linked is not None:
            yield repr(linked)
            yield repr(vars(linked)) if hasattr(linked, "__dict__") else ""
            yield _with_locals(linked)


def _with_locals(error: BaseException) -> str:
    try:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    except AttributeError:  # Python 3.11 fails on a local that is half built and has no repr yet
        shown = traceback.TracebackException.from_exception(error)
    return "".join(shown.format())
