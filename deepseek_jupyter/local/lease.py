"""How a client keeps the shared server alive: by an open connection to it.

The server listens on a second loopback port. A client connects, says the key and keeps the
connection; when the last one closes, the server exits. The system closes it however the client
dies, kill -9 included, on every platform, which a signal to the children doesn't do and a pid
file can't tell. A forked child inherits the descriptor and would hold the lease for as long as
it lives, so `serve.py` closes it there; across exec it is closed by Python itself (PEP 446).

The words, one a line: the key first; then "touch" (I am about to ask: put off the idle exit),
"idle" (for how many seconds has nothing been asked?), "stop". Each is answered by one line.
The other end is `leases.py`.
"""

from __future__ import annotations

import socket

__all__ = ["Lease", "connect"]

_LONGEST = 200  # bytes of an answer; who knows what listens on an old server's port
_ANSWER = 5.0  # seconds; the server answers at once unless the machine is overloaded


class Lease:
    """An open connection to a server. Not for two threads at once."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")

    def say(self, word: str) -> str | None:
        """Send a word; the answer, or None if the server is gone."""
        try:
            self._connection.sendall(word.encode() + b"\n")
            answer = self._lines.readline(_LONGEST)
        except OSError:
            return None
        return answer.decode("ascii", "replace").strip() or None

    def close(self) -> None:
        """Give the lease up."""
        self._lines.close()
        self._connection.close()


def connect(port: int, key: str) -> Lease | None:
    """Take a lease; None if no server with this key listens there."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER)
    except OSError:
        return None
    lease = Lease(connection)
    if lease.say(key) == "ok":
        return lease
    lease.close()
    return None
