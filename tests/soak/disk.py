"""A small disk that can be full: a tmpfs where root may mount one, else an ordinary folder."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Disk"]

_MEGABYTES = 48
_LEFT = 20_000  # bytes: the system's files may still grow by a page


class Disk:
    """The state directory's place. Nobody is killed while it is full: what is in memory then
    could not survive, and that is said to the user."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(place)]
        mounted = subprocess.run(["mount", *options], capture_output=True) if _root() else None
        self.mounted = mounted is not None and mounted.returncode == 0
        self._lock = threading.RLock()

    def unmount(self) -> None:
        """Take it away again."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.place)], check=False)

    @contextmanager
    def well(self) -> Iterator[None]:
        """While in here it is not filled."""
        with self._lock:
            yield

    @contextmanager
    def full(self) -> Iterator[bool]:
        """While in here nothing more can be written; False where that cannot be made."""
        with self._lock:
            ballast = self.place / "ballast"
            if self.mounted:
                with suppress(OSError), ballast.open("wb") as file:
                    while True:
                        file.write(bytes(_LEFT))
                        file.flush()
            try:
                yield self.mounted
            finally:
                ballast.unlink(missing_ok=True)


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
