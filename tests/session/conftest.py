"""A session whose DeepSeek is a scripted server on this machine; the package's functions use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY
from tests.support.scripted import Server


@pytest.fixture
def session(server: Server, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    made = Session(DeepSeek(attempts=1, first_timeout=60.0, idle_timeout=60.0))
    monkeypatch.setattr(sessions, "_session", made)
    return made


@pytest.fixture
def notebook(tmp_path: Path, server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty notebook file, as a kernel that a Jupyter server started for it knows it."""
    path = tmp_path / "work" / "study.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    return path
