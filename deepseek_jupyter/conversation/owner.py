"""Which process writes a turn, and whether it still lives: a kill leaves turns unfinished."""

from __future__ import annotations

import os
import secrets
import socket
import sys

__all__ = ["alive", "this_process"]

# Seconds after which a turn that nobody writes any more counts as left behind, where the process
# cannot be asked: on another machine that shares the home directory, or on Windows.
_SILENCE = 3600.0

_token: tuple[int, str] = (0, "")


def this_process() -> str:
    """Host, pid and a token that tells this process from a later one with the same pid."""
    global _token
    if _token[0] != os.getpid():
        _token = (os.getpid(), secrets.token_hex(6))
    return f"{socket.gethostname()}:{_token[0]}:{_token[1]}"


def alive(owner: str, silent: float) -> bool:
    """Whether the process `owner`, not heard of for `silent` seconds, may still be writing."""
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    mine = this_process()
    if owner == mine:
        return True
    if host != socket.gethostname() or sys.platform == "win32":
        return silent < _SILENCE
    pid = int(rest) if rest.isdecimal() else 0
    if pid in (0, os.getpid()):  # the pid is ours now: in a container pids come again at once
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
