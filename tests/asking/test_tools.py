"""The tool loop, from the question through calls, consent and results to the answer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.conversation.turn import read_record
from deepseek_jupyter.errors import ConfigurationError, ParameterError, PolicyError, ToolError
from deepseek_jupyter.protocol.output import TURN_MIME, unpacked
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.tools.functions import Tool
from tests.support.scripted import answer, whole
from tests.support.wording import tool_call

RAN: list[object] = []


@pytest.fixture(autouse=True)
def _fresh():
    RAN.clear()


def weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    RAN.append(city)
    return f"Sun in {city}."


def broken(city: str) -> str:
    """Fail."""
    raise ZeroDivisionError("by zero in " + city)


async def later(n: int) -> int:
    """Wait."""
    RAN.append(n)
    await asyncio.sleep(0.01)
    return n * 10


def calls(*asked, text="", reasoning=None, finish="tool_calls", **how):
    made = [tool_call(f"call_{i}", name, json.dumps(args)) for i, (name, args) in enumerate(asked)]
    return answer(text, reasoning, made, finish=finish, **how)


def told(server, request=-1) -> list[str]:
    """What the model was told by tool messages."""
    messages = server.requests[request].json["messages"]
    return [m["content"] for m in messages if m["role"] == "tool"]


def test_a_call_runs_and_its_result_goes_back(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer("It is sunny."))
    reply = ds.ask("Weather?", tools=[weather])
    assert reply.text == "It is sunny."
    assert RAN == ["Ulm"]
    assert told(server) == ["Sun in Ulm."]
    (step,) = reply.steps
    assert step.tool_calls[0].name == "weather"
    assert step.results == (("call_0", "Sun in Ulm."),)
    assert step.decisions == (("call_0", "not asked"),)
    assert reply.usage.prompt_tokens == 24
    assert (
        reply.cost
        == 2
        * session.price(session.endpoints.provider()[0], "deepseek-flash").cost(ds_usage()).amount
    )
    assert server.complaints == []


def ds_usage():
    from deepseek_jupyter.protocol.usage import Usage
    from tests.support.wording import USAGE

    return Usage.from_wire(USAGE)


def test_the_tools_are_described_in_every_request(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer("Sun."))
    ds.ask("Weather?", tools=[weather])
    first, second = (request.json["tools"] for request in server.requests)
    assert first == second, "the prefix stays the same for the cache"
    assert first[0]["function"]["parameters"]["properties"]["city"]["description"] == "Where."


def test_each_request_is_built_once(session, server, monkeypatch):
    """The body that is counted and checked is the one that is sent, also after calls."""
    built, chat = [], WIRES["chat"]

    def build(request, dialect):
        built.append(chat.build(request, dialect))
        return built[-1]

    monkeypatch.setitem(WIRES, "chat", replace(chat, build=build))
    server.queue(calls(("weather", {"city": "Ulm"})), answer("Sun."))
    ds.ask("Weather?", tools=[weather])
    assert [one.body for one in built] == [request.json for request in server.requests]


def test_thinking_between_calls_is_sent_back_verbatim(session, server):
    server.queue(
        calls(("weather", {"city": "Ulm"}), text="Let me look.", reasoning="I need the weather."),
        calls(("weather", {"city": "Bonn"}), reasoning="And Bonn."),
        answer("Sun.", "Done."),
    )
    reply = ds.ask("Weather?", tools=[weather])
    messages = server.requests[2].json["messages"]
    assert [m.get("reasoning_content") for m in messages] == [
        None,
        "I need the weather.",
        None,
        "And Bonn.",
        None,
    ]
    assert messages[1]["content"] == "Let me look."
    assert [step.reasoning for step in reply.steps] == ["I need the weather.", "And Bonn."]
    assert reply.reasoning == "Done."
    assert server.complaints == []


def test_the_next_question_remembers_the_calls(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer("Sun."), answer("Still."))
    ds.ask("Weather?", tools=[weather])
    ds.ask("And now?", tools=[weather])
    roles = [m["role"] for m in server.requests[2].json["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert server.complaints == []


def test_parallel_calls_all_run_and_async_ones_at_once(session, server):
    server.queue(
        calls(("weather", {"city": "Ulm"}), ("later", {"n": 1}), ("later", {"n": 2})), answer("Ok.")
    )
    ds.ask("Go.", tools=[weather, later])
    assert told(server) == ["Sun in Ulm.", "10", "20"]


async def test_async_functions_run_on_the_caller_s_loop(session, server):
    here = asyncio.get_running_loop()
    found = []

    async def where() -> str:
        """Say."""
        found.append(asyncio.get_running_loop() is here)
        return "here"

    server.queue(calls(("where", {})), answer("Ok."))
    reply = await ds.aask("Go.", tools=[where])
    assert found == [True]
    assert reply.steps[0].results == (("call_0", "here"),)


def test_sync_functions_run_on_the_caller_s_thread(session, server):
    threads = []

    def where() -> str:
        """Say."""
        threads.append(threading.current_thread())
        return "here"

    server.queue(calls(("where", {})), answer("Ok."))
    ds.ask("Go.", tools=[where])
    assert threads == [threading.current_thread()]


def test_calls_that_never_display_run_side_by_side(session, server):
    barrier = threading.Barrier(2, timeout=60)
    tool = Tool(
        "meet",
        "Meet.",
        {"type": "object", "properties": {}},
        lambda: barrier.wait() is not None,
        consent="never needed",
        on_caller_thread=False,
    )
    server.queue(calls(("meet", {}), ("meet", {})), answer("Ok."))
    ds.ask("Go.", tools=[tool])
    assert told(server) == ["true", "true"]


def test_an_exception_becomes_a_result(session, server):
    server.queue(calls(("broken", {"city": "Ulm"})), answer("It failed."))
    reply = ds.ask("Go.", tools=[broken])
    assert told(server) == ["Error: ZeroDivisionError: by zero in Ulm"]
    assert reply.error is None


@pytest.mark.parametrize("where", ["here", "beside"])
def test_a_call_that_takes_too_long_is_stopped(session, server, where):
    session.config.tool_timeout = 0.2

    def slow() -> None:
        """Sleep."""
        time.sleep(30)

    async def slow_async() -> None:
        """Sleep."""
        await asyncio.sleep(30)

    tool = slow if where == "here" else slow_async
    server.queue(calls((tool.__name__, {})), answer("Ok."))
    ds.ask("Go.", tools=[tool])
    assert "took longer than 0.2 seconds" in told(server)[0]


def test_wrong_arguments_and_unknown_functions_are_told_not_run(session, server):
    server.queue(calls(("weather", {"town": "Ulm"}), ("sunny", {})), answer("Ok."))
    reply = ds.ask("Go.", tools=[weather])
    assert RAN == []
    assert "city: Field required" in told(server)[0]
    assert "no function 'sunny'" in told(server)[1]
    assert {decision for _, decision in reply.steps[0].decisions} == {"not run"}


def test_calls_that_the_limit_cut_never_run(session, server):
    server.queue(calls(("weather", {"city": "Ulm"}), ("weather", {"city": "B"}), finish="length"))
    reply = ds.ask("Go.", tools=[weather])
    assert RAN == []
    assert reply.finish_reason == "length"
    assert any("none of them was run" in notice for notice in reply.turn.notices)
    server.queue(answer("Fine."))
    ds.ask("And?", tools=[weather])
    assert server.complaints == []


@pytest.mark.parametrize(
    "leak",
    [
        '<｜DSML｜function_calls><｜DSML｜invoke name="weather">…',
        '<||DSML||invoke name="weather">',
        '<tool_call>{"name": "weather", "arguments": {"city": "Ulm"}}</tool_call>',
    ],
)
def test_markup_of_a_call_in_the_text_never_runs(session, server, leak):
    server.queue(answer(leak))
    reply = ds.ask("Go.", tools=[weather], approve="always")
    assert RAN == []
    assert any("nothing was run" in notice for notice in reply.turn.notices)


def test_a_call_that_the_model_writes_as_text_is_told_and_never_runs(session, server):
    server.queue(answer('```json\n{"name": "weather", "arguments": {"city": "Ulm"}}\n```'))
    reply = ds.ask("?", tools=[weather])
    assert RAN == []
    assert "The model wrote a call of weather as text; it was not run." in reply.turn.notices
    server.queue(answer('{"name": "weather", "arguments": {"city": "Ulm"}}'))
    plain = ds.ask("How would a call look?")
    assert not any("as text" in notice for notice in plain.turn.notices)


def test_the_rounds_have_a_limit(session, server):
    session.config.tool_steps = 2
    server.queue(*[calls(("weather", {"city": str(n)})) for n in range(3)], answer("Enough."))
    reply = ds.ask("Go.", tools=[weather])
    assert RAN == ["0", "1"]
    assert reply.text == "Enough."
    assert "limit of 2 rounds" in told(server)[-1]
    assert server.requests[3].json["tool_choice"] == "none"
    assert any("stopped after 2 rounds" in notice for notice in reply.turn.notices)
    assert server.complaints == []


def test_a_model_that_will_not_stop_is_stopped(session, server):
    session.config.tool_steps = 1
    server.queue(*[calls(("weather", {"city": str(n)}), text="More!") for n in range(3)])
    reply = ds.ask("Go.", tools=[weather])
    assert RAN == ["0"]
    assert len(server.requests) == 3
    assert reply.text == "More!"


def test_the_budget_holds_for_all_rounds_together(session, server):
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 10, "total_tokens": 1_000_010}
    server.queue(calls(("weather", {"city": "Ulm"}), usage=usage), answer("Sun."))
    with pytest.raises(ConfigurationError, match="budget") as caught:
        ds.ask("Go.", tools=[weather], budget=0.1, max_tokens=100)
    assert len(server.requests) == 1
    assert "the budget is 0.1." in str(caught.value), "as it was given, not what is left of it"
    reply = caught.value.reply
    assert reply.steps[0].results == (("call_0", "Sun in Ulm."),)
    assert reply.usage.prompt_tokens == 1_000_000
    assert reply.text == ""


@pytest.mark.parametrize("rule", ['budget = "0.1 USD"', "budget_tokens = 1000"])
def test_a_policys_budget_holds_between_the_rounds_too(
    session, server, tmp_path, monkeypatch, rule
):
    policy = tmp_path / "deepseek-policy.toml"
    policy.write_text(f"[teaching]\n{rule}\n")
    monkeypatch.setenv("DEEPSEEK_POLICY", str(policy))
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 10, "total_tokens": 1_000_010}
    server.queue(calls(("weather", {"city": "Ulm"}), usage=usage), answer("Sun."))
    with pytest.raises(PolicyError, match="This notebook has") as caught:
        ds.ask("Go.", tools=[weather], max_tokens=100)
    assert len(server.requests) == 1
    assert caught.value.reply.steps[0].results == (("call_0", "Sun in Ulm."),)


def test_a_forced_call_is_forced_once(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer("Sun."))
    ds.ask("Go.", tools=[weather], tool_choice="required")
    assert [r.json["tool_choice"] for r in server.requests] == ["required", "auto"]


def test_a_big_result_is_cut_for_the_model(session, server):
    session.config.tool_rows = 2

    def table() -> pd.DataFrame:
        """Give a table."""
        return pd.DataFrame({"x": range(100)})

    server.queue(calls(("table", {})), answer("Ok."))
    ds.ask("Go.", tools=[table])
    assert told(server) == ["x\n0\n1\n… (the first 2 of 100 rows)"]


def test_results_and_errors_pass_the_gate_and_arguments_come_back_through_it(session, server):
    def find(name: str) -> str:
        """Find."""
        RAN.append(name)
        return f"{name} is here" if len(RAN) == 1 else str(1 / 0) + name

    def fail(name: str) -> str:
        """Fail."""
        raise ValueError(f"no {name}")

    masked, ada = "<email-1>", "ada@example.org"
    queue = (("find", {"name": masked}), ("fail", {"name": masked}))
    server.queue(calls(*queue), answer(f"Found {masked}."))
    reply = ds.ask(f"Find {ada}.", tools=[find, fail])
    assert [ada] == RAN
    assert told(server) == [f"{masked} is here", f"Error: ValueError: no {masked}"]
    assert all(ada.encode() not in request.raw for request in server.requests)
    assert reply.text == f"Found {ada}."
    assert ada in reply.steps[0].results[0][1]


def test_an_interrupt_keeps_the_calls_that_were_made(session, server):
    def stop() -> None:
        """Stop."""
        raise KeyboardInterrupt

    server.queue(calls(("weather", {"city": "Ulm"}), ("stop", {})))
    with pytest.raises(ds.Interrupted) as caught:
        ds.ask("Go.", tools=[weather, stop])
    reply = caught.value.reply
    assert reply.turn.status == "interrupted"
    assert reply.steps[0].results == (("call_0", "Sun in Ulm."),)
    server.queue(answer("Ok."))
    ds.ask("And?")
    assert server.complaints == [], "an unanswered call is left out of the history"


def test_an_answer_that_breaks_off_after_a_call_keeps_both(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer("It is", finish=None, done=False))
    with pytest.raises(ds.DeepSeekError) as caught:
        ds.ask("Go.", tools=[weather])
    assert caught.value.reply.text == "It is"
    assert len(caught.value.reply.steps) == 1


def test_a_plain_request_loops_too(session, server):
    call = tool_call("c", "weather", '{"city": "Ulm"}')
    server.queue(whole("", tool_calls=[call], finish="tool_calls"), whole("Sun."))
    assert ds.ask("Go.", tools=[weather], stream=False).text == "Sun."
    assert RAN == ["Ulm"]


async def test_the_stream_goes_through_all_rounds(session, server):
    server.queue(calls(("weather", {"city": "Ulm"}), text="Look. "), answer("Sun."))
    stream = ds.stream("Go.", tools=[weather])
    texts = [d.text async for d in stream if type(d).__name__ == "TextDelta"]
    assert "".join(texts) == "Look. Sun."
    assert stream.reply.text == "Sun."


def test_tools_and_a_schema_work_together(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})), answer('{"value": ["Sun"]}'))
    reply = ds.ask("Go.", tools=[weather], schema=list[str])
    assert reply.data == ["Sun"]
    assert "JSON schema" in server.requests[0].json["messages"][0]["content"]


def test_after_the_tools_the_form_is_enforced(session, server):
    final = answer("", None, [tool_call("a", "Answer", '{"value": ["Sun"]}')], finish="tool_calls")
    server.queue(calls(("weather", {"city": "Ulm"})), answer("It is sunny."), final)
    reply = ds.ask("Go.", tools=[weather], schema=list[str])
    assert reply.data == ["Sun"]
    assert server.requests[2].json["tools"][0]["function"]["strict"] is True
    assert RAN == ["Ulm"]


def test_the_record_tells_calls_arguments_results_and_decisions(session, server):
    server.queue(calls(("weather", {"city": "Ulm"}), text="Look."), answer("Sun."))
    record = json.loads(json.dumps(ds.ask("Go.", tools=[weather]).turn.record))
    (step,) = record["steps"]
    assert step["answer"] == "Look."
    assert step["tool_calls"] == [
        {"id": "call_0", "name": "weather", "arguments": '{"city": "Ulm"}'}
    ]
    (result,) = map(dict, step["results"])
    assert 0 <= result.pop("seconds") < 10
    assert result == {"id": "call_0", "text": "Sun in Ulm.", "decision": "not asked"}
    assert read_record(record).steps == ds.last.steps
    page = ds.last.bundle()["text/markdown"]
    assert "weather" in page
    assert "Sun in Ulm." in page


def test_wire_tools_stay_the_caller_s_own(session, server):
    server.queue(calls(("weather", {"city": "Ulm"})))
    wire = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    reply = ds.ask("Go.", tools=[wire])
    assert RAN == []
    assert reply.tool_calls[0].name == "weather"


@pytest.mark.parametrize(
    ("tools", "why"),
    [
        (["nobody"], "no function 'nobody'"),
        ([weather, weather], "Two tools"),
        ([3], "not a function"),
        ([lambda x: x], "lambda"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_before_anything_is_sent(session, server, tools, why):
    with pytest.raises(ToolError, match=why):
        ds.ask("Go.", tools=tools)
    assert server.requests == []


def test_an_unknown_approval_is_refused(session):
    with pytest.raises(ParameterError, match="approve cannot be 'maybe'"):
        ds.ask("Go.", tools=[weather], approve="maybe")


def test_the_time_that_the_user_reads_is_not_the_answers(session, server, monkeypatch):
    def slow(*_):
        time.sleep(0.5)
        return "yes"

    monkeypatch.setattr("deepseek_jupyter.asking.consent.by_input", slow)
    server.queue(calls(("weather", {"city": "Ulm"})), answer("Sun."))
    began = time.monotonic()
    reply = ds.ask("Go.", tools=[weather], approve="ask")
    assert time.monotonic() - began > 0.5
    assert reply.timing["total"] < time.monotonic() - began - 0.45


def test_the_record_says_rows_failure_and_time_of_a_call(session, server):
    def rows() -> object:
        return pd.DataFrame({"n": range(60)})

    def failing() -> str:
        raise ValueError("no")

    server.queue(calls(("rows", {}), ("failing", {})), answer("Done."))
    reply = ds.ask("Go.", tools=[rows, failing])
    first, second = reply.turn.record["steps"][0]["results"]
    assert (first["rows"], "failed" in first) == (60, False)
    assert (second["failed"], "rows" in second) == (True, False)
    assert read_record(json.loads(json.dumps(reply.turn.record))).steps == reply.turn.steps
    saved = json.loads(json.dumps(reply.bundle()))
    assert "seconds" not in saved[TURN_MIME]["more"]
    assert unpacked(saved)["steps"][0]["results"][0]["seconds"] == first["seconds"]


def test_a_query_asked_again_is_not_run_again_and_ends_the_rounds(session, server):
    """Small models ask for one query until the limit: the second time they are told, then done."""
    frame = pd.DataFrame({"city": ["Ulm", "Bonn"] * 10})
    count, other = ({"query": f"SELECT count({what}) FROM df"} for what in ("*", "city"))
    asked = [calls(("sql", query)) for query in (count, count, other, count)]
    server.queue(*asked, answer("Twenty."))
    reply = ds.ask("How many?", attach={"df": frame})
    first, again, second, _ = told(server)
    assert "20" in first
    assert "20" in second
    assert again.startswith("not run: this call was made before")
    assert [name for step in reply.steps for _, name in step.decisions].count("not run") == 2
    assert server.requests[4].json["tool_choice"] == "none"
    assert reply.text == "Twenty."
    assert "The model was stopped after 4 rounds of calls." in reply.turn.notices
    assert server.complaints == []
