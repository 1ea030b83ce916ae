"""From an open 200 response to deltas: the reply told apart, read, and kept in its exchange."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx

from deepseek_jupyter.errors import DeepSeekError, InvalidResponseError
from deepseek_jupyter.protocol.deltas import Event, Waiting, deltas_of
from deepseek_jupyter.protocol.wire import WIRES

from .exchange import Exchange
from .failures import Failure

__all__ = ["Timeouts", "read_reply"]

_STREAM_STARTS = (b"data:", b":", b"event:", b"id:", b"retry:")
_SLACK = 0.01  # of the time that a stream may be silent; winding a timer for each event is dear
_LAST_BYTES = 0.1  # seconds for what may follow [DONE]
_OTHER_STARTS = (b"{", b"[", b"<")  # JSON or a web page, whatever it calls itself


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. DeepSeek may keep a request queued for ten minutes, hence `first`.

    `idle` counts from the last byte of any kind: comments say that the server lives. There is no
    limit on the whole. `listing` is for what is not an answer: models, the balance.
    """

    connect: float = 10.0
    first: float = 660.0
    idle: float = 300.0
    write: float = 60.0
    listing: float = 30.0


async def read_reply(
    exchange: Exchange, response: httpx.Response, timer: asyncio.Timeout, timeouts: Timeouts
) -> AsyncIterator[list[Event]]:
    """A stream or JSON, told apart by the first bytes: content types lie at times.

    Each item is what one read brought. A reply that waits its turn may begin with blank lines;
    they only show that it lives.
    """
    head = bytearray()
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        head += chunk if head else chunk.lstrip()
        if len(head) >= max(map(len, _STREAM_STARTS)):
            break
        if not head:
            timer.reschedule(asyncio.get_running_loop().time() + timeouts.first)
            yield [Waiting(0)]
    labelled = "event-stream" in response.headers.get("content-type", "")
    if head.startswith(_STREAM_STARTS) or (labelled and not head.startswith(_OTHER_STARTS)):
        async for events in _read_events(exchange, _joined(head, chunks), timer, timeouts.idle):
            yield events
        return
    async for chunk in chunks:
        head += chunk
    if not head:
        return
    error = _take_json(exchange, response, head)
    head.clear()
    if error:
        raise error
    yield list(deltas_of(exchange.completion))


async def _read_events(
    exchange: Exchange, chunks: AsyncIterator[bytes], timer: asyncio.Timeout, idle: float
) -> AsyncIterator[list[Event]]:
    decoder = exchange.decoder
    now = asyncio.get_running_loop().time
    comments = 0
    wind_at = 0.0
    async for chunk in chunks:
        events: list[Event] = [*decoder.feed(chunk)]
        if decoder.events and (at := now()) >= wind_at:
            timer.reschedule(at + idle)
            wind_at = at + idle * _SLACK
        elif decoder.comments > comments:
            comments = decoder.comments
            events.append(Waiting(comments))
        if events:
            yield events
        if decoder.done:
            # Read to the reply's end, if it is there: the connection serves the next question too.
            with contextlib.suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(_LAST_BYTES):
                    async for _ in chunks:
                        pass
        if decoder.done or decoder.runaway:
            break
    if last := decoder.close():
        yield list(last)


def _take_json(
    exchange: Exchange, response: httpx.Response, body: bytearray
) -> DeepSeekError | None:
    """Keep the answer in `body`, or return the error that fits.

    Returned, not raised, and without its frames: what a server says may repeat the key.
    """
    text = body.decode("utf-8", "replace")
    try:
        parsed = exchange.parse_json(text)
    except DeepSeekError as error:
        return error.with_traceback(None)
    if isinstance(parsed, Mapping):
        if parsed.get("error") and not parsed.get("choices"):
            return exchange.error(Failure(response.status_code, response.headers, text))
        exchange.whole = WIRES[exchange.provider.wire].parse(parsed, exchange.dialect)
    if exchange.whole is None:
        return InvalidResponseError(f"{exchange.url} answered with JSON that holds no choices.")
    return None


async def _joined(head: bytearray, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`head`, then `rest`."""
    yield bytes(head)
    async for chunk in rest:
        yield chunk
