"""The ground every test stands on: no network, no keys, a state directory of its own.

Fixtures: `server` (a scripted server, see tests/support/scripted.py), `environment` (automatic),
`child_environment` (variables for a process or kernel that a test starts).
"""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# jsonschema takes it along where it is installed, and its grammar of addresses, which nothing here
# checks, takes more than a second of each process to build.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from tests.support import fuzzing  # noqa: E402
from tests.support.guard import network_guard  # noqa: E402
from tests.support.scripted import Server  # noqa: E402

GUARD = Path(network_guard.__file__).parent
HERE = Path(__file__).parent
ROOT = HERE.parent
MARKS = {"local_model", "browser", "kernel", "soak", "slow", "undisturbed"}

fuzzing.load_profile()

# Set in the environment of the person who runs the tests, and meant for the tests.
_KEPT = {"DEEPSEEK_RECORDINGS"}

# Of one test of a file, where it is far from what others of its folder take.
_SECONDS = {
    "long": 60,
    "tests/browser/test_attacks.py": 10,
    "tests/browser/test_commands.py": 3,
    "tests/browser/test_first_hour.py": 60,
    "tests/browser/test_ghost.py": 3,
    "tests/browser/test_live.py": 10,
    "tests/browser/test_panel_size.py": 12,
    "tests/browser/test_panel_widget.py": 15,
    "tests/browser/test_reload.py": 12,
    "tests/browser/test_suite_card.py": 12,
    "tests/jobs/test_cluster.py": 4,
}

_numbers = itertools.count()


def pytest_configure() -> None:
    network_guard.install()  # before collection, so that imports are guarded too
    # One authority for all of certifi's: reading those takes 30 ms of each client, and nothing here
    # speaks TLS. Kernels and child processes inherit it.
    os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "data" / "authority.pem")
    gc.disable()  # until the tests are collected
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As a shell starts its background jobs; children would inherit it, and be deaf to Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _words(path: Path) -> set[str]:
    """Marks that tests of this file may have: its own, and those that its folder gives."""
    files = [path] if path.parent == HERE else [path, path.with_name("conftest.py")]
    text = "".join(file.read_text("utf-8") for file in files if file.exists())
    return MARKS & set(re.findall(r"\bmark\.(\w+)", text))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files in which no test can have the marks that `-m` asks for: most, beside the fast tests."""
    wanted = config.option.markexpr
    named = set(re.findall(r"\w+", wanted)) - {"and", "or", "not"}
    if not collection_path.name.startswith("test_") or not named or not named <= MARKS:
        return None
    may = _words(collection_path)
    sets = (s for n in range(len(may) + 1) for s in itertools.combinations(may, n))
    return None if any(eval(wanted, {m: m in s for m in named}) for s in sets) else True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with all that needs the model as one file: two would share the cores.

    The soak's minute is in it too. The longest files come first, so that at the end no process
    waits for the other. (`loadgroup` would be the mark for it, but does nothing under pytest 9.2
    with xdist 3.8.)
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneModel(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            long = nodeid.startswith(("tests/local/", "tests/test_notebooks.py", "tests/soak/"))
            return "long" if long else super()._split_scope(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            longest = max(self.workqueue, key=self._seconds)
            self.workqueue.move_to_end(longest, last=False)
            super()._assign_work_unit(node)

        def _seconds(self, scope: str) -> float:
            each = _SECONDS.get(scope, 6 if scope.startswith("tests/browser/") else 1)
            return each * len(self.workqueue[scope])

    return OneModel(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for path, ours in itertools.groupby(items, lambda item: item.path):
        marks = {mark.name for item in ours for mark in item.iter_markers()} & MARKS
        if unseen := marks - _words(path):
            raise pytest.UsageError(f"{path} has marks that it does not name: {unseen}")


def pytest_collection_finish() -> None:
    # What thousands of tests are made of stays to the end: no collection need walk it again.
    # (IPython collects at each reset and at the exit of each shell.)
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.collect()
    gc.freeze()  # pytest goes on to collect five times more
    atexit.register(gc.unfreeze)  # what is frozen is not taken down, and some libraries count


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """pytest's own reads the names of all folders so far, for each of thousands of tests."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_numbers)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(autouse=True)
def network_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test whose code, here or in a child, tried to leave this machine."""
    log = tmp_path / "network-guard.log"
    monkeypatch.setenv(network_guard.GUARD_LOG, str(log))
    network_guard.attempts.clear()
    yield
    tried = list(network_guard.attempts)
    network_guard.attempts.clear()
    if log.exists():
        tried += log.read_text("utf-8").splitlines()
    if tried:
        pytest.fail("\n".join(dict.fromkeys(tried)), pytrace=False)


@pytest.fixture(autouse=True)
def environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """No key and no setting of the person who runs the tests; the state directory, an empty one.

    Tests marked ``local_model`` keep the real state directory: the model lies there.
    """
    for name in list(os.environ):
        upper = name.upper()
        ours = upper.startswith("DEEPSEEK_") and name not in _KEPT
        if ours and name == "DEEPSEEK_JUPYTER_HOME" and "local_model" in request.keywords:
            continue
        if ours or upper.endswith(("_API_KEY", "COMETAPI_KEY", "_PROXY")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    if "local_model" not in request.keywords:
        monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(home))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)  # these tests are no notebook's
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return home


@pytest.fixture
def child_environment(environment: Path) -> dict[str, str]:
    """Environment for a child process or kernel: this one, with the network guard loaded in it."""
    paths = [str(GUARD), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture
def server() -> Iterator[Server]:
    """A scripted server; every body sent to it as DeepSeek is checked by DeepSeek's validator."""
    with Server() as running:
        yield running
        complaints = list(running.complaints)
    if complaints:
        pytest.fail("deepseek-recipe refuses a request:\n" + "\n".join(complaints), pytrace=False)
