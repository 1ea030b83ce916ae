"""Who keeps the server alive, and what ends it. Clients are real processes, killed for real."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deepseek_jupyter import local
from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter.local import serve

from .conftest import Client, gone_within

pytestmark = pytest.mark.local_model

Start = Callable[[], Client]


def test_two_clients_at_once_share_one_server(home: Path, client: Start) -> None:
    one, two = client(), client()
    assert one.endpoint() == two.endpoint()


def test_killing_the_only_client_ends_the_server(home: Path, client: Start) -> None:
    only = client()
    pid = only.endpoint().pid
    only.kill()
    assert gone_within(3, pid)
    assert not list((home / "local" / "run").glob("*.json"))


def test_killing_one_of_two_clients_keeps_the_server(home: Path, client: Start) -> None:
    one, two = client(), client()
    pid = one.endpoint().pid
    two.endpoint()
    one.kill()
    assert not gone_within(1.5, pid)
    two.kill()
    assert gone_within(3, pid)


def test_killing_a_client_while_the_model_loads_ends_the_server(home: Path, client: Start) -> None:
    only = client()
    children: list[psutil.Process] = []
    while not children:
        children = psutil.Process(only.process.pid).children()
    only.kill()
    assert gone_within(10, children[0].pid)


def test_an_idle_server_ends_and_the_next_call_starts_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_LOCAL_IDLE_SECONDS", "1")
    first = local.ensure_server()
    assert gone_within(5, first.pid)
    assert local.ensure_server().pid != first.pid


def test_asking_for_the_server_puts_off_the_idle_end(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_LOCAL_IDLE_SECONDS", "2")
    first = local.ensure_server()
    for _ in range(6):
        time.sleep(0.5)
        assert local.ensure_server() == first


def test_a_server_that_was_killed_is_replaced(home: Path) -> None:
    first = local.ensure_server()
    psutil.Process(first.pid).kill()
    assert gone_within(3, first.pid)
    assert local.ensure_server().pid != first.pid


def test_a_state_file_of_a_dead_server_is_cleaned(home: Path) -> None:
    state = private_directory("local", "run") / f"{local.DEFAULT_MODEL}.json"
    state.write_text('{"url":"http://127.0.0.1:9","api_key":"k","port":9,"pid":1,"model":"m"}')
    assert local.ensure_server().pid != 1


def test_threads_of_one_kernel_share_one_server(home: Path) -> None:
    found: list[local.Endpoint] = []
    threads = [
        threading.Thread(target=lambda: found.append(local.ensure_server())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_hold_the_lease(home: Path) -> None:
    pid = local.ensure_server().pid
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    forked.start()
    try:
        for _, lease in serve._leases.values():
            lease.close()
        serve._leases.clear()
        assert gone_within(3, pid)
    finally:
        forked.kill()
        forked.join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_ctrl_c_in_a_client_spares_the_server(home: Path, client: Start) -> None:
    one, two = client(), client()
    pid = one.endpoint().pid
    two.endpoint()
    one.process.send_signal(signal.SIGINT)
    one.process.wait()
    assert not gone_within(1, pid)


def test_no_key_is_on_a_command_line_or_in_an_environment(home: Path) -> None:
    endpoint = local.ensure_server()
    server = psutil.Process(endpoint.pid)
    assert endpoint.api_key not in " ".join(server.cmdline())
    assert endpoint.api_key not in server.environ().values()
    assert endpoint.api_key not in repr(endpoint)


def test_the_users_keys_do_not_reach_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-user")
    server = psutil.Process(local.ensure_server().pid)
    assert "sk-user" not in server.environ().values()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_state_is_for_its_owner_alone(home: Path) -> None:
    local.ensure_server()
    run = home / "local" / "run"
    assert stat.S_IMODE((run / f"{local.DEFAULT_MODEL}.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((run / f"{local.DEFAULT_MODEL}.log").stat().st_mode) == 0o600
    for directory in (home, home / "local", run):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_status_sees_the_server_and_stop_ends_it(home: Path) -> None:
    endpoint = local.ensure_server()
    (running,) = local.status().servers
    assert (running.pid, running.model) == (endpoint.pid, local.DEFAULT_MODEL)
    assert local.stop_server()
    assert gone_within(3, endpoint.pid)
    assert not local.status().servers
    assert not local.stop_server()


def test_a_damaged_model_is_refused_and_nothing_starts(damaged: Path) -> None:
    with pytest.raises(LocalModelError, match="damaged"):
        local.ensure_server()
    assert not local.status().servers
    started = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert not [line for line in started if "deepseek_jupyter.local.server_process" in line]


def test_a_server_that_cannot_load_says_why(home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\0" * 1000)
    local.install(path=bad)
    try:
        with pytest.raises(LocalModelError, match="died at start"):
            local.ensure_server("bad")
    finally:
        local.remove("bad")
