"""A question on each wire, from the settings to the kept turn; and the server's web search."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import errors
from deepseek_jupyter.conversation.journal import default_path
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY
from tests.support.scripted import Reply, send, wait_for
from tests.support.wires import bytes_of, named, reply, responses_events, search, whole_reply
from tests.support.wording import tool_call

WIRES = ("chat", "responses", "messages")
PATHS = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages"}


@pytest.fixture(params=WIRES)
def wire(request, session):
    session.config.wire = request.param
    return request.param


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class TestOnEachWire:
    def test_a_question_is_posted_and_answered(self, wire, server):
        server.queue(reply(wire, "Hello.", "Hm."))
        found = ds.ask("Say hello.")
        assert (found.text, found.reasoning) == ("Hello.", "Hm.")
        sent = server.requests[-1]
        assert sent.path == f"/deepseek{PATHS[wire]}"
        header = ("x-api-key", KEY) if wire == "messages" else ("authorization", f"Bearer {KEY}")
        assert sent.headers[header[0]] == header[1]
        assert [name for name in sent.headers if KEY in sent.headers[name]] == [header[0]]
        assert (sent.headers.get("anthropic-version") == "2023-06-01") is (wire == "messages")

    def test_in_one_piece(self, wire, server):
        server.queue(whole_reply(wire, "Hello."))
        assert ds.ask("Say hello.", stream=False).text == "Hello."

    def test_calls_run_and_their_results_go_back(self, wire, server):
        calls = [tool_call(f"c{n}", "add", json.dumps({"a": n, "b": 1})) for n in (1, 2)]
        server.queue(reply(wire, "", "Hm.", calls, finish="tool_calls"), reply(wire, "Five."))
        assert ds.ask("Add.", tools=[add]).text == "Five."
        assert [text for _, text in ds.last.steps[0].results] == ["2", "3"]
        assert "Hm." in server.requests[-1].raw.decode()

    @pytest.mark.parametrize("restarted", [False, True])
    def test_thinking_of_every_round_goes_back_as_it_came(
        self, wire, session, server, notebook, monkeypatch, restarted
    ):
        rounds = [("Hm.", "sig-1"), ("Ha.", "sig-2"), ("So.", "sig-3")]
        calls = [[tool_call(f"c{n}", "add", '{"a": 1, "b": 1}')] for n in range(2)]
        answers = [("", calls[0], "tool_calls"), ("", calls[1], "tool_calls"), ("Two.", (), "stop")]
        for (text, made, finish), (thought, mark) in zip(answers, rounds, strict=True):
            said = bytes_of(wire, text, thought, made, finish=finish)
            for name in (b"c2lnbmVk", b"rs_1"):
                said = said.replace(name, mark.encode())
            server.queue(Reply(send(said)))
        found = ds.ask("Add.", tools=[add])
        assert "sig-" not in json.dumps(found.bundle())
        if restarted:
            monkeypatch.setattr(sessions, "_session", Session(session.config))
        server.queue(reply(wire, "Yes."))
        ds.ask("Sure?")
        sent = server.requests[-1].json
        if wire == "chat":
            said = [m for m in sent["messages"] if m["role"] == "assistant"]
            back = [
                (m["reasoning_content"], mark) for m, (_, mark) in zip(said, rounds, strict=True)
            ]
        elif wire == "messages":
            said = [b for m in sent["messages"] for b in m["content"] if isinstance(b, dict)]
            back = [(b["thinking"], b["signature"]) for b in said if b["type"] == "thinking"]
        else:
            said = [i for i in sent["input"] if i.get("type") == "reasoning"]
            back = [(i["content"][0]["text"], i["id"]) for i in said]
        assert back == rounds
        with closing(sqlite3.connect(default_path())) as journal:
            (body,) = journal.execute(
                "SELECT body FROM bodies JOIN turns USING (key) WHERE id = ?", (found.turn.id,)
            ).fetchone()
        assert [body.count(mark) for _, mark in rounds] == ([0] if wire == "chat" else [1]) * 3

    def test_a_conversation_may_change_its_wire(self, session, server):
        for at, name in enumerate(WIRES):
            session.config.wire = name
            server.queue(reply(name, f"Answer {at}.", f"Thought {at}."))
            ds.ask(f"Question {at}?")
        last = server.requests[-1].json
        roles = [m["role"] for m in last["messages"]]
        assert roles == ["user", "assistant", "user", "assistant", "user"]
        assert "Answer 1." in json.dumps(last)
        assert "Thought 1." in json.dumps(last)

    def test_one_question_is_one_turn_on_two_wires(self, session, server):
        kept = []
        for name in WIRES:
            session.config.wire = name
            server.queue(reply(name, "Blue.", "Hm."))
            kept.append(ds.ask("Which colour?", new=True).record)
        differ = ("id", "created", "conversation", "timing", "footer", "branch", "audit")
        same = [{n: v for n, v in r.items() if n not in differ} for r in kept]
        for record in same:  # the messages wire does not tell them apart
            del record["usage"]["reasoning_tokens"]
        assert same[0] == same[1] == same[2]
        assert len({r["request_hash"] for r in kept}) == 1

    def test_an_answer_kept_on_one_wire_is_replayed_on_another(self, session, server):
        server.queue(reply("chat", "Blue."))
        ds.ask("Which colour?")
        session.config.wire = "messages"
        assert ds.ask("Which colour?", new=True, replay="always").text == "Blue."
        assert len(server.requests) == 1

    def test_a_refusal_keeps_no_key(self, wire, server):
        body = {"type": "error", "error": {"type": "authentication_error", "message": f"no {KEY}"}}
        server.queue(Reply(send(json.dumps(body)), status=401, content_type="application/json"))
        with pytest.raises(errors.AuthenticationError) as told:
            ds.ask("Hi.")
        assert KEY not in str(told.value)

    def test_an_answer_that_breaks_off_is_kept(self, wire, server):
        whole = reply(wire, "A long answer.").steps
        data = b"".join(step.data for step in whole)
        server.queue(Reply(send(data[: data.index(b'"ng a')])))
        with pytest.raises(errors.TruncatedError):
            ds.ask("Hi.")
        assert ds.last.text == "A lo"

    def test_a_dry_run_shows_what_is_posted(self, wire):
        shown = ds.ask("Say hello.", dry_run=True)
        assert "Say hello." in str(shown)
        body = json.loads(shown.payload)
        for form in ("curl", "python"):
            code = str(shown.as_code(form))
            assert PATHS[wire] in code
            assert ("x-api-key" in code) is (wire == "messages")
            assert ("anthropic-version" in code) is (wire == "messages")
        key = {"chat": "messages", "messages": "messages", "responses": "input"}[wire]
        assert body[key][-1] == {"role": "user", "content": "Say hello."}

    def test_a_schema(self, wire, server):
        shown = json.loads(ds.ask("Two numbers.", schema=list[int], dry_run=True).payload)
        if wire == "responses":
            form = shown["text"]["format"]
            assert (form["type"], form["strict"]) == ("json_schema", True)
            name = next(iter(form["schema"]["properties"]))
            server.queue(reply(wire, json.dumps({name: [1, 2]})))
        else:
            function = shown["tools"][0].get("function") or shown["tools"][0]
            schema = function.get("parameters") or function["input_schema"]
            said = json.dumps({next(iter(schema["properties"])): [1, 2]})
            calls = [tool_call("c", function["name"], said)]
            server.queue(reply(wire, "", None, calls, finish="tool_calls"))
        assert ds.ask("Two numbers.", schema=list[int]).data == [1, 2]

    def test_a_wire_that_a_provider_has_not(self, session):
        session.config.wire = "responses"
        session.config.providers = {"siliconflow": {"key_variables": "DEEPSEEK_API_KEY"}}
        with pytest.raises(errors.ConfigurationError, match="responses") as told:
            ds.ask("Hi.", provider="siliconflow")
        assert "chat" in told.value.hint

    def test_a_profile_names_its_wire(self, session, server):
        own = {"like": "deepseek", "base_url": server.base_url(), "wire": "messages"}
        session.config.providers = {"mine": {**own, "key_variables": "DEEPSEEK_API_KEY"}}
        server.queue(reply("messages", "Hello."))
        assert ds.ask("Hi.", provider="mine").text == "Hello."
        assert server.requests[-1].path.endswith("/messages")


PAGES = (("On <b>giraffes</b>", "https://example.org/g"), ("Sleep", "https://example.com/s?q=1"))
CITED = {"type": "url_citation", "url": "https://example.org/g", "title": "On giraffes"}


def searched(text: str = "They sleep little.") -> list[dict]:
    events = responses_events(text, before=[search("giraffe sleep", *PAGES)])
    cited = {"type": "response.output_text.annotation.added", "annotation": CITED}
    return [*events[:-1], cited, events[-1]]


@pytest.mark.usefixtures("session")
class TestTheWebSearch:
    def test_is_a_step_with_its_pages_by_title_and_host(self, server):
        server.queue(Reply(send(*map(named, searched()))))
        found = ds.ask("How do giraffes sleep?", web=True)
        sent = server.requests[-1]
        assert sent.path.endswith("/responses")
        assert sent.json["tools"] == [{"type": "web_search"}]
        step = found.steps[0]
        assert [(c.name, json.loads(c.arguments)) for c in step.tool_calls] == [
            ("web_search", {"query": "giraffe sleep"})
        ]
        pages = step.results[0][1]
        assert pages == "On <b>giraffes</b> (example.org)\nSleep (example.com)"
        assert step.decisions == (("ws_1", "by the server"),)

    def test_is_cited_below_the_answer_and_priced_before(self, server):
        server.queue(Reply(send(*map(named, searched()))))
        notices = ds.ask("How do giraffes sleep?", web=True).record["notices"]
        assert "30,000 tokens, about 0.0" in notices[0]
        assert notices[-1] == "Cited: On giraffes (example.org)"

    def test_a_page_is_shown_without_link_or_markup(self, server, session):
        from deepseek_jupyter.display.render import final_bundle

        server.queue(Reply(send(*map(named, searched()))))
        shown = final_bundle(ds.ask("How?", web=True).record, seen=True)["text/markdown"]
        assert "<b>" not in shown
        assert "https://" not in shown
        assert "giraffe sleep" in shown

    def test_is_not_sent_again_with_the_history(self, server):
        server.queue(Reply(send(*map(named, searched()))), reply("chat", "Yes."))
        ds.ask("How do giraffes sleep?", web=True)
        ds.ask("Sure?")
        assert "web_search" not in server.requests[-1].raw.decode()
        assert "They sleep little." in server.requests[-1].raw.decode()

    def test_is_replayed_offline(self, server):
        server.queue(Reply(send(*map(named, searched()))))
        first = ds.ask("How do giraffes sleep?", web=True)
        again = ds.ask("How do giraffes sleep?", web=True, new=True, replay="always")
        assert len(server.requests) == 1
        assert (again.text, again.steps) == (first.text, first.steps)
        assert "Cited: On giraffes (example.org)" in again.record["notices"]
        with pytest.raises(errors.DeepSeekError):  # without the search it is another question
            ds.ask("How do giraffes sleep?", new=True, replay="always")

    def test_may_be_stopped_in_its_middle(self, server):
        never = threading.Event()
        item = {**search("giraffe sleep", *PAGES), "status": "in_progress"}
        begun = [*responses_events("")[:2], {"type": "response.output_item.added", "item": item}]
        server.queue(Reply(send(*map(named, begun)), wait_for(never)))
        got = ds.stream("How do giraffes sleep?", web=True)
        deltas = iter(got)
        assert next(deltas).query == "giraffe sleep"
        deltas.close()
        assert server.requests[-1].closed.wait(60)
        assert got.reply.record["status"] == "interrupted"
        assert got.reply.steps[0].results == ()

    def test_goes_with_functions(self, server):
        call = [tool_call("c1", "add", '{"a": 1, "b": 2}')]
        events = responses_events("", None, call, before=[search("numbers")])
        server.queue(Reply(send(*map(named, events))), reply("responses", "Three."))
        found = ds.ask("Add.", web=True, tools=[add])
        assert [s.tool_calls[0].name for s in found.steps] == ["web_search", "add"]
        assert server.requests[-1].json["tools"][-1] == {"type": "web_search"}

    def test_a_dry_run_says_that_the_question_may_go_out(self):
        shown = str(ds.ask("How?", web=True, dry_run=True))
        assert "web_search" in shown
        assert "may go to a web search" in shown

    def test_counts_in_the_budget(self, session):
        with pytest.raises(errors.ConfigurationError, match="may cost up to"):
            ds.ask("How?", web=True, think=False, max_tokens=10, budget=0.001)
        shown = ds.ask("How?", think=False, max_tokens=10, budget=0.001, dry_run=True)
        assert shown

    def test_a_policy_file_may_forbid_it(self, policy, server):
        policy('[teaching]\nforbid_tools = ["web_search"]\n')
        with pytest.raises(errors.PolicyError, match="web_search"):
            ds.ask("How?", web=True)
        assert not server.requests

    def test_is_refused_where_no_server_searches(self, session):
        session.config.providers = {"vllm": {"base_url": "http://127.0.0.1:1/v1"}}
        with pytest.raises(errors.ConfigurationError, match="no web search"):
            ds.ask("How?", web=True, provider="vllm")

    def test_goes_on_to_no_fallback_without_a_search(self, session, server):
        session.config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
        session.config.fallback = ["vllm:m"]
        server.queue(Reply(send(*map(named, searched()))))
        notices = ds.ask("How do giraffes sleep?", web=True).record["notices"]
        assert any("vllm:m is skipped" in notice for notice in notices)


def test_code_posts_to_the_address_of_the_wire(session, server):
    session.config.providers = {"deepseek": {"base_url": "https://api.deepseek.com/anthropic"}}
    session.config.base_url = "https://api.deepseek.com/anthropic"
    code = str(ds.ask("Say hello.", provider="deepseek", dry_run=True).as_code("curl"))
    assert "https://api.deepseek.com/anthropic/v1/messages" in code
    assert not server.requests
