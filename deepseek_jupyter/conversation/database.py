"""`Database`: one SQLite file, and what to do when it fails. Knows nothing of turns.

The life of one:

1. `Database(path)` opens the file, made for its owner alone, and brings its schema up to date.
2. `read` and `write` run a function on the connection; a write is one transaction.
3. A damaged file is set aside under another name and a new one begun; a disk that refuses is left
   alone and the work goes on in memory. `trouble` says which, in one sentence; nothing is raised.
4. In memory, `come_back` tries the disk again now and then, and carries over what was kept.

WAL, so that readers never wait; every write begins IMMEDIATE, so that it waits for its turn in the
busy handler and cannot be refused in the middle (sqlite.org/wal.html, sqlite.org/rescode.html).
A connection must not be used across a fork (sqlite.org/howtocorrupt.html, 2.6): a child process
opens its own, and the parent's is never closed there.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .files import code_of, inode_of, open_file, open_memory, open_unwritable, set_aside

__all__ = ["Database"]

Connection = sqlite3.Connection
T = TypeVar("T")

_PATIENCE = 10.0  # seconds to wait for another kernel's write
_ATTEMPTS = 5  # at a file that other kernels are replacing too
_MOST_LENT = 256_000_000  # bytes of a file that are copied to memory
_BETWEEN_TRIES = 20.0  # seconds between attempts to come back to the disk

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WHY = {
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_PERM: "it cannot be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error or is full",
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
}

_DAMAGED_SENTENCE = (
    "The journal of conversations was damaged; it is kept as {}, and a new one was begun."
)
_MEMORY_SENTENCE = (
    "The journal of conversations ({}) is not in use: {}. "
    "This conversation is kept in memory and in the notebook's outputs."
)

# Databases whose disk refused once: what is still in memory when the kernel ends is tried again.
_refused: weakref.WeakSet[Database] = weakref.WeakSet()


def _last_try() -> None:
    for database in list(_refused):
        if database.in_memory:
            database.come_back(at_once=True)


# Connections of a parent process, kept so that nothing closes them in its child.
_inherited: list[Connection] = []


class Database:
    """A connection per process, for all its threads. `trouble` is "" while all is well."""

    def __init__(
        self,
        path: Path | None,
        lend: Callable[[Connection, Connection], None],
        carry: Callable[[Connection, Connection], None],
        mend: Callable[[Connection], None],
    ) -> None:
        """`path` None is a database in memory.

        `lend` copies what the first connection holds to the second, for as long as the first cannot
        be written; `carry` copies what is new back; `mend` makes a damaged search index anew.
        """
        self.path = path
        self.trouble = ""
        self.in_memory = path is None
        self._lend = lend
        self._carry = carry
        self._mend = mend
        self._tried = time.monotonic()
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._inode: tuple[int, int] | None = None
        self._connection: Connection | None = None
        self._connection = self._opened()

    def close(self) -> None:
        """Close the file; in memory, try the disk once more. What comes after opens it again."""
        with self._mine():
            if self.in_memory:
                self.come_back(at_once=True)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` returns."""
        with self._mine():
            return self._guarded(query)

    def write(self, change: Callable[[Connection], T], *, full: bool = False) -> T:
        """Run `change` in a transaction; `full` waits until the disk itself has it."""

        def transaction(connection: Connection) -> T:
            # Between transactions, the only place where SQLite lets it be changed.
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = change(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has rolled back by itself on some errors
                    connection.execute("ROLLBACK")
                raise
            return result

        with self._mine():
            return self._guarded(transaction)

    def come_back(self, *, at_once: bool = False) -> None:
        """Notice a file that was moved away; in memory, try the disk again. Cheap: once a turn.

        `at_once`: even if the last try was a moment ago.
        """
        with self._mine():
            if not self.in_memory:
                if self._inode != inode_of(self.path):
                    self._reopen()
                return
            early = time.monotonic() - self._tried < _BETWEEN_TRIES
            if self.path is None or (early and not at_once):
                return
            self._tried = time.monotonic()
            try:
                self._take(*self._landed(self.path))
            except (sqlite3.Error, OSError) as error:
                self.trouble = _in_memory(self.path, error)

    def _landed(self, path: Path) -> tuple[Connection, str]:
        """The file with what memory holds, and a sentence where a damaged one was set aside."""
        aside: Path | None = None
        for _ in range(_ATTEMPTS):
            found = inode_of(path)
            try:
                disk = open_file(path, patience=0.2)
                try:
                    self._carried(disk)
                except BaseException:
                    disk.close()
                    raise
            except sqlite3.Error as error:
                if code_of(error) not in _DAMAGED:
                    raise
                failed, aside = error, set_aside(path, found) or aside
                continue
            return disk, _DAMAGED_SENTENCE.format(aside) if aside else ""
        raise failed

    def _carried(self, disk: Connection) -> None:
        if self._connection is None:
            return
        try:
            self._carry(self._connection, disk)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT_VTAB:
                raise
            self._mend(disk)  # the search index alone
            self._carry(self._connection, disk)

    # Details

    def _mine(self) -> threading.RLock:
        """The lock, after making sure that lock and connection are this process's own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.RLock()  # another thread may have held the old one at the fork
            if self._connection is not None and not self.in_memory:
                _inherited.append(self._connection)
                self._connection = None
        return self._lock

    def _guarded(self, work: Callable[[Connection], T]) -> T:
        """`work` done, on the disk or, where that fails, on what takes its place."""
        try:
            if self._connection is None:
                self._connection = self._opened()
            return work(self._connection)
        except sqlite3.DatabaseError as error:
            if self.in_memory:
                raise
            if code_of(error) not in _DAMAGED and code_of(error) not in _WHY:
                raise  # a mistake of ours
            connection = self._mended(error) or self._replaced(error)
            self._connection = connection
            return work(connection)

    def _mended(self, error: sqlite3.DatabaseError) -> Connection | None:
        """The connection, where only the search index was damaged and could be made anew."""
        if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT_VTAB or self._connection is None:
            return None
        try:
            self._mend(self._connection)
        except sqlite3.DatabaseError:
            return None
        return self._connection

    def _reopen(self) -> None:
        self.close()
        self._connection = self._opened()

    def _opened(self) -> Connection:
        if self.path is None:
            return open_memory()
        self._inode = inode_of(self.path)
        try:
            connection = open_file(self.path, patience=_PATIENCE)
        except (sqlite3.Error, OSError) as error:
            return self._replaced(error)
        self._inode = inode_of(self.path)
        return connection

    def _replaced(self, error: sqlite3.Error | OSError) -> Connection:
        """What to go on with after `error`: a new file, or memory."""
        assert self.path is not None
        before, self._connection = self._connection, None
        if before is not None and code_of(error) in _DAMAGED:
            before.close()
            before = None
        aside: Path | None = None
        for _ in range(_ATTEMPTS):
            damaged = code_of(error) in _DAMAGED
            if not damaged and self._inode == inode_of(self.path):
                break  # no other kernel has put another file there: it would fail again
            try:
                aside = (set_aside(self.path, self._inode) if damaged else None) or aside
                self._inode = inode_of(self.path)
                connection = open_file(self.path, patience=_PATIENCE)
            except (sqlite3.Error, OSError) as again:
                error = again
                continue
            self._inode = inode_of(self.path)
            self.trouble = _DAMAGED_SENTENCE.format(aside) if aside else self.trouble
            if before is not None:
                before.close()
            return connection
        self.trouble = _in_memory(self.path, error)
        if aside is not None:
            self.trouble = f"{_DAMAGED_SENTENCE.format(aside)} {self.trouble}"
        self.in_memory = True
        self._tried = time.monotonic()
        if not _refused:
            atexit.register(_last_try)
        _refused.add(self)
        return self._lent(before, self.path)

    def _lent(self, before: Connection | None, path: Path) -> Connection:
        """Memory, with what the file has; empty where that cannot be read, or is too much."""
        memory = open_memory()
        try:
            if path.stat().st_size <= _MOST_LENT:
                before = before or open_unwritable(path)
                self._lend(before, memory)
        except (sqlite3.Error, OSError):
            memory.close()
            memory = open_memory()
        if before is not None:
            before.close()
        return memory

    def _take(self, disk: Connection, trouble: str) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = disk
        self._inode = inode_of(self.path)
        self.in_memory = False
        self.trouble = trouble


def _in_memory(path: Path, error: sqlite3.Error | OSError) -> str:
    why = _WHY.get(code_of(error), "") or getattr(error, "strerror", None) or str(error)
    return _MEMORY_SENTENCE.format(path, why)
