"""The one HTTP client: requests out, deltas in, foreign exceptions mapped to ours.

The life of an exchange (`Client.stream`): wait for a place at the gate; build and post; read
until the server ends the stream, passing on what each read brought; on a failure before any
output, repair or wait and go back to the post; on a failure after it, raise, with the part that
arrived in `Exchange.completion`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from deepseek_jupyter._version import __version__
from deepseek_jupyter.errors import (
    BadRequestError,
    ConfigurationError,
    DeepSeekError,
    RateLimitError,
    TimedOutError,
    TruncatedError,
    UnreachableError,
)
from deepseek_jupyter.protocol.deltas import Event, Notice
from deepseek_jupyter.protocol.request import Built, ChatRequest, encoded, join_url, repair
from deepseek_jupyter.protocol.wire import WIRES

from .exchange import Exchange
from .failures import Failure, concurrency_limit, request_id
from .gate import Gate
from .keys import Secret
from .providers import Provider
from .reading import Timeouts, read_reply
from .retry import RetryPolicy

__all__ = ["Client", "Timeouts"]

_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class _Bearer(httpx.Auth):
    """Puts the key into the one header, so that it is in no variable of ours."""

    def __init__(self, key: Secret) -> None:
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ConfigurationError(
                "The API key holds characters that no key has, such as a line break.",
                "Store it again with %deepseek login, or correct the variable it comes from.",
            )
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Any:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt: what the user is told, and the seconds to wait first."""

    notice: str
    delay: float = 0.0


class Client:
    """Sends exchanges; owns the connection pool. All of it lives on one event loop."""

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        concurrency: int = 8,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self.retry = retry or RetryPolicy()
        self._concurrency = concurrency
        self._gates: dict[str, Gate] = {}
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def stream(self, exchange: Exchange) -> AsyncIterator[list[Event]]:
        """Post the request and pass on what each read brings, until the answer is whole.

        Raises one of the package's errors; `exchange.completion` then holds what had arrived.
        """
        self._settle()
        gate = self._gates.setdefault(exchange.provider.name, Gate(self._concurrency))
        async with gate:
            while True:
                try:
                    async for events in self._attempt(exchange):
                        yield events
                    if not exchange.insist_on_json():
                        return
                    again = Again("The model returned nothing but blanks; asked once more.")
                except DeepSeekError as error:
                    found = None if exchange.has_output else self._recovery(exchange, error, gate)
                    if found is None:
                        raise
                    again = found
                yield [Notice(again.notice)]
                await asyncio.sleep(again.delay)

    async def get(self, provider: Provider, path: str, key: Secret) -> Any:
        """The JSON at `path` below the provider's base URL (models, balance)."""
        self._settle()
        exchange = Exchange(ChatRequest("", ()), provider, key)
        exchange.url = join_url(provider.base_url, path)
        async with self._mapped(exchange):
            request = self._client().build_request(
                "GET", exchange.url, headers=dict(provider.headers), timeout=self.timeouts.listing
            )
            response = await self._client().send(request, auth=_Bearer(key))
        if response.status_code != 200:
            raise exchange.error(Failure(response.status_code, response.headers, response.text))
        return exchange.parse_json(response.text)

    def warm(self) -> None:
        """Build the connection pool, which takes a tenth of a second, before it is needed.

        From any thread. Nothing is connected.
        """
        self._client()

    async def close(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _attempt(self, exchange: Exchange) -> AsyncIterator[list[Event]]:
        """Post once and read to the end."""
        provider, wire = exchange.provider, WIRES[exchange.provider.wire]
        built = wire.build(exchange.request, exchange.dialect)
        exchange.attempts += 1
        exchange.decoder, exchange.whole = wire.stream(exchange.dialect), None
        exchange.decoder.redact = exchange.redact
        if built.notices and exchange.attempts == 1:
            yield [Notice(text, once=True) for text in built.notices]
        exchange.url = join_url(provider.beta_url if built.beta else provider.base_url, wire.path)
        async with self._mapped(exchange), self._open(exchange, built) as (response, timer):
            if response.status_code != 200:
                raise await self._refusal(exchange, response)
            exchange.request_id = request_id(response.headers)
            async for events in read_reply(exchange, response, timer, self.timeouts):
                yield events
        exchange.judge()
        if exchange.decoder.unparsable:
            yield [Notice("A part of the stream could not be read; the answer may have a gap.")]

    async def _refusal(self, exchange: Exchange, response: httpx.Response) -> DeepSeekError:
        """The error for a reply that is not 200. The body, which may repeat the key, ends here."""
        body = (await response.aread()).decode("utf-8", "replace")
        return exchange.error(Failure(response.status_code, response.headers, body))

    @contextlib.asynccontextmanager
    async def _open(
        self, exchange: Exchange, built: Built
    ) -> AsyncIterator[tuple[httpx.Response, asyncio.Timeout]]:
        """The open response, under a timer that the reader winds on."""
        accept = "text/event-stream" if built.body.get("stream") else "application/json"
        async with asyncio.timeout(self.timeouts.first) as timer:
            request = self._client().build_request(
                "POST",
                exchange.url,
                content=encoded(built.body),
                headers={
                    "Accept": accept,
                    "Content-Type": "application/json",
                    **exchange.provider.headers,
                },
            )
            response = await self._client().send(request, auth=_Bearer(exchange.key), stream=True)
            try:
                yield response, timer
            finally:
                # Merely leaving the iterator would keep the server generating, and billing.
                await response.aclose()

    @contextlib.asynccontextmanager
    async def _mapped(self, exchange: Exchange) -> AsyncIterator[None]:
        """The one place where httpx's exceptions become ours."""
        host = exchange.url.partition("://")[2].partition("/")[0] or exchange.url
        try:
            with _frameless():
                yield
        except TimeoutError:
            if exchange.has_output:
                what = f"{host} fell silent for {self.timeouts.idle:g} seconds."
                raise TruncatedError(what) from None
            waited = self.timeouts.idle if exchange.decoder.events else self.timeouts.first
            what = f"{host} sent no answer for {waited:g} seconds."
            raise TimedOutError(what) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ConfigurationError(
                f"{exchange.url!r} is no web address.", "%deepseek provider shows where it is set."
            ) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise UnreachableError(f"{host} cannot be reached ({_why(error)}).") from error
        except httpx.ReadTimeout as error:  # of `get`: a stream is read under a timer of its own
            what = f"{host} sent no answer for {self.timeouts.listing:g} seconds."
            raise TimedOutError(what) from error
        except httpx.HTTPError as error:
            if exchange.has_output:
                raise TruncatedError(f"The connection to {host} broke off.") from error
            raise UnreachableError(f"{host} closed the connection ({_why(error)}).") from error

    def _recovery(self, exchange: Exchange, error: DeepSeekError, gate: Gate) -> Again | None:
        """Prepare another attempt, or None when there shall be none."""
        if isinstance(error, BadRequestError):
            mended = repair(error.what, exchange.dialect)
            if mended is None or exchange.dialect != exchange.provider.dialect:
                return None
            exchange.dialect = mended
            return Again("The provider wants the earlier messages in another form; sent again.")
        if isinstance(error, RateLimitError) and (limit := concurrency_limit(error.what)):
            gate.narrow(limit)
        asked = getattr(error, "retry_after", None)
        delay = self.retry.delay(error, exchange.attempts, random.random(), asked)
        if delay is None:
            return None
        tries = f"try {exchange.attempts + 1} of {self.retry.attempts} in {delay:.1f} s"
        return Again(f"{error.what.rstrip('.')}; {tries}.", delay)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            try:
                self._http = httpx.AsyncClient(
                    follow_redirects=False,  # a key must not travel to another host
                    timeout=httpx.Timeout(
                        None, connect=self.timeouts.connect, write=self.timeouts.write, pool=60.0
                    ),
                    limits=httpx.Limits(keepalive_expiry=60.0),  # people think between questions
                    headers={"User-Agent": f"deepseek-jupyter/{__version__}"},
                    mounts=dict.fromkeys(_LOOPBACK),  # past any proxy: this machine asks itself
                )
            except (ImportError, ValueError) as error:  # socks without socksio, a mistyped address
                raise ConfigurationError(
                    f"The proxy set in the environment cannot be used ({_why(error)}).",
                    "Correct or unset HTTPS_PROXY and ALL_PROXY, or add the host to NO_PROXY.",
                ) from error
        return self._http

    def _settle(self) -> None:
        """On another loop (a fork has its own) leave the old one's connections and gates to it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                self._http, self._gates = None, {}
            self._loop = loop


@contextlib.contextmanager
def _frameless() -> Iterator[None]:
    """What is raised here forgets its frames, and so do those that it came of.

    Those of httpcore hold the headers while they are written, and a verbose traceback prints them.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        linked: list[BaseException | None] = [error]
        while linked:
            if (one := linked.pop()) is not None and one.__traceback__ is not None:
                one.__traceback__ = None
                linked += [one.__cause__, one.__context__]
        raise


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) < 120 else text[:119] + "…"
