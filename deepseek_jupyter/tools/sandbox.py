"""`Sandbox`: tables in a locked process of their own, and queries over them.

`sql_worker` is the code of that process. Numbers are in `Limits`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from deepseek_jupyter.errors import (
    QueryError,
    QueryMemoryError,
    QueryRefusedError,
    QuerySizeError,
    QueryTimeoutError,
    SandboxError,
)

from .sql_worker import FULL, GRACE, SLOW

if TYPE_CHECKING:
    import pyarrow as pa

_WORKER = Path(__file__).with_name("sql_worker.py")
# Of the environment the process gets what a loader needs, and nothing that a query could show.
_ENVIRONMENT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_LONGEST = 200_000  # characters of a query


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take. `load` is for copying the tables and starting the process."""

    seconds: float = 10.0
    load: float = 60.0  # seconds
    memory: int = 512  # MB, without the tables
    threads: int = 2
    rows: int = 100_000  # of a result
    bytes: int = 64 << 20  # of a result


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The first rows of a result, and whether there are `more`; the `name` under which the notebook
    keeps it, and what it was computed over.
    """

    table: pa.Table
    more: bool = False
    name: str = ""
    notes: tuple[str, ...] = ()


class Sandbox:
    """A process that holds copies of `tables`.

    It starts with the first query and ends with `close`, with a query that cannot be stopped
    otherwise, or with this process; the next query starts it again. One query at a time: others
    wait.
    """

    def __init__(
        self, tables: Mapping[str, pa.Table], limits: Limits | None = None, zone: str = "UTC"
    ) -> None:
        self.limits = limits or Limits()
        self._tables = dict(tables)
        self._zone = zone
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def query(self, sql: str, quiet: bool = False) -> QueryResult:
        """The result of one SELECT. `quiet`: errors have a class and a place, no words of DuckDB's.

        Raises `QueryRefusedError` for any other statement, `QueryError` with DuckDB's words,
        `QueryTimeoutError`, `QueryMemoryError` or `QuerySizeError` at a limit, and `SandboxError`
        where the process cannot be started.
        """
        if len(sql) > _LONGEST:
            raise QueryRefusedError(f"The query has {len(sql)} characters; {_LONGEST} are allowed.")
        limits = self.limits
        request = {"sql": sql, "quiet": quiet, **asdict(limits)}
        with self._lock:
            process = self._process or self._started()
            with self._ended_after(process, limits.seconds + 2 * GRACE) as late:
                header, body = self._exchange(process, json.dumps(request).encode() + b"\n")
            if header is None:
                raise self._cause(process, bool(late))
            if header["last"]:
                self.close()
        if problem := header.get("error"):
            raise self._error(problem, header.get("message", ""))
        import pyarrow as pa

        try:
            table = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
        except pa.ArrowException as error:
            raise QueryError(f"The result has a type that cannot be read here: {error}") from error
        return QueryResult(table, header["more"])

    def close(self) -> None:
        """End the process. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    _open(pipe).close()

    __del__ = close

    # The process

    def _started(self) -> subprocess.Popen[bytes]:
        import pyarrow as pa

        size = sum(table.nbytes for table in self._tables.values()) >> 20
        settings = {
            "path": [entry for entry in sys.path if os.path.isabs(entry)],
            "tables": list(self._tables),
            "memory": self.limits.memory + 2 * size,  # texts take more in DuckDB than in Arrow
            "threads": self.limits.threads,
            "zone": self._zone,
        }
        self._process = process = subprocess.Popen(
            # -I: neither the user's variables nor the working directory have a say in it.
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            cwd=os.path.abspath(os.sep),
            start_new_session=True,  # a Ctrl-C at the kernel's terminal is not for it
        )
        with self._ended_after(process, self.limits.load) as late:
            try:
                pipe = _open(process.stdin)
                pipe.write(json.dumps(settings).encode() + b"\n")
                for table in self._tables.values():
                    with pa.ipc.new_stream(pipe, table.schema) as stream:
                        stream.write_table(table)
            except (OSError, pa.ArrowException):
                header: dict[str, Any] | None = None
            else:
                header, _ = self._exchange(process, b"")
        if header is not None and header.get("ready"):
            return process
        self.close()
        if late:
            raise SandboxError(f"Copying the tables took longer than {self.limits.load:g} s.")
        raise SandboxError((header or {}).get("message") or "DuckDB's process did not start.")

    @contextmanager
    def _ended_after(
        self, process: subprocess.Popen[bytes], seconds: float
    ) -> Iterator[list[bool]]:
        """End `process` after `seconds`, and at once when the wait for it is interrupted.

        Yields a list that has an item once the time was over.
        """
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield late
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    def _exchange(
        self, process: subprocess.Popen[bytes], request: bytes
    ) -> tuple[dict[str, Any] | None, bytes]:
        """Header and body of the answer to `request`; None when the process ended over it."""
        try:
            pipe = _open(process.stdin)
            pipe.write(request)
            pipe.flush()
            line = _open(process.stdout).readline()
            header: dict[str, Any] = json.loads(line)
            body = _open(process.stdout).read(header.get("size", 0))
        except (OSError, ValueError):  # ValueError: half a line
            return None, b""
        return (header, body) if len(body) == header.get("size", 0) else (None, b"")

    def _cause(self, process: subprocess.Popen[bytes], late: bool) -> QueryError:
        """Why the process ended. The next query starts another one."""
        process.wait()
        code = process.returncode
        self.close()
        if late or code == SLOW:
            return self._error("time", "")
        if code == FULL:
            return self._error("memory", "")
        return QueryMemoryError(
            f"The query ended DuckDB's process (exit code {code}).",
            "It took too much memory or nested too deeply; ask for less at once.",
        )

    def _error(self, problem: str, message: str) -> QueryError:
        limits = self.limits
        if problem == "refused":
            return QueryRefusedError(message)
        if problem == "time":
            return QueryTimeoutError(f"The query was stopped after {limits.seconds:g} s.")
        if problem == "memory":
            return QueryMemoryError(f"The query needs more memory than {limits.memory} MB.")
        if problem == "size":
            return QuerySizeError(f"The result is larger than {limits.bytes >> 20} MB.")
        return QueryError(message)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # Popen was asked for pipes
    return pipe
