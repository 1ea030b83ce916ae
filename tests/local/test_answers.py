"""What the embedded model says, over HTTP, as any client hears it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepseek_jupyter import local

pytestmark = pytest.mark.local_model

QUESTIONS = [
    "What is 17*3?",
    "Capital of France?",
    "Write a function that reverses a string",
    "Was ist die Hauptstadt von Italien?",
    "Reply with the word ok.",
]


@pytest.fixture(scope="module")
def endpoint(installed_home: Path) -> Iterator[local.Endpoint]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(installed_home))
        patch.setenv("DEEPSEEK_LOCAL_THREADS", "1")
        yield local.ensure_server()
        local.stop_server()


def send(endpoint: local.Endpoint, question: str, **fields: Any) -> Any:
    body = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 160,
        **fields,
    }
    request = urllib.request.Request(
        f"{endpoint.base_url}/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.api_key}"},
    )
    return urllib.request.urlopen(request, timeout=100)


def message(endpoint: local.Endpoint, question: str, **fields: Any) -> dict[str, Any]:
    with send(endpoint, question, **fields) as reply:
        found: dict[str, Any] = json.load(reply)["choices"][0]["message"]
    return found


def test_plain_answer_has_no_reasoning(endpoint: local.Endpoint) -> None:
    answer = message(endpoint, "What is 17*3?", **local.thinking_body(False))
    assert "51" in answer["content"]
    assert not answer.get("reasoning_content")


def test_a_client_that_says_nothing_of_thinking_gets_a_plain_answer(
    endpoint: local.Endpoint,
) -> None:
    assert not message(endpoint, "What is 17*3?").get("reasoning_content")


@pytest.mark.parametrize("question", QUESTIONS)
def test_thinking_gives_both_a_thought_and_an_answer(
    endpoint: local.Endpoint, question: str
) -> None:
    answer = message(endpoint, question, **local.thinking_body(True))
    assert len(answer["reasoning_content"].split()) > 5
    assert answer["content"].strip()
    assert "think>" not in answer["content"]


def test_the_answer_after_thinking_may_hold_tags_and_comparisons(endpoint: local.Endpoint) -> None:
    table = message(endpoint, "Show an HTML table with two rows.", **local.thinking_body(True))
    assert "<th>" in table["content"] or "<td>" in table["content"]
    code = message(
        endpoint,
        "Write a Python function is_less(a, b) that returns True if a < b.",
        **local.thinking_body(True),
    )
    assert "a < b" in code["content"]


def test_reasoning_streams_before_content(endpoint: local.Endpoint) -> None:
    kinds: list[str] = []
    with send(endpoint, "What is 17*3?", stream=True, **local.thinking_body(True)) as reply:
        for line in reply:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    kinds += [key for key, value in choice["delta"].items() if value]
    kinds = [kind for kind in kinds if kind != "role"]
    assert kinds.count("reasoning_content") > 5
    assert kinds.count("content") > 3
    assert kinds == sorted(kinds, reverse=True), "reasoning first, then content only"


def test_temperature_zero_repeats_itself(endpoint: local.Endpoint) -> None:
    fields = {**local.thinking_body(True, repeatable=True), "max_tokens": 60}
    first, second = (message(endpoint, "Name a colour.", **fields) for _ in range(2))
    message(endpoint, "Something else in between.", max_tokens=5)
    assert first == second == message(endpoint, "Name a colour.", **fields)


def test_a_schema_is_kept_with_thinking_asked_for(endpoint: local.Endpoint) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    answer = message(
        endpoint,
        "Capital of France?",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        **local.thinking_body(True, response_format=True),
    )
    assert json.loads(answer["content"]) == {"city": "Paris"}


def test_tools_can_be_offered_with_thinking_asked_for(endpoint: local.Endpoint) -> None:
    function = {"name": "now", "description": "The time", "parameters": {"type": "object"}}
    answer = message(
        endpoint,
        "What time is it?",
        tools=[{"type": "function", "function": function}],
        **local.thinking_body(True, tools=True),
    )
    assert answer.get("tool_calls") or answer["content"]


def test_a_wrong_key_is_refused(endpoint: local.Endpoint) -> None:
    stranger = replace(endpoint, api_key="not-the-key")
    with pytest.raises(urllib.error.HTTPError) as caught:
        send(stranger, "hello")
    assert caught.value.code == 401


def test_the_answer_names_the_model(endpoint: local.Endpoint) -> None:
    with send(endpoint, "hi", max_tokens=1) as reply:
        assert json.load(reply)["model"] == local.DEFAULT_MODEL
