"""The journal's file: opened for its owner alone, and moved out of the way when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .migrations import migrate

__all__ = ["code_of", "inode_of", "open_file", "open_memory", "open_unwritable", "set_aside"]

_making = threading.Lock()  # no thread opens the file between its making and the closing below


def open_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(connection)
    return connection


def open_file(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection to the file at `path`, made if need be, its schema up to date."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_private(path)
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False
    )
    try:
        _enter_wal(connection, patience)
        connection.execute("PRAGMA journal_size_limit = 8388608")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_unwritable(path: Path) -> sqlite3.Connection:
    """A connection that only reads. On a full disk SQLite cannot make the index of its log; then
    the file is read as it is, without what only the log has. Raises `sqlite3.Error`.
    """
    for how in ("mode=ro", "immutable=1"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
            return connection
        except sqlite3.Error as error:
            connection.close()
            failed = error
    raise failed


def _make_private(path: Path) -> None:
    """See that the file is there, for its owner alone; its -wal and -shm take after it.

    SQLite would make it readable for all. An existing file is not opened here: closing it would
    drop the locks that another connection of this process holds on it
    (sqlite.org/howtocorrupt.html, 2.2).
    """
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with suppress(OSError):
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)


def _enter_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Switch to WAL. Two that do it at once get BUSY without waiting, so the wait is here."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def code_of(error: BaseException) -> int:
    """SQLite's primary result code; -1 for errors that are not SQLite's."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF if isinstance(error, sqlite3.Error) else -1


def inode_of(path: Path | None) -> tuple[int, int] | None:
    try:
        status = os.stat(path or "")
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, damaged: tuple[int, int] | None) -> Path | None:
    """Move the damaged file out of the way under a name that is free; never over another.

    None when another process has done so already. One process does it at a time, by a claim file;
    who claims after it sees that the damaged file is gone.
    """
    claim = path.with_name(f"{path.name}.claim")
    _take_claim(claim)
    try:
        if inode_of(path) != damaged:
            return None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = path.with_name(f"{path.stem}.corrupt-{moment}-{os.getpid()}{path.suffix}")
        # The log first: a new file beside the old log would swallow it.
        for suffix in ("-wal", "-shm", ""):
            part = Path(f"{path}{suffix}")
            with suppress(FileNotFoundError):  # the last to close a journal removes its log
                part.rename(f"{aside}{suffix}")
        return aside
    finally:
        claim.unlink(missing_ok=True)


def _take_claim(claim: Path) -> None:
    """Make the file `claim`, waiting for its holder; a holder that died does not count."""
    deadline = time.monotonic() + 5
    while True:
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL, 0o600))
            return
        except FileExistsError:
            if time.monotonic() > deadline:
                return
        time.sleep(0.02)
