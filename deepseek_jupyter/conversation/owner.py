"""Which process writes a turn, and whether it still lives: a kill leaves turns unfinished."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

__all__ = ["alive", "this_process"]

# Seconds after which a turn that nobody writes any more counts as left behind, where the process
# cannot be asked: on another machine that shares the home directory, or on Windows.
_SILENCE = 3600.0

_token: tuple[int, str] = (0, "")


def this_process() -> str:
    """Host, pid, and what tells this process from a later one with the same pid."""
    global _token
    if _token[0] != os.getpid():
        _token = (os.getpid(), f"{_began(os.getpid())}.{secrets.token_hex(6)}")
    return f"{socket.gethostname()}:{_token[0]}:{_token[1]}"


def alive(owner: str, silent: float) -> bool:
    """Whether the process `owner`, not heard of for `silent` seconds, may still be writing."""
    host, pid, token = [*owner.rsplit(":", 2), "", ""][:3]
    if owner == this_process():
        return True
    if host != socket.gethostname() or sys.platform == "win32":
        return silent < _SILENCE
    # A pid comes again: at once in a container, elsewhere when the numbers have gone round.
    if not pid.isdecimal() or int(pid) in (0, os.getpid()):
        return False
    began, _, unique = token.partition(".")
    if unique and began and (running := _began(int(pid))):
        return running == began
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _began(pid: int) -> str:
    """When a process began, in ticks since the machine's start; "ended" for one that only waits to
    be reaped, "" where that is not told (proc(5), the fields state and starttime).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return "ended" if fields[0] in ("Z", "X") else fields[19]
