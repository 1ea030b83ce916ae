"""The examples of the product pages, each as a question, and the whole request that it makes."""

from __future__ import annotations

import pytest

import deepseek_jupyter as ds
from tests.support.asking import KEY
from tests.support.scripted import answer

EXP = "deepseek-v3.2-exp"
WCODE = f"deepseek/{EXP}"
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
USER = {"role": "user", "content": "Hi."}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}

# the page's example -> options, host, the body beyond messages
EXAMPLES = {
    "curl at CometAPI": (
        {"provider": "cometapi", "system": SYSTEM["content"], "max_tokens": 512, "stream": False},
        "cometapi",
        {"model": EXP, "messages": [SYSTEM, USER], "max_tokens": 512},
    ),
    "Python at DeepSeek": (
        {"provider": "deepseek", "model": EXP, "max_tokens": 800, "stream": False},
        "deepseek",
        {"model": EXP, "max_tokens": 800},
    ),
    "thinking at CometAPI": (
        {"provider": "cometapi", "think": True},
        "cometapi",
        {"model": "DeepSeek-V3.2-Exp-thinking", **STREAM},
    ),
    "not thinking at CometAPI": (
        {"provider": "cometapi", "think": False},
        "cometapi",
        {"model": "DeepSeek-V3.2-Exp-nothinking", **STREAM},
    ),
    "streaming": ({"provider": "cometapi"}, "cometapi", {"model": EXP, **STREAM}),
    "the two modes at DeepSeek": (
        {"provider": "deepseek", "model": "deepseek-reasoner", "stream": False},
        "deepseek",
        {"model": "deepseek-reasoner"},
    ),
    "curl at wcode": (
        {"provider": "wcode", "stream": False},
        "wcode",
        {"model": WCODE},
    ),
    "thinking at wcode": (
        {"provider": "wcode", "think": True, "stream": False},
        "wcode",
        {"model": WCODE, "reasoning": {"enabled": True}},
    ),
    "not thinking at wcode": (
        {"provider": "wcode", "think": False, "stream": False},
        "wcode",
        {"model": WCODE, "reasoning": {"enabled": False}},
    ),
    "every parameter of wcode": (
        {
            "provider": "wcode",
            "stream": False,
            **(
                every := {
                    "temperature": 1.0,
                    "top_p": 0.0,
                    "top_k": 0,
                    "frequency_penalty": -2.0,
                    "presence_penalty": 2.0,
                    "repetition_penalty": 1.0,
                    "min_p": 0.0,
                    "top_a": 1.0,
                    "seed": 7,
                    "max_tokens": 100,
                    "logit_bias": {"50256": -100},
                    "logprobs": True,
                    "top_logprobs": 20,
                    "structured_outputs": True,
                    "stop": ["END"],
                    "tool_choice": "auto",
                    "parallel_tool_calls": True,
                    "verbosity": "medium",
                }
            ),
        },
        "wcode",
        {"model": WCODE, **every},
    ),
    "JSON at wcode": (
        {"provider": "wcode", "format": "json", "stream": False},
        "wcode",
        {
            "model": WCODE,
            "messages": [{"role": "user", "content": "Hi.\n\nAnswer with JSON only."}],
            "response_format": {"type": "json_object"},
        },
    ),
}


NAMED = {"type": "function", "function": {"name": "look_up"}}
TOOL = {"type": "function", "function": {**NAMED["function"], "parameters": {"type": "object"}}}
FORM = {
    "type": "json_schema",
    "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": True},
}
for _host, _model in {"deepseek": EXP, "cometapi": EXP, "wcode": WCODE}.items():
    _asked = {"provider": _host, "model": _model, "stream": False}
    EXAMPLES |= {
        f"a stream with usage at {_host}": (
            {"provider": _host, "model": _model},
            _host,
            {"model": _model, **STREAM},
        ),
        f"a function at {_host}": (
            {**_asked, "tools": [TOOL], "tool_choice": "auto"},
            _host,
            {"model": _model, "tools": [TOOL], "tool_choice": "auto"},
        ),
        f"sampling at {_host}": (
            {**_asked, "temperature": 0.2, "stop": "END", "max_tokens": 64},
            _host,
            {"model": _model, "temperature": 0.2, "stop": ["END"], "max_tokens": 64},
        ),
        f"JSON mode with the word at {_host}": (
            {**_asked, "format": "json", "system": "Answer in JSON."},
            _host,
            {
                "model": _model,
                "messages": [{"role": "system", "content": "Answer in JSON."}, USER],
                "response_format": {"type": "json_object"},
            },
        ),
    }
EXAMPLES["a named function at wcode"] = (
    {"provider": "wcode", "stream": False, "tools": [TOOL], "tool_choice": NAMED},
    "wcode",
    {"model": WCODE, "tools": [TOOL], "tool_choice": NAMED},
)
EXAMPLES["a schema at wcode"] = (
    {"provider": "wcode", "stream": False, "response_format": FORM},
    "wcode",
    {"model": WCODE, "response_format": FORM, "structured_outputs": True},
)


@pytest.mark.parametrize(("options", "host", "body"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_whole_request(session, server, monkeypatch, options, host, body):
    session.config.providers = {host: {"base_url": server.base_url(host)}}
    monkeypatch.setenv(f"{host.upper()}_API_KEY", KEY)
    server.queue(answer('{"a": 1}'))
    ds.ask("Hi.", show=False, history=False, **options)
    (request,) = server.requests
    assert request.json == {"messages": [USER], **body}
    assert (request.method, request.path) == ("POST", f"/{host}/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"


def test_a_strict_function_goes_to_the_beta_address(session, server, monkeypatch):
    session.config.providers = {"deepseek": {"base_url": server.base_url("deepseek") + "/v1"}}
    strict = {**TOOL, "function": {**TOOL["function"], "strict": True}}
    server.queue(answer("Fine."))
    ds.ask("Hi.", show=False, history=False, tools=[strict], provider="deepseek", stream=False)
    (request,) = server.requests
    assert request.json == {"model": "deepseek-flash", "messages": [USER], "tools": [strict]}
    assert request.path == "/deepseek/beta/chat/completions"


@pytest.mark.parametrize("host", ["deepseek", "cometapi", "wcode"])
def test_an_answer_with_thinking_goes_on_in_the_next_question(session, server, monkeypatch, host):
    """Several turns, as every page has them; what of the thinking goes back is the host's."""
    session.config.providers = {host: {"base_url": server.base_url(host)}}
    monkeypatch.setenv(f"{host.upper()}_API_KEY", KEY)
    server.queue(answer("Fine.", reasoning="Hm."), answer("Fine."))
    for _ in range(2):
        ds.ask("Hi.", show=False, provider=host, stream=False)
    again = {"role": "assistant", "content": "Fine."}
    again |= {"reasoning_content": "Hm."} if host != "wcode" else {}
    assert server.requests[1].json["messages"] == [USER, again, USER]
