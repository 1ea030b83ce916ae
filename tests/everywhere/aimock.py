"""Our wires against aimock (`@copilotkit/aimock` of npm), which speaks all three."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY

from .venvs import FOLDER, run

VERSION = "1.43.0"
TEXT, THOUGHT = "Forty-two is the answer, é 😀.", "Six times seven, let me think about it."
FIXTURES = [
    {"match": {"userMessage": "Sure?"}, "response": {"content": "Yes."}},
    {"match": {"toolCallId": "c1"}, "response": {"content": "It is 3.", "reasoning": "It said 3."}},
    {
        "match": {"userMessage": "Add."},
        "response": {
            "content": "I look.",
            "reasoning": "I need the tool.",
            "toolCalls": [{"id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'}],
        },
    },
    {"match": {"userMessage": "Six"}, "response": {"content": TEXT, "reasoning": THOUGHT}},
    {
        "match": {"userMessage": "Cut"},
        "response": {"content": "Once upon", "finishReason": "length"},
    },
    {
        "match": {"userMessage": "Busy"},
        "response": {"error": {"message": "No room.", "type": "overloaded_error"}, "status": 503},
    },
]

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="aimock is installed by npm")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running aimock; requests of no fixture fail."""
    folder, fixtures = FOLDER / "aimock", tmp_path_factory.mktemp("aimock") / "fixtures.json"
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "install", "--no-audit", "--no-fund", "--prefix", folder,
        f"@copilotkit/aimock@{VERSION}")  # fmt: skip
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    options = ["-p", str(port), "-f", str(fixtures), "-c", "5", "--strict", "--validate-on-load"]
    process = subprocess.Popen(["node", str(command), *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(params=["chat", "responses", "messages"])
def wire(request, address, monkeypatch) -> str:
    """A wire, on which a new session asks it."""
    monkeypatch.setenv("DEEPSEEK_BASE_URL", f"{address}/v1")
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    made = Session(DeepSeek(attempts=1, wire=request.param))
    monkeypatch.setattr(sessions, "_session", made)
    return str(request.param)


def last_request(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/__aimock/journal", timeout=60) as found:
        said = json.load(found)
    return dict((said if isinstance(said, list) else said["entries"])[-1])


def test_an_answer_with_its_thinking(wire, address):
    found = ds.ask("Six times seven?")
    assert (found.text, found.reasoning, found.finish_reason) == (TEXT, THOUGHT, "stop")
    assert found.turn.served_model == "deepseek-flash"
    path = {"chat": "chat/completions"}.get(wire, wire)
    assert last_request(address)["path"] == f"/v1/{path}"


def test_in_one_piece(wire):
    found = ds.ask("Six times seven?", stream=False)
    assert (found.text, found.reasoning) == (TEXT, THOUGHT)


def test_calls_and_the_turn_after_them(wire):
    found = ds.ask("Add.", tools=[add])
    assert found.text == "It is 3."
    (step,) = found.steps
    assert (step.answer, step.reasoning) == ("I look.", "I need the tool.")
    assert step.results == (("c1", "3"),)
    sent = ds.ask("Sure?", dry_run=True).payload.decode()
    assert "I need the tool." in sent
    marks = {"messages": '"aimock-placeholder-signature"', "responses": '"id":"rs-'}
    if wire in marks:  # of the calls' thinking and of the answer's
        assert sent.replace(": ", ":").count(marks[wire]) == 2
    assert ds.ask("Sure?").text == "Yes."


def test_a_cut_answer_and_an_error(wire):
    found = ds.ask("Cut it.", on_error="return")
    assert (found.text, found.finish_reason) == ("Once upon", "length")
    with pytest.raises(ds.DeepSeekError, match=r"No room|503|busy"):
        ds.ask("Busy?")
