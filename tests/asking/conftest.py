"""The session and the notebook of tests/session."""

import pytest

from tests.session.conftest import notebook, session

__all__ = ["notebook", "session"]


@pytest.fixture
def policy(tmp_path, monkeypatch):
    """Writes a policy file into the working directory."""

    def write(text):
        (tmp_path / "deepseek-policy.toml").write_text(text)

    monkeypatch.chdir(tmp_path)
    return write
