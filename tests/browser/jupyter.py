"""A real JupyterLab or Notebook for the tests: loopback only, own settings, no token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "deepseek_jupyter" / "labextension"
NAME = "deepseek-jupyter"


class Server:
    """A server in a child process; `stop` ends it and its kernels."""

    def __init__(
        self, kind: str, folder: Path, *, extension: bool = True, python: str = sys.executable
    ) -> None:
        self.kind = kind
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        # Another interpreter has the extension of the wheel that is installed there.
        linked = extension and python == sys.executable
        self.environment = environment(folder, extension=extension, linked=linked)
        self.pages: list[Any] = []  # loaded, and not in use
        self.port = 0
        app = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[kind]
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(python, "-m", {"lab": "jupyterlab", "notebook": "notebook"}[kind]),
                *("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
                "--ServerApp.port=0",  # it takes a free one: one that we find may be taken by then
                *("--IdentityProvider.token=", f"--ServerApp.root_dir={self.work}"),
                f"--{app}.expose_app_in_browser=True",
            ],
            env=self.environment,
            cwd=self.work,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, name: str) -> str:
        """The address of a notebook."""
        if self.kind == "notebook":
            return f"{self.url}/notebooks/{name}"
        return f"{self.url}/lab/workspaces/w{time.time_ns()}/tree/{name}?reset"

    def stop(self) -> None:
        for page in self.pages:
            page.context.close()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def _wait(self) -> None:
        told = self.folder / "runtime" / f"jpserver-{self._process.pid}.json"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.port = int(json.loads(told.read_text())["port"])
                urllib.request.urlopen(f"{self.url}/api/status", timeout=10)
                return
            except (OSError, ValueError):  # an answer that does not come is an OSError, too
                time.sleep(0.1)
        log = (self.folder / "server.log").read_text(errors="replace")
        raise RuntimeError(f"The {self.kind} server did not start:\n{log[-3000:]}")


def environment(folder: Path, *, extension: bool, linked: bool) -> dict[str, str]:
    """An environment in which Jupyter reads and writes below a folder only."""
    config = folder / "config"
    labconfig = config / "labconfig"
    labconfig.mkdir(parents=True)
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    if not extension:
        disabled[NAME] = True  # it is also installed in the environment
    page = {"disabledExtensions": disabled}
    (labconfig / "page_config.json").write_text(json.dumps(page))
    path = folder / "path"
    extensions = path / "labextensions"
    extensions.mkdir(parents=True)
    if linked:
        (extensions / NAME).symlink_to(BUILT)
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")},
        "HOME": str(folder),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PATH": str(path),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
