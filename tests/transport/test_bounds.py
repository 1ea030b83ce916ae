"""No server takes more than linear time or bounded memory, whatever it sends.

Memory is measured in a process of its own, where nothing else has taken any before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.protocol.sse import LARGEST, SSEDecoder
from deepseek_jupyter.protocol.stream import CompletionStream
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from tests.support.asking import ONCE, PATIENT, ask, exchange_with, provider_at
from tests.support.growth import assert_linear
from tests.support.scripted import Reply, chunk, event, plain, send, whole

MB = 1_000_000
GZIP = zlib.MAX_WBITS | 16

CHILD = """
import json, resource, sys
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.transport.engine import engine
from tests.support.asking import ONCE, PATIENT, ask, exchange_with
from tests.support.asking import PROVIDERS, Client, Secret
url, get = sys.argv[1], sys.argv[2] == "get"
provider = PROVIDERS["deepseek"].derive(base_url=url)
def go():
    client = Client(PATIENT, ONCE)
    try:
        if not get:
            return ask(exchange_with(provider), client).error
        engine().run(client.get(provider, "models", Secret("x")))
    except DeepSeekError as error:
        return error
    finally:
        engine().run(client.close())
ask(exchange_with(provider), Client(PATIENT, ONCE))
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(int(sys.argv[3])):
    before = resource.getrusage(resource.RUSAGE_SELF)
    error = go()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "error": type(error).__name__, "said": str(error),
        "cpu": after.ru_utime - before.ru_utime,
        "megabytes": (after.ru_maxrss - start) / 1024,  # so far
    }))
"""


def in_a_child(server, replies: list[Reply], how: str = "ask") -> list[dict[str, Any]]:
    """What becomes of each reply, one after the other, in a process of their own."""
    server.validate = False
    server.queue(whole("Warm."), *replies)
    found = subprocess.run(
        [sys.executable, "-c", CHILD, server.base_url(), how, str(len(replies))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return [json.loads(line) for line in found.stdout.splitlines()]


def packed(megabytes: int, of: bytes, start: bytes = b"") -> list[bytes]:
    """`start` and `megabytes` of repetitions of `of`, compressed a thousandfold, without an end."""
    pack = zlib.compressobj(wbits=GZIP)
    first = pack.compress(start) + pack.flush(zlib.Z_FULL_FLUSH)
    again = pack.compress(of * (MB // len(of))) + pack.flush(zlib.Z_FULL_FLUSH)
    return [first, again * megabytes]  # after a full flush nothing refers to what came before


def bomb(of: bytes, start: bytes = b"", **how) -> Reply:
    body = packed(1000, of, start)
    return Reply(map(send, body), headers={"content-encoding": "gzip"}, **how)


BOMBS: dict[str, Callable[[], Reply]] = {
    "a refusal": lambda: bomb(b"x", status=400),
    "a refusal in JSON": lambda: bomb(b"x", b'{"error": "', status=500),
    "JSON": lambda: bomb(b" ", b"{", content_type="application/json"),
    "one line": lambda: bomb(b"x", b"data: "),
    "lines of one event": lambda: bomb(b"data: xxxxxxxx\n"),
    "empty lines of one event": lambda: bomb(b"data:\n", b"data: x\n"),
    "text": lambda: bomb(event(chunk({"content": "word " * 50}))),
    "calls": lambda: bomb(event(chunk({"tool_calls": [{"function": {"arguments": "x" * 500}}]}))),
    "unpacked JSON": lambda: Reply(repeat(send(b'{"a": "' + b"x" * MB), 60)),
    "an unpacked refusal": lambda: Reply(repeat(send(b"x" * MB), 60), status=404),
    "an unpacked line": lambda: Reply(repeat(send(b"data: " + b"x" * MB), 60)),
}


@pytest.mark.slow
def test_what_grows_on_arrival_is_cut(server):
    found = in_a_child(server, [make() for make in BOMBS.values()])
    for name, told in zip(BOMBS, found, strict=True):
        assert hasattr(errors, told["error"]), (name, told)
        assert told["megabytes"] < 250, (name, told)
        assert told["cpu"] < 10, (name, told)


def test_a_listing_that_grows_on_arrival_is_cut(server):
    statuses = (200, 401)
    listings = [bomb(b"x", b'{"data": "', status=status) for status in statuses]
    for status, told in zip(statuses, in_a_child(server, listings, "get"), strict=True):
        assert hasattr(errors, told["error"]), (status, told)
        assert told["megabytes"] < 120, (status, told)


def test_a_packing_that_was_not_asked_for_is_refused(server):
    server.queue(plain("x", headers={"content-encoding": "br"}))
    outcome = ask(exchange_with(provider_at(server)), Client(PATIENT, ONCE))
    assert isinstance(outcome.error, errors.InvalidResponseError)


@pytest.mark.parametrize("piece", [0, 1])
def test_what_is_packed_honestly_is_read(server, piece):
    pack = zlib.compressobj(wbits=GZIP)
    parts = [event(chunk({"content": "w" * 100_000})), event(chunk(finish="stop"))]
    body = [pack.compress(part) + pack.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    headers = {"content-encoding": "gzip"}
    server.queue(Reply(send(*body, pack.flush()), headers=headers, piece=piece))
    outcome = ask(exchange_with(provider_at(server)), Client(PATIENT, ONCE))
    assert outcome.error is None
    assert outcome.text == "w" * 100_000


class TestNesting:
    """JSON as deep as the stack, and a little less deep, wherever JSON is read."""

    DEEP = (
        *(f"{'[' * n}{']' * n}" for n in (70, 900, 300_000)),
        *('{"a":' * n + "1" + "}" * n for n in (70, 900, 100_000)),
        "[" * 300_000,
    )

    @pytest.mark.parametrize("deep", DEEP, ids=lambda text: f"{text[:1]}{len(text)}")
    def test_it_is_an_error_of_ours_or_passed_over(self, server, deep):
        inside = (
            f'{{"choices": [{{"message": {{"content": "a", "reasoning_details": [{deep}]}}}}]}}'
        )
        said = f'{{"error": {{"message": {deep}}}}}'
        client = Client(PATIENT, ONCE)
        for reply in (plain(deep), plain(inside), plain(said), plain(said, status=400)):
            server.queue(reply)
            outcome = ask(exchange_with(provider_at(server)), client)
            assert isinstance(outcome.error, errors.DeepSeekError)
            server.queue(reply)
            with pytest.raises(errors.DeepSeekError):
                engine().run(client.get(provider_at(server), "models", outcome.exchange.key))
        logprobs = f'{{"choices": [{{"logprobs": {{"content": {deep}}}}}]}}'
        events = [event(told) for told in (deep, inside, logprobs, chunk({"content": "Here."}))]
        server.queue(Reply(send(*events, event(chunk(finish="stop")))))
        outcome = ask(exchange_with(provider_at(server)), client)
        assert outcome.error is None
        assert outcome.text == "Here."
        json.dumps([outcome.completion.logprobs, outcome.completion.reasoning_details])
        engine().run(client.close())


class TestTime:
    """Four times as much takes about four times as long; the square would take sixteen times."""

    @staticmethod
    def line(size: int, piece: int = 500, mark: bytes = b"") -> None:
        decoder = CompletionStream()
        data = event(chunk({"content": "x" * size}))
        for at in range(0, len(data), piece):
            decoder.feed(data[at : at + piece] + mark)
        decoder.close()

    @staticmethod
    def lines(size: int) -> None:
        decoder = SSEDecoder()
        for _ in range(size // 200):
            decoder.feed(b"data: 1234")
            decoder.feed(b"\n")

    @staticmethod
    def returns(size: int) -> None:
        decoder = SSEDecoder()
        decoder.feed(b"data: " + b"x" * (size // 2))
        for _ in range(size // 200):
            decoder.feed(b"\r")
            decoder.feed(b":")

    @staticmethod
    def calls(size: int, ids: int = 0) -> None:
        decoder = CompletionStream()
        for at in range(size // 1000):
            id = f"c{at % ids}" if ids else None
            call = {"index": at % ids if ids else 0, "id": id, "function": {"arguments": "x"}}
            decoder.feed(event(chunk({"tool_calls": [call]})))

    @pytest.mark.parametrize(
        "work",
        [line, lines, returns, calls, lambda size: TestTime.calls(size, 200)],
        ids=["one line", "lines of one event", "returns", "one call", "many calls"],
    )
    def test_it_is_linear(self, work):
        work = getattr(work, "__func__", work)
        assert_linear(work, 3 * MB)

    def test_an_event_up_to_the_bound_is_read(self):
        for size in (4 * MB, 16 * 1024 * 1024):
            decoder = CompletionStream()
            data = event(chunk({"content": "x" * size}))
            for at in range(0, len(data), 65536):
                decoder.feed(data[at : at + 65536])
            assert len(decoder.completion.answer) == size

    def test_one_beyond_it_is_not(self):
        decoder = SSEDecoder()
        for _ in range(LARGEST // 65536 + 1):
            decoder.feed(b"x" * 65536)
        assert decoder.oversized
        assert decoder.feed(b"\n\ndata: a\n\n") + decoder.close() == []

    def test_calls_in_tiny_writes(self, server):
        call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "x"}}
        parts = [event(chunk({"tool_calls": [call]}))] * 20_000
        server.queue(Reply(map(send, parts), send(event(chunk(finish="tool_calls")))))
        outcome = ask(exchange_with(provider_at(server)), Client(PATIENT, ONCE))
        assert len(outcome.completion.tool_calls[0].arguments) == 20_000

    def test_more_calls_than_any_answer_has(self, server):
        calls = [{"index": at, "id": f"c{at}", "function": {"name": "f"}} for at in range(1000)]
        parts = [event(chunk({"tool_calls": calls[at : at + 50]})) for at in range(0, 1000, 50)]
        server.queue(Reply(send(*parts, event(chunk(finish="tool_calls")))))
        outcome = ask(exchange_with(provider_at(server)), Client(PATIENT, ONCE))
        assert isinstance(outcome.error, errors.InvalidResponseError)
