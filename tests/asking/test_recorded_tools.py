"""Recorded exchanges with tools, played by a server, through the real loop.

Single, parallel, sequential and zero-argument calls, calls cut by the token limit, thinking
between calls, streamed and not; of DeepSeek, llama.cpp and OpenRouter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.tools.functions import Tool
from tests.support.histories import flat
from tests.support.recordings import WHY_MISSING, Recording, expected, present, recordings
from tests.support.scripted import Reply, answer, send, whole

pytestmark = pytest.mark.skipif(not present(), reason=WHY_MISSING)

OPEN_END = "That is all."


def sessions() -> Iterator[tuple[str, list[Recording]]]:
    """The recordings of one agent's run each: every request goes on from the one before."""
    files: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings():
        request = recording.request
        if recording.kind != "error" and request and request.get("tools"):
            files[recording.name.partition("#")[0]].append(recording)
    for name, found in files.items():
        begins = [m["role"] for m in found[0].request["messages"]]
        grow = all(
            len(b.request["messages"]) > len(a.request["messages"]) for a, b in pairwise(found)
        )
        calls = any(expected(recording).tool_calls for recording in found)
        if begins in (["user"], ["system", "user"]) and calls:
            yield name, found if grow else found[:1]


SESSIONS = dict(sessions()) if present() else {}


def results_of(found: list[Recording]) -> dict[str, str]:
    """What the recorded agent answered to each call, by the call's id."""
    return {
        message["tool_call_id"]: flat(message["content"])
        for recording in found
        for message in recording.request["messages"]
        if message["role"] == "tool"
    }


class Functions:
    """The tools of a recorded request; each returns what it returned then, in order."""

    def __init__(self, found: list[Recording]) -> None:
        self.ran: list[tuple[str, dict[str, Any]]] = []
        results = results_of(found)
        self._results: dict[str, list[str]] = defaultdict(list)
        for recording in found:
            for id, name, _ in expected(recording).tool_calls:
                self._results[name].append(results.get(id, "ok"))
        self.tools = [self._tool(t["function"]) for t in found[0].request["tools"]]

    def _tool(self, function: dict[str, Any]) -> Tool:
        name = function["name"]

        def call(**arguments: Any) -> str:
            self.ran.append((name, arguments))
            left = self._results[name]
            return left.pop(0) if left else "ok"

        schema = function.get("parameters") or {"type": "object", "properties": {}}
        return Tool(name, function.get("description", ""), schema, call, consent="never needed")


def play(session, server, monkeypatch, found: list[Recording]) -> tuple[ds.Reply, Functions]:
    provider = found[0].provider
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-x")
    session.config.providers = {provider: {"base_url": server.base_url(provider)}}
    for recording in found:
        server.queue(Reply(send(recording.body), content_type=recording.content_type))
    streamed = found[0].kind == "stream"
    if expected(found[-1]).tool_calls and expected(found[-1]).finish_reason != "length":
        server.queue(answer(OPEN_END) if streamed else whole(OPEN_END))
    messages = found[0].request["messages"]
    system = next((flat(m["content"]) for m in messages if m["role"] == "system"), None)
    functions = Functions(found)
    reply = ds.ask(
        flat(messages[-1]["content"]),
        provider=provider,
        model=found[0].request["model"],
        system=system,
        tools=functions.tools,
        stream=streamed,
        on_error="return",
    )
    return reply, functions


@pytest.mark.parametrize("name", SESSIONS)
def test_the_loop_does_what_the_recorded_agent_did(session, server, monkeypatch, name):
    found = SESSIONS[name]
    cut = any(expected(r).finish_reason == "length" for r in found)
    reply, functions = play(session, server, monkeypatch, found)
    asked = [call for recording in found for call in expected(recording).tool_calls]
    if cut:
        assert functions.ran == []
        assert len(server.requests) == 1
        assert reply.finish_reason == "length"
        assert reply.steps == ()
    else:
        assert functions.ran == [(n, json.loads(a) if a.strip() else {}) for _, n, a in asked]
        last = expected(found[-1])
        assert reply.text == (OPEN_END if last.tool_calls else last.text)
        assert [c.id for step in reply.steps for c in step.tool_calls] == [i for i, _, _ in asked]
    assert server.complaints == []


@pytest.mark.parametrize("name", [n for n, found in SESSIONS.items() if len(found) > 1])
def test_what_goes_back_is_what_went_back_then(session, server, monkeypatch, name):
    """Calls, results and, on DeepSeek, thinking of every later request, message by message."""
    found = SESSIONS[name]
    play(session, server, monkeypatch, found)
    for recording, request in zip(found[1:], server.requests[1:], strict=True):
        ours, theirs = (
            [m for m in body["messages"] if m["role"] in ("assistant", "tool")]
            for body in (request.json, recording.request)
        )
        assert [_meaning(m) for m in ours] == [_meaning(m) for m in theirs]
        if found[0].family == "deepseek":
            for message, was in zip(ours, theirs, strict=True):
                if was.get("reasoning_content"):
                    assert message["reasoning_content"] == was["reasoning_content"]


def _meaning(message: dict[str, Any]) -> Any:
    if message["role"] == "tool":
        return message["tool_call_id"], flat(message["content"])
    return [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"] or "{}"))
        for c in message.get("tool_calls") or ()
    ]


def test_the_recordings_hold_every_kind_of_round():
    every = [expected(r) for found in SESSIONS.values() for r in found]
    assert sum(len(e.tool_calls) > 1 for e in every) >= 8, "parallel"
    assert sum(len(found) >= 5 for found in SESSIONS.values()) >= 2, "sequential"
    assert sum(any(a in ("", "{}") for _, _, a in e.tool_calls) for e in every) >= 3, "no arguments"
    assert sum(e.finish_reason == "length" and bool(e.tool_calls) for e in every) >= 10, "cut"
    assert sum(bool(e.reasoning and e.tool_calls) for e in every) >= 5, "thinking"
    assert {"deepseek", "llamacpp", "openrouter"} <= {f[0].family for f in SESSIONS.values()}
