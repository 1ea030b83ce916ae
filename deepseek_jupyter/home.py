"""The one directory that holds everything this package keeps on disk.

``DEEPSEEK_JUPYTER_HOME`` names it; without it the platform's own place for user data is used
(platformdirs: ``~/.local/share/deepseek-jupyter`` on Linux). Keys, the embedded model, the
server's socket file and the conversations' journal all lie below it.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home", "private_directory"]


def home() -> Path:
    """The state directory, not necessarily existing yet."""
    named = os.environ.get("DEEPSEEK_JUPYTER_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("deepseek-jupyter", appauthor=False)


def private_directory(*parts: str) -> Path:
    """`home()` / parts, each level created for its owner alone (mode 0700)."""
    path = home()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part in parts:
        path /= part
        path.mkdir(exist_ok=True, mode=0o700)
    return path
