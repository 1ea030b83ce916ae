"""The running IPython: what kind it is, and how outputs are sent. Only this file here knows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any


def shell() -> Any:
    """The IPython shell, None in a plain script; IPython is never imported for the question."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def has_frontend() -> bool:
    """Whether outputs are mimebundles: a kernel's shell, not a terminal's or a script."""
    running = shell()
    if running is None:
        return False
    return getattr(running, "kernel", None) is not None or captured()


def user_namespace() -> dict[str, Any]:
    """The user's variables; empty outside IPython."""
    running = shell()
    return running.user_ns if running is not None else {}


def captured() -> bool:
    """Whether ``%%capture`` or `capture_output` keeps the outputs."""
    return type(getattr(shell(), "display_pub", None)).__name__ == "CapturingDisplayPublisher"


def in_jupyter() -> bool:
    """Whether a Jupyter server started the kernel, so that its page may have our renderer."""
    return bool(os.environ.get("JPY_SESSION_NAME"))


def can_type() -> bool:
    """Whether the user can type an answer: a front end says so with each execution."""
    running = shell()
    if getattr(running, "kernel", None) is not None:
        parent = running.get_parent() if hasattr(running, "get_parent") else None
        return bool(((parent or {}).get("content") or {}).get("allow_stdin"))
    stream = sys.stdin
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def reads_plain_text() -> bool:
    """Whether outputs are shown as plain text: in a terminal, or a console on a kernel."""
    running = shell()
    if getattr(running, "kernel", None) is None:
        return True
    return can_type() and not in_jupyter() and "__vsc_ipynb_file__" not in user_namespace()


def current_cell() -> int | None:
    """The running cell's number; None outside IPython."""
    running = shell()
    return running.execution_count if running is not None else None


def offer_input(code: str) -> bool:
    """Put `code` into a new cell below, or the terminal's next prompt; False outside IPython."""
    running = shell()
    if running is None:
        return False
    running.set_next_input(code, replace=False)
    return True


def run_here(code: str) -> bool:
    """Run `code` in the running cell, its errors shown there; whether it ended well."""
    running = shell()
    return running is not None and bool(running.run_cell(code, store_history=False).success)


def publish(bundle: Mapping[str, Any], display_id: str = "", *, update: bool = False) -> None:
    """Send `bundle` as an output of the running cell, or as an update of an earlier one."""
    if not has_frontend():
        print(bundle["text/plain"])
        return
    transient = {"display_id": display_id} if display_id else {}
    shell().display_pub.publish(bundle, {}, transient=transient, update=update)
