"""Whatever happens on the wire, no log record at any level holds the key."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from tests.session.conftest import session
from tests.support.asking import HASTY, KEY, PATIENT

__all__ = ["client", "logs_without_key", "session"]


@pytest.fixture(autouse=True)
def logs_without_key(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


@pytest.fixture
def client() -> Iterator[Client]:
    """Long timeouts, four tries with hardly a pause."""
    client = Client(PATIENT, HASTY)
    yield client
    engine().run(client.close())
