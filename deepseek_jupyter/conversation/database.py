"""`Database`: one SQLite file, and what to do when it fails. Knows nothing of turns.

* `read` returns what a query finds, `write` runs a change in a transaction. Neither raises what
  SQLite or the system says; `trouble` says it in one sentence.
* After an error the connection is closed and dropped, because its state is not known. The next use
  opens another.
* A change that could not be written waits in memory and is written, in order, before the next one.
  A file that cannot be opened for writing is still read.
* A damaged file is set aside under another name and a new one begun.

WAL, so that readers never wait; every write begins IMMEDIATE, so that it waits for its turn in the
busy handler and cannot be refused in the middle (sqlite.org/wal.html, sqlite.org/rescode.html).
A connection must not be used across a fork (sqlite.org/howtocorrupt.html, 2.6): a child process
opens its own, and the parent's is never closed there.

The schema is the steps that made it, the files in ``schema/``, named by the steps' ids. (The idea
is that of simonw/llm's ``migrations.py``.) Published steps are never edited: a change is a new
step, and it only adds, so that an older version of this package can go on using the file.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

Connection = sqlite3.Connection
Change = Callable[[Connection], object]
T = TypeVar("T")

_PATIENCE = 10.0  # seconds to wait for another kernel's write
_SHORT_PATIENCE = 0.05  # while changes are waiting: each new one tries again
_ATTEMPTS = 5  # at a file that other kernels are replacing too
_MOST_WAITING = 1_000  # changes; beyond that the oldest are in the notebook's outputs only

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
_UNWRITTEN_SENTENCE = (
    "The journal of conversations ({}) is not being written: {}. "
    "This conversation is kept in memory and in the notebook's outputs."
)
_REFUSED_SENTENCE = (
    "The journal of conversations ({}) refused a turn: {}. "
    "It is kept in memory and in the notebook's outputs."
)

# What still waits when the kernel ends is tried once more.
_failed: weakref.WeakSet[Database] = weakref.WeakSet()

# Connections of a parent process, kept so that nothing closes them in its child.
_inherited: list[Connection] = []

_making = threading.Lock()  # no thread opens the file between its making and the closing after it


class Database:
    """A connection per process, for all its threads. `path` None is a file that has no place."""

    def __init__(self, path: Path | None, reindex: Change) -> None:
        """`reindex` rebuilds a damaged search index."""
        self.path = path
        self._reindex = reindex
        self._waiting: dict[Hashable, Change] = {}
        self._damaged = self._refused = self._unwritten = ""  # sentences
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._inode: tuple[int, int] | None = None
        self._connection: Connection | None = None

    @property
    def trouble(self) -> str:
        """What is wrong, for the user; "" while all is well."""
        return " ".join(filter(None, (self._damaged, self._refused, self._unwritten)))

    @property
    def unwritten(self) -> bool:
        """Whether what is written now stays in memory."""
        return bool(self._unwritten)

    def waiting(self) -> set[Hashable]:
        """The keys of the changes that could not be written yet."""
        with self._mine():
            return set(self._waiting)

    def close(self) -> None:
        """Close the file, after a last try to write what waits. What comes after opens it again."""
        with self._mine():
            if self._waiting:
                self._write_waiting()
                self.sync()
            self._drop()

    def read(self, query: Callable[[Connection], T], otherwise: T) -> T:
        """What `query` returns, or `otherwise` where the file cannot be read."""
        with self._mine():
            try:
                return self._done(query)
            except (sqlite3.Error, OSError) as error:
                self._note(error)
            if self.path is not None and not _is_special(self.path):
                with suppress(sqlite3.Error, OSError), closing(_open_unwritable(self.path)) as only:
                    return query(only)
            return otherwise

    def write(
        self, change: Change, key: Hashable = None, *, full: bool = False, keep: bool = True
    ) -> None:
        """Run `change` in a transaction; with `full` see `sync`.

        Where that fails it waits to be tried again, in the place of an earlier one with its `key`;
        without `keep` it is given up.
        """
        key = object() if key is None else key
        with self._mine():
            self._waiting.pop(key, None)
            self._waiting[key] = change
            self._write_waiting()
            if not keep:
                self._waiting.pop(key, None)
            elif len(self._waiting) > _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
        if full:
            self.sync()

    def sync(self) -> None:
        """Wait until the disk itself has all that was written.

        The log alone is synced, and no lock is held: SQLite syncs it before it moves what it has to
        the file (sqlite.org/wal.html). It has no locks that closing could drop.
        """
        try:
            log = os.open(f"{self.path}-wal", os.O_RDWR)
            try:
                os.fsync(log)
            finally:
                os.close(log)
        except FileNotFoundError:  # the last to close the file has moved all of it
            return
        except OSError as error:
            self._note(error)

    def _write_waiting(self) -> None:
        changes = list(self._waiting.values())
        try:
            refused = self._done(lambda connection: _written(connection, changes))
        except (sqlite3.Error, OSError) as error:
            self._note(error)
            return
        self._waiting.clear()
        if refused is not None:
            self._refused = _REFUSED_SENTENCE.format(self.path, refused)
        if self._unwritten:
            self._unwritten = ""
            self._drop()  # it was opened with little patience

    def _done(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns on the file, which is repaired if need be.

        Whatever is raised, the connection is gone.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return work(self._opened())
            except BaseException as error:
                self._drop()
                if attempt == _ATTEMPTS or not self._repaired(error):
                    raise

    def _opened(self) -> Connection:
        if self.path is None:
            raise OSError("this user has no home directory; set DEEPSEEK_JUPYTER_HOME")
        if self._connection is not None and self._inode != _inode_of(self.path):
            self._drop()  # the file was moved away or deleted
        if self._connection is None:
            self._inode = _inode_of(self.path)
            patience = _SHORT_PATIENCE if self._unwritten else _PATIENCE
            self._connection = _open(self.path, patience)
            self._inode = _inode_of(self.path)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _repaired(self, error: BaseException) -> bool:
        """Whether what failed with `error` may succeed now."""
        if self.path is None or not isinstance(error, sqlite3.Error | OSError):
            return False
        try:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:
                with suppress(sqlite3.Error), closing(_open(self.path, _PATIENCE)) as connection:
                    self._reindex(connection)
                    return True
            if _code_of(error) in _DAMAGED:
                if aside := _set_aside(self.path, self._inode):
                    self._damaged = _DAMAGED_SENTENCE.format(aside)
                return True
            return self._inode != _inode_of(self.path)  # another kernel has put one there
        except OSError:
            return False

    def _note(self, error: sqlite3.Error | OSError) -> None:
        if self._unwritten:
            return  # the first reason is the one that the user has read
        why = _WHY.get(_code_of(error), "") or getattr(error, "strerror", None) or str(error)
        self._unwritten = _UNWRITTEN_SENTENCE.format(self.path or "journal.sqlite3", why)
        if not _failed:
            atexit.register(_last_try)
        _failed.add(self)

    def _mine(self) -> threading.RLock:
        """The lock, after making sure that lock and connection are this process's own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.RLock()  # another thread may have held the old one at the fork
            self._waiting.clear()  # the parent writes them
            if self._connection is not None:
                _inherited.append(self._connection)
                self._connection = None
        return self._lock


def _last_try() -> None:
    for database in list(_failed):
        if database.waiting():
            database.close()


def _written(connection: Connection, changes: list[Change]) -> Exception | None:
    """Run `changes` in one transaction; returns why one of them was refused and left out."""
    refused: Exception | None = None
    connection.execute("BEGIN IMMEDIATE")
    # Each statement gives up the GIL, and may wait 5 ms to have it again.
    several = len(changes) > 1
    for change in changes:
        if several:
            connection.execute("SAVEPOINT change")
        try:
            change(connection)
        except Exception as error:
            if _of_the_file(error) or not connection.in_transaction:
                raise
            refused = error
            connection.execute("ROLLBACK TO change" if several else "ROLLBACK")
        if several:
            connection.execute("RELEASE change")
    if connection.in_transaction:
        connection.execute("COMMIT")
    return refused


def _of_the_file(error: Exception) -> bool:
    """Whether another change would fail like this one."""
    file = (OSError, sqlite3.OperationalError, sqlite3.InternalError)
    return isinstance(error, file) or type(error) is sqlite3.DatabaseError


# The file


def _open(path: Path, patience: float) -> Connection:
    """A connection to the file at `path`, made if need be, its schema up to date."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_private(path)
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False
    )
    try:
        _enter_wal(connection, patience)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 8388608")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_unwritable(path: Path) -> Connection:
    """A connection that only reads. On a full disk SQLite cannot make the index of its log; then
    the file is read as it is, without what only the log has.
    """
    for how in ("mode=ro", "immutable=1"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=_SHORT_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
            return connection
        except sqlite3.Error as error:
            connection.close()
            failed = error
            if _code_of(error) == sqlite3.SQLITE_BUSY:
                break  # as it is, it may be half written
    raise failed


def _make_private(path: Path) -> None:
    """Make sure that the file exists, for its owner alone; its -wal and -shm get the same mode.

    SQLite would make it readable for all. An existing file is not opened here: closing it would
    drop the locks that another connection of this process holds on it
    (sqlite.org/howtocorrupt.html, 2.2).
    """
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if _is_special(path):
        raise OSError("it is no regular file")
    with suppress(OSError):
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)


def _is_special(path: Path) -> bool:
    """Whether a pipe or a device lies there, from which SQLite would read for ever."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


def _enter_wal(connection: Connection, patience: float) -> None:
    """Switch to WAL. Two that do it at once get BUSY without waiting, so the wait is here."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _code_of(error: BaseException) -> int:
    """SQLite's primary result code; -1 for errors that are not SQLite's."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF if isinstance(error, sqlite3.Error) else -1


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _set_aside(path: Path, damaged: tuple[int, int] | None) -> Path | None:
    """Move the damaged file out of the way under a name that is free; never over another.

    None when another thread or process has done so already.
    """
    with _making:
        if _inode_of(path) != damaged:
            return None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = path.with_name(f"{path.stem}.corrupt-{moment}-{os.getpid()}{path.suffix}")
        # The log first: a new file with the old log next to it would take its pages over.
        for suffix in ("-wal", "-shm", ""):
            part = Path(f"{path}{suffix}")
            with suppress(FileNotFoundError):  # the last to close a journal removes its log
                part.rename(f"{aside}{suffix}")
        return aside


_GATHERED = 0.004  # seconds in which others may join


class GroupCommit:
    """Runs `work` in a thread, once for all who call at one moment; each waits for its end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Wait for a run that begins after this call."""
        loop = asyncio.get_running_loop()
        if self._next is None or self._next.get_loop() is not loop:
            self._next = loop.create_task(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        await asyncio.sleep(_GATHERED)
        self._next = None
        await asyncio.to_thread(self._work)


STEPS = ("001-first",)  # of the schema, in the order in which they run


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that the database lacks, each in a transaction of its own.

    Two processes may do this at once: the one that waits for the lock looks again before it acts.
    After an error the connection is of no more use.
    """
    applied = _applied(connection)
    for step in STEPS:
        if step not in applied:
            _apply(connection, step)


def _applied(connection: sqlite3.Connection) -> set[str]:
    exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    if connection.execute(exists).fetchone() is None:
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}


def _apply(connection: sqlite3.Connection, step: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(name TEXT PRIMARY KEY, applied TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    if step not in _applied(connection):
        file = Path(__file__).with_name("schema") / f"{step}.sql"
        for statement in file.read_text("utf-8").split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO migrations(name) VALUES (?)", (step,))
    connection.execute("COMMIT")
