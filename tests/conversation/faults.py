"""What can go wrong with the journal's file, each made with a real SQLite and real files.

A fault is a context manager on the journal's path; leaving it puts things right again where that is
possible.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

Fault = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def small_disk(place: Path, options: str = "size=8m") -> Iterator[None]:
    """A file system of its own at `place`: root may write everywhere else."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("cannot mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Nothing more can be written beside the journal, which lies on a `small_disk`."""
    ballast = path.parent.parent / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """The whole `small_disk` is."""
    _remount(path, "ro")
    try:
        yield
    finally:
        _remount(path, "rw")


@contextmanager
def deleted(path: Path) -> Iterator[None]:
    """The directory, with all that is in it."""
    shutil.rmtree(path.parent, ignore_errors=True)
    yield


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Its pages, and those of its log, hold something else."""
    for file in path.parent.glob(f"{path.name}*"):
        file.write_bytes(os.urandom(file.stat().st_size))
    yield


@contextmanager
def no_database(path: Path) -> Iterator[None]:
    """A directory lies in its place."""
    aside = _put_aside(path)
    path.mkdir(parents=True)
    try:
        yield
    finally:
        path.rmdir()
        _put_back(path, aside)


@contextmanager
def no_directory(path: Path) -> Iterator[None]:
    """A file lies where its directory should be."""
    aside = _put_aside(path.parent)
    path.parent.write_text("in the way")
    try:
        yield
    finally:
        path.parent.unlink()
        _put_back(path.parent, aside)


def trigger(what: str) -> Fault:
    """Another program's trigger refuses each turn, as it is first written."""

    @contextmanager
    def fault(path: Path) -> Iterator[None]:
        _execute(
            path,
            "CREATE TRIGGER foreign_one BEFORE INSERT ON turns "
            f"BEGIN SELECT RAISE({what}, 'not here'); END",
        )
        try:
            yield
        finally:
            _execute(path, "DROP TRIGGER foreign_one")

    return fault


@contextmanager
def end_refused(path: Path) -> Iterator[None]:
    """A trigger refuses a turn only when it has ended."""
    _execute(
        path,
        "CREATE TRIGGER foreign_two BEFORE UPDATE ON turns WHEN new.owner IS NULL "
        "BEGIN SELECT RAISE(ABORT, 'not here'); END",
    )
    try:
        yield
    finally:
        _execute(path, "DROP TRIGGER foreign_two")


@contextmanager
def another_schema(path: Path) -> Iterator[None]:
    """A table is gone."""
    _execute(path, "ALTER TABLE bodies RENAME TO souls")
    try:
        yield
    finally:
        _execute(path, "ALTER TABLE souls RENAME TO bodies")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


@contextmanager
def locked_for_reading_too(path: Path) -> Iterator[None]:
    """Another program, in another process, has the file for itself."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n"
        "c.execute('PRAGMA locking_mode = EXCLUSIVE'); c.execute('PRAGMA journal_mode = DELETE')\n"
        "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()"
    )
    command = [shutil.which("python3") or "python3", "-c", code, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
    finally:
        holder.kill()
        holder.communicate()


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, timeout=20)
    connection.execute(statement)
    connection.commit()
    connection.close()


def _remount(path: Path, how: str) -> None:
    command = ["mount", "-o", f"remount,{how}", str(path.parent.parent)]
    # Read-only is refused while a file is open for writing: then the mount itself is made so.
    if subprocess.run(command, capture_output=True).returncode != 0:
        bind = ["mount", "-o", f"remount,bind,{how}", str(path.parent.parent)]
        subprocess.run(bind, check=True)


def _put_aside(path: Path) -> Path | None:
    return path.rename(path.with_name(f"{path.name}.aside")) if path.exists() else None


def _put_back(path: Path, aside: Path | None) -> None:
    if aside is not None:
        aside.rename(path)
