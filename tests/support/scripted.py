"""A scripted HTTP/1.1 server on 127.0.0.1: every byte, pause and close is the test's choice.

    with Server() as server:
        server.queue(answer("Hello.", reasoning="Hm."))
        server.queue(Reply(send(event(chunk({"content": "Hel"}))), pause(0.1), reset()))
        ...                                   # talk to server.url
        assert server.requests[0].json["model"] == "deepseek-flash"
        assert server.requests[0].closed.wait(60)      # the client hung up

A `Reply` is a list of steps. The first step that sends anything sends the head before it, so steps
put earlier (`pause`, `wait_for`, `stall`, `reset`) happen while the client waits for headers.
Each connection has a thread; while a step waits, the thread watches for the client's close.

As a process of its own, for benchmarks: ``python -m tests.support.scripted --deltas 20000`` prints
its URL and serves until its standard input is closed; `Process` does that from Python.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from . import wording
from .validator import complaint
from .wording import chunk, event

_POLL = 0.005  # seconds between two looks at a waiting client's socket
_PROVIDERS = {"cometapi", "wcode", "openrouter", "siliconflow", "vllm", "sglang", "ollama"} | {
    "llamacpp",
    "local",
}


class Request:
    """One request as it came. Its repr shows no header: they hold the key."""

    def __init__(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        self.method, self.path, self.headers, self.raw = method, path, headers, raw
        self.at = time.monotonic()
        self.peer = 0  # the client's port: the same port is the same connection
        self.closed = threading.Event()  # the client's side of the connection is gone
        self.closed_at: float | None = None
        self.answered = threading.Event()  # the reply's last step is over
        self.answered_at = float("inf")

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}, {len(self.raw)} bytes>"


class _Gone(Exception):
    """The client closed, or the server stops."""


class _Connection:
    """What steps act on."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.sock, self.server = sock, server
        self.reply: Reply
        self.request: Request
        self._head_sent = False
        self._gzip: Any = None

    def begin(self, request: Request, reply: Reply) -> None:
        self.request, self.reply, self._head_sent = request, reply, False
        self._gzip = zlib.compressobj(wbits=31) if reply.gzip else None

    def send(self, data: bytes) -> None:
        """Body bytes, in the reply's framing and encoding."""
        self.head()
        if self._gzip:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        self._frame(data)

    def finish(self) -> None:
        """The end that the framing wants."""
        self.head()
        if self._gzip:
            self._frame(self._gzip.flush())
        if self.reply.framing == "chunked":
            self.raw(b"0\r\n\r\n")
        elif self.reply.framing == "close":
            raise _Gone

    def head(self) -> None:
        if self._head_sent:
            return
        self._head_sent = True
        reply = self.reply
        lines = [f"HTTP/1.1 {reply.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.gzip:
            lines.append("content-encoding: gzip")
        if reply.framing == "chunked":
            lines.append("transfer-encoding: chunked")
        elif reply.framing == "length":
            lines.append(f"content-length: {reply.length()}")
        else:
            lines.append("connection: close")
        self.raw("\r\n".join([*lines, "", ""]).encode())

    def raw(self, data: bytes) -> None:
        """Bytes on the socket as they are, in the reply's piece size."""
        size = self.reply.piece or len(data)
        try:
            for start in range(0, len(data), size or 1):
                self.sock.sendall(data[start : start + size])
        except OSError as error:
            raise _Gone from error

    def wait(self, seconds: float, until: threading.Event | None = None) -> None:
        """Let time pass, with an eye on the client."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if until is not None and until.is_set():
                return
            readable, _, _ = select.select([self.sock], [], [], min(left, _POLL))
            if self.server.stopping.is_set() or (readable and self._hung_up()):
                raise _Gone
            if readable:
                time.sleep(min(left, _POLL))

    def _hung_up(self) -> bool:
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _frame(self, data: bytes) -> None:
        if data and self.reply.framing == "chunked":
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.raw(data)


Step = Callable[[_Connection], None]


class _Send:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, connection: _Connection) -> None:
        connection.send(self.data)


def send(*data: bytes | str) -> Step:
    """Body bytes."""
    return _Send(b"".join(d.encode() if isinstance(d, str) else d for d in data))


def raw(data: bytes) -> Step:
    """Bytes beside the framing: a broken chunk header, a second status line."""

    def step(connection: _Connection) -> None:
        connection.head()
        connection.raw(data)

    return step


def head() -> Step:
    """Status line and headers now; otherwise they go with the first body bytes."""
    return _Connection.head


def pause(seconds: float) -> Step:
    """Nothing for a while."""
    return lambda connection: connection.wait(seconds)


def wait_for(happening: threading.Event) -> Step:
    """Nothing until the test says so."""
    return lambda connection: connection.wait(60, happening)


def stall() -> Step:
    """Nothing any more; the connection stays open until the client closes it."""
    return lambda connection: connection.wait(3600)


def close() -> Step:
    """An orderly close in the middle of the reply, without the framing's end."""

    def step(connection: _Connection) -> None:
        raise _Gone

    return step


def reset() -> Step:
    """A TCP reset."""

    def step(connection: _Connection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Gone

    return step


class Reply:
    """Status, headers and steps. `framing`: chunked, length (only `send` steps) or close.

    `piece` cuts everything on the wire into writes of that many bytes.
    """

    def __init__(
        self,
        *steps: Step | Iterable[Step],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "text/event-stream; charset=utf-8",
        framing: str = "chunked",
        gzip: bool = False,
        piece: int = 0,
    ) -> None:
        self.steps: list[Step] = []
        for step in steps:
            self.steps.extend([step] if callable(step) else step)
        self.status = status
        self.headers = {"x-ds-trace-id": "0123456789abcdef0123456789abcdef", **(headers or {})}
        if content_type is not None:
            self.headers.setdefault("content-type", content_type)
        self.framing, self.gzip, self.piece = framing, gzip, piece

    def length(self) -> int:
        """Content length: the sum of what is sent."""
        return sum(len(step.data) for step in self.steps if isinstance(step, _Send))


def sse(*data: object, done: bool = True, **how: Any) -> Reply:
    """A stream of these events (dicts, or raw data texts)."""
    end = [send(wording.DONE)] if done else []
    return Reply([send(event(d)) for d in data], end, **how)


def answer(
    text: str,
    reasoning: str | None = None,
    tool_calls: Iterable[Mapping[str, Any]] = (),
    *,
    usage: Mapping[str, Any] | None = wording.USAGE,
    finish: str | None = "stop",
    done: bool = True,
    before: Iterable[Step] = (),
    after: Iterable[Step] = (),
    **how: Any,
) -> Reply:
    """A whole streamed answer; `before` it and `after` it other steps, such as `keepalives`."""
    chunks = wording.answer_chunks(text, reasoning, list(tool_calls), usage=usage, finish=finish)
    end = [send(wording.DONE)] if done else []
    return Reply(before, [send(event(c)) for c in chunks], after, end, **how)


def whole(text: str, reasoning: str | None = None, **how: Any) -> Reply:
    """A whole answer that is not streamed."""
    calls = list(how.pop("tool_calls", ()))
    body = wording.whole_body(text, reasoning, calls, finish=how.pop("finish", "stop"))
    return plain(body, **how)


def plain(body: object, **how: Any) -> Reply:
    """Any JSON value (or, given a str, any text) with a content length."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    how.setdefault("content_type", "application/json")
    return Reply(send(text), framing=how.pop("framing", "length"), **how)


def error(status: int, body: object = "", **how: Any) -> Reply:
    """A refusal. A str `body` that is no HTML becomes the message of DeepSeek's envelope."""
    if body == "":
        return plain("", status=status, content_type=how.pop("content_type", None), **how)
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return plain(body, status=status, content_type="text/html", **how)
    told = wording.error_body(body) if isinstance(body, str) else body
    return plain(told, status=status, **how)


def keepalives(count: int, gap: float = 0.0) -> list[Step]:
    """DeepSeek's sign that a streamed request waits its turn."""
    step = [send(b": keep-alive\n\n")] + ([pause(gap)] if gap else [])
    return step * count


def deltas(count: int, rate: float | None = None, size: int = 4) -> list[Step]:
    """`count` text deltas of `size` characters: at `rate` per second, or as fast as they are taken.

    With the role, finish and [DONE] events around them.
    """
    first = event(chunk({"role": "assistant", "content": ""}))
    last = event(chunk({"content": ""}, finish="stop", usage=wording.USAGE)) + wording.DONE
    words = [event(chunk({"content": f"{i % 10 ** (size - 1)} ".rjust(size)})) for i in range(1000)]
    if rate is None:
        full, rest = divmod(count, 1000)
        return [send(first), *[send(*words)] * full, send(*words[:rest]), send(last)]

    def paced(connection: _Connection) -> None:
        began = time.monotonic()
        for i in range(count):
            connection.wait(began + i / rate - time.monotonic())
            connection.send(words[i % 1000])

    return [send(first), paced, send(last)]


class Server:
    """The server. `validate=False` leaves bodies unchecked; so does another provider's path.

    `requests` in order of arrival; `complaints` of the validator; `fallback` answers what the
    queue does not: one reply for all, or a function of the request.
    """

    def __init__(
        self,
        *,
        validate: bool = True,
        fallback: Reply | Callable[[Request], Reply] | None = None,
    ) -> None:
        self.validate = validate
        self.fallback = fallback or error(400, "the script has no more replies")
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.stopping = threading.Event()
        self._queue: deque[Reply] = deque()
        self._arrival = threading.Condition()
        self._serving: list[tuple[threading.Thread, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Server:
        self._accepting = threading.Thread(target=self._accept, name="scripted", daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(2)
        for thread, sock in self._serving:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)  # ends its waiting for a next request
            thread.join(2)

    def queue(self, *replies: Reply) -> None:
        """Replies for the next requests, in order."""
        self._queue.extend(replies)

    def forget(self) -> None:
        """Drop what is still queued and what was seen: a fresh start for a shared server."""
        self._queue.clear()
        self.requests.clear()
        self.complaints.clear()

    def base_url(self, provider: str = "deepseek") -> str:
        """The base URL to give a provider's profile; the path tells whose wire it is."""
        return f"{self.url}/{provider}"

    def wait_for_requests(self, count: int, timeout: float = 60.0) -> list[Request]:
        """The requests, once there are `count`."""
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: len(self.requests) >= count, timeout)
        assert arrived, f"{len(self.requests)} of {count} requests came in {timeout} s"
        return self.requests

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()
            self._serving.append((thread, sock))  # once it can be joined

    def _serve(self, sock: socket.socket) -> None:
        connection = _Connection(sock, self)
        last: Request | None = None
        pending = b""
        try:
            while True:
                request, pending = self._read(sock, pending)
                if request is None:
                    return
                last = request
                request.peer = sock.getpeername()[1]
                connection.begin(request, self._take(request))
                for step in connection.reply.steps:
                    step(connection)
                connection.finish()
                request.answered_at = time.monotonic()
                request.answered.set()
        except (_Gone, OSError):
            pass
        finally:
            if last is not None:
                last.answered_at = time.monotonic()
                last.answered.set()
                last.closed_at = time.monotonic()
                last.closed.set()
            sock.close()

    def _take(self, request: Request) -> Reply:
        with self._arrival:
            self.requests.append(request)
            reply = self._queue.popleft() if self._queue else self.fallback
            if not isinstance(reply, Reply):
                reply = reply(request)
            self._arrival.notify_all()
        if self.validate and request.path.endswith("/chat/completions"):
            owner = request.path.split("/")[1]
            if owner not in _PROVIDERS and (said := complaint(request.json)):
                self.complaints.append(f"{said}\n  {request.raw.decode()[:2000]}")
        return reply

    def _read(self, sock: socket.socket, data: bytes) -> tuple[Request | None, bytes]:
        """The next request, and what follows it; None when the client closes."""
        length, end = 0, -1
        while end < 0 or len(data) < end + 4 + length:
            more = sock.recv(65536)
            if not more:
                return None, b""
            data += more
            if data[:1] == b"\x16":  # a TLS greeting: say what a plain server says
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
                return None, b""
            if end < 0 and (end := data.find(b"\r\n\r\n")) >= 0:
                first, *lines = data[:end].decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ", 2)
                pairs = (line.split(":", 1) for line in lines)
                headers = {name.lower(): value.strip() for name, value in pairs}
                length = int(headers.get("content-length", 0))
        body = data[end + 4 : end + 4 + length]
        return Request(method, path, headers, body), data[end + 4 + length :]


class Process:
    """The same server in a process of its own, giving every request one reply (benchmarks)."""

    def __init__(self, deltas: int = 20_000, rate: float | None = None, size: int = 4) -> None:
        self._command = [sys.executable, "-m", "tests.support.scripted"]
        self._command += ["--deltas", str(deltas), "--size", str(size)]
        self._command += ["--rate", str(rate)] if rate else []

    def __enter__(self) -> Process:
        root = Path(__file__).parents[2]
        self._child = subprocess.Popen(
            self._command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=10)


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--deltas", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--size", type=int, default=4)
    options = parser.parse_args()
    reply = Reply(deltas(options.deltas, options.rate, options.size))
    with Server(validate=False, fallback=reply) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
