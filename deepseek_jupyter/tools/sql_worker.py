"""The process that runs the model's SQL. Started by `sandbox.Sandbox`; imports nothing of ours.

DuckDB in the kernel itself cannot be held to limits: an interrupt is heeded only between batches,
and texts are not the buffer manager's (``repeat('x', 3000000000)`` took 2.9 GB of 256 MB).

Its life: 1. A line of settings and one Arrow stream a table become a database in memory. 2. It
locks itself: with DuckDB's switches, then with the operating system's, where there are some: not
one more file or socket can be opened (`RLIMIT_NOFILE` is 0), and no more memory is had. 3. It
answers requests, a line of JSON each, by a line of JSON and an Arrow stream, until its input ends.
A thread ends the process when a query outlives its time by a second, whatever DuckDB does then.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

# A second bolt on the door that `enable_external_access` closes (files, network, ATTACH, COPY,
# extensions). Not every version has each of them.
BOLTS = {
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "enable_progress_bar": "false",
    "temp_directory": "",
    "max_temp_directory_size": "0KB",
}
SLOW, FULL = 3, 4  # exit codes, for the Sandbox
GRACE = 1.0  # seconds between asking a query to stop and ending the process
_TICK = 0.02  # seconds
_ROOM = 256 << 20  # bytes added to DuckDB's own: Arrow's buffers, the stacks of threads
_BATCH = 2_048  # rows
_NO_MEMORY = re.compile(r"bad_alloc|^Out of Memory|malloc of size")


class Refused(Exception):
    """The statement is not one that may run."""


class TooBig(Exception):
    """The result holds more than may be handed back."""


class Watch(threading.Thread):
    """Interrupts a query at its deadline, and ends the process where that does not help."""

    def __init__(self, connection: Any) -> None:
        super().__init__(daemon=True)
        self.peak = 0  # bytes the process may use; 0 leaves that to the system
        self._connection = connection
        self._deadline: float | None = None
        self._told = False
        self._lock = threading.Lock()

    def begin(self, seconds: float) -> None:
        with self._lock:
            self._deadline, self._told = time.monotonic() + seconds, False

    def end(self) -> bool:
        """Whether the query was interrupted."""
        with self._lock:
            self._deadline = None
            return self._told

    def run(self) -> None:
        while True:
            time.sleep(_TICK)
            if self.peak and _used() > self.peak:
                os._exit(FULL)
            with self._lock:
                late = 0.0 if self._deadline is None else time.monotonic() - self._deadline
                if late > GRACE:
                    os._exit(SLOW)
                if late > 0 and not self._told:
                    self._told = True
                    self._connection.interrupt()


def main() -> None:
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _silence()
    settings = json.loads(source.readline())
    sys.path[:] = settings["path"]
    try:
        connection = open_locked(settings, source)
    except Exception as error:
        _answer(sink, {"ready": False, "message": f"{type(error).__name__}: {error}"})
        return
    watch = Watch(connection)
    watch.start()
    close_doors(settings["memory"] << 20, watch)
    _answer(sink, {"ready": True})
    for line in iter(source.readline, b""):
        request = json.loads(line)
        watch.begin(request["seconds"])
        try:
            header, body = run(connection, request)
            watch.end()
        except Exception as error:
            header, body = _told(error, watch.end(), request["quiet"]), b""
        header["last"] = not _usable(connection)
        _answer(sink, header, body)


def open_locked(settings: Mapping[str, Any], source: BinaryIO) -> Any:
    """A database that holds the tables of `source` and reaches nothing else."""
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(":memory:")
    connection.execute(f"SET memory_limit = '{settings['memory']}MiB'")
    connection.execute(f"SET threads = {settings['threads']}")
    connection.execute("SET TimeZone = ?", [settings["zone"]])
    for name, value in BOLTS.items():
        with contextlib.suppress(duckdb.Error):
            connection.execute(f"SET {name} = '{value}'")
    connection.execute("SET enable_external_access = false")
    for name in settings["tables"]:
        connection.register("incoming", pa.ipc.open_stream(source))
        quoted = name.replace('"', '""')
        connection.execute(f'CREATE TABLE "{quoted}" AS SELECT * FROM incoming')
        connection.unregister("incoming")
    for warming in ("SELECT 1, now(), 'a'", "SELECT nothing"):  # what is imported on first use
        with contextlib.suppress(duckdb.Error):
            _reader(connection.sql(warming)).read_all()
    connection.execute("SET lock_configuration = true")
    return connection


def close_doors(memory: int, watch: Watch) -> None:
    """The operating system's part; Windows has none of it."""
    try:
        import resource
    except ImportError:
        return
    if sys.platform == "linux":
        size = _mapped() + memory + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    else:  # macOS has the limit and does not keep to it
        watch.peak = _used() + memory + _ROOM
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))


def run(connection: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The first rows of a query, as an Arrow stream."""
    import pyarrow as pa

    _check(connection, request["sql"])
    batches: list[Any] = []
    rows = size = 0
    _begin(connection)
    try:
        relation = connection.sql(request["sql"])
        with _reader(relation) as reader:
            for batch in reader:
                batches.append(batch)
                rows, size = rows + batch.num_rows, size + batch.nbytes
                if size > request["bytes"]:
                    raise TooBig
                if rows > request["rows"]:
                    break
            table = pa.Table.from_batches(batches, reader.schema).slice(0, request["rows"])
    finally:
        connection.execute("ROLLBACK")
    body = pa.BufferOutputStream()
    with pa.ipc.new_stream(body, table.schema) as stream:
        stream.write_table(table)
    data = body.getvalue().to_pybytes()
    return {"more": rows > request["rows"], "size": len(data)}, data


def _check(connection: Any, sql: str) -> None:
    """By DuckDB's own parser. Raises `Refused`."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise Refused(f"One statement is expected; here are {len(statements)}.")
    try:
        kind = statements[0].type.name
    except ValueError:  # one that the Python client has no name for
        kind = "This kind of statement"
    if kind == "MULTI":
        raise Refused("PIVOT needs its values here: PIVOT t ON c IN ('a', 'b') USING sum(x).")
    if kind != "SELECT":
        raise Refused(f"{kind} does not run here: the tables are for reading.")
    if statements[0].named_parameters:
        raise Refused("There are no parameters here: write the values into the query.")


def _begin(connection: Any) -> None:
    """A transaction that cannot write: a CTE may hide a DELETE in a SELECT."""
    import duckdb

    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
    except duckdb.Error:  # before 1.2; what it writes is rolled back
        connection.execute("BEGIN TRANSACTION")


def _reader(relation: Any) -> Any:
    if hasattr(relation, "to_arrow_reader"):
        return relation.to_arrow_reader(_BATCH)
    return relation.fetch_arrow_reader(_BATCH)  # before 1.4


def _usable(connection: Any) -> bool:
    """Whether the database survived: after an internal error DuckDB refuses all queries."""
    try:
        connection.execute("SELECT 1")
    except Exception:
        return False
    return True


def failure(error: Exception) -> str:
    """An error as a class and a place: DuckDB's own words can quote a cell."""
    place = re.search(r'"position":\s*"?(\d+)|LINE (\d+):', str(error))
    where = f" at {place[1] or 'line ' + place[2]}" if place else ""
    return f"The query failed: {type(error).__name__}{where}."


def _told(error: Exception, interrupted: bool, quiet: bool) -> dict[str, str]:
    import duckdb

    if interrupted or isinstance(error, duckdb.InterruptException):
        return {"error": "time"}
    no_memory = isinstance(error, MemoryError | duckdb.OutOfMemoryException)
    if no_memory or _NO_MEMORY.search(str(error)):
        return {"error": "memory"}
    if isinstance(error, TooBig):
        return {"error": "size"}
    message = failure(error) if quiet else str(error)
    return {"error": "refused" if isinstance(error, Refused) else "sql", "message": message}


def _answer(sink: BinaryIO, header: Mapping[str, Any], body: bytes = b"") -> None:
    sink.write(json.dumps(header).encode() + b"\n" + body)
    sink.flush()


def _silence() -> None:
    """What libraries print must not get between the answers; a Ctrl-C is the kernel's."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _used() -> int:
    """Bytes of memory at the peak."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def _mapped() -> int:
    """Bytes of address space, on Linux."""
    with open("/proc/self/statm") as figures:
        return int(figures.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for DuckDB's threads
