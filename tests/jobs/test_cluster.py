"""Rows asked by the workers of a Dask cluster: two processes, and a scheduler that is a third."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest
from IPython.core.error import UsageError

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    ConfigurationError,
    Interrupted,
    JobStoppedError,
    MissingKeyError,
    ParameterError,
    PolicyError,
)
from deepseek_jupyter.jobs import verbs
from deepseek_jupyter.protocol.tokens import count_body, most_tokens
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.session.session import get_session
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.conftest import GUARD, ROOT
from tests.jobs.test_row_map import PROMPT, as_json, everything, frame
from tests.support.asking import KEY as KERNELS_KEY
from tests.support.later import Later

dd = Later("dask.dataframe")
distributed = Later("distributed")
pc = Later("pyarrow.compute")
pq = Later("pyarrow.parquet")
pytestmark = pytest.mark.slow

KEY = "sk-THE0KEY0OF0THE0WORKERS0ALONE"  # the kernel's is another

# The workers alone have the key: it must not be in the process of the scheduler.
CLUSTER = """
import sys
from distributed import LocalCluster
with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", preload=[sys.argv[1]],
                  dashboard_address="127.0.0.1:0", silence_logs=50) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client, with the cluster's process as `process`."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "key").write_text(KEY)
    begin = f"import os\nos.environ['DEEPSEEK_API_KEY'] = open({str(folder / 'key')!r}).read()\n"
    (folder / "begin.py").write_text(begin)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("DEEPSEEK")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(GUARD), str(ROOT)])}
    environment |= {"DEEPSEEK_JUPYTER_HOME": str(folder / "home")}
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(folder / "begin.py")], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        with distributed.Client(process.stdout.readline().strip()) as client:
            client.process = process
            yield client
    finally:
        process.stdin.close()
        process.wait(60)


@pytest.fixture(autouse=True)
def two_workers(cluster: Any) -> None:
    cluster.wait_for_workers(2, timeout=60)


def stored(rows: Any, folder: Path, parts: int = 4) -> Any:
    """A Dask frame that lies in a file, so that no graph holds its values."""
    path = folder / f"rows-{len(list(folder.iterdir()))}.parquet"
    rows.to_parquet(path, row_group_size=max(1, len(rows) // parts))
    return dd.read_parquet(path, split_row_groups=True)


def there(of: Any, prompt: str = PROMPT, **options: Any) -> Any:
    return everything(of, prompt, where="cluster", **options)


def when(server: Any, answered: int) -> None:
    """Wait until so many requests are answered."""
    while server.answered < answered:
        time.sleep(0.01)


MAILS = pd.DataFrame(
    {
        "text": [f"by a{at}@example.org w{at % 40}" if at % 9 else None for at in range(120)],
        "full_name": [f"Quentina Marsh{at}" for at in range(120)],
        "n": range(120),
    }
)


class TestFrame:
    def test_it_is_the_one_of_the_kernel(self, serve, tmp_path):
        server = serve(lambda body: body["messages"][-1]["content"])
        rows, prompt = stored(MAILS, tmp_path), "{{ text }} {{ full_name }}"
        also = ["raw", "tokens", "error"]
        far = there(rows, prompt, also=also)
        assert type(far) is type(rows)
        asked = server.accepted
        assert server.keys == {KEY}
        assert asked == 40  # names and addresses are masked, and 120 rows have 40 words
        near = everything(rows, prompt, also=also)
        assert server.accepted == asked  # one journal for both
        assert "example.org" not in repr(server.messages)
        assert "Quentina" not in repr(server.messages)
        pd.testing.assert_frame_equal(far.compute(), near.compute())
        assert far.compute()["answer"].iloc[1] == "by a1@example.org w1 Quentina Marsh1"
        assert there(rows, prompt).job.asked == 0
        assert server.accepted == asked  # no plan asks when it is computed

    def test_a_cells_map_is_asked_there_too(self, serve, shell, tmp_path):
        server = serve()
        shell.user_ns["rows"] = stored(frame(8), tmp_path)
        line = "--map rows --where {} --into topic --rows all --budget none --quiet -o {}"
        for where, name in (("cluster", "far"), ("kernel", "near")):
            shell.run_cell_magic("ds", line.format(where, name), PROMPT)
        far, near = shell.user_ns["far"], shell.user_ns["near"]
        assert (server.accepted, type(far.job).__name__) == (8, "ClusterJob")
        assert type(near.job).__name__ == "Job"
        assert far.compute()["topic"].tolist() == near.compute()["topic"].tolist()
        with pytest.raises(UsageError, match="where"):
            shell.run_cell_magic("ds", line.format("moon", "x"), PROMPT)

    def test_types_trial_and_errors(self, serve, tmp_path):
        server = serve(as_json)
        server.fail = lambda body, number: 400 if "w3 " in str(body["messages"]) else 0
        rows = stored(frame(60).assign(text=[f"review w{at} ." for at in range(60)]), tmp_path)
        topic = Literal["price", "quality"]
        tried = ds.map(rows, PROMPT, to=topic, where="cluster", show=False)
        assert len(tried) == server.accepted == 5
        assert tried.job.rows == 5
        answered = ds.map(rows, PROMPT, to=topic, rows="all", where="cluster", show=False)
        found = answered.compute()  # within the cap of the trial
        assert found["answer"].isna().sum() == 1
        failed = answered.job.errors().compute()
        assert failed["text"].tolist() == ["review w3 ."]
        assert "Failed on purpose" in failed["error"].iloc[0]
        server.fail = lambda body, number: 0
        assert answered.job.retry().compute()["answer"].tolist() == ["price"] * 60
        assert server.accepted == 60

    def test_a_dry_run_shows_a_request_and_sends_nothing(self, serve, tmp_path):
        server = serve()
        shown = str(ds.map(stored(MAILS, tmp_path), "{{ text }}", dry_run=True, where="cluster"))
        assert "<email-1> w" in shown
        assert server.number == 0

    def test_filter(self, serve, tmp_path):
        import json

        serve(lambda body: json.dumps({"value": "w2" in str(body["messages"])}))
        kept = ds.filter(
            stored(frame(8), tmp_path), "{{ text }} is good",
            rows="all", budget="none", show=False, where="cluster",
        )  # fmt: skip
        assert kept.compute()["text"].tolist() == ["review w2"]


class TestRefused:
    def test_what_cannot_be_asked_there(self, serve, cluster, tmp_path, monkeypatch):
        server, rows = serve(), stored(frame(8), tmp_path)
        with pytest.raises(ParameterError, match="takes a Dask frame"):
            there(frame(3))
        with pytest.raises(ParameterError, match="not a place to ask from"):
            everything(rows, where="moon")
        get_session().config.providers = {
            "elsewhere": {"base_url": "https://example.org", "key_variables": ["NOT_THERE"]}
        }
        with pytest.raises(MissingKeyError):
            there(rows, provider="elsewhere", model="m")
        (tmp_path / "deepseek-policy.toml").write_text('[data]\ncolumns = {text = "none"}\n')
        monkeypatch.chdir(tmp_path)
        with pytest.raises(PolicyError):
            there(rows)
        assert server.number == 0

    def test_a_client_is_needed(self, serve, tmp_path, monkeypatch):
        serve()
        none = ValueError("No clients found")
        monkeypatch.setattr("distributed.default_client", lambda: (_ for _ in ()).throw(none))
        with pytest.raises(ConfigurationError, match="no client"):
            there(stored(frame(8), tmp_path))


class TestLoss:
    def test_a_lost_worker_costs_a_chunk_at_most(self, serve, cluster, tmp_path):
        server = serve(latency=0.2)
        (victim, *_) = cluster.run(os.getpid).values()

        def kill() -> None:
            when(server, 100)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        answered = there(stored(frame(200), tmp_path), concurrency=32)
        killer.join()
        assert answered.compute()["answer"].tolist() == [f"w{at}" for at in range(200)]
        assert len(server.bodies) == 200
        assert sum(count - 1 for count in server.bodies.values()) <= 16

    def test_the_cap_is_never_passed(self, serve, cluster, tmp_path):
        """Nor where a worker is killed, whose requests were billed; all at their worst."""
        server = serve(latency=0.1)
        server.fail = lambda body, number: (0, 0, 0, 503)[number % 4]
        server.usage = lambda body, text: {
            "prompt_tokens": count_body(body, most_tokens),
            "completion_tokens": body["max_tokens"],
        }
        (victim, *_) = cluster.run(os.getpid).values()
        killer = threading.Thread(target=lambda: when(server, 40) or os.kill(victim, 9))
        killer.start()
        with pytest.raises(JobStoppedError):
            there(stored(frame(400), tmp_path), budget=0.003, max_tokens=20, concurrency=16,
                  max_errors=1.0)  # fmt: skip
        killer.join()
        price = get_session().price(PROVIDERS["deepseek"], "deepseek-flash")
        billed = sum(
            (
                b["prompt_tokens"] * price.miss + b["completion_tokens"] * price.output
                for b in server.billed
            ),
            Decimal(),
        )
        assert Decimal("0.002") < billed / 1_000_000 <= Decimal("0.003")
        assert ds.job.runner.cap.reserved == 0

    def test_a_stop_is_quick_and_keeps_what_came(self, serve, cluster, tmp_path):
        server, rows = serve(latency=0.2), stored(frame(3_000), tmp_path)

        def stop() -> None:
            when(server, 20)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=stop).start()
        with pytest.raises(Interrupted):
            there(rows, concurrency=16)
        time.sleep(0.5)
        done = server.accepted
        assert 0 < done < 3_000
        time.sleep(0.5)
        assert server.accepted == done  # nothing goes on by itself
        assert there(rows, replay="always", max_errors=1.0).job.values

    def test_the_limit_of_the_account_is_for_all_workers(self, serve, tmp_path):
        server = serve(latency=0.05, limit=6)
        answered = there(stored(frame(80), tmp_path))
        assert answered.job.frame.compute()["answer"].notna().all()
        assert server.peak <= 6
        assert server.rejected <= 30
        assert ds.job.runner.limit.now <= 6


def memory_of(pid: int) -> Iterator[bytes]:
    """All that a process has in its memory."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, *_ = line.split()
            if rights.startswith("rw"):
                begin, end = (int(part, 16) for part in place.split("-"))
                memory.seek(begin)
                yield memory.read(end - begin)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_scheduler_and_its_dashboard_hold_no_key_and_no_masked_value(
    serve, cluster, tmp_path, monkeypatch
):
    import httpx

    server = serve()
    rows = pd.DataFrame(
        {
            "text": [f"write to sentinel{at}@example.org of Zentinelq{at} now" for at in range(90)],
            "full_name": [f"Nentinel{at}" for at in range(90)],
        }
    )
    secret = pd.DataFrame({"who": [f"Zentinelq{at}" for at in range(90)]})
    monkeypatch.setattr(verbs, "user_namespace", lambda: {"secret": secret})
    get_session().config.data_policy = "schema"
    ds.ask("Why?", attach={"secret": secret}, show=False)
    server.messages.clear()
    ways, scatter = list[Any](), cluster.scatter
    monkeypatch.setattr(
        cluster, "scatter", lambda *args, **how: ways.append(how["direct"]) or scatter(*args, **how)
    )
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path, row_group_size=30)
    lazy = dd.read_parquet(path, split_row_groups=True)
    answered = there(lazy, "Seenhere {{ text }} {{ full_name }}", also=["raw"])
    assert ways  # past the scheduler, which would not keep it
    assert all(ways)
    assert "of <value-1> now" in repr(server.messages)
    kept = answered.persist()
    distributed.wait(kept)
    pages = ["/info/main/workers.html", "/health", "/metrics", "/status", "/info/logs.html"]
    where = cluster.dashboard_link.removesuffix("/status")
    shown = "".join(httpx.get(where + page, follow_redirects=True).text for page in pages)
    assert "127.0.0.1" in shown
    told = [shown.encode(), *memory_of(cluster.process.pid)]
    for word in (KEY, KERNELS_KEY, "sentinel1@", "Zentinelq1", "Nentinel1"):
        assert not any(word.encode() in part for part in told), word
    assert any(b"full_name" in part for part in told)  # that it finds what is there
    assert kept.compute()["answer"].iloc[7].startswith("Nentinel7")


def test_of_ten_million_rows_only_the_named_column_is_read(serve, cluster, tmp_path):
    """And the kernel grows by at most 60 MB."""
    server = serve(latency=0.02)
    server.keep = False
    server.usage = lambda body, text: {"prompt_tokens": 10, "completion_tokens": 10}
    for part in range(2):  # ten of each, for what is written takes its time
        numbers = pa.array(np.arange(10**7, 10**7 + 500_000) + part * 500_000)
        text = pc.binary_join_element_wise("review", numbers.cast(pa.string()), " ")
        table = pa.table({"text": text, "other": pc.multiply(numbers, 3)})
        pq.write_table(table, tmp_path / f"{part:02}.parquet", compression="none")
        for at in range(part + 2, 20, 2):
            (tmp_path / f"{at:02}.parquet").hardlink_to(tmp_path / f"{part:02}.parquet")
    rows = dd.read_parquet(tmp_path)
    there(stored(frame(8), tmp_path.parent), "Warm: {{ text }}")
    process, peak, seen, over = psutil.Process(), list[int](), set[str](), threading.Event()

    def columns(dask_worker: Any) -> list[str]:
        return [c for v in dask_worker.data.values() for c in getattr(v, "columns", ())]

    def look() -> None:
        while not over.wait(0.3):
            peak.append(process.memory_info().rss)
            seen.update(c for found in cluster.run(columns).values() for c in found)

    watcher = threading.Thread(target=look)
    before = process.memory_info().rss
    watcher.start()
    price = get_session().price(PROVIDERS["deepseek"], "deepseek-flash")
    cap = price.cost(Usage(10, 10)).amount * 1_000
    try:
        with pytest.raises(JobStoppedError):
            there(rows, max_tokens=10, budget=float(cap))
    finally:
        over.set()
        watcher.join()
    assert ds.job.rows == 10_000_000
    assert 900 <= len(ds.job.values) <= 1_000
    assert seen == {"text"}
    assert (max(peak) - before) / 1e6 <= 60


def test_1000_rows_take_at_most_twice_as_long_as_in_the_kernel(serve, tmp_path):
    """In pairs, by turns; a busy machine disturbs some of them."""
    server = serve(latency=0.25)
    rows, ratios = stored(frame(1_000), tmp_path), list[float]()
    there(rows, "Warm: {{ text }}", rows=2, budget=None)
    while len(ratios) < 4 and not (ratios and min(ratios) <= 2):
        times = []
        for way in (everything, there):
            began = time.monotonic()
            way(rows, f"{len(ratios)} {way.__name__}: {{{{ text }}}}", concurrency=64)
            times.append(time.monotonic() - began)
        ratios.append(times[1] / times[0])
    assert min(ratios) <= 2, ratios
    assert server.peak == 64
