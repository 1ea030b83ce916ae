"""Downloading from a hub that is a small real HTTP server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deepseek_jupyter import local
from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter.local import models as store

pytestmark = pytest.mark.local_model

DEFAULT = local.MODELS[local.DEFAULT_MODEL]
HALF = DEFAULT.size // 2


class Hub(ThreadingHTTPServer):
    """Serves one file, from the byte that is asked for; cuts the first answers off if told to."""

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.file = file
        self.cut = 0
        self.asked: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.asked.append((self.path, wanted))
        first = int(wanted.removeprefix("bytes=").removesuffix("-"))
        left = self.server.file.stat().st_size - first
        self.send_response(206)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        if self.server.cut:
            self.server.cut, left = 0, HALF
        with self.server.file.open("rb") as file:
            file.seek(first)
            while left > 0 and (block := file.read(min(1 << 20, left))):
                self.wfile.write(block)
                left -= len(block)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(model_file: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(model_file)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    yield server
    server.shutdown()
    server.server_close()


def test_a_download_that_broke_off_goes_on_where_it_was(hub: Hub) -> None:
    hub.cut = 1
    with pytest.raises(LocalModelError, match=f"the hub: the download ended after {HALF} bytes"):
        local.install()
    assert store.partial_path(DEFAULT.id).stat().st_size == HALF
    assert not local.status().models
    phases: list[str] = []
    local.install(progress=lambda done, total, phase: phases.append(phase))
    assert [wanted for _, wanted in hub.asked] == ["bytes=0-", f"bytes={HALF}-"]
    assert hub.asked[0][0] == f"/{DEFAULT.hub[0]}/resolve/main/{DEFAULT.hub[1]}"
    assert local.status().models[0].verified
    assert list(dict.fromkeys(phases)) == ["download", "verify"]


def test_a_wrong_beginning_is_thrown_away_once_found_out(hub: Hub) -> None:
    private_directory("local", "models")
    store.partial_path(DEFAULT.id).write_bytes(b"GGUF but not this one")
    local.install()
    assert hub.asked[-1][1] == "bytes=0-"
    assert local.status().models[0].verified


def test_a_wrong_file_is_never_installed(hub: Hub, tmp_path: Path) -> None:
    hub.file = tmp_path / "wrong"
    with hub.file.open("wb") as file:
        file.truncate(DEFAULT.size)
    with pytest.raises(LocalModelError, match="not the file it should be"):
        local.install()
    assert not local.status().models
    assert not store.partial_path(DEFAULT.id).exists()
