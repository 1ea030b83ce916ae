"""The guard itself: what it stops, and what it lets through."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.guard import network_guard
from tests.support.guard.network_guard import GUARD_LOG, NetworkForbidden
from tests.support.scripted import Server, whole

FAR = "192.0.2.1"  # TEST-NET-1: nobody's address


@pytest.fixture
def fires(tmp_path) -> Iterator[None]:
    """The guard is meant to fire here: afterwards its note is checked and taken away."""
    log = tmp_path / "network-guard.log"
    yield
    written = log.read_text("utf-8") if log.exists() else ""
    assert "is beyond loopback" in written
    log.unlink()
    network_guard.attempts.clear()


@pytest.mark.usefixtures("fires")
class TestStops:
    def test_a_connect_to_an_address_abroad_and_names_it(self):
        with socket.socket() as sock, pytest.raises(NetworkForbidden, match=FAR):
            sock.connect((FAR, 443))

    def test_connect_ex_too(self):
        with socket.socket() as sock, pytest.raises(NetworkForbidden, match=FAR):
            sock.connect_ex((FAR, 443))

    def test_ipv6(self):
        with (
            socket.socket(socket.AF_INET6) as sock,
            pytest.raises(NetworkForbidden, match="2001:db8::1"),
        ):
            sock.connect(("2001:db8::1", 443))

    def test_a_datagram(self):
        with (
            socket.socket(type=socket.SOCK_DGRAM) as sock,
            pytest.raises(NetworkForbidden, match=FAR),
        ):
            sock.sendto(b"x", (FAR, 53))

    def test_a_look_up_of_a_name(self):
        with pytest.raises(NetworkForbidden, match=r"api\.deepseek\.com"):
            socket.getaddrinfo("api.deepseek.com", 443)

    def test_a_connection_of_the_urllib_kind(self):
        with pytest.raises(NetworkForbidden):
            socket.create_connection(("api.deepseek.com", 443))

    async def test_asyncio(self):
        with pytest.raises(NetworkForbidden):
            await asyncio.open_connection(FAR, 443)

    async def test_asyncio_by_name(self):
        with pytest.raises(NetworkForbidden):
            await asyncio.open_connection("api.deepseek.com", 443)

    def test_httpx(self):
        with pytest.raises(NetworkForbidden):
            httpx.get("https://api.deepseek.com/models")

    async def test_httpx_on_a_loop(self):
        async with httpx.AsyncClient() as client:
            with pytest.raises((NetworkForbidden, ExceptionGroup)):  # anyio tries in a task group
                await client.get(f"http://{FAR}/models")

    def test_a_child_process(self, child_environment):
        assert GUARD_LOG in child_environment
        code = f"import socket; socket.create_connection(('{FAR}', 443))"
        child = subprocess.run(
            [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True
        )
        assert child.returncode != 0
        assert "NetworkForbidden" in child.stderr


class TestLetsThrough:
    def test_loopback(self):
        with Server(validate=False, fallback=whole("here")) as server:
            assert httpx.get(server.url + "/x").status_code == 200

    async def test_loopback_on_a_loop_and_by_name(self):
        with Server(validate=False, fallback=whole("here")) as server:
            async with httpx.AsyncClient() as client:
                url = server.url.replace("127.0.0.1", "localhost")
                assert (await client.get(url)).status_code == 200

    def test_sockets_of_the_file_system(self, tmp_path):
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as ear, socket.socket(socket.AF_UNIX) as mouth:
            ear.bind(path)
            ear.listen()
            mouth.connect(path)


def test_an_attempt_that_was_swallowed_still_fails_the_test(pytester_like):
    """The exception may be caught by the code under test; the note remains."""
    result = pytester_like(
        "import socket\n"
        "def test_quiet():\n"
        "    try:\n"
        f"        socket.create_connection(('{FAR}', 443))\n"
        "    except RuntimeError:\n"
        "        pass\n"
    )
    assert result.returncode == 1
    assert FAR in result.stdout


@pytest.fixture
def pytester_like(tmp_path):
    """Runs a test module under this project's conftest in a process of its own."""

    def run(source: str) -> subprocess.CompletedProcess[str]:
        root = Path(network_guard.__file__).parents[3]
        (tmp_path / "test_inner.py").write_text(source, "utf-8")
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
        command += ["--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path / "test_inner.py")]
        bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # half the time
        return subprocess.run(command, cwd=root, env=bare, capture_output=True, text=True)

    return run
