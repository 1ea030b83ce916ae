"""httpcore asks which loop runs without a search of the path; what it is told stays right."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import pytest
from httpcore import _synchronization

from deepseek_jupyter.transport.client import Client


@pytest.mark.skipif(find_spec("sniffio") is not None, reason="httpcore asks sniffio")
def test_nothing_is_imported_within_a_loop(monkeypatch):
    async def ask():
        Client()
        with monkeypatch.context() as patch:
            patch.setattr("builtins.__import__", None)
            return _synchronization.current_async_library()

    assert asyncio.run(ask()) == "asyncio"
    assert _synchronization.current_async_library() == "asyncio"  # httpcore's own answer
