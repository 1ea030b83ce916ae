"""The browser of the tests: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import subprocess

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def find_chromium() -> str:
    """The path of a Chromium, installed from the system's packages if this may be done.

    Raises RuntimeError with what is missing and how to get it.
    """
    path = _on_path()
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *command], env=environment, check=False, capture_output=True)
        path = _on_path()
    if path is None:
        raise RuntimeError(
            "The browser tests need Chromium. As root: 'apt-get install chromium'; "
            "or set CHROMIUM to the path of one."
        )
    return path


def _on_path() -> str | None:
    asked = os.environ.get("CHROMIUM")
    return asked or shutil.which("chromium") or shutil.which("chromium-browser")
