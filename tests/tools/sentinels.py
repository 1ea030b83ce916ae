"""What must not be touched: a folder with canaries that is watched, and a port where one listens.

The watch is the kernel's own (inotify): it sees every open, read, listing and write of any process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from pathlib import Path

CANARY = "canary-7f3a"
_ALL_EVENTS = 0xFFF
_EVENT = struct.Struct("iIII")


class Sentinels:
    """`fired` says what was touched since it was last asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("canary.csv", "canary.txt", "canary.json", "canary.parquet", "canary.db"):
            (folder / name).write_text(f'{{"a": "{CANARY}"}}\n')
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._watch, os.fsencode(folder), _ALL_EVENTS) >= 0

    def fired(self) -> list[str]:
        return [*self._files(), *self._visitors()]

    def _files(self) -> list[str]:
        try:
            data = os.read(self._watch, 65536)
        except BlockingIOError:
            return []
        names, at = [], 0
        while at < len(data):
            _, mask, _, size = _EVENT.unpack_from(data, at)
            at += _EVENT.size + size
            names.append(f"{mask:#x} {data[at - size : at].rstrip(bytes(1)).decode()}")
        return names

    def _visitors(self) -> list[str]:
        try:
            visitor, address = self._listener.accept()
        except BlockingIOError:
            return []
        visitor.close()
        return [f"a connection from {address}"]

    def close(self) -> None:
        os.close(self._watch)
        self._listener.close()
