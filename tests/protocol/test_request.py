"""The body that goes out, for every provider.

Whole bodies are files in tests/data/requests, so that reviewing is reading. After a change that
is meant: ``UPDATE_GOLDEN=1 pytest tests/protocol/test_request.py``, then read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.messages import Message, ToolCall, assistant, system, tool, user
from deepseek_jupyter.protocol.request import (
    Built,
    ChatRequest,
    build,
    encoded,
    insisting_on_json,
    join_url,
    repair,
    thinks,
)
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.validator import complaint

GOLDEN = Path(__file__).parents[1] / "data" / "requests"
DEEPSEEK = PROVIDERS["deepseek"].dialect
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
HISTORY = (
    system("Be brief."),
    user("Is it raining in Paris?"),
    assistant("", reasoning="I ask.", tool_calls=[ToolCall("c1", "weather", '{"city": "Paris"}')]),
    tool("Rain.", "c1"),
    assistant("Yes.", reasoning="It does."),
    user("And in Rome?"),
)
# Every parameter a user may set, with an ordinary value; each provider gets those it takes.
VALUES: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.05,
    "top_a": 0.1,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "repetition_penalty": 1.1,
    "seed": 7,
    "max_tokens": 8000,
    "stop": "END",
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "response_format": {"type": "text"},
    "structured_outputs": True,
    "tools": [WEATHER],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "verbosity": "low",
    "user_id": "me_1",
}
MODES = {"deepseek": {"think": True, "effort": "high"}, "cometapi": {"think": True}}
MODELS = {"cometapi": "DeepSeek-V3.2-Exp-thinking"}


def bodies(name: str) -> dict[str, Any]:
    """The bodies that stand in the golden file of provider `name`."""
    provider = PROVIDERS[name]
    model = MODELS.get(name, provider.default_model or "a-model")
    taken = {n: v for n, v in VALUES.items() if n in provider.dialect.rows}
    mode: dict[str, Any] = MODES.get(name, {"think": True})
    requests = {
        "a question": ChatRequest(model, [user("Say hello.")]),
        "not streamed, not thinking": ChatRequest(
            model if name != "cometapi" else "DeepSeek-V3.2-Exp-nothinking",
            [user("Say hello.")],
            think=False,
            stream=False,
        ),
        "everything": ChatRequest(model, HISTORY, taken, **mode),
    }
    return {what: build(request, provider.dialect).body for what, request in requests.items()}


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_s_bodies_are_the_golden_ones(name):
    path = GOLDEN / f"{name}.json"
    built = bodies(name)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(built, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert built == json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", ["deepseek", "cometapi", "siliconflow"])
def test_deepseek_s_own_validator_accepts_them(name):
    """Hosts that pass the fields on to DeepSeek are held to its rules too."""
    for body in bodies(name).values():
        assert complaint(body) is None


def built(*messages: Message, dialect: Any = DEEPSEEK, **request: Any) -> Built:
    model = request.pop("model", "deepseek-flash")
    found = build(ChatRequest(model, messages or (user("q"),), **request), dialect)
    if dialect is DEEPSEEK:
        assert complaint(found.body) is None
    return found


class TestWhatIsSent:
    def test_only_what_was_set(self):
        assert built(stream=False).body == {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": "q"}],
        }

    def test_usage_is_asked_for_when_streaming_and_only_then(self):
        """DeepSeek refuses stream_options without stream."""
        assert built().body["stream_options"] == {"include_usage": True}
        assert "stream_options" not in built(stream=False).body

    @pytest.mark.parametrize(
        "model",
        [
            "deepseek-flash",
            "deepseek-v4-pro",
            "deepseek-chat",
            "deepseek-reasoner",
            "deepseek-v3.2-exp",
            "DeepSeek-V3.2-Exp-thinking",
            "DeepSeek-V3.2-Exp-nothinking",
            "deepseek/deepseek-v3.2-exp",
            "hf.co/anything:Q4_K_M",
        ],
    )
    @pytest.mark.parametrize("name", PROVIDERS)
    def test_model_ids_go_through_letter_by_letter(self, name, model):
        assert built(dialect=PROVIDERS[name].dialect, model=model).body["model"] == model

    def test_the_same_history_gives_the_same_bytes_and_a_longer_one_the_same_prefix(self):
        """The provider's cache works by prefix."""
        short = json.dumps(built(*HISTORY).body["messages"])[:-1]
        longer = json.dumps(built(*HISTORY, assistant("Dry."), user("Sure?")).body["messages"])
        assert longer.startswith(short)

    def test_user_id_only_if_asked(self):
        assert "user_id" not in built().body
        assert built(parameters={"user_id": "x"}).body["user_id"] == "x"

    def test_extra_fields_are_merged_last_and_unchecked(self):
        body = built(dialect=PROVIDERS["vllm"].dialect, extra={"guided_regex": "a+", "model": "b"})
        assert body.body["guided_regex"] == "a+"
        assert body.body["model"] == "b"

    def test_nothing_to_say_is_refused(self):
        for messages in ([], [tool("orphan", "c")], [assistant("")]):
            with pytest.raises(ParameterError):
                build(ChatRequest("m", messages), DEEPSEEK)

    def test_no_model_is_refused(self):
        with pytest.raises(ParameterError, match="model"):
            build(ChatRequest("", [user("q")]), DEEPSEEK)


class TestReplay:
    """What of earlier thinking goes back, and where."""

    CALLED = assistant("", tool_calls=[ToolCall("c1", "f", "{}")])

    def sent(self, message: Message, name: str = "deepseek", model: str = "deepseek-flash") -> Any:
        after = [tool("r", "c1")] if message.tool_calls else []
        dialect = PROVIDERS[name].dialect
        return built(user("q"), message, *after, user("r"), dialect=dialect, model=model).body[
            "messages"
        ][1]

    def test_verbatim_on_every_assistant_turn_at_deepseek(self):
        assert self.sent(assistant("a", reasoning=" Hm.\n"))["reasoning_content"] == " Hm.\n"

    def test_empty_thinking_goes_back_empty(self):
        assert self.sent(assistant("a", reasoning=""))["reasoning_content"] == ""

    def test_a_turn_without_thinking_stays_without(self):
        assert "reasoning_content" not in self.sent(assistant("a"))

    def test_a_call_without_thinking_gets_an_empty_one(self):
        assert self.sent(self.CALLED)["reasoning_content"] == ""

    @pytest.mark.parametrize("model", ["deepseek-r1", "deepseek-ai/DeepSeek-R1", "x/r1-0528"])
    def test_r1_hosts_refuse_it_so_it_is_stripped(self, model):
        assert "reasoning_content" not in self.sent(assistant("a", reasoning="x"), model=model)

    def test_a_model_whose_name_only_contains_r1_is_no_r1(self):
        sent = self.sent(assistant("a", reasoning="x"), model="super1-chat")
        assert sent["reasoning_content"] == "x"

    @pytest.mark.parametrize("name", ["vllm", "sglang", "ollama", "llamacpp", "local"])
    def test_self_hosted_models_get_none(self, name):
        assert "reasoning_content" not in self.sent(assistant("a", reasoning="x"), name)

    @pytest.mark.parametrize("name", ["openrouter", "wcode"])
    def test_openrouter_gets_its_details_back_unmodified(self, name):
        details = ({"type": "reasoning.text", "text": "Hm", "signature": "s"},)
        message = Message("assistant", "a", "Hm", reasoning_details=details)
        sent = self.sent(message, name)
        assert sent["reasoning_details"] == list(details)
        assert "reasoning_content" not in sent

    def test_content_is_never_null_and_calls_never_empty(self):
        sent = self.sent(self.CALLED)
        assert sent["content"] == ""
        assert "tool_calls" not in self.sent(assistant("a"))


class TestRepair:
    """One automatic repair on that 400."""

    def test_replay_is_flipped(self):
        message = "The `reasoning_content` in the thinking mode must be passed back to the API."
        assert repair(message, PROVIDERS["vllm"].dialect).replay == "reasoning_content"
        assert repair("reasoning_content not allowed", DEEPSEEK).replay == "none"

    def test_empty_content_becomes_a_blank_once(self):
        mended = repair("all messages must have non-empty content", DEEPSEEK)
        assert mended.blank_content == " "
        assert repair("all messages must have non-empty content", mended) is None

    def test_other_refusals_are_not_repaired(self):
        assert repair("Invalid temperature", DEEPSEEK) is None


class TestThinking:
    @pytest.mark.parametrize(
        ("values", "thinking"),
        [
            ({}, True),
            ({"thinking": {"type": "disabled"}}, False),
            ({"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, True),
            ({"reasoning_effort": "none"}, False),
            ({"enable_thinking": False}, False),
            ({"chat_template_kwargs": {"thinking": False}}, False),
            ({"reasoning": {"enabled": False}}, False),
            ({"reasoning": {"effort": "none"}}, False),
            ({"reasoning": {"effort": "high"}}, True),
        ],
    )
    def test_whether_the_model_will_think(self, values, thinking):
        assert thinks(values, DEEPSEEK) is thinking

    def test_what_the_mode_ignores_is_sent_and_said(self):
        found = built(parameters={"temperature": 0.5, "top_p": 0.5, "presence_penalty": 1})
        assert found.body["temperature"] == 0.5
        assert [n.split()[0] for n in found.notices] == ["In", "In", "presence_penalty"]
        quiet = built(parameters={"temperature": 0.5}, think=False)
        assert quiet.notices == ()

    def test_small_max_tokens_with_thinking_is_warned_about(self):
        assert "max_tokens" in built(parameters={"max_tokens": 500}).notices[0]
        assert built(parameters={"max_tokens": 5000}).notices == ()
        assert built(parameters={"max_tokens": 500}, think=False).notices == ()

    def test_a_param_and_a_flag_for_one_thing_are_refused(self):
        with pytest.raises(ParameterError, match="thinking"):
            built(parameters={"thinking": {"type": "enabled"}}, think=True)

    def test_template_settings_are_joined(self):
        found = built(
            dialect=PROVIDERS["sglang"].dialect,
            parameters={"chat_template_kwargs": {"tone": "dry"}},
            think=True,
        )
        assert found.body["chat_template_kwargs"] == {"tone": "dry", "thinking": True}


class TestForcedTools:
    """DeepSeek's thinking mode refuses a forced tool choice."""

    FORCED: tuple[Any, ...] = ("required", {"type": "function", "function": {"name": "weather"}})

    @pytest.mark.parametrize("choice", FORCED)
    def test_thinking_nobody_asked_for_goes(self, choice):
        found = built(parameters={"tools": [WEATHER], "tool_choice": choice})
        assert found.body["thinking"] == {"type": "disabled"}
        assert found.body["tool_choice"] == choice
        assert "Thinking was switched off" in found.notices[0]

    @pytest.mark.parametrize("choice", FORCED)
    def test_thinking_that_was_asked_for_stays(self, choice):
        found = built(parameters={"tools": [WEATHER], "tool_choice": choice}, think=True)
        assert found.body["tool_choice"] == "auto"
        assert found.notices

    def test_without_thinking_nothing_changes(self):
        found = built(parameters={"tools": [WEATHER], "tool_choice": "required"}, think=False)
        assert found.body["tool_choice"] == "required"
        assert found.notices == ()


class TestJSON:
    """DeepSeek refuses JSON mode unless a message says "json"."""

    MODE: ClassVar = {"parameters": {"response_format": {"type": "json_object"}}}

    def test_the_word_is_added_where_it_is_missing(self):
        assert "JSON" in built(user("Colours?"), **self.MODE).body["messages"][-1]["content"]

    def test_it_is_not_added_where_it_stands(self):
        assert built(user("As json."), **self.MODE).body["messages"][-1]["content"] == "As json."

    def test_after_a_tool_turn_too(self):
        body = built(*HISTORY[:4], **self.MODE).body
        assert "JSON" in body["messages"][1]["content"]
        assert body["messages"][-1]["role"] == "tool"

    def test_even_when_only_the_assistant_spoke(self):
        assert built(assistant("Hello."), **self.MODE).body["messages"][0]["role"] == "user"

    def test_hosts_without_that_rule_get_the_prompt_as_it_is(self):
        body = built(user("Colours?"), dialect=PROVIDERS["ollama"].dialect, **self.MODE).body
        assert body["messages"] == [{"role": "user", "content": "Colours?"}]

    def test_insisting_adds_a_last_word(self):
        asked = insisting_on_json(ChatRequest("m", [user("q")]))
        assert "JSON" in asked.messages[-1].content


class TestBeta:
    """Only prefix completion and strict tools go to the beta URL."""

    def test_a_plain_request_does_not(self):
        assert not built(parameters={"tools": [WEATHER]}).beta

    def test_a_prefix_does(self):
        assert built(user("q"), Message("assistant", "```python\n", prefix=True)).beta

    def test_strict_tools_do(self):
        strict = {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {}}}
        assert built(parameters={"tools": [{"type": "function", "function": strict}]}).beta

    def test_hosts_without_beta_never_do(self):
        found = built(
            user("q"),
            Message("assistant", "a", prefix=True),
            dialect=PROVIDERS["openrouter"].dialect,
        )
        assert not found.beta


class TestURL:
    """Any base URL, joined once."""

    @pytest.mark.parametrize(
        ("base", "url"),
        [
            ("https://api.deepseek.com", "https://api.deepseek.com/chat/completions"),
            ("https://api.deepseek.com/", "https://api.deepseek.com/chat/completions"),
            ("https://api.deepseek.com/v1/", "https://api.deepseek.com/v1/chat/completions"),
            (" https://x.y/gateway/v1 ", "https://x.y/gateway/v1/chat/completions"),
            (
                "https://api.deepseek.com/chat/completions",
                "https://api.deepseek.com/chat/completions",
            ),
        ],
    )
    def test_base_and_path_meet_once(self, base, url):
        assert join_url(base, "/chat/completions") == url

    @pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/beta"])
    def test_beta_replaces_v1(self, base):
        provider = PROVIDERS["deepseek"].derive(base_url="https://h" + base)
        assert provider.beta_url == "https://h/beta"


def test_what_json_cannot_say_is_refused_before_it_is_sent():
    for value in (float("nan"), float("inf")):
        request = ChatRequest("m", [user("x")], extra={"top": [value]})
        with pytest.raises(ParameterError, match="cannot be written as JSON") as told:
            encoded(build(request, Dialect()).body)
        assert "extra_body" in told.value.hint


def test_half_a_character_in_the_prompt_goes_out_as_the_sign_for_it():
    body = build(ChatRequest("m", [user("a\ud83d b \ud83d\ude00")]), Dialect()).body
    sent = json.loads(encoded(body))
    assert sent["messages"][0]["content"] == "a\ufffd b \U0001f600"


@pytest.mark.parametrize("tools", [[{"type": "web_search"}], [{"type": "custom", "x": 1}]])
def test_tools_of_another_type_are_left_to_the_server(tools):
    assert build(ChatRequest("m", [user("x")], {"tools": tools}), Dialect()).body["tools"] == tools


def test_temperature_beside_top_p_is_told():
    def notices(**parameters):
        request = ChatRequest("deepseek/deepseek-v3.2-exp", [user("Q")], parameters=parameters)
        return build(request, PROVIDERS["wcode"].dialect).notices

    assert any("set one of them" in said for said in notices(temperature=0.5, top_p=0.5))
    assert not notices(temperature=0.5)
    assert not notices(top_p=0.5)
