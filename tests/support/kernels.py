"""A real ipykernel, driven as a front end drives it, with every message kept and timed.

    with Kernel(environment, folder) as kernel:
        ran = kernel.run("%load_ext deepseek_jupyter")
        first, second = kernel.run_all(["%%ds\\nHello", "1 + 1"])  # sent at once
        cell = kernel.send("%%ds\\nA long story")
        kernel.interrupt()
        ran = kernel.finish(cell)

A `Ran` is what became of one cell: its reply, its outputs as a front end would show them, and the
messages they came in.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.protocol.output import TURN_MIME, unpacked


def record_in(output: Mapping[str, Any]) -> dict[str, Any]:
    """The record in an output, with the fields that an output leaves out."""
    return {**Turn("", "", "").record, **unpacked(output["data"], output["metadata"])}


@dataclass
class Message:
    """One message on iopub."""

    kind: str
    content: dict[str, Any]
    at: float

    @property
    def data(self) -> dict[str, Any]:
        """The mimebundle of a display, an update or a result."""
        return dict(self.content.get("data") or {})

    @property
    def display_id(self) -> str | None:
        return (self.content.get("transient") or {}).get("display_id")


@dataclass
class Ran:
    """What one cell brought."""

    reply: dict[str, Any] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.reply.get("status") == "ok"

    def of(self, *kinds: str) -> list[Message]:
        return [m for m in self.messages if m.kind in kinds]

    @property
    def stdout(self) -> str:
        return self._printed("stdout")

    @property
    def stderr(self) -> str:
        return self._printed("stderr")

    def _printed(self, name: str) -> str:
        return "".join(m.content["text"] for m in self.of("stream") if m.content["name"] == name)

    @property
    def outputs(self) -> list[tuple[str, Any]]:
        """What stands under the cell in the end: ("text", …), ("data", …) or ("error", lines)."""
        return [(kind, v["data"] if kind == "data" else v) for kind, v in self._shown]

    @property
    def _shown(self) -> list[tuple[str, Any]]:
        shown: list[tuple[str, Any]] = []
        places: dict[str, int] = {}
        for message in self.messages:
            if message.kind == "stream":
                if shown and shown[-1][0] == "text":
                    shown[-1] = ("text", shown[-1][1] + message.content["text"])
                else:
                    shown.append(("text", message.content["text"]))
            elif message.kind in ("display_data", "execute_result"):
                if message.display_id:
                    places[message.display_id] = len(shown)
                shown.append(("data", message.content))
            elif message.kind == "update_display_data" and message.display_id in places:
                shown[places[message.display_id]] = ("data", message.content)
            elif message.kind == "error":
                shown.append(("error", message.content["traceback"]))
        return shown

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """The mimebundles that stand in the end."""
        return [value["data"] for kind, value in self._shown if kind == "data"]

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The records that stand in the end."""
        outputs = [value for kind, value in self._shown if kind == "data"]
        return [record_in(output) for output in outputs if TURN_MIME in output["data"]]

    @property
    def error(self) -> list[str]:
        """The lines that the front end shows for an error, [] without one."""
        told = self.of("error")
        return "\n".join(told[-1].content["traceback"]).splitlines() if told else []

    @property
    def idle_at(self) -> float:
        idle = [m for m in self.of("status") if m.content["execution_state"] == "idle"]
        return idle[-1].at


class Kernel:
    """One kernel process. Leaving the context ends it."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = {
            **environment,
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        self._folder = folder
        self._log = folder / "kernel.log"
        self._seen: defaultdict[str, list[Message]] = defaultdict(list)
        self._replies: dict[str, dict[str, Any]] = {}
        self._answers: list[str] = []
        self.prompts: list[dict[str, Any]] = []  # input requests, as they came
        self.told: list[tuple[str, dict[str, Any]]] = []  # (comm id, data) of every comm message

    def __enter__(self) -> Kernel:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Free ports are picked here and bound by the kernel later: a test beside this one may
        # have taken them by then, and the kernel dies. A socket file is this kernel's alone.
        if os.name == "posix":
            self._sockets = tempfile.TemporaryDirectory(prefix="ds-")  # its path is limited to 107
            address = {"transport": "ipc", "ip": str(Path(self._sockets.name) / "k")}
        else:
            address = {}
        self._manager = KernelManager(kernel_name="python3", **address)
        self._manager.connection_file = str(self._folder / "connection.json")
        with self._log.open("wb") as log:
            self._manager.start_kernel(
                env=self._environment, cwd=str(self._folder), stdout=log, stderr=log
            )
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        if os.name == "posix":
            self._sockets.cleanup()

    def shut_down(self) -> None:
        """Ask it to end, as a front end's restart does, and wait until it has; then leave."""
        self._manager.shutdown_kernel(now=False)
        self.__exit__()

    @property
    def pid(self) -> int:
        return int(self._manager.provisioner.pid)

    def everything(self) -> str:
        """All that this kernel ever said, on its sockets, stdout and stderr, as one text."""
        said = [json.dumps(m.content, default=str) for ms in self._seen.values() for m in ms]
        said += [json.dumps(reply, default=str) for reply in self._replies.values()]
        return "\n".join([*said, self._log.read_text("utf-8", "replace")])

    def send(
        self, code: str, *, cell_id: str | None = None, allow_stdin: bool = False, **content: Any
    ) -> str:
        """Ask the kernel to run a cell, and do not wait; returns the request's id."""
        asked = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
            **content,
        }
        session = self._client.session
        message = session.msg("execute_request", asked)
        if cell_id is not None:
            message["metadata"]["cellId"] = cell_id
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(self, cell: str, timeout: float = 90.0) -> Ran:
        """Wait for a cell's reply and for the kernel's going idle after it."""
        end = time.monotonic() + timeout
        while not (cell in self._replies and self._idle(cell)):
            if time.monotonic() > end:
                tail = self._log.read_text("utf-8", "replace")[-2000:]
                raise AssertionError(f"no end after {timeout} s: {self._seen[cell][-3:]}\n{tail}")
            self._listen()
        return Ran(self._replies[cell], self._seen[cell])

    def wait_for(self, cell: str, kind: str, holding: str = "", timeout: float = 60.0) -> Message:
        """The first message of `kind` from a running cell whose content holds a text."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for message in self._seen[cell]:
                if message.kind == kind and holding in json.dumps(message.content):
                    return message
            self._listen()
        raise AssertionError(f"no {kind} with {holding!r}: {self._seen[cell][-3:]}")

    def run(self, code: str, *, answers: Iterable[str] = (), **how: Any) -> Ran:
        """Run one cell to its end; `answers` are typed where it asks."""
        self._answers = list(answers)
        how = {"allow_stdin": bool(self._answers), "stop_on_error": False, **how}
        timeout = how.pop("timeout", 90.0)
        ran = self.finish(self.send(code, **how), timeout)
        # After a cell that was stopped ipykernel 6 drops what comes within the next moment.
        dropped = ran.reply["status"] == "aborted"
        return self.finish(self.send(code, **how), timeout) if dropped else ran

    def run_all(self, cells: Iterable[str]) -> list[Ran]:
        """Send all requests at once, as Run All does, then wait for all."""
        sent = [self.send(code, cell_id=f"cell-{n}") for n, code in enumerate(cells)]
        return [self.finish(cell) for cell in sent]

    def value(self, expression: str) -> Any:
        """The value of an expression in the kernel, by way of JSON."""
        ran = self.run(f"import json as _json\nprint(_json.dumps({expression}))")
        assert ran.ok, ran.error
        return json.loads(ran.stdout)

    def interrupt(self) -> float:
        """Press Stop; returns when that was."""
        self._manager.interrupt_kernel()
        return time.monotonic()

    def subshell(self) -> str:
        """A new subshell, as JupyterLab makes one for the comms of a target."""
        if int(version("ipykernel").partition(".")[0]) < 7:
            pytest.skip("ipykernel has subshells from 7 on")
        message = self._client.session.msg("create_subshell_request", {})
        self._client.control_channel.send(message)
        while True:
            reply = self._client.control_channel.get_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def say(self, kind: str, content: dict[str, Any], subshell: str) -> None:
        """Send a shell message (``comm_open``, ``comm_msg``) to a subshell."""
        message = self._client.session.msg(kind, content)
        message["header"]["subshell_id"] = subshell
        self._client.shell_channel.send(message)

    def listen(self) -> None:
        """Take in what the kernel has said."""
        self._listen()

    def _idle(self, cell: str) -> bool:
        states = [m.content["execution_state"] for m in self._seen[cell] if m.kind == "status"]
        return "idle" in states

    def _listen(self) -> None:
        try:
            told = self._client.iopub_channel.get_msg(timeout=0.02)
            parent = told["parent_header"].get("msg_id", "")
            kind = told["header"]["msg_type"]
            self._seen[parent].append(Message(kind, told["content"], time.monotonic()))
            if kind == "comm_msg":
                self.told.append((told["content"]["comm_id"], told["content"]["data"]))
        except queue.Empty:
            pass
        while self._client.shell_channel.msg_ready():
            reply = self._client.shell_channel.get_msg(timeout=1)
            self._replies[reply["parent_header"]["msg_id"]] = reply["content"]
        while self._client.stdin_channel.msg_ready():
            asked = self._client.stdin_channel.get_msg(timeout=1)
            self.prompts.append(asked["content"])
            self._client.input(self._answers.pop(0) if self._answers else "")


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without keys, proxies, settings of ours and the notebook that it was made for."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(("DEEPSEEK_", "JPY_"))
        and not name.upper().endswith(("_API_KEY", "COMETAPI_KEY", "_PROXY"))
    }


def kernel_environment(base: Mapping[str, str], url: str, key: str) -> dict[str, str]:
    """`base` with DeepSeek at `url`; the interpreter's own folder first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", "")])
    return {**base, "PATH": path, "DEEPSEEK_BASE_URL": url, "DEEPSEEK_API_KEY": key}
