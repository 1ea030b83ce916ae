"""The one HTTP client: requests out, deltas in, foreign exceptions mapped to ours.

The life of an exchange (`Client.stream`): wait for a place at the limiter; build and post; read
until the server ends the stream, passing on what each read brought; on a failure before any
output, repair or wait and go back to the post; on a failure after it, raise, with the part that
arrived in `Exchange.completion`.

Nothing that a server does takes more than linear time, or more memory than `LARGEST` bytes and what
is made of them: bodies are unpacked piece by piece, and an error's is not read to its end.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import functools
import os
import random
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from deepseek_jupyter import errors
from deepseek_jupyter._version import __version__
from deepseek_jupyter.errors import DeepSeekError, shortened
from deepseek_jupyter.protocol.deltas import Detail, Event, Notice, Retry, deltas_of
from deepseek_jupyter.protocol.request import ChatRequest, join_url, repair
from deepseek_jupyter.protocol.sse import LARGEST
from deepseek_jupyter.protocol.wire import WIRES

from .addresses import parts
from .exchange import Exchange
from .failures import concurrency_limit, request_id
from .keys import Secret, on_this_machine, scrub, travels_in_clear
from .learned import remember
from .providers import Provider
from .retry import RetryPolicy

_SHARD = 4  # requests of one connection pool
_ONE_STRAIN = 0.5  # seconds within which refusals count as one
_LARGEST_ERROR = 65536  # bytes of an error's body that are read
_PIECE = 65536  # bytes that are unpacked at a time

_STREAM_STARTS = (b"data:", b":", b"event:", b"id:", b"retry:")
_OTHER_STARTS = (b"{", b"[", b"<")  # JSON or a web page, whatever it calls itself
_SLACK = 0.01  # of the silence allowed: winding a timer at each event is expensive
_LAST_BYTES = 0.1  # seconds for what may follow [DONE]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. There is no limit on the whole."""

    connect: float = 10.0
    first: float = 660.0  # DeepSeek may keep a request queued for ten minutes
    idle: float = 300.0  # from the last byte of any kind: comments say that the server lives
    write: float = 60.0
    listing: float = 30.0  # for what is not an answer: models, the balance


class Limiter:
    """How many requests to one provider run at once; it gets narrower and wider in use.

    DeepSeek limits concurrency, not rate, and may lower the limit with the balance; the 429 says
    the number. Another 429 takes a fifth away, many at a time being one; each `limit` requests
    without one give a place back.
    """

    def __init__(self, limit: int) -> None:
        self.limit = self.most = limit
        self._inside = 0
        self._fine = 0  # requests since the last 429 or the last change
        self._strained = 0.0
        self._free = asyncio.Condition()

    def narrow(self, limit: int | None = None) -> None:
        """Let at most `limit` in from now on, or a fifth less; never fewer than one."""
        now = asyncio.get_running_loop().time()
        if limit is None and now - self._strained < _ONE_STRAIN:
            return
        self._strained, self._fine = now, 0
        self.limit = max(1, min(self.limit, self.limit * 4 // 5 if limit is None else limit))

    def relax(self) -> None:
        """A request went well."""
        self._fine += 1
        if self._fine >= self.limit < self.most:
            self.limit, self._fine = self.limit + 1, 0

    async def __aenter__(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: self._inside < self.limit)
            self._inside += 1
            self._free.notify()  # there may be room for another since the limit grew

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        # No task holds the lock while awaiting anything else, so this is no wait.
        async with self._free:
            self._free.notify()


Way = tuple[bool, bool]  # to this machine itself, which passes no proxy; and that in clear


def _way(url: str) -> Way:
    here = on_this_machine(url)
    return here, here and parts(url.strip()).scheme == "http"


@dataclass(slots=True)
class _Shard:
    """A connection pool and the requests in it.

    httpcore looks at every connection of a pool for each request, so that one pool of 64 is slower
    than 16 of 4 (encode/httpx#3215).
    """

    http: httpx.AsyncClient
    way: Way
    busy: int = 0


class _Auth(httpx.Auth):
    """Puts the key into the one header, so that it is in no variable of ours."""

    def __init__(self, key: Secret, wire: str = "chat") -> None:
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            raise errors.ConfigurationError(
                "The API key contains characters that cannot be in a key, such as a line break.",
                "Store it again with %deepseek login, or correct the variable it comes from.",
            )
        self._key = key
        self._header, self._before = WIRES[wire].key

    def auth_flow(self, request: httpx.Request) -> Any:
        if self._key:
            request.headers[self._header] = f"{self._before}{self._key.reveal()}"
        yield request


Again = Notice | Retry  # what is said of another attempt
_BLANKS = Notice(Detail("The model returned only whitespace; asked once more."))


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
        self._limiters: dict[str, Limiter] = {}
        self._shards: list[_Shard] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def stream(self, exchange: Exchange) -> AsyncGenerator[list[Event]]:
        """Post the request and pass on what each read brings, until the answer is whole.

        Raises one of the package's errors; `exchange.completion` then holds what had arrived.
        """
        self._settle()
        limiter = self._limiters.setdefault(exchange.provider.name, Limiter(self._concurrency))
        async with limiter:
            while True:
                try:
                    async for events in self._attempt(exchange):
                        if events := exchange.received(events):
                            yield events
                    if rest := exchange.rest():
                        yield rest
                    limiter.relax()
                    learn(exchange)
                    if not exchange.insist_on_json():
                        return
                    again: Again = _BLANKS
                except DeepSeekError as error:
                    exchange.clean(error)
                    found = self._recovery(exchange, error, limiter)
                    if found is None:
                        if rest := exchange.rest():
                            yield rest
                        raise
                    again = found
                except Exception as bug:
                    raise exchange.unreadable(bug) from None
                yield [again]
                await asyncio.sleep(again.seconds if isinstance(again, Retry) else 0)

    async def get(self, provider: Provider, path: str, key: Secret) -> Any:
        """The JSON at `path` below the provider's base URL (models, balance)."""
        self._settle()
        exchange = Exchange(ChatRequest("", ()), provider, key)
        exchange.url = join_url(provider.base_url, path)
        try:
            opened = self._response(exchange, _Auth(key), self.timeouts.listing, {})
            async with opened as (response, _):
                return exchange.decoded(await _read(exchange, _pieces(response)))
        except DeepSeekError as error:
            exchange.clean(error)
            raise
        except Exception as bug:
            raise exchange.unreadable(bug) from None

    async def close(self) -> None:
        """Close every connection."""
        shards, self._shards = self._shards, []
        for shard in shards:
            await shard.http.aclose()

    async def _attempt(self, exchange: Exchange) -> AsyncIterator[list[Event]]:
        built = exchange.begin()
        notices = list(built.notices)
        if exchange.key and travels_in_clear(exchange.url):
            notices.append(
                f"The key goes to {exchange.url} unencrypted: anyone on the way reads it."
            )
        if notices and exchange.attempts == 1:
            yield [Notice(text, once=True) for text in notices]
        headers = {
            "Accept": "text/event-stream" if built.body.get("stream") else "application/json",
            "Content-Type": "application/json",
            **WIRES[exchange.provider.wire].headers,
        }
        auth = _Auth(exchange.key, exchange.provider.wire)
        opened = self._response(exchange, auth, self.timeouts.first, headers, built.payload)
        async with opened as (response, timer):
            exchange.request_id = request_id(response.headers)
            async for events in _read_reply(exchange, response, timer, self.timeouts):
                yield events
        exchange.judge()
        if exchange.decoder.unparsable:
            yield [Notice("A part of the stream could not be read; the answer may have a gap.")]

    @contextlib.asynccontextmanager
    async def _response(
        self,
        exchange: Exchange,
        auth: _Auth,
        seconds: float,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> AsyncIterator[tuple[httpx.Response, asyncio.Timeout]]:
        """The open response, under a timer that the reader winds on. A refusal is raised."""
        async with (
            self._mapped(exchange, seconds),
            self._pool(exchange.url) as client,  # before the clock starts: it reads certificates
            asyncio.timeout(seconds) as timer,
        ):
            request = client.build_request(
                "GET" if content is None else "POST",
                exchange.url,
                content=content,
                headers={**headers, **exchange.provider.headers},
            )
            response = await client.send(request, auth=auth, stream=True)
            # Merely leaving the iterator would keep the server generating, and billing.
            async with contextlib.aclosing(response):
                if response.status_code != 200:
                    raise await _refusal(exchange, response)
                yield response, timer
            del response.stream  # it refers to the response: only a collector would free the two

    @contextlib.asynccontextmanager
    async def _mapped(self, exchange: Exchange, first: float) -> AsyncIterator[None]:
        """The one place where httpx's exceptions become ours; `first` is how long was waited."""
        host = parts(exchange.url).netloc or exchange.url
        try:
            yield
        except TimeoutError:
            if exchange.has_output:
                what = f"{host} fell silent for {self.timeouts.idle:g} seconds."
                raise errors.TruncatedError(what) from None
            waited = self.timeouts.idle if exchange.decoder.events else first
            what = f"{host} sent no answer for {waited:g} seconds."
            raise errors.TimedOutError(what) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise errors.ConfigurationError(
                f"{exchange.url!r} is not a web address.",
                "%deepseek provider shows where it is set.",
            ) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise errors.UnreachableError(f"{host} cannot be reached ({_why(error)}).") from error
        except httpx.HTTPError as error:
            if exchange.has_output:
                raise errors.TruncatedError(f"The connection to {host} broke off.") from error
            raise errors.UnreachableError(
                f"{host} closed the connection ({_why(error)})."
            ) from error

    def _recovery(self, exchange: Exchange, error: DeepSeekError, limiter: Limiter) -> Again | None:
        """Prepare another attempt: what to say of it; None when there is to be none."""
        if exchange.has_output:
            return None
        if isinstance(error, errors.BadRequestError):
            repaired = repair(error.what, exchange.dialect, exchange.request.parameters)
            if repaired is None or exchange.dialect != exchange.provider.dialect:
                return None
            exchange.change_dialect(repaired)
            if left_out := set(repaired.refused) - set(exchange.provider.dialect.refused):
                names = ", ".join(sorted(left_out))
                return Notice(f"{exchange.provider.name} refuses {names}; sent again without.")
            return Notice(Detail("The provider wants the request in another form; sent again."))
        if isinstance(error, errors.RateLimitError):
            limiter.narrow(concurrency_limit(error.what))
        asked = getattr(error, "retry_after", None)
        delay = self.retry.delay(error, exchange.attempts, random.random(), asked)
        if delay is None:
            return None
        number, most = exchange.attempts + 1, self.retry.attempts
        return Retry(error.what, type(error).__name__, delay, number, most)

    @contextlib.asynccontextmanager
    async def _pool(self, url: str) -> AsyncIterator[httpx.AsyncClient]:
        """A connection pool with room, for one request to `url`."""
        way = _way(url)
        free = (s for s in self._shards if s.way == way and s.busy < _SHARD)
        shard = next(free, None)
        if shard is None:
            shard = self._shard(way)
            self._shards.append(shard)
        shard.busy += 1
        try:
            yield shard.http
        finally:
            shard.busy -= 1

    def _shard(self, way: Way) -> _Shard:
        """A new pool."""
        here, in_clear = way
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        connect, write = self.timeouts.connect, self.timeouts.write
        try:
            http = httpx.AsyncClient(
                follow_redirects=False,  # a key must not travel to another host
                timeout=httpx.Timeout(None, connect=connect, write=write, pool=60.0),
                limits=httpx.Limits(keepalive_expiry=60.0),  # people think between questions
                headers={
                    "User-Agent": f"deepseek-jupyter/{__version__}",
                    "Accept-Encoding": "gzip",  # what `_pieces` can unpack
                },
                verify=not in_clear and _certificates(file, folder),
                trust_env=not here,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:  # socks without socksio, …
            raise errors.ConfigurationError(
                f"The proxy set in the environment cannot be used: {_proxy_fault(error)}.",
                "Correct or unset it. Addresses of this machine and -p local need no proxy.",
            ) from error
        return _Shard(http, way)

    def _settle(self) -> None:
        """On another loop (a fork has its own) leave what belongs to the old one to it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                self._shards, self._limiters = [], {}
            self._loop = loop


def learn(exchange: Exchange) -> None:
    """Keep what the host of a request that went well has taught."""
    dialect = exchange.dialect
    if exchange.decoder.unopened:
        dialect = replace(dialect, think_implied=True)
    if dialect != exchange.provider.dialect:
        remember(exchange.provider, exchange.request.model, dialect)


@functools.cache
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """The authorities that are trusted, read once for all pools.

    Raises `ConfigurationError` where the variables lead to none.
    """
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        named = {"SSL_CERT_FILE": file, "SSL_CERT_DIR": folder}
        told = ", ".join(f"{name}={value}" for name, value in named.items() if value)
        raise errors.ConfigurationError(
            f"The certificates cannot be read ({_why(error)}): {told or 'those of certifi'}.",
            "Correct or unset the variable." if told else "Install the package certifi again.",
        ) from error


def _proxy_fault(error: Exception) -> str:
    """The variable, and the entry, that no proxy can be made of."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        value = os.environ.get(name) or os.environ.get(name.lower()) or ""
        for entry in filter(None, map(str.strip, value.split(","))):
            try:
                if name == "NO_PROXY":
                    httpx.URL(entry if "://" in entry else f"all://*{entry}")
                else:
                    httpx.AsyncHTTPTransport(proxy=entry, verify=False)
            except (ImportError, ValueError, httpx.InvalidURL) as fault:
                return f"{name} has {scrub(entry)!r} ({_why(fault)})"
    return _why(error)


async def _read_reply(
    exchange: Exchange, response: httpx.Response, timer: asyncio.Timeout, timeouts: Timeouts
) -> AsyncIterator[list[Event]]:
    """Read a stream or JSON; the first bytes show which, because content types can be wrong.

    Each item is what one read brought. A reply that waits its turn may begin with blank lines;
    they only show that it lives.
    """
    head = bytearray()
    chunks = _pieces(response)
    async for chunk in chunks:
        head += chunk if head else chunk.lstrip()
        if head.startswith(codecs.BOM_UTF8):
            del head[:3]
        if len(head) >= max(map(len, _STREAM_STARTS)):
            break
        if not head:
            timer.reschedule(asyncio.get_running_loop().time() + timeouts.first)
    labelled = "event-stream" in response.headers.get("content-type", "")
    if head.startswith(_STREAM_STARTS) or (labelled and not head.startswith(_OTHER_STARTS)):
        async for events in _read_events(exchange, _joined(head, chunks), timer, timeouts.idle):
            yield events
        return
    text = await _read(exchange, chunks, head)
    if text:
        exchange.take_json(response.status_code, response.headers, text)
        yield list(deltas_of(exchange.completion))


async def _read_events(
    exchange: Exchange, chunks: AsyncIterator[bytes], timer: asyncio.Timeout, idle: float
) -> AsyncIterator[list[Event]]:
    decoder = exchange.decoder
    now = asyncio.get_running_loop().time
    wind_at = 0.0
    async for chunk in chunks:
        events: list[Event] = [*decoder.feed(chunk)]
        if decoder.events and (at := now()) >= wind_at:
            timer.reschedule(at + idle)
            wind_at = at + idle * _SLACK
        if events:
            yield events
        if decoder.done:
            # Read to the reply's end, if it is there: the connection serves the next question too.
            with contextlib.suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(_LAST_BYTES):
                    async for _ in chunks:
                        pass
        if decoder.done or decoder.runaway or decoder.oversized:
            break
    if last := decoder.close():
        yield list(last)


async def _joined(head: bytearray, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield bytes(head)
    async for chunk in rest:
        yield chunk


async def _refusal(exchange: Exchange, response: httpx.Response) -> DeepSeekError:
    """The error for a reply that is not 200."""
    body = bytearray()
    async with contextlib.aclosing(_pieces(response)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > _LARGEST_ERROR:
                break
    said = body[:_LARGEST_ERROR].decode("utf-8", "replace")
    return exchange.error(response.status_code, response.headers, said)


async def _read(
    exchange: Exchange, pieces: AsyncGenerator[bytes], head: bytes | bytearray = b""
) -> str:
    """A body of which `head` has been read."""
    body = bytearray(head)
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            body += piece
            if len(body) > LARGEST:
                raise errors.InvalidResponseError(
                    f"{exchange.url} sent more than fits into an answer."
                )
    return body.decode("utf-8", "replace")


async def _pieces(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it arrives. A packed one is unpacked in pieces, for it may be a million times
    larger than what arrived.
    """
    packed = response.headers.get("content-encoding", "").strip().lower()
    if packed in ("", "identity"):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if packed not in ("gzip", "x-gzip"):
        raise errors.InvalidResponseError(
            f"{response.url} compressed its reply in a way that was not asked for."
        )
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    async for chunk in response.aiter_raw():
        more = True
        while more:
            try:
                piece = unpack.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(str(error)) from None
            chunk = unpack.unconsumed_tail
            more = bool(chunk) or len(piece) == _PIECE
            if piece:
                yield piece
            if more:
                await asyncio.sleep(0)  # other answers come in on this loop too


def _why(error: Exception) -> str:
    return shortened(str(error) or type(error).__name__, 120)
