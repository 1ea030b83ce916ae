"""A real IPython shell in this process, with the magics loaded and a scripted DeepSeek."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from traitlets.config import Config

from deepseek_jupyter import api, config
from deepseek_jupyter.session import session as sessions
from tests.support.asking import KEY
from tests.support.scripted import Server
from tests.support.shells import one_shell


@pytest.fixture
def shell(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    monkeypatch.setattr(sessions, "_session", None)
    monkeypatch.setattr(config, "_settings", None)
    setup = Config()
    setup.HistoryManager.enabled = False
    setup.InteractiveShell.colors = "nocolor"
    with one_shell(config=setup) as running:
        running.run_line_magic("load_ext", "deepseek_jupyter")
        api.get_session().config.attempts = 1
        yield running
        running.run_line_magic("unload_ext", "deepseek_jupyter")


@pytest.fixture
def run(shell: Any, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run a cell; what it printed, on both streams. The key is never in it."""

    def run_cell(code: str) -> str:
        capsys.readouterr()
        shell.run_cell(code, store_history=True)
        told = capsys.readouterr()
        assert KEY not in told.out + told.err
        return told.out + told.err

    return run_cell
