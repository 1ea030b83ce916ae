"""A server for many requests: it counts, waits and refuses, and answers each by a function.

    with CountingServer(latency=0.1, limit=39) as server:
        ...                                    # many requests to server.url
        assert server.peak <= 39 and server.rejected == 0

Its answer is one piece of JSON, as ``stream: false`` asks for. As a process of its own, for
benchmarks and for kernels that are killed: ``python -m tests.support.counting --latency 0.1``
prints its URL; ``GET /stats`` returns the counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

Answer = Callable[[dict[str, Any]], str]


def last_words(body: dict[str, Any]) -> str:
    """The first word of the last message, as a stand-in for an answer."""
    return str(body["messages"][-1]["content"]).split()[-1]


class CountingServer:
    """Requests by body in `bodies`; how many were at once in `peak`, of `now`."""

    def __init__(
        self,
        answer: Answer = last_words,
        *,
        latency: float | Callable[[dict[str, Any]], float] = 0.0,
        limit: int = 0,
        says_limit: bool = True,
        usage: Callable[[dict[str, Any], str], dict[str, int]] | None = None,
        fail: Callable[[dict[str, Any], int], int] = lambda body, number: 0,
    ) -> None:
        """`limit` 0 is none; `fail` has the status of the request with that number, 0 to answer."""
        self.answer, self.latency, self.limit, self.says_limit = answer, latency, limit, says_limit
        self.usage, self.fail = usage or _usage, fail
        self.bodies: Counter[str] = Counter()
        self.messages: list[list[dict[str, Any]]] = []
        self.now = self.peak = self.accepted = self.rejected = self.answered = self.number = 0
        self.connections = 0
        self.retry_after = 0.0  # seconds that a refusal asks to wait
        self.keys = set[str]()
        self.billed: list[dict[str, int]] = []
        self.last: dict[str, Any] = {}
        self.finish = "stop"
        self.keep = True  # bodies, which a benchmark has no use for
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> CountingServer:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def stats(self) -> dict[str, int]:
        names = ("accepted", "answered", "rejected", "peak", "connections")
        return {**{name: getattr(self, name) for name in names}, "distinct": len(self.bodies)}

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.call_soon(self._ready.set)  # a stop before it would be lost
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _start(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                    elif name.lower() == b"authorization":
                        self.keys.add(value.decode().split()[-1])
                raw = await reader.readexactly(length)
                status, reply = 200, dict[str, Any]()
                if head.startswith(b"GET"):
                    reply = self.stats
                else:
                    status, reply = await self._reply(json.loads(raw))
                text = json.dumps(reply).encode()
                wait = b"retry-after: %g\r\n" % self.retry_after if self.retry_after else b""
                writer.write(
                    b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n" % status
                    + wait
                    + b"content-length: %d\r\n\r\n" % len(text)
                    + text
                )
                await writer.drain()
        writer.close()

    async def _reply(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.number += 1
        self.last = body
        if self.limit and self.now >= self.limit:
            self.rejected += 1
            told = f"concurrency limit of {self.limit}" if self.says_limit else "many requests"
            return 429, {"error": {"message": f"Too many requests: {told}.", "code": "429"}}
        if status := self.fail(body, self.number):
            return status, {"error": {"message": f"Failed on purpose: {status}."}}
        self.accepted += 1
        if self.keep:
            self.bodies[json.dumps(body["messages"])] += 1
            self.messages.append(body["messages"])
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            if self.latency:
                latency = self.latency
                await asyncio.sleep(latency(body) if callable(latency) else latency)
        finally:
            self.now -= 1
        text = self.answer(body)
        usage = self.usage(body, text)
        self.answered += 1
        if self.keep:
            self.billed.append(usage)
        reply = _completion(body, text, usage)
        reply["choices"][0]["finish_reason"] = self.finish
        return 200, reply


def _completion(body: dict[str, Any], text: str, usage: dict[str, int]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        call = {"name": choice["function"]["name"], "arguments": text}
        message = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": call}],
        }
    return {
        "id": "1",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def _usage(body: dict[str, Any], text: str) -> dict[str, int]:
    prompt = sum(len(str(message["content"])) // 4 + 4 for message in body["messages"])
    out = max(1, len(text) // 4)
    return {"prompt_tokens": prompt, "completion_tokens": out, "total_tokens": prompt + out}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--forget", action="store_true", help="keep no bodies")
    given = parser.parse_args()
    with CountingServer(latency=given.latency, limit=given.limit) as served:
        served.keep = not given.forget
        print(served.url, flush=True)
        sys.stdin.read()
