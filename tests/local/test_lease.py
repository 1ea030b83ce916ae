"""Leases and locks where there is no model and no server."""

from __future__ import annotations

import ast
import socket
import threading
import time
from pathlib import Path

import pytest

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter.local import serve, server_process
from deepseek_jupyter.local.models import DEFAULT_MODEL, locked
from deepseek_jupyter.local.serve import connect


@pytest.mark.parametrize("said", [b"\xff\xfe\x00\n", b"SSH-2.0-x\r\n", b"x" * 100_000, b""])
def test_another_program_on_an_old_servers_port_is_no_server(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(said)
                connection.recv(1000)

        threading.Thread(target=serve_once, daemon=True).start()
        assert connect(listener.getsockname()[1], "key") is None


def test_a_kernel_that_never_ends_to_start_a_server_is_an_error_that_says_so(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_READY", -5.0)  # do not wait
    state = private_directory("local", "run") / f"{DEFAULT_MODEL}.json"
    state.write_text("{}", "utf-8")
    with locked(state.with_suffix(".lock"), 1, LocalModelError("held")):
        for ask in (serve.stop_server, lambda: serve.stop_server(DEFAULT_MODEL)):
            with pytest.raises(LocalModelError, match="Another kernel"):
                ask()
    assert not serve.stop_server()


def test_each_level_of_the_home_is_its_owners_alone(empty_home: Path) -> None:
    made = private_directory("local", "run")
    assert made == empty_home / "local" / "run"
    for level in (empty_home, empty_home / "local", made):
        assert level.stat().st_mode & 0o777 == 0o700


def test_the_servers_own_module_is_whole_before_it_runs() -> None:
    tree = ast.parse(Path(server_process.__file__).read_text("utf-8"))
    assert ast.unparse(tree.body[-1]).startswith("if __name__ ==")


def test_a_lease_is_held_until_the_client_is_gone() -> None:
    stopped = threading.Event()
    leases = server_process.Leases("key", stop=stopped.set)
    assert connect(leases.port, "other key") is None
    lease = connect(leases.port, "key")
    assert lease is not None
    assert len(leases.held) == 1
    assert lease.say("touch") == "ok"
    assert float(lease.say("idle") or "nan") < 5
    assert lease.say("what") == "?"
    assert lease.say("stop") == "ok"
    assert stopped.wait(60)
    lease.close()
    deadline = time.monotonic() + 60
    while leases.held and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not leases.held
