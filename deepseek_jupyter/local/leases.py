"""The server's side of the leases: who is connected, and when something was last asked.

The other end, and the words, are in `lease.py`. Runs on threads of its own, for the model's
C++ server leaves the interpreter free while it generates.
"""

from __future__ import annotations

import hmac
import socket
import threading
import time
from collections.abc import Callable

__all__ = ["Leases"]


class Leases:
    """Counts the open connections of clients that knew the key."""

    def __init__(self, key: str, stop: Callable[[], None]) -> None:
        self._key = key.encode()
        self._stop = stop
        self._lock = threading.Lock()
        self._held = 0
        self._touched = time.monotonic()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def held(self) -> int:
        """How many clients hold a lease now."""
        with self._lock:
            return self._held

    @property
    def idle(self) -> float:
        """Seconds since a client last said that it would ask, or `touch` was called."""
        return time.monotonic() - self._touched

    def touch(self) -> None:
        """Something was asked just now."""
        self._touched = time.monotonic()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)  # for the key; a lease itself may be silent for days
        with connection, connection.makefile("rb") as lines:
            try:
                if not hmac.compare_digest(lines.readline(200).strip(), self._key):
                    return
                connection.settimeout(None)
                self._count(+1)
            except OSError:
                return
            try:
                self.touch()
                connection.sendall(b"ok\n")
                for line in lines:
                    connection.sendall(self._answer(line.strip().decode("ascii", "replace")))
            except OSError:
                pass  # the client is gone, which is what this thread waits for
            finally:
                self._count(-1)

    def _answer(self, word: str) -> bytes:
        if word == "touch":
            self.touch()
            return b"ok\n"
        if word == "idle":
            return f"{self.idle:.1f}\n".encode()
        if word == "stop":
            threading.Timer(0.05, self._stop).start()  # after the answer has gone out
            return b"ok\n"
        return b"?\n"

    def _count(self, change: int) -> None:
        with self._lock:
            self._held += change
