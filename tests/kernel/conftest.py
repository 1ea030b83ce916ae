"""One kernel for all tests of this folder, its DeepSeek a scripted server on this machine.

Never touched: the user's profile, key or state directory. After each test its key is looked for in
everything that the kernel has said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import GUARD, ROOT
from tests.support.asking import KEY
from tests.support.guard import network_guard
from tests.support.kernels import Kernel, kernel_environment, without_keys
from tests.support.scripted import Server

HERE = str(Path(__file__).parent)

_AFRESH = """\
get_ipython().run_line_magic("reset", "-f")
__import__("gc").freeze()  # the reset has collected; what is left need not be walked by the next
get_ipython().extension_manager.unload_extension("deepseek_jupyter")
import deepseek_jupyter.session.session as _session, deepseek_jupyter.config as _config
_session._session = _config._settings = None
get_ipython().config.pop("DeepSeek", None)  # what a `%config` of another test has left
get_ipython().extension_manager.load_extension("deepseek_jupyter")
import deepseek_jupyter as ds
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def kernel_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def base_environment(kernel_home: Path, shared_server: Server) -> dict[str, str]:
    import os

    paths = [str(GUARD), str(ROOT), os.environ.get("PYTHONPATH", "")]
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DEEPSEEK_JUPYTER_HOME": str(kernel_home / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        network_guard.GUARD_LOG: str(kernel_home / "network-guard.log"),
    }
    return kernel_environment({**without_keys(os.environ), **own}, shared_server.base_url(), KEY)


@pytest.fixture(scope="session")
def running_kernel(base_environment: dict[str, str], kernel_home: Path) -> Iterator[Kernel]:
    with Kernel(base_environment, kernel_home / "shared") as running:
        assert running.run("%load_ext deepseek_jupyter").ok
        # %reset collects, a hundred times; what is loaded by now need not be walked again.
        assert running.run("import gc; gc.collect(); gc.freeze()").ok
        yield running


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The scripted server that the kernel asks, emptied."""
    shared_server.forget()
    yield shared_server
    if complaints := list(shared_server.complaints):
        pytest.fail("deepseek-recipe refuses a request:\n" + "\n".join(complaints), pytrace=False)


@pytest.fixture
def kernel(running_kernel: Kernel, server: Server, kernel_home: Path) -> Iterator[Kernel]:
    """The kernel, with an empty namespace and a new session; `ds` is the package."""
    ran = running_kernel.run(_AFRESH)
    assert ran.ok, ran.error
    yield running_kernel
    assert_silent(running_kernel, kernel_home)


@pytest.fixture
def fresh_kernel(
    base_environment: dict[str, str], server: Server, tmp_path: Path, kernel_home: Path
) -> Iterator[Kernel]:
    """A kernel of the test's own, in which nothing has run yet."""
    with Kernel(base_environment, tmp_path / "fresh") as running:
        yield running
    assert_silent(running, kernel_home)


def assert_silent(kernel: Kernel, home: Path) -> None:
    """The key was told to nobody, and nobody beyond this machine was asked."""
    assert KEY not in kernel.everything()
    log = home / "network-guard.log"
    assert not log.exists(), log.read_text("utf-8")
