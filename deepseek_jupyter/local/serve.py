"""One server a model, shared by all kernels of a user.

``<home>/local/run/<model>.json`` (mode 0600) says where it listens and with which key. A kernel
that wants it takes the lock next to that file, tries the server that is written there, and starts
one if that is gone; so two kernels that begin at once end up with one.

A kernel keeps the server alive by a lease: an open connection to a second loopback port, kept for
the life of the process. When the last one closes, the server exits. The system closes it however
the client dies, kill -9 included, on every platform, which a signal to the children doesn't do and
a pid file can't tell. A forked child inherits the descriptor and would hold the lease for as long
as it lives, so it is closed there; across exec Python closes it itself (PEP 446).

The words on a lease, one a line: the key first; then "touch" (I am about to ask: put off the idle
exit), "idle" (for how many seconds has nothing been asked?), "stop". Each is answered by one line.
The other end is `server_process.py`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import home, private_directory

from .models import MODELS, check, choose, locked, problem
from .server_process import Order

_READY = 120.0  # seconds to load the model
_POLL = 0.05  # seconds
_CONTEXT = 8192  # tokens
_IDLE = 15 * 60.0  # seconds
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_LONGEST = 200  # bytes of an answer; who knows what listens on an old server's port
_ANSWER = 5.0  # seconds; the server answers at once unless the machine is overloaded


@dataclass(frozen=True)
class Endpoint:
    """Where to send chat requests, as the server's state file says it."""

    url: str
    api_key: str = field(repr=False)
    model: str
    pid: int
    port: int  # of the leases

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


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


def reach(state_path: Path) -> tuple[Endpoint, Lease] | None:
    """The server of a state file, and a lease of it; None if none answers."""
    server = _read(state_path)
    lease = connect(server.port, server.api_key) if server else None
    return (server, lease) if server and lease else None


def run_directory() -> Path:
    """Where the state files lie, not necessarily existing yet."""
    return home() / "local" / "run"


def _read(state_path: Path) -> Endpoint | None:
    """What the file says, or None if it isn't there or can't be read."""
    try:
        return Endpoint(**json.loads(state_path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


# The leases of this process by state file, each with its server's pid. Touched only under that
# file's lock.
_leases: dict[Path, tuple[int, Lease]] = {}


def _after_fork() -> None:
    """A forked child isn't a client until it asks; its copies would outlive the kernel."""
    for _, lease in _leases.values():
        lease.close()
    _leases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def ensure_server(
    model_id: str | None = None, starting: Callable[[str], None] = lambda model: None
) -> Endpoint:
    """The running server for a model, started if need be; call it before each request.

    Without an id: the default model, or the first that is installed. Waits for the model to be
    loaded (one to a few seconds), and puts off the idle exit. Blocks, may be called from any
    thread, and can be interrupted. Raises LocalModelError; nothing is ever downloaded.
    """
    model = choose(model_id)
    state_path = private_directory("local", "run") / f"{model}.json"
    with _alone(state_path):
        if running := _reuse(state_path):
            return running
        starting(model)
        return _start(model, state_path)


def _reuse(state_path: Path) -> Endpoint | None:
    """The server of the state file, if it lives and answers; a dead one's file is removed."""
    server = _read(state_path)
    if server:
        pid, lease = _leases.get(state_path, (0, None))
        if pid != server.pid:
            lease = connect(server.port, server.api_key)
        if lease and lease.say("touch"):
            _keep(state_path, server.pid, lease)
            return server
        if lease:
            lease.close()
    _forget(state_path)
    return None


def _start(model: str, state_path: Path) -> Endpoint:
    if found := problem():
        raise LocalModelError(*found)
    log = state_path.with_suffix(".log")
    process = launch(model, check(model), state_path, log)
    assert process.stdin
    # Interrupted or failed, the process loses its stdin here and, having no lease, exits.
    with process.stdin:
        deadline = time.monotonic() + _READY
        while not (reached := reach(state_path)):  # written once the model is loaded
            if process.poll() is not None:
                raise _died(process.returncode, log)
            if time.monotonic() > deadline:
                process.kill()
                raise LocalModelError(
                    f"The embedded model was not ready after {_READY:.0f} s.",
                    "The machine may be too busy, or short of memory; try again.",
                )
            time.sleep(_POLL)
        server, lease = reached
        _keep(state_path, server.pid, lease)
        return server


def stop_server(model_id: str | None = None) -> bool:
    """Stop the server of a model, or all of them; True if one was running.

    Answers under way, in other kernels too, break off. Raises LocalModelError where another kernel
    is starting one and does not come to an end.
    """
    pattern = f"{model_id}.json" if model_id else "*.json"
    stopped = False
    for state_path in map(run_directory().joinpath, glob(pattern, root_dir=run_directory())):
        with _alone(state_path):
            if found := reach(state_path):
                lease = found[1]
                stopped = lease.say("stop") == "ok" or stopped
                while lease.say("idle"):
                    time.sleep(0.02)  # until it is gone
                lease.close()
            _forget(state_path)
    return stopped


def _alone(state_path: Path) -> AbstractContextManager[None]:
    """Hold the state file's lock. Raises LocalModelError when it cannot be had."""
    busy = LocalModelError(
        f"Another kernel has been starting the embedded model for {_READY:.0f} s.",
        "Run the cell again; if that does not help, restart that kernel.",
    )
    return locked(state_path.with_suffix(".lock"), _READY + 5, busy)


def _keep(state_path: Path, pid: int, lease: Lease) -> None:
    """Hold `lease`, in place of that of a server that was written in this file before."""
    _, before = _leases.get(state_path, (0, lease))
    if before is not lease:
        before.close()
    _leases[state_path] = (pid, lease)


def _forget(state_path: Path) -> None:
    """Take away the state file of a server that is gone, and this process's lease."""
    if state_path in _leases:
        _leases.pop(state_path)[1].close()
    state_path.unlink(missing_ok=True)


def launch(model_id: str, model: Path, state: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a server for the model; it writes `state` when it is ready."""
    template = Path(__file__).with_name("thinking.jinja") if model_id in MODELS else ""
    order = Order(
        model=model_id,
        path=str(model),
        state=str(state),
        key=secrets.token_urlsafe(32),
        threads=_number("DEEPSEEK_LOCAL_THREADS", max(1, (os.cpu_count() or 1) - 1), int),
        context=_number("DEEPSEEK_LOCAL_CONTEXT", _CONTEXT, int),
        idle_seconds=_number("DEEPSEEK_LOCAL_IDLE_SECONDS", _IDLE, float),
        template=str(template),
    )
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        process = subprocess.Popen(
            # -P: the directory it runs in must not shadow a module.
            [sys.executable, "-P", "-m", "deepseek_jupyter.local.server_process"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=state.parent,
            # Without the user's API keys, which it has no use for.
            env={k: v for k, v in os.environ.items() if not any(s in k.upper() for s in _SECRETS)},
            **_apart(),
        )
    # Waiting for it takes it off the process table when it ends, days later perhaps.
    threading.Thread(target=process.wait, daemon=True).start()
    assert process.stdin
    try:
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        process.stdin.flush()
    except OSError as error:  # it died before it read
        process.wait()
        raise _died(process.returncode, log) from error
    return process


def _apart() -> dict[str, Any]:
    """A Ctrl-C in the terminal of one client isn't meant for the server that others use."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _number(variable: str, default: Any, kind: type) -> Any:
    value = os.environ.get(variable)
    if not value:
        return default
    try:
        number = kind(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise LocalModelError(
            f"{variable}={value!r} is not a positive number.", "Correct or unset the variable."
        )
    return number


def _died(code: int, log: Path) -> LocalModelError:
    """Say how the process ended: its signal or exit status, and its last words."""
    how, hint = f"exit status {code}", "The model file or the installation may be damaged."
    if code < 0:
        try:
            how = signal.Signals(-code).name
        except ValueError:
            how = f"signal {-code}"
        hint = "Out of memory is the usual reason; a smaller model needs less."
    # Windows reports an illegal instruction as the status 0xC000001D.
    if how == "SIGILL" or code & 0xFFFFFFFF == 0xC000001D:
        hint = "This processor is too old for the server (AVX2 is needed): use Ollama, `-p ollama`."
    try:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    except OSError:
        last = []
    tail = "".join(f"\n  | {line}" for line in last)
    return LocalModelError(f"The embedded model's server died at start ({how}).{tail}", hint)
