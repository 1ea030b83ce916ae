"""The one directory that holds everything this package keeps on disk.

``DEEPSEEK_JUPYTER_HOME`` names it; without it the platform's own place for user data is used
(platformdirs: ``~/.local/share/deepseek-jupyter`` on Linux). Keys, the embedded model, the server's
socket file and the journal of conversations are below it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import ConfigurationError

# The state directory of a user without a home directory: nothing can be made or read there.
NOWHERE = Path(os.devnull) / "deepseek-jupyter"


def home() -> Path:
    """The state directory, not necessarily existing yet; `NOWHERE` where the user has none."""
    named = os.environ.get("DEEPSEEK_JUPYTER_HOME")
    try:
        if named:
            return Path(named).expanduser().absolute()
        from platformdirs import user_data_path

        # An older platformdirs (4.0) leaves a ~ that cannot be expanded as it is.
        return user_data_path("deepseek-jupyter", appauthor=False).expanduser()
    except RuntimeError:  # no HOME, and no entry in the table of users, as in some containers
        return NOWHERE


def private_directory(*parts: str) -> Path:
    """`home()` / parts, each level created for its owner alone (mode 0700).

    A level that is open to others is closed to them. Raises `ConfigurationError` where others
    can write and that is not to be changed: another user's directory, or one shared on purpose.
    """
    path = home()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    _close_to_others(path)
    for part in parts:
        path /= part
        path.mkdir(exist_ok=True, mode=0o700)
        _close_to_others(path)
    return path


def replace_file(path: Path, text: str) -> None:
    """Put a new file with `text`, for its owner alone, in the place of `path`."""
    partial = path.with_name(f".{path.name}-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(partial, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def _close_to_others(path: Path) -> None:
    if os.name != "posix":
        return  # Windows has no such modes; user data is in the user's own profile
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not mode & 0o077:
        return
    # The user's home directory and those above it are not this package's to change.
    above = Path(os.path.expanduser("~")).resolve().is_relative_to(path.resolve())
    shared = above or mode & stat.S_ISVTX
    if found.st_uid == os.getuid() and not shared:
        path.chmod(0o700)
    elif mode & 0o022:
        raise ConfigurationError(
            f"Others can write to {path}, where keys and conversations are kept.",
            "Set DEEPSEEK_JUPYTER_HOME to a directory of your own.",
        )
