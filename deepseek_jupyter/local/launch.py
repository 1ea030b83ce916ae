"""Start the server's process and wait until it is ready, or say why it died."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.local.models import MODELS

__all__ = ["Started", "launch"]

_CONTEXT = 8192  # tokens
_IDLE = 15 * 60.0  # seconds
_POLL = 0.05
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")


@dataclass(frozen=True)
class Started:
    """A process on its way to being ready. `release` lets go of it; see server.py, step 3."""

    process: subprocess.Popen[bytes]
    log: Path

    def release(self) -> None:
        """Close its stdin; without a lease it exits then."""
        if self.process.stdin:
            self.process.stdin.close()

    def wait(self, state: Path, timeout: float) -> None:
        """Return once it has written its state file; LocalModelError if it can't."""
        deadline = time.monotonic() + timeout
        while not state.exists():
            if self.process.poll() is not None:
                raise _died(self.process.returncode, self.log)
            if time.monotonic() > deadline:
                self.process.kill()
                raise LocalModelError(
                    f"The embedded model was not ready after {timeout:.0f} s.",
                    "The machine may be too busy, or short of memory; try again.",
                )
            time.sleep(_POLL)


def launch(model_id: str, model: Path, state: Path) -> Started:
    """Start a server for the model; it writes `state` when it is ready."""
    template = Path(__file__).with_name("thinking.jinja") if model_id in MODELS else ""
    order = {
        "model": model_id,
        "path": str(model),
        "state": str(state),
        "key": secrets.token_urlsafe(32),
        "threads": _number("DEEPSEEK_LOCAL_THREADS", max(1, (os.cpu_count() or 1) - 1), int),
        "context": _number("DEEPSEEK_LOCAL_CONTEXT", _CONTEXT, int),
        "idle_seconds": _number("DEEPSEEK_LOCAL_IDLE_SECONDS", _IDLE, float),
        "template": str(template),
    }
    log = state.with_suffix(".log")
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        process = subprocess.Popen(
            # -P: the directory it runs in must not shadow a module.
            [sys.executable, "-P", "-m", "deepseek_jupyter.local.server"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=state.parent,
            env=_environment(),
            **_apart(),
        )
    # Whoever waits for it takes it off the process table when it ends, days later perhaps.
    threading.Thread(target=process.wait, daemon=True).start()
    started = Started(process, log)
    assert process.stdin
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    except OSError as error:  # it died before it read
        process.wait()
        raise _died(process.returncode, log) from error
    return started


def _apart() -> dict[str, Any]:
    """A Ctrl-C in the terminal of one client isn't meant for the server that others use."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _environment() -> dict[str, str]:
    """The environment without the user's API keys, which this process has no use for."""
    return {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.upper() for word in _SECRETS)
    }


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
    tail = "".join(f"\n  | {line}" for line in _tail(log))
    return LocalModelError(f"The embedded model's server died at start ({how}).{tail}", hint)


def _tail(log: Path, lines: int = 8) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []
