"""Answers held to a schema, from the question to `Reply.data`."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import deepseek_jupyter as ds
from deepseek_jupyter.errors import InvalidResponseError, ParameterError, SchemaMismatchError
from deepseek_jupyter.protocol.deltas import TextDelta
from tests.support.scripted import answer, whole
from tests.support.wording import tool_call


class City(BaseModel):
    """A city."""

    name: str
    people: int
    nick: str = "none"


@dataclasses.dataclass
class Point:
    x: int
    y: int


ULM = {"name": "Ulm", "people": 128_928, "nick": None}


def given(value, name="City", text="", reasoning=None):
    call = tool_call("call_1", name, json.dumps(value))
    return answer(text, reasoning, [call], finish="tool_calls")


def test_deepseek_is_asked_by_a_strict_function_on_beta(session, server):
    server.queue(given(ULM))
    reply = ds.ask("Ulm?", schema=City)
    assert reply.data == City(name="Ulm", people=128_928)
    assert isinstance(reply.data, City)
    (request,) = server.requests
    assert request.path.endswith("/beta/chat/completions")
    (tool,) = request.json["tools"]
    assert tool["function"]["strict"] is True
    assert request.json["tool_choice"]["function"]["name"] == "City"
    assert (reply.finish_reason, reply.tool_calls) == ("stop", ()), "the call is the answer"
    assert server.complaints == []


def test_the_answer_is_json_text_for_people_and_for_the_history(session, server):
    server.queue(given(ULM), answer("Yes."))
    reply = ds.ask("Ulm?", schema=City)
    assert json.loads(reply.text) == {"name": "Ulm", "people": 128_928}
    assert reply.tool_calls == ()
    assert reply.turn.format == "json"
    assert "128928" in reply.bundle()["text/markdown"]
    ds.ask("Sure?")
    messages = server.requests[1].json["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert json.loads(messages[1]["content"])["name"] == "Ulm"
    assert server.complaints == []


def test_the_json_streams_as_it_is_written(session, server):
    server.queue(given(ULM))
    stream = ds.stream("Ulm?", schema=City)
    text = "".join(delta.text for delta in stream if isinstance(delta, TextDelta))
    assert json.loads(text) == ULM
    assert stream.reply.data.name == "Ulm"


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_that_does_not_fit_is_repaired_once(session, server, streamed):
    wrong = {"name": "Ulm", "people": "many", "nick": None}
    if streamed:
        server.queue(given(wrong), given(ULM))
    else:
        calls = [tool_call("c", "City", json.dumps(v)) for v in (wrong, ULM)]
        server.queue(*(whole("", tool_calls=[c], finish="tool_calls") for c in calls))
    reply = ds.ask("Ulm?", schema=City, stream=streamed)
    assert reply.data.people == 128_928
    told = server.requests[1].json["messages"]
    assert told[-2]["tool_calls"][0]["function"]["name"] == "City"
    assert "people" in told[-1]["content"]
    assert any("people" in notice for notice in reply.turn.details)
    assert reply.usage.prompt_tokens == 24, "both requests are counted"
    assert server.complaints == []


def test_what_does_not_fit_twice_is_an_error_that_keeps_the_raw_text(session, server):
    server.queue(answer("It is Ulm."), answer("Ulm, I said."))
    with pytest.raises(SchemaMismatchError, match="not JSON") as caught:
        ds.ask("Ulm?", schema=City)
    assert caught.value.reply.text == "Ulm, I said."
    assert caught.value.reply.usage.prompt_tokens == 24
    assert isinstance(caught.value, InvalidResponseError)
    assert len(server.requests) == 2


def test_on_error_return_gives_the_reply(session, server):
    server.queue(answer("No."), answer("No."))
    reply = ds.ask("Ulm?", schema=City, on_error="return")
    assert isinstance(reply.error, SchemaMismatchError)
    with pytest.raises(SchemaMismatchError):
        _ = reply.data


def test_json_that_was_cut_is_not_asked_for_again(session, server):
    server.queue(answer("", None, [tool_call("c", "City", '{"name": "U')], finish="length"))
    with pytest.raises(SchemaMismatchError, match="cut at the token limit"):
        ds.ask("Ulm?", schema=City)
    assert len(server.requests) == 1


def test_thinking_is_kept_where_the_user_wants_it(session, server):
    server.queue(given(ULM, reasoning="Hm."))
    reply = ds.ask("Ulm?", schema=City, think=True)
    assert server.requests[0].json["tool_choice"] == "auto"
    assert reply.reasoning == "Hm."
    assert reply.data.name == "Ulm"


@pytest.mark.parametrize("provider", ["openrouter", "vllm", "siliconflow", "ollama", "llamacpp"])
def test_other_providers_answer_in_text(session, server, provider, monkeypatch):
    for name in ("OPENROUTER", "SILICONFLOW"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-x")
    session.config.providers = {provider: {"base_url": server.base_url(provider)}}
    server.queue(answer(f"```json\n{json.dumps([{'x': 1, 'y': 2}])}\n```"))
    reply = ds.ask("Points?", schema=list[Point], provider=provider, model="m")
    assert reply.data == [Point(1, 2)]
    form = server.requests[0].json["response_format"]["type"]
    assert form == ("json_object" if provider == "siliconflow" else "json_schema")


def test_an_enum_is_one_of_its_values(session, server):
    server.queue(given({"value": "red"}, "Answer"))
    assert ds.ask("Colour?", schema=Literal["red", "blue"]).data == "red"


def test_records_become_a_frame(session, server):
    rows = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    server.queue(given({"value": rows}, "PointList"))
    reply = ds.ask("Points?", schema=list[Point])
    assert isinstance(reply.frame(), pd.DataFrame)
    assert reply.frame().to_dict("records") == rows
    assert isinstance(reply.frame("polars"), pl.DataFrame)
    assert isinstance(reply.frame("pyarrow"), pa.Table)


def test_a_frame_is_of_the_kind_that_was_attached(session, server):
    server.queue(given({"value": [{"x": 1, "y": 2}]}, "PointList"))
    reply = ds.ask("Points?", schema=list[Point])
    object.__setattr__(reply.turn, "attachments", ({"kind": "frame", "source": "polars"},))
    assert isinstance(reply.frame(), pl.DataFrame)


def test_one_record_is_one_row_and_a_lone_list_its_rows(session, server):
    server.queue(given(ULM), given({"points": [{"x": 1, "y": 2}]}, "Answer"))
    assert len(ds.ask("Ulm?", schema=City).frame()) == 1
    schema = {
        "type": "object",
        "properties": {"points": {"type": "array", "items": {"type": "object"}}},
        "required": ["points"],
    }
    server.forget()
    server.queue(answer('{"points": [{"x": 1}]}'))
    assert ds.ask("Points?", schema=schema).frame().to_dict("records") == [{"x": 1}]


def test_an_answer_without_records_makes_no_frame(session, server):
    server.queue(given({"value": "red"}, "Answer"))
    with pytest.raises(InvalidResponseError, match="no records"):
        ds.ask("Colour?", schema=Literal["red", "blue"]).frame()


def test_a_schema_and_a_response_format_exclude_each_other(session, server):
    server.queue(given(ULM))
    with pytest.raises(ParameterError, match="exclude"):
        ds.ask("Ulm?", schema=City, tool_choice="auto")
    assert server.requests == []


def test_a_type_that_strict_mode_cannot_say_is_asked_for_in_json_mode(session, server):
    server.queue(answer('{"Ulm": "many"}'), answer('{"Ulm": 128928}'))
    reply = ds.ask("People by city?", schema=dict[str, int])
    assert reply.data == {"Ulm": 128_928}, "repaired once like any other answer"
    assert server.requests[0].json["response_format"] == {"type": "json_object"}
    assert any("JSON mode" in notice for notice in reply.turn.notices)
    assert server.complaints == []


async def test_the_async_form_does_the_same(session, server):
    server.queue(given({"name": 1}), given(ULM))
    reply = await ds.aask("Ulm?", schema=City)
    assert reply.data.name == "Ulm"


def test_a_kept_answer_comes_back_typed(session, server):
    server.queue(given(ULM))
    ds.ask("Ulm?", schema=City)
    again = ds.ask("Ulm?", schema=City, new=True, replay="always")
    assert isinstance(again.data, City)
    assert len(server.requests) == 1
