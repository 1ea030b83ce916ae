"""Two hundred tries to get out of the SQL tool. None touches a file or a socket; each ends within
its limits, with an error of its class, and this process lives to ask the next question.
"""

from __future__ import annotations

import io
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
pytest.importorskip("duckdb", reason="duckdb has no wheel for this Python")

from deepseek_jupyter.errors import (  # noqa: E402
    QueryError,
    QueryMemoryError,
    QueryRefusedError,
    QuerySizeError,
    QueryTimeoutError,
)
from deepseek_jupyter.tools import sql_worker  # noqa: E402
from deepseek_jupyter.tools.sandbox import Limits, Sandbox  # noqa: E402

from .escapes import HOGS, LOOKS, REACHES, STATEMENTS, written  # noqa: E402
from .sentinels import CANARY, Sentinels  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches files with inotify")

FRAME = pa.table({"a": range(1000), "s": [f"x{i}" for i in range(1000)]})
STRICT = Limits(seconds=0.25, memory=64)


def rows(queries: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("query", queries.values(), ids=queries.keys())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Sentinels]:
    sentinels = Sentinels(tmp_path_factory.mktemp("canaries"))
    yield sentinels
    sentinels.close()


@pytest.fixture
def sentinels(guarded: Sentinels) -> Iterator[Sentinels]:
    guarded.fired()
    yield guarded
    assert guarded.fired() == []
    assert not list(guarded.folder.glob("touched*"))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox({"df": FRAME})
    yield box
    box.close()


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    box = Sandbox({"df": FRAME}, STRICT)
    yield box
    box.close()


def at(sentinels: Sentinels, query: str) -> str:
    folder = sentinels.folder
    return written(query, dir=str(folder), base=folder.name, url=sentinels.url)


def test_there_are_enough_of_them():
    assert len(REACHES) + len(LOOKS) + len(STATEMENTS) + len(HOGS) >= 190


@rows(REACHES)
def test_nothing_outside_can_be_reached(sandbox, sentinels, query):
    with pytest.raises(QueryError) as caught:
        sandbox.query(at(sentinels, query))
    assert CANARY not in str(caught.value)


@rows(STATEMENTS)
def test_nothing_but_one_query_runs(sandbox, sentinels, query):
    with pytest.raises(QueryError) as caught:
        sandbox.query(at(sentinels, query))
    parsed = "syntax error" not in str(caught.value) and "Permission" not in str(caught.value)
    assert isinstance(caught.value, QueryRefusedError) or not parsed


@rows(LOOKS)
def test_the_machine_is_not_described(sandbox, sentinels, query):
    try:
        told = str(sandbox.query(query).table.to_pylist())
    except QueryError as error:
        told = str(error)
    private = [str(Path.home()), str(Path.cwd()), sys.prefix, CANARY]
    assert not [fact for fact in private if len(fact) > 1 and fact in told]


@pytest.mark.slow
@rows(HOGS)
def test_nothing_takes_more_than_it_may(strict, sentinels, query):
    began = time.monotonic()
    with pytest.raises(QueryError) as caught:
        strict.query(at(sentinels, query))
    assert time.monotonic() - began < 30  # seconds, where the thing itself would take for ever
    limits = (QueryTimeoutError, QueryMemoryError, QuerySizeError, QueryRefusedError)
    assert isinstance(caught.value, limits) or "Error" in caught.value.what
    assert caught.value.what


def test_after_all_that_queries_are_answered(sandbox, strict):
    for box in (sandbox, strict):
        with box._lock:  # the time is for the query; the last one may have ended the process
            box.limits = Limits()
        assert box.query("SELECT sum(a)::BIGINT AS a FROM df").table.to_pylist() == [{"a": 499500}]


# The same from inside: DuckDB's own locks, without the operating system's.


@pytest.fixture(scope="module")
def locked():
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, FRAME.schema) as writer:
        writer.write_table(FRAME)
    stream.seek(0)
    settings = {"memory": 64, "threads": 2, "zone": "UTC", "tables": ["df"]}
    return sql_worker.open_locked(settings, stream)


@rows(REACHES)
def test_the_locks_of_duckdb_hold_by_themselves(locked, sentinels, query):
    other_frame = FRAME  # noqa: F841 - what a replacement scan would find
    request = {"sql": at(sentinels, query), "rows": 10, "bytes": 1 << 20}
    with pytest.raises(Exception, match=r".") as caught:
        sql_worker.run(locked, request)
    assert CANARY not in str(caught.value)


# The process.


def test_it_can_open_nothing_and_holds_nothing_but_its_pipes(sandbox):
    sandbox.query("SELECT 1")
    process = Path(f"/proc/{sandbox._process.pid}")
    limits = (process / "limits").read_text()
    assert "Max open files            0                    0" in limits
    assert "Max file size             0                    0" in limits
    held = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
    assert not [name for name in held if not name.startswith(("pipe:", "/dev/null"))]


def test_its_memory_is_bounded_by_the_system(sandbox):
    sandbox.query("SELECT 1")
    limits = Path(f"/proc/{sandbox._process.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
    used = int(Path(f"/proc/{sandbox._process.pid}/statm").read_text().split()[0]) * 4096
    assert int(line.split()[3]) < used + (2 << 30)


def test_it_knows_no_variable_of_this_process(sandbox, monkeypatch):
    monkeypatch.setenv("SOME_SECRET", CANARY)
    sandbox.close()
    sandbox.query("SELECT 1")
    environment = Path(f"/proc/{sandbox._process.pid}/environ").read_bytes()
    assert CANARY.encode() not in environment


def test_it_ends_with_the_one_who_asked(sandbox):
    sandbox.query("SELECT 1")
    process = sandbox._process
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    sandbox.close()


@pytest.mark.slow
def test_an_interrupt_ends_the_query_and_the_process():
    box = Sandbox({"df": FRAME}, Limits(seconds=3))
    box.query("SELECT 1")
    process = box._process
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        box.query(HOGS["endless recursion"])
    assert process.wait(timeout=30) != 0
    assert box.query("SELECT 1 AS a").table.to_pylist() == [{"a": 1}]
    box.close()


# The sentinels themselves.


def test_a_touch_would_be_seen(guarded):
    guarded.fired()
    (guarded.folder / "canary.txt").read_text()
    assert guarded.fired()
    list(guarded.folder.iterdir())
    assert guarded.fired()


def test_a_visit_would_be_seen(guarded):
    guarded.fired()
    host, port = guarded.url.removeprefix("http://").split(":")
    socket.create_connection((host, int(port))).close()
    assert guarded.fired()
