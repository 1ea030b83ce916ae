"""One server a model, shared by all kernels of a user.

``<home>/local/run/<model>.json`` (mode 0600) says where it listens and with which key. Whoever
wants it takes the lock beside it, tries the server that is written there, and starts one if
that is gone; so two kernels that begin at once end up with one. The connection that is tried is
the lease that keeps the server alive (`lease.py`): kept for the life of this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import home
from deepseek_jupyter.local import store, support
from deepseek_jupyter.local.launch import launch
from deepseek_jupyter.local.lease import Lease, connect
from deepseek_jupyter.local.locks import locked

__all__ = ["Endpoint", "ensure_server", "read_state", "stop_server"]

_READY = 120.0  # seconds to load the model


@dataclass(frozen=True)
class Endpoint:
    """Where to send chat requests. The key isn't shown in the repr."""

    base_url: str  # ends in /v1
    api_key: str = field(repr=False)
    model: str
    pid: int


@dataclass(frozen=True)
class State:
    """What a server's state file says."""

    url: str
    key: str = field(repr=False)
    port: int  # of the leases
    pid: int
    model: str

    @property
    def endpoint(self) -> Endpoint:
        """The part a client needs."""
        return Endpoint(f"{self.url}/v1", self.key, self.model, self.pid)


# The leases of this process by state file and server pid. Touched only under that file's lock.
_leases: dict[tuple[Path, int], Lease] = {}


def _after_fork() -> None:
    """A forked child isn't a client until it asks; its copies would outlive the kernel."""
    for lease in _leases.values():
        lease.close()
    _leases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def ensure_server(model_id: str | None = None) -> Endpoint:
    """The running server for a model, started if need be; call it before each request.

    Without an id: the default model, or the first that is installed. Waits for the model to be
    loaded (one to a few seconds), and puts off the idle exit. Blocks, may be called from any
    thread, and can be interrupted. Raises LocalModelError; nothing is ever downloaded.
    """
    model = store.choose(model_id)
    state_path = run_directory() / f"{model}.json"
    with _alone(state_path):
        return _reuse(state_path) or _start(model, state_path)


def _reuse(state_path: Path) -> Endpoint | None:
    """The server of the state file, if it lives and answers; a dead one's file is removed."""
    state = read_state(state_path)
    if state:
        lease = _leases.get((state_path, state.pid)) or connect(state.port, state.key)
        if lease and lease.say("touch") and _healthy(state.url):
            _keep(state_path, state.pid, lease)
            return state.endpoint
        if lease:
            lease.close()
    _drop(state_path)
    state_path.unlink(missing_ok=True)
    return None


def _start(model: str, state_path: Path) -> Endpoint:
    support.need_support()
    started = launch(model, store.check(model), state_path)
    # Interrupted or failed, the process loses its stdin here and, having no lease, exits.
    try:
        deadline = time.monotonic() + _READY
        started.wait(state_path, _READY)
        state = read_state(state_path)
        lease = connect(state.port, state.key) if state else None
        while state and lease and not _healthy(state.url) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not state or not lease:
            raise LocalModelError("The embedded model's server ended at once.", "Try again.")
        _keep(state_path, state.pid, lease)
        return state.endpoint
    finally:
        started.release()


def stop_server(model_id: str | None = None) -> bool:
    """Stop the server of a model, or all of them; True if one was running.

    Answers under way, in other kernels too, break off. Raises LocalModelError where another kernel
    is starting one and does not come to an end.
    """
    pattern = f"{model_id}.json" if model_id else "*.json"
    stopped = False
    for state_path in (home() / "local" / "run").glob(pattern):
        with _alone(state_path):
            state = read_state(state_path)
            lease = connect(state.port, state.key) if state else None
            if lease:
                stopped = lease.say("stop") == "ok" or stopped
                while lease.say("idle"):
                    time.sleep(0.02)  # until it is gone
                lease.close()
            _drop(state_path)
            state_path.unlink(missing_ok=True)
    return stopped


@contextlib.contextmanager
def _alone(state_path: Path) -> Iterator[None]:
    """Hold the lock beside the state file. Raises LocalModelError when it cannot be had."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(state_path.with_suffix(".lock"), timeout=_READY + 5))
        except TimeoutError as error:
            raise LocalModelError(
                f"Another kernel has been starting the embedded model for {_READY:.0f} s.",
                "Run the cell again; if it stays so, restart that kernel.",
            ) from error
        yield


def run_directory() -> Path:
    """Where the state files, locks and logs of the servers lie; created with mode 0700."""
    return store.private("run")


def read_state(path: Path) -> State | None:
    """What the file says, or None if it isn't there or can't be read."""
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _healthy(url: str) -> bool:
    # No proxy: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(f"{url}/health", timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def _keep(state_path: Path, pid: int, lease: Lease) -> None:
    if _leases.get((state_path, pid)) is not lease:
        _drop(state_path)
        _leases[state_path, pid] = lease


def _drop(state_path: Path) -> None:
    """Give up the leases of servers that were written in this file before."""
    for known in [known for known in _leases if known[0] == state_path]:
        _leases.pop(known).close()
