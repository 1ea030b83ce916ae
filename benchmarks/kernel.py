"""A real ipykernel, talked to over its sockets; every message is kept with its time of arrival."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client import KernelManager
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)] if str(HERE.parent) not in sys.path else []

from tests.support.kernels import without_keys  # noqa: E402

__all__ = ["FRONT_ENDS", "Cell", "Kernel", "clean_environment"]

_SHOWN = ("display_data", "update_display_data", "execute_result", "comm_msg")

FRONT_ENDS = ("no Jupyter page", "page without extension", "page with extension")
"""Whoever runs the kernel: nbclient or an editor; JupyterLab; JupyterLab with our extension."""


def clean_environment(home: str, **more: str) -> dict[str, str]:
    """This environment without keys, proxies and settings; `home` for all state.

    Bytecode is written whatever this environment says: an installed package has its own, and one
    that is compiled anew for each kernel is measured as slower than it is.
    """
    own = {
        "DEEPSEEK_JUPYTER_HOME": f"{home}/deepseek",
        "IPYTHONDIR": f"{home}/ipython",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent))),  # this checkout, not another
    }
    found = without_keys(os.environ)
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**found, **own, **more}


@dataclass
class Cell:
    """What came of one cell. Times are `time.monotonic`, in this process.

    `shown` holds outputs and comm messages; where those are only weighed, `weight` is their bytes.
    """

    sent: float
    idle: float = 0.0
    error: str = ""
    text: str = ""
    shown: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    weight: int = 0

    @property
    def seconds(self) -> float:
        """From the request to the kernel's word that it is idle again."""
        return self.idle - self.sent

    @property
    def sizes(self) -> list[int]:
        """Bytes of each output's and comm message's content, as JSON on the wire."""
        return [len(json.dumps(content, ensure_ascii=False).encode()) for _, content in self.shown]


class Kernel:
    """A fresh kernel. Given a `url`, the extension is loaded and asks that server.

    `front_end` is one of `FRONT_ENDS`; the one with our extension opens its data comm. `python` is
    another environment's interpreter, `more` goes into its environment.
    """

    def __init__(
        self,
        url: str = "",
        front_end: str = FRONT_ENDS[0],
        *,
        load: bool = True,
        python: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url
        self._python = python
        self._more = dict(more or {})
        self._front_end = front_end
        self._load = load and bool(url)

    def __enter__(self) -> Kernel:
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        home = self._scratch.name
        address = {"DEEPSEEK_BASE_URL": self._url, "DEEPSEEK_API_KEY": "sk-bench"}
        page = {"JPY_SESSION_NAME": "bench.ipynb"} if self._front_end != FRONT_ENDS[0] else {}
        self._manager = KernelManager()
        if self._python is not None:
            argv = [str(self._python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            self._manager._kernel_spec = KernelSpec(argv=argv, language="python")
        given = {**page, **(address if self._url else {}), **self._more}
        self._manager.start_kernel(
            env=clean_environment(home, **given),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._client: BlockingKernelClient = self._manager.blocking_client()
        try:
            self._client.start_channels()
            self._client.wait_for_ready(timeout=60)
            if self._load:
                self.run("%load_ext deepseek_jupyter\nimport deepseek_jupyter as ds, time")
            if self._front_end == FRONT_ENDS[2]:
                self._open_page()
            self.process = psutil.Process(int(self.value("__import__('os').getpid()")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._scratch.cleanup()

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        return self.process.memory_info().rss / 1e6

    def interrupt(self) -> float:
        """As the stop button does; returns when."""
        at = time.monotonic()
        self._manager.interrupt_kernel()
        return at

    def run(
        self, code: str, timeout: float = 120.0, *, may_fail: bool = False, weigh: bool = False
    ) -> Cell:
        """Run a cell to idle. Raises TimeoutError. `weigh`: outputs may be gigabytes, keep none."""
        cell = Cell(time.monotonic())
        parent = self._client.execute(code, store_history=False)
        while not cell.idle:
            left = cell.sent + timeout - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not idle after {timeout:.0f} s: {code!r}")
            try:
                message = self._client.get_iopub_msg(timeout=left)
            except queue.Empty:
                continue
            arrived = time.monotonic()
            if message["parent_header"].get("msg_id") != parent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in _SHOWN and weigh:
                cell.weight += len(json.dumps(content, ensure_ascii=False).encode())
            elif kind in _SHOWN:
                cell.shown.append((arrived, content))
            elif kind == "stream":
                cell.text += content["text"]
            elif kind == "error":
                cell.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                cell.idle = arrived
        self._client.get_shell_msg(timeout=10)
        if cell.error and not may_fail:
            raise RuntimeError(f"{code!r} failed: {cell.error}")
        return cell

    def _open_page(self) -> None:
        """As the page's extension does: open the data comm."""
        content = {"comm_id": "bench", "target_name": "deepseek.data", "data": {}}
        self._client.shell_channel.send(self._client.session.msg("comm_open", content))

    def value(self, expression: str) -> Any:
        """The value of an expression that JSON can carry."""
        return json.loads(self.run(f"print(__import__('json').dumps({expression}))").text)
