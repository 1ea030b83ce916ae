"""A journal of its own for each test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deepseek_jupyter.conversation.journal import Journal

SCRIPT = Path(__file__).with_name("turns.py")

Writer = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal.open(path)
    yield opened
    opened.close()


@pytest.fixture
def writer(path: Path, child_environment: dict[str, str]) -> Writer:
    """Starts a process that writes so many turns to a conversation of the journal."""

    def start(conversation: str, count: int, pause: float = 0.0) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPT), str(path), conversation, *map(str, (count, pause))]
        return subprocess.Popen(
            command, env=child_environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip

    return start
