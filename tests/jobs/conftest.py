"""A session whose DeepSeek is a server that counts; each test says what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY
from tests.support.counting import CountingServer
from tests.support.shells import one_shell

Make = Callable[..., CountingServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes the server, and a session that asks it."""
    with ExitStack() as stack:

        def make(*args: Any, **options: Any) -> CountingServer:
            server = stack.enter_context(CountingServer(*args, **options))
            monkeypatch.setenv("DEEPSEEK_BASE_URL", server.url)
            monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
            begin(monkeypatch)
            return server

        yield make


def begin(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Session:
    """A new session, as in a new kernel."""
    made = Session(DeepSeek(attempts=3, first_timeout=60.0, idle_timeout=60.0, **settings))
    monkeypatch.setattr(sessions, "_session", made)
    return made


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An IPython shell with the magics; the session stays the one of `serve`."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    setup = Config()
    setup.HistoryManager.enabled = False
    with one_shell(config=setup) as running:
        running.run_line_magic("load_ext", "deepseek_jupyter")
        yield running
