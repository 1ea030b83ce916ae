"""The embedded model's process: ``python -m deepseek_jupyter.local.server_process``.

llama.cpp's own HTTP server on a random loopback port, behind a random key. Its life:

1. one JSON line on stdin says what to serve; the key comes that way, because a command
   line can be read by everyone on the machine;
2. the model is loaded, then the state file is written (mode 0600) with address, key and pid;
3. clients connect (`Leases`; the words are in `serve.py`); stdin, which the starting process holds
   until it has connected, counts as a lease too;
4. it exits when the last lease is gone, when nothing was asked for `idle_seconds`, or on "stop".

Nothing is kept: memory and the prompt cache go with the process. Its log has no prompts. The leases
have threads of their own, for the model's C++ server leaves the interpreter free.
"""

from __future__ import annotations

import hmac
import json
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepseek_jupyter.home import replace_file

_POLL = 0.2  # seconds between looks at the leases


@dataclass(frozen=True)
class Order:
    """What to serve, as `serve.launch` writes it on stdin."""

    model: str  # the id that answers carry
    path: str
    state: str  # the file to write once ready
    key: str
    threads: int
    context: int  # tokens
    idle_seconds: float
    template: str  # "" for the model's own


class Leases(socketserver.ThreadingTCPServer):
    """The open connections of clients that knew the key: `held`."""

    daemon_threads = True

    def __init__(self, key: str, stop: Callable[[], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Lease)
        self.key = key.encode()
        self.stop = stop
        self.held: set[_Lease] = set()
        self.port: int = self.server_address[1]
        self.touch()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def idle(self) -> float:
        """Seconds since a client last said that it would ask, or `touch` was called."""
        return time.monotonic() - self._touched

    def touch(self) -> None:
        self._touched = time.monotonic()


class _Lease(socketserver.StreamRequestHandler):
    server: Leases
    timeout = 5  # seconds, for the key; a lease itself may be silent for days

    def handle(self) -> None:
        with suppress(OSError):  # the client is gone, which is what this thread waits for
            if not hmac.compare_digest(self.rfile.readline(200).strip(), self.server.key):
                return
            self.connection.settimeout(None)
            self.server.held.add(self)
            self.server.touch()
            self.wfile.write(b"ok\n")
            for line in self.rfile:
                self.wfile.write(self._answer(line.strip()) + b"\n")

    def finish(self) -> None:
        self.server.held.discard(self)
        super().finish()

    def _answer(self, word: bytes) -> bytes:
        if word == b"idle":
            return f"{self.server.idle:.1f}".encode()
        if word == b"touch":
            self.server.touch()
        elif word == b"stop":
            threading.Timer(0.05, self.server.stop).start()  # after the answer has gone out
        else:
            return b"?"
        return b"ok"


def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    leases = Leases(order.key, stop=lambda: _leave(order))
    starter = threading.Event()
    threading.Thread(target=_watch_starter, args=(starter,), daemon=True).start()
    engine = _start(order)
    _write_state(order, engine.listening_address, leases.port)
    asked = ""
    while True:
        time.sleep(_POLL)
        activity = _activity(engine)
        if activity is None or activity != asked:
            leases.touch()
            asked = activity or ""
        if (starter.is_set() and not leases.held) or leases.idle > order.idle_seconds:
            _leave(order)


def _start(order: Order) -> Any:
    """Load the model and listen; llama.cpp's settings where its defaults don't fit."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order.path
    params.model_alias = {order.model}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.key]
    params.n_ctx = order.context  # default: the model's 32768, four times the memory
    params.n_parallel = 1
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.threads
    params.cache_ram_mib = 256  # default: 8 GiB of prompt cache
    params.cors_origins = "http://127.0.0.1"  # default: any web page
    params.ui = False
    params.endpoint_metrics = True
    params.verbosity = 2  # warnings
    params.default_template_kwargs = {"enable_thinking": "false"}
    if order.template:
        params.chat_template = Path(order.template).read_text(encoding="utf-8")
    return xllamacpp.Server(params)


def _activity(engine: Any) -> str | None:
    """The engine's counters of work done, or None while it is working."""
    rows = (line.split() for line in str(engine.handle_metrics()).splitlines() if line[:1] != "#")
    counters = {row[0].removeprefix("llamacpp:"): row[1] for row in rows if len(row) == 2}
    if counters.get("requests_processing", "0") != "0":
        return None
    return f"{counters.get('prompt_tokens_total')} {counters.get('tokens_predicted_total')}"


def _watch_starter(gone: threading.Event) -> None:
    # The raw descriptor: a buffered read would hold a lock that the interpreter wants at exit.
    while os.read(0, 64):
        pass
    gone.set()


def _write_state(order: Order, url: str, port: int) -> None:
    state = {"url": url, "api_key": order.key, "model": order.model, "pid": os.getpid()}
    replace_file(Path(order.state), json.dumps({**state, "port": port}))


def _leave(order: Order) -> None:
    """Take the state file along, if it is still this server's, and end at once."""
    try:
        if json.loads(Path(order.state).read_text(encoding="utf-8"))["pid"] == os.getpid():
            Path(order.state).unlink()
    except (OSError, ValueError, KeyError):
        pass  # gone already, or another server's; and no client is left
    os._exit(0)  # threads inside llama.cpp don't end otherwise while they generate


if __name__ == "__main__":
    main()
