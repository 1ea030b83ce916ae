"""Nothing leaves this machine: sockets beyond loopback raise `NetworkForbidden`.

`install` patches the four places where a Python program reaches out (connect, connect_ex, sendto
and its kin, getaddrinfo). An attempt raises, and is also written down: code under test may swallow
the exception, but the test fails all the same. Child processes get the same guard through
`sitecustomize` beside this file; they write their attempts to the file that GUARD_LOG names.

Standard library only, and importable by itself: it is loaded at the start of every guarded process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any

GUARD_LOG = "TEST_NETWORK_GUARD_LOG"

_LOCAL_NAMES = ("", "localhost", "0.0.0.0", "::", None)

attempts: list[str] = []  # what this process tried, as sentences


class NetworkForbidden(RuntimeError):
    """A test tried to reach beyond this machine. Not an OSError: those get handled."""


def is_local(host: object) -> bool:
    """Whether `host` is this machine without asking anyone."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(what: str, address: object) -> None:
    sentence = f"network guard: {what} {address!r} is beyond loopback"
    attempts.append(sentence)
    if log := os.environ.get(GUARD_LOG):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{sentence} (process {os.getpid()})\n")
    raise NetworkForbidden(sentence)


def _check(sock: socket.socket, what: str, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
        _refuse(what, address)


def install() -> None:
    """Patch the socket module, once."""
    if getattr(socket, "_guarded_by_tests", False):
        return
    socket._guarded_by_tests = True  # type: ignore[attr-defined]
    plain = socket.socket
    connect, connect_ex = plain.connect, plain.connect_ex
    sendto, sendmsg = plain.sendto, getattr(plain, "sendmsg", None)
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(self, "connect to", address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, "connect to", address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        _check(self, "send to", rest[-1])
        return sendto(self, data, *rest)

    def guarded_sendmsg(self: socket.socket, *args: Any) -> int:
        if len(args) > 3 and args[3] is not None:
            _check(self, "send to", args[3])
        return sendmsg(self, *args)  # type: ignore[misc]

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            _refuse("look-up of", host)
        return getaddrinfo(host, *args, **kwargs)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = guarded_sendto  # type: ignore[assignment,method-assign]
    if sendmsg is not None:
        socket.socket.sendmsg = guarded_sendmsg  # type: ignore[assignment,method-assign]
    socket.getaddrinfo = guarded_getaddrinfo
