"""The running IPython: what kind it is, and how outputs are sent. Only this file here knows it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from deepseek_jupyter.protocol.output import output_of

from .pages import pages

_OUR_CELL = re.compile(r"\s*%%(?:ds|deepseek)\b")


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
    if getattr(shell(), "kernel", None) is not None:
        return bool((_request().get("content") or {}).get("allow_stdin"))
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _request() -> Mapping[str, Any]:
    """The message by which a front end had the running cell executed."""
    running = shell()
    return (running.get_parent() if hasattr(running, "get_parent") else None) or {}


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
    data, metadata = output_of(bundle)
    shell().display_pub.publish(data, metadata, transient=transient, update=update)


class Output:
    """One output of the running cell that changes until its end.

    It is updated in place. Servers that execute cells themselves drop updates, or append them as
    outputs (`Pages.updates`): there the first state is replaced by the last, which wipes the whole
    cell, and where the cell may show anything else the last is all that is shown.
    """

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._shown = self._alone = False
        self.begun = False

    def show(self, bundle: Mapping[str, Any]) -> None:
        """A state that is not the last."""
        if not self.begun:
            self.begun, self._alone = True, _has_one_output()
            self._shown = pages.updates or self._alone
            if self._shown:
                publish(bundle, self._id)
        elif self._shown and pages.updates:
            publish(bundle, self._id, update=True)

    def share(self) -> None:
        """Something else is about to be shown in the cell."""
        if self._shown and self._alone and not pages.updates:
            shell().display_pub.clear_output()
            self._shown = False

    def end(
        self, bundle: Mapping[str, Any], record: Mapping[str, Any] | None = None, html: str = ""
    ) -> None:
        """The last state; of the turn of `record`, pages loaded meanwhile hear of it too. `html` is
        its answer alone.
        """
        self.begun = True
        if self._shown and not pages.updates and self._alone:
            shell().display_pub.clear_output(wait=True)
        publish(bundle, self._id, update=self._shown and pages.updates)
        if record is not None:
            pages.settle(record, bundle)


_asked_by: list[str] = [""]  # the execution that had an output of ours last


def _has_one_output() -> bool:
    """Whether the running cell is one question, and this the first output that it has."""
    if getattr(shell(), "kernel", None) is None:
        return False
    execution = str((_request().get("header") or {}).get("msg_id"))
    before, _asked_by[0] = _asked_by[0], execution
    code = str((_request().get("content") or {}).get("code"))
    return before != execution and _OUR_CELL.match(code) is not None
