"""The embedded server on its three wires, through the whole package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepseek_jupyter import local
from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.session.session import Session

pytestmark = pytest.mark.local_model


@pytest.fixture(scope="module", autouse=True)
def _server(installed_home: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(installed_home))
        patch.setenv("DEEPSEEK_LOCAL_THREADS", "1")
        yield
        local.stop_server()


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
@pytest.mark.parametrize("stream", [True, False])
def test_it_answers_and_goes_on(wire, stream):
    session = Session(DeepSeek(provider="local", wire=wire, stream=stream, journal=False))
    how = {"parameters": {"temperature": 0, "max_tokens": 60}, "think": False}
    first = ask(session, Question("What is the capital of France?", **how), Nowhere())
    assert "Paris" in first.text
    assert first.usage is not None
    assert first.usage.prompt_tokens > 10
    again = ask(session, Question("Say the name of that city once more.", **how), Nowhere())
    assert "Paris" in again.text


def test_a_schema_holds_on_responses():
    session = Session(DeepSeek(provider="local", wire="responses", journal=False))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    how = {"parameters": {"temperature": 0, "max_tokens": 60}, "think": False}
    found = ask(session, Question("What is 2+2? n is it.", schema=schema, **how), Nowhere())
    assert json.loads(found.text).keys() == {"n"}


@pytest.mark.parametrize("wire", ["responses", "messages"])
def test_thinking_is_told_apart(wire):
    """On `messages` the server takes no grammar: nothing bounds the thinking of a small model."""
    how = {"parameters": {"temperature": 0, "max_tokens": 200}, "think": True}
    config = DeepSeek(provider="local", wire=wire, journal=False, on_error="return")
    found = ask(Session(config), Question("What is 17*3?", **how), Nowhere())
    assert found.reasoning
    assert "think>" not in found.text
    assert found.text or wire == "messages"
