"""The sql tool in a real kernel: a query that does not end, and the Stop button."""

from __future__ import annotations

import json
import time

import psutil
import pytest

pytest.importorskip("duckdb", reason="duckdb has no wheel for this Python")
pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")

from tests.support.scripted import answer
from tests.support.wording import tool_call

FRAME = "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})"
CELL = "%%ds -a df:full --tools sql\nHow many?"
ENDLESS = "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000)) FROM df"


def asks(sql: str):
    call = tool_call("call_0", "sql", json.dumps({"query": sql}))
    return answer("", None, [call], finish="tool_calls")


def workers(kernel) -> list[psutil.Process]:
    children = psutil.Process(kernel.pid).children(recursive=True)
    return [child for child in children if "sql_worker" in " ".join(child.cmdline())]


def gone(kernel) -> bool:
    for _ in range(200):
        if not workers(kernel):
            return True
        time.sleep(0.05)
    return False


def test_a_round_in_a_kernel(kernel, server):
    kernel.run(FRAME)
    server.queue(asks("SELECT sum(a) AS s FROM df"), answer("Six."))
    ran = kernel.run(CELL)
    assert ran.turns[-1]["answer"] == "Six."
    assert ran.turns[-1]["steps"][0]["results"][0]["text"] == "s\n6\n(1 row)"
    assert gone(kernel)


def test_stop_ends_a_query_that_would_not_end(kernel, server):
    kernel.run(FRAME)
    server.queue(asks(ENDLESS))
    cell = kernel.send(CELL)
    for _ in range(400):
        if workers(kernel):
            break
        time.sleep(0.05)
    assert workers(kernel)
    time.sleep(0.3)  # into the query; nothing depends on how far
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["status"] == "error"
    assert gone(kernel)
    assert kernel.value("1 + 1") == 2
