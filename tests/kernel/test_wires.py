"""One question on each wire through a real kernel, and a web search that is seen in its cell."""

from __future__ import annotations

import json
import threading

import pytest

from tests.support.scripted import Reply, send, wait_for
from tests.support.wires import named, reply, responses_events, search
from tests.support.wording import tool_call

PATHS = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages"}
PAGE = ("On giraffes", "https://example.org/g")


@pytest.mark.parametrize("wire", PATHS)
def test_a_cell_asks_thinks_calls_and_answers(kernel, server, wire):
    kernel.run(f"%config DeepSeek.wire = {wire!r}\ndef add(a: int, b: int): return a + b")
    call = tool_call("c1", "add", json.dumps({"a": 2, "b": 3}))
    server.queue(reply(wire, "", "Hm.", [call], finish="tool_calls"), reply(wire, "**Five.**"))
    ran = kernel.run("%%ds --tools add\nTwo and three?")
    assert ran.ok, ran.error
    assert {r.path for r in server.requests} == {f"/deepseek{PATHS[wire]}"}
    assert "**Five.**" in ran.bundles[-1]["text/markdown"]
    assert kernel.value("ds.last.steps[0].results[0][1]") == "5"
    assert kernel.value("ds.last.usage.prompt_tokens") == 24


def test_a_search_is_seen_and_what_it_found_is_cited(kernel, server):
    cited = {"type": "url_citation", "url": PAGE[1], "title": PAGE[0]}
    note = {"type": "response.output_text.annotation.added", "annotation": cited}
    events = responses_events("They sleep little.", before=[search("giraffe sleep", PAGE)])
    server.queue(Reply(send(*map(named, [*events[:-1], note, events[-1]]))))
    ran = kernel.run("%%ds --web\nHow do giraffes sleep?")
    assert ran.ok, ran.error
    page = ran.bundles[-1]["text/markdown"]
    assert "<summary>web_search" in page
    assert "giraffe sleep" in page
    assert "On giraffes (example.org)" in page
    assert "30,000 tokens" in page


def test_a_search_may_be_stopped(kernel, server):
    item = {**search("giraffe sleep", PAGE), "status": "in_progress"}
    begun = [*responses_events("")[:2], {"type": "response.output_item.added", "item": item}]
    server.queue(Reply(send(*map(named, begun)), wait_for(threading.Event())))
    stopper = threading.Thread(target=lambda: (server.wait_for_requests(1), kernel.interrupt()))
    stopper.start()
    ran = kernel.run("%%ds --web\nHow do giraffes sleep?")
    stopper.join()
    assert ran.error is not None
    assert server.requests[-1].closed.wait(60)
    assert kernel.value("ds.last.record['status']") == "interrupted"
