"""A real model and real server processes. Never touched: the user's own state directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deepseek_jupyter import local
from deepseek_jupyter.local.models import model_path

REPOSITORY = Path(__file__).parents[2]
NO_HUB = "http://127.0.0.1:9"  # nobody listens there: the registry is asked

# A kernel, as far as the server can tell: asks for the endpoint, says it, lives on until told
# not to (end of stdin), or killed.
CLIENT = """
import dataclasses, json, sys
from deepseek_jupyter.local import ensure_server
print(json.dumps(dataclasses.asdict(ensure_server())), flush=True)
sys.stdin.read()
"""


class Client:
    """Another process that uses the embedded model."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def endpoint(self) -> local.Endpoint:
        assert self.process.stdout
        return local.Endpoint(**json.loads(self.process.stdout.readline()))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def gone_within(seconds: float, pid: int) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with nothing in it."""
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model, downloaded once for all test runs of this checkout."""
    named = os.environ.get("DEEPSEEK_TEST_MODELS")
    directory = Path(named) if named else REPOSITORY / ".make" / "models"
    file = directory / f"{local.DEFAULT_MODEL}.gguf"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DEEPSEEK_JUPYTER_HOME", str(directory / ".home"))
            patch.setenv("HF_ENDPOINT", NO_HUB)
            os.replace(local.install(), file)
    return file


@pytest.fixture(scope="session")
def installed_home(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state directory in which the model is installed."""
    home = tmp_path_factory.mktemp("home") / "deepseek"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(home))
        local.install(path=model_file)
        yield home


@pytest.fixture
def home(installed_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, with no server running before or after the test."""
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(installed_home))
    monkeypatch.setenv("DEEPSEEK_LOCAL_THREADS", "1")
    local.stop_server()
    yield installed_home
    local.stop_server()


@pytest.fixture
def damaged(home: Path) -> Iterator[Path]:
    """The installed model with one byte changed, for the time of a test."""
    path = model_path(local.DEFAULT_MODEL)
    good = path.with_suffix(".good")
    os.replace(path, good)
    path.write_bytes(good.read_bytes())
    with path.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    yield path
    os.replace(good, path)


@pytest.fixture
def client() -> Iterator[Callable[[], Client]]:
    """Starts clients, and ends those that are left."""
    started: list[Client] = []

    def start() -> Client:
        started.append(Client())
        return started[-1]

    yield start
    for one in started:
        one.kill()
