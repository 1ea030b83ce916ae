"""The wires side by side: one request in the words of each, one answer out of the bytes of each."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.deltas import Completion, Search, WebPage
from deepseek_jupyter.protocol.messages import Message, ToolCall, assistant, system, tool, user
from deepseek_jupyter.protocol.request import ChatRequest
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support import validator
from tests.support.fuzzing import FUZZING
from tests.support.validator import refused
from tests.support.wires import BODIES, bytes_of, named, responses_events, search
from tests.support.wording import USAGE, tool_call

ALL = ("chat", "responses", "messages")
CALLS = [tool_call("c1", "add", '{"a": 1, "b": "é"}'), tool_call("c2", "now", "{}")]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("add", "now")
]
WHOLE = {
    "plain": (("Hello, world 😀.", None, ()), "stop"),
    "thinking": (("Four.", "Two and two.", ()), "stop"),
    "calls": (("I look.", "Hm.", CALLS), "tool_calls"),
    "calls alone": (("", None, CALLS), "tool_calls"),
    "cut": (("Once upon", None, ()), "length"),
    "thought alone": (("", "Hm, hm.", ()), "length"),
}


@pytest.fixture(params=ALL)
def wire(request):
    return request.param


def dialect(wire: str, provider: str = "deepseek"):
    return PROVIDERS[provider].speaking(wire).dialect


def read(wire: str, *parts: bytes) -> Completion:
    stream = WIRES[wire].stream(dialect(wire))
    for part in parts:
        stream.feed(part)
    stream.close()
    assert not stream.unparsable
    return stream.completion


def built(wire: str, *messages: Message, provider: str = "deepseek", **how):
    request = ChatRequest(how.pop("model", "deepseek-flash"), messages or (user("Hi."),), **how)
    return WIRES[wire].build(request, dialect(wire, provider))


def posted(wire: str, *messages: Message, **how) -> dict:
    return json.loads(built(wire, *messages, **how).payload)


def facts(found: Completion):
    """What must be equal on all wires."""
    said = found.answer, found.reasoning or None, found.finish_reason, found.usage, found.model
    return said, tuple((c.id, c.name, json.loads(c.arguments)) for c in found.tool_calls)


@pytest.mark.parametrize("case", WHOLE)
class TestOneAnswer:
    def test_is_the_same_on_every_wire(self, wire, case):
        said, finish = WHOLE[case]
        found = read(wire, bytes_of(wire, *said, finish=finish))
        calls = tuple((c["id"], c["function"]["name"]) for c in said[2])
        assert found.answer == said[0]
        assert found.reasoning == said[1]
        assert [(c.id, c.name) for c in found.tool_calls] == list(calls)
        assert found.finish_reason == finish
        assert found.usage is not None
        assert (found.usage.prompt_tokens, found.usage.cache_hit_tokens) == (12, 4)
        assert found.ended
        assert found.model == "deepseek-flash"

    def test_is_the_same_in_one_piece(self, wire, case):
        said, finish = WHOLE[case]
        whole = WIRES[wire].parse(BODIES[wire](*said, finish), dialect(wire))
        assert whole is not None
        streamed = read(wire, bytes_of(wire, *said, finish=finish))
        assert facts(whole) == facts(streamed)
        assert whole.reasoning_details == streamed.reasoning_details

    def test_may_be_cut_at_every_byte(self, wire, case):
        said, finish = WHOLE[case]
        data = bytes_of(wire, *said, finish=finish)
        expected = read(wire, data)
        for at in range(1, len(data), 1 if FUZZING else 7):
            assert read(wire, data[:at], data[at:]) == expected
        assert read(wire, *(data[at : at + 1] for at in range(len(data)))) == expected
        draw = random.Random(1)
        ends = sorted(draw.sample(range(len(data)), 9))
        assert read(wire, *(data[a:b] for a, b in pairwise([0, *ends, len(data)]))) == expected

    def test_that_breaks_off_anywhere_is_a_beginning_of_it(self, wire, case):
        said, finish = WHOLE[case]
        data = bytes_of(wire, *said, finish=finish)
        expected = read(wire, data)
        for at in range(0, len(data) - 1, 7):
            stream = WIRES[wire].stream(dialect(wire))
            stream.feed(data[:at])
            stream.close()
            found = stream.completion
            assert expected.answer.startswith(found.answer)
            assert (expected.reasoning or "").startswith(found.reasoning or "")
            if found.ended:
                assert (found.answer, found.finish_reason) == (expected.answer, finish)


class TestTheEnd:
    def test_reading_stops_at_the_last_event(self, wire):
        stream = WIRES[wire].stream(dialect(wire))
        stream.feed(bytes_of(wire, "Hi."))
        assert stream.done

    def test_a_fault_in_the_stream_is_kept_with_what_came_before(self, wire):
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}
        data = bytes_of(wire, "Hello there.")
        half = data[: data.index(b'"o th"')].rpartition(b"\n\n")[0] + b"\n\n"
        found = read(wire, half, named(error))
        assert found.fault is not None
        assert found.fault.message == "Busy."
        assert "Hello there.".startswith(found.answer)
        assert found.answer

    def test_a_failed_response_is_a_fault(self):
        failed = {"status": "failed", "error": {"code": "server_error", "message": "No luck."}}
        found = read("responses", named({"type": "response.failed", "response": failed}))
        assert found.fault is not None
        assert found.fault.message == "No luck."

    @pytest.mark.parametrize(
        ("reason", "meant"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("refusal", "content_filter"),
            ("pause_turn", "pause_turn"),
        ],
    )
    def test_stop_reasons_of_messages(self, reason, meant):
        assert read("messages", bytes_of("messages", "Hi.", finish=reason)).finish_reason == meant

    def test_counts_of_messages_written_as_texts(self):
        counts = {"input_tokens": "9", "cache_read_input_tokens": "4", "output_tokens": "5"}
        end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts}
        found = read("messages", named(end))
        assert (found.usage, found.finish_reason) == (Usage(13, 5, 4), "stop")

    def test_items_of_a_response_that_are_named_by_their_place(self):
        events = responses_events("Four.", "Two and two.", CALLS)
        bare = [{n: v for n, v in event.items() if n != "item_id"} for event in events]
        assert bare != events
        found = read("responses", *map(named, bare))
        assert facts(found) == facts(read("responses", *map(named, events)))

    def test_an_incomplete_response_names_its_reason(self):
        said = bytes_of("responses", "Hi.", finish="content_filter")
        assert read("responses", said).finish_reason == "content_filter"

    def test_junk_is_counted_and_passed_over(self, wire):
        stream = WIRES[wire].stream(dialect(wire))
        junk: list[object] = [[], 3, {"type": []}, {"type": "content_block_delta", "delta": 4}]
        junk += [{"type": "response.output_item.done", "item": {"id": [], "type": {}}}]
        junk += [{"type": "response.function_call_arguments.delta", "delta": "x"}, {"choices": 4}]
        for one in junk:
            stream.feed(f"data: {json.dumps(one)}\n\n".encode())
        stream.feed(bytes_of(wire, "Hi."))
        assert stream.completion.answer == "Hi."


class TestRequests:
    def test_the_question_and_the_system_prompt(self):
        said = posted("messages", system("Be brief."), user("Hi."))
        assert (said["system"], said["messages"]) == (
            "Be brief.",
            [{"role": "user", "content": "Hi."}],
        )
        said = posted("responses", system("Be brief."), user("Hi."))
        assert (said["instructions"], said["input"]) == (
            "Be brief.",
            [{"role": "user", "content": "Hi."}],
        )

    def test_a_round_of_calls(self, wire):
        calls = [ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "now", "")]
        history = [user("Go."), assistant("I look.", reasoning="Hm.", tool_calls=calls)]
        history += [tool("1", "c1"), tool("noon", "c2"), user("And?")]
        said = posted(wire, *history, parameters={"tools": TOOLS})
        if wire == "responses":
            kinds = [item.get("type", item.get("role")) for item in said["input"]]
            batch = ["function_call"] * 2 + ["function_call_output"] * 2
            assert kinds == ["user", "reasoning", "message", *batch, "user"]
        elif wire == "messages":
            blocks = [[b["type"] for b in m["content"]] for m in said["messages"][1:]]
            assert blocks[0] == ["thinking", "text", "tool_use", "tool_use"]
            assert blocks[1] == ["tool_result", "tool_result", "text"]
            assert said["messages"][1]["content"][3]["input"] == {}
        assert refused(wire, said) is None

    def test_a_turn_of_calls_without_thinking_is_accepted_too(self, wire):
        calls = [ToolCall("c1", "add", '{"a": 1}')]
        history = [user("Go."), assistant("", tool_calls=calls), tool("1", "c1")]
        assert refused(wire, posted(wire, *history, parameters={"tools": TOOLS})) is None

    @pytest.mark.parametrize("think", [None, True, False])
    @pytest.mark.parametrize("effort", [None, "low", "max"])
    def test_thinking(self, wire, think, effort):
        if think is False and effort:
            return
        said = posted(wire, think=think, effort=effort)
        assert refused(wire, said) is None
        off = {
            "chat": said.get("thinking") == {"type": "disabled"},
            "messages": said.get("thinking") == {"type": "disabled"},
            "responses": said.get("reasoning") == {"effort": "none"},
        }
        assert off[wire] is (think is False)
        if wire == "messages" and effort:
            assert said["output_config"] == {"effort": effort}

    def test_a_forced_call_is_named_in_the_wires_words(self, wire):
        choice = {"type": "function", "function": {"name": "add"}}
        parameters = {"tools": TOOLS, "tool_choice": choice, "max_tokens": 50}
        said = posted(wire, parameters=parameters)
        assert said["tool_choice"] == {
            "chat": choice,
            "responses": {"type": "function", "name": "add"},
            "messages": {"type": "tool", "name": "add"},
        }.get(wire)
        assert said["max_output_tokens" if wire == "responses" else "max_tokens"] == 50
        assert refused(wire, said) is None

    def test_pictures(self, wire):
        url = "data:image/png;base64,iVBORw0KGgo="
        said = json.dumps(posted(wire, user("What is it?", [url, "https://example.org/a.png"])))
        assert "iVBORw0KGgo=" in said
        assert "https://example.org/a.png" in said
        assert ('"media_type": "image/png"' in said) is (wire == "messages")

    def test_messages_says_max_tokens_always(self):
        assert posted("messages")["max_tokens"] == 65_536
        assert posted("messages", think=False)["max_tokens"] == 8_192
        assert built("messages", think=False).body["max_tokens"] == 8_192  # it is counted too

    def test_a_schema_is_a_format_of_responses(self):
        form = {"name": "City", "schema": {"type": "object"}, "strict": True}
        parameters = {"response_format": {"type": "json_schema", "json_schema": form}}
        said = posted("responses", parameters=parameters)
        assert said["text"] == {"format": {"type": "json_schema", **form}}
        with pytest.raises(ParameterError, match="messages"):
            posted("messages", parameters=parameters)

    @pytest.mark.parametrize("name", ["input", "instructions", "text"])
    def test_a_field_that_the_wire_makes_cannot_be_set(self, name):
        with pytest.raises(ParameterError, match=name):
            posted("responses", extra={name: "x"})

    def test_the_policys_words_cannot_be_replaced(self):
        with pytest.raises(ParameterError, match="system"):
            posted("messages", system("The rules."), user("Hi."), extra={"system": "none"})

    def test_a_hosts_own_field_passes(self, wire):
        assert posted(wire, extra={"safety": "low"})["safety"] == "low"

    def test_a_parameter_that_the_wire_cannot_say_is_refused(self):
        with pytest.raises(ParameterError, match="seed"):
            posted("responses", parameters={"seed": 3}, provider="llamacpp")

    def test_what_is_judged_is_in_chats_words_on_every_wire(self, wire):
        body = built(wire, system("S"), user("Hi."), parameters={"tools": TOOLS}).body
        assert [m["role"] for m in body["messages"]] == ["system", "user"]
        assert body["tools"] == TOOLS


class TestThinkingGoesBack:
    def replayed(self, wire: str, found: Completion, model="deepseek-flash", **changes):
        message = found.message()
        said = [user("Go."), message, *(tool("1", c.id) for c in found.tool_calls)]
        return posted(wire, *said, parameters={"tools": TOOLS}, model=model, **changes)

    def test_with_its_signature(self):
        found = read("messages", bytes_of("messages", "", "Hm, é.", CALLS, finish="tool_calls"))
        block = self.replayed("messages", found)["messages"][1]["content"][0]
        assert block == {"type": "thinking", "thinking": "Hm, é.", "signature": "c2lnbmVk"}

    def test_with_its_item(self):
        found = read("responses", bytes_of("responses", "", "Hm.", CALLS, finish="tool_calls"))
        item = self.replayed("responses", found)["input"][1]
        assert item["id"] == "rs_1"
        assert item["content"] == [{"type": "reasoning_text", "text": "Hm."}]

    def test_the_text_is_the_turns_where_it_was_masked_since(self):
        found = read("messages", bytes_of("messages", "", "Ann thinks.", CALLS))
        details = found.reasoning_details
        assert "Ann" not in json.dumps(details)
        masked = Message("assistant", "Yes.", "<person-1> thinks.", reasoning_details=details)
        said = posted("messages", user("Go."), masked, user("And?"))
        assert said["messages"][1]["content"][0]["thinking"] == "<person-1> thinks."

    @pytest.mark.parametrize("other", ALL)
    def test_what_one_wire_brought_goes_on_another_by_its_text(self, wire, other):
        found = read(wire, bytes_of(wire, "", "Hm.", CALLS, finish="tool_calls"))
        said = self.replayed(other, found)
        assert refused(other, said) is None
        assert "Hm." in json.dumps(said)
        if wire != other:
            assert "c2lnbmVk" not in json.dumps(said)
            assert "rs_1" not in json.dumps(said)

    def test_claude_is_sent_no_thinking_without_a_signature(self):
        found = read("chat", bytes_of("chat", "", "Hm.", CALLS, finish="tool_calls"))
        said = self.replayed("messages", found, "claude-sonnet-4-5", provider="cometapi")
        assert [b["type"] for b in said["messages"][1]["content"]] == ["tool_use", "tool_use"]

    def test_every_piece_goes_back_with_its_signature(self):
        blocks = [
            {"type": "thinking", "thinking": "Hm, ", "signature": "s1"},
            {"type": "redacted_thinking", "data": "sealed"},
            {"type": "thinking", "thinking": "ha.", "signature": "s2"},
        ]
        body = {**BODIES["messages"]("Yes."), "content": [*blocks, {"type": "text", "text": "Y"}]}
        found = WIRES["messages"].parse(body, dialect("messages"))
        assert found.reasoning == "Hm, ha."
        for model in ("deepseek-flash", "claude-sonnet-4-5"):
            said = posted("messages", user("Go."), found.message(), user("And?"), model=model)
            assert said["messages"][1]["content"][:3] == blocks

    def test_every_item_goes_back_with_its_id(self):
        items = [
            {"type": "reasoning", "id": id, "content": [{"type": "reasoning_text", "text": text}]}
            for id, text in (("rs_1", "Hm, "), ("rs_2", "ha."))
        ]
        body = {**BODIES["responses"]("Yes."), "output": items}
        found = WIRES["responses"].parse(body, dialect("responses"))
        message = replace(found.message(), content="Yes.")
        said = posted("responses", user("Go."), message, user("And?"))
        back = [(item["id"], item["content"][0]["text"]) for item in said["input"][1:3]]
        assert back == [("rs_1", "Hm, "), ("rs_2", "ha.")]

    def test_thinking_that_is_all_redacted_goes_back(self):
        block = {"type": "redacted_thinking", "data": "sealed"}
        stream = WIRES["messages"].stream(dialect("messages"))
        for event in (
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
        ):
            stream.feed(named(event))
        message = replace(stream.completion.message(), content="Yes.")
        said = posted("messages", user("Go."), message, user("And?"))
        assert said["messages"][1]["content"][0] == block


class TestSearches:
    PAGES = (("On giraffes", "https://example.org/g"), ("", "https://example.com/x?y=1"))

    def test_a_search_and_its_citations(self):
        cited = {"type": "url_citation", "url": "https://example.org/g", "title": "On giraffes"}
        events = responses_events("They sleep.", before=[search("giraffe sleep", *self.PAGES)])
        events.insert(-1, {"type": "response.output_text.annotation.added", "annotation": cited})
        found = read("responses", *map(named, events))
        pages = tuple(WebPage(url, title) for title, url in self.PAGES)
        assert found.searches == (Search("ws_1", "giraffe sleep", "", pages, "completed"),)
        assert found.citations == (WebPage("https://example.org/g", "On giraffes"),)
        assert found.answer == "They sleep."

    def test_a_page_that_is_opened(self):
        item = {"type": "web_search_call", "id": "w", "status": "in_progress"}
        item["action"] = {"type": "open_page", "url": "https://example.org/g"}
        found = read("responses", *map(named, responses_events("Hi.", before=[item])))
        assert found.searches == (Search("w", "", "https://example.org/g", (), "in_progress"),)

    def test_a_search_of_several_words(self):
        item = {"type": "web_search_call", "id": "w", "action": {"queries": ["giraffe", "sleep"]}}
        found = read("responses", *map(named, responses_events("Hi.", before=[item])))
        assert [s.query for s in found.searches] == ["giraffe; sleep"]

    def test_a_comment_on_the_way_is_a_paragraph_of_its_own(self):
        part = {"type": "output_text", "text": "I search.", "annotations": []}
        comment = {"type": "message", "id": "m0", "role": "assistant", "content": [part]}
        found = read("responses", *map(named, responses_events("Done.", before=[comment])))
        assert found.answer == "I search.\n\nDone."

    def test_the_tool_goes_out_as_it_is(self):
        said = posted("responses", parameters={"tools": [*TOOLS, {"type": "web_search"}]})
        assert said["tools"][-1] == {"type": "web_search"}
        assert refused("responses", said) is None


@pytest.mark.skipif(validator.recipe is None, reason="deepseek-recipe exists for Linux")
class TestDeepSeeksOwnStream:
    """What DeepSeek's library makes of one output of the model."""

    BAR = "｜DSML｜"
    CALL = (
        f'<{BAR}tool_calls>\n<{BAR}invoke name="add">\n<{BAR}parameter name="a" string="false">1'
        f"</{BAR}parameter>\n</{BAR}invoke>\n</{BAR}tool_calls>"
    )

    def generator(self, wire: str):
        recipe, name = validator.recipe, "DeepSeek-V4.1-Flash"
        if wire == "messages":
            return recipe.MessagesChunkGenerator("m1", "deepseek-flash", True)
        request = recipe.ResponsesRequest({"model": name, "input": "hi"})
        made = request.convert(recipe.ConversionOptions())
        return recipe.ResponsesRequest.chunk_generator(made, "r1", "deepseek-flash")

    def events(self, wire: str, parts: list[str], end: str) -> bytes:
        recipe = validator.recipe
        start = recipe.ThinkingInitialStage.ReasoningContinuation
        options = recipe.ParsingOptions(thinking_initial_stage=start)
        stream = recipe.StreamProcessor(self.generator(wire), options)
        counts = recipe.PromptUsage(prompt_tokens=12, prompt_cache_hit_tokens=4)
        made = stream.push(recipe.InferenceChunk.ready(prompt_usage=counts))
        for part in parts:
            made += stream.push(recipe.InferenceChunk.text(part, 1))
        reason = getattr(recipe.InferenceFinishReason, end)
        made += stream.push(recipe.InferenceChunk.finish(reason))
        return b"".join(named(json.loads(event.to_json())) for event in made)

    @pytest.mark.parametrize("wire", ["messages", "responses"])
    def test_is_read(self, wire):
        parts = ["Hm", "m, 😀.", "</think>", "Let me", " see.", "\n\n", self.CALL]
        data = self.events(wire, parts, "Stop")
        found = read(wire, data)
        assert (found.reasoning, found.answer.rstrip()) == ("Hmm, 😀.", "Let me see.")
        assert [(c.name, json.loads(c.arguments)) for c in found.tool_calls] == [("add", {"a": 1})]
        assert found.finish_reason == "tool_calls"
        assert found.usage is not None
        assert (found.usage.prompt_tokens, found.usage.cache_hit_tokens) == (12, 4)
        for at in range(1, len(data), 3):
            assert read(wire, data[:at], data[at:]) == found

    @pytest.mark.parametrize("wire", ["messages", "responses"])
    @pytest.mark.parametrize(
        ("end", "meant"), [("Length", "length"), ("ContentFilter", "content_filter")]
    )
    def test_ends(self, wire, end, meant):
        found = read(wire, self.events(wire, ["Hm", "</think>", "Once"], end))
        assert found.finish_reason == meant


def test_the_cost_of_reading_is_counted_alike():
    for name in ALL:
        usage = read(name, bytes_of(name, "Hi.")).usage
        known = Usage.from_wire(USAGE)
        assert usage is not None
        assert usage.prompt_tokens == known.prompt_tokens
        assert usage.completion_tokens == known.completion_tokens
