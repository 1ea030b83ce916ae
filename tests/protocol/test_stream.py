"""The whole of a stream: texts, calls, usage, ends."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.deltas import (
    Fault,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    deltas_of,
)
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.stream import (
    RUNAWAY_BLANKS,
    Completion,
    CompletionStream,
)
from deepseek_jupyter.protocol.usage import Usage
from tests.support.wording import (
    DONE,
    USAGE,
    answer_chunks,
    chunk,
    event,
    tool_call,
    whole_body,
)


def read(*chunks: dict[str, Any], done: bool = True, **how: Any) -> Completion:
    stream = CompletionStream(**how)
    for one in chunks:
        stream.feed(event(one))
    stream.feed(DONE if done else b"")
    stream.close()
    return stream.completion


def deltas(*parts: dict[str, Any]) -> Completion:
    """What these ``delta`` objects add up to."""
    return read(*(chunk(part) for part in parts), chunk(finish="stop"))


def calls(*pieces: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The calls that these ``tool_calls`` elements, one a chunk, add up to."""
    found = deltas(*({"tool_calls": [piece]} for piece in pieces)).tool_calls
    return [(call.id, call.name, call.arguments) for call in found]


def piece(index: int | None = None, arguments: str = "", **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", ...)
    function = {"arguments": arguments} | ({} if name is ... else {"name": name})
    return ({} if index is None else {"index": index}) | {"function": function} | fields


class TestTexts:
    def test_null_empty_and_absent_content_are_the_same(self):
        said = deltas({"content": None}, {"content": ""}, {}, {"content": "a"}, {"content": None})
        assert said.answer == "a"

    def test_no_thinking_is_none_and_silent_thinking_is_empty(self):
        assert deltas({"content": "a"}).reasoning is None
        assert deltas({"reasoning_content": ""}, {"content": "a"}).reasoning == ""
        assert deltas({"reasoning_content": None}, {"content": "a"}).reasoning is None

    @pytest.mark.parametrize(
        "delta",
        [
            {"reasoning_content": "Hm."},
            {"reasoning": "Hm."},
            {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
            {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]},
            {"content": "<think>Hm.</think>"},
            {"reasoning_content": "Hm.", "reasoning": "Hm."},
            {"reasoning_content": "Hm.", "reasoning_details": [{"text": "Hm."}]},
            {"reasoning": "Hm.", "reasoning_details": [{"text": "Hm."}]},
            {"reasoning_content": "", "reasoning": "Hm."},
            {"reasoning_content": None, "reasoning": None, "reasoning_details": [{"text": "Hm."}]},
        ],
    )
    def test_thinking_by_any_name_is_read_once(self, delta):
        """Never doubled."""
        said = deltas(delta, {"content": "Yes."})
        assert (said.reasoning, said.answer) == ("Hm.", "Yes.")

    def test_a_think_tag_after_real_thinking_is_text(self):
        said = deltas({"reasoning_content": "Hm."}, {"content": "<think>x</think>"})
        assert (said.reasoning, said.answer) == ("Hm.", "<think>x</think>")

    def test_a_refusal_is_the_answer(self):
        assert deltas({"refusal": "I can"}, {"refusal": "not."}).answer == "I cannot."

    def test_only_the_first_candidate_is_read(self):
        other = {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"}
        both = chunk({"content": "A"})
        both["choices"].insert(0, other)
        said = read(both, {**chunk(), "choices": [other]}, chunk(finish="stop"))
        assert (said.answer, said.finish_reason) == ("A", "stop")

    def test_openrouter_s_details_come_back_joined_and_whole(self):
        said = deltas(
            {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "H"}]},
            {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "m"}]},
            {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]},
        )
        assert said.reasoning_details == (
            {"type": "reasoning.text", "index": 0, "text": "Hm", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 1, "data": "x"},
        )

    def test_logprobs_are_collected(self):
        first, second = chunk({"content": "a"}), chunk({"content": "b"})
        first["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
        second["choices"][0]["logprobs"] = {"reasoning_content": [{"token": "b"}], "content": None}
        said = read(first, second)
        assert said.logprobs == {"content": [{"token": "a"}], "reasoning_content": [{"token": "b"}]}


class TestToolCalls:
    """By index, nulls overwrite nothing, a missing index is inferred, a new id
    at a used index is another call.
    """

    def test_pieces_join_by_index(self):
        assert calls(
            piece(0, id="a", name="f"),
            piece(0, '{"x"'),
            piece(0, ":1}"),
            piece(1, id="b", name="g"),
        ) == [("a", "f", '{"x":1}'), ("b", "g", "")]

    def test_later_nulls_overwrite_nothing(self):
        later = piece(0, "{}", id=None, name=None, type=None)
        assert calls(piece(0, id="a", name="f"), later) == [("a", "f", "{}")]

    def test_later_empty_strings_overwrite_nothing(self):
        assert calls(piece(0, id="a", name="f"), piece(0, "{}", id="", name="")) == [
            ("a", "f", "{}")
        ]

    def test_an_id_repeated_in_every_piece_is_one_call(self):
        assert calls(piece(0, "{", id="a", name="f"), piece(0, "}", id="a", name="f")) == [
            ("a", "f", "{}")
        ]

    def test_without_index_no_id_means_the_last_and_a_new_id_another(self):
        assert calls(
            piece(id="a", name="f"), piece(None, "{}"), piece(id="b", name="g"), piece(None, "[]")
        ) == [("a", "f", "{}"), ("b", "g", "[]")]

    def test_a_new_id_at_a_used_index_is_another_call(self):
        assert calls(
            piece(0, "{}", id="a", name="f"), piece(0, "[]", id="b", name="g"), piece(0, " ")
        ) == [("a", "f", "{}"), ("b", "g", "[] ")]

    def test_an_id_that_comes_late_belongs_to_the_call_at_its_index(self):
        assert calls(piece(0, "{", name="f"), piece(0, "}", id="a")) == [("a", "f", "{}")]

    def test_several_in_one_delta(self):
        both = [piece(0, "1", id="a", name="f"), piece(1, "2", id="b", name="g")]
        assert [c.id for c in deltas({"tool_calls": both}).tool_calls] == ["a", "b"]

    def test_arguments_given_as_an_object_become_text(self):
        odd = {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": "ü"}}}
        assert calls(odd) == [("a", "f", '{"x": "ü"}')]

    def test_a_length_stop_may_leave_half_a_call_and_it_stays_half(self):
        """Whoever runs calls must look at the finish reason and the arguments."""
        said = read(
            chunk({"tool_calls": [piece(0, '{"city": "Par', id="a", name="f")]}),
            chunk(finish="length"),
        )
        assert said.finish_reason == "length"
        with pytest.raises(ValueError, match="Unterminated"):
            json.loads(said.tool_calls[0].arguments)

    @given(
        st.lists(st.text('{}":ab1 ', max_size=12), min_size=1, max_size=4),
        st.randoms(use_true_random=False),
        st.booleans(),
    )
    def test_any_interleaving_gives_the_same_calls(self, arguments, rng, cut_small):
        queues = [
            [piece(i, id=f"id{i}", name=f"f{i}")]
            + [piece(i, part) for part in (text if cut_small else [text])]
            for i, text in enumerate(arguments)
        ]
        shuffled = []
        while any(queues):
            shuffled.append(rng.choice([q for q in queues if q]).pop(0))
        found = sorted(calls(*shuffled))
        assert found == [(f"id{i}", f"f{i}", text) for i, text in enumerate(arguments)]

    @pytest.mark.parametrize(
        "text",
        [
            "<｜DSML｜function_calls>",
            "<|DSML|invoke",
            "<｜tool▁calls▁begin｜>",
            "<||DSML||x",
            "<tool_call>{}",
        ],
    )
    def test_leaked_call_markup_is_noticed_and_never_a_call(self, text):
        """Whole, and split over chunks."""
        said = deltas(*({"content": letter} for letter in "So: " + text))
        assert said.leaked_tool_call
        assert said.tool_calls == ()

    def test_ordinary_text_is_no_leak(self):
        assert not deltas({"content": "a < b | c, and a tool_call in words"}).leaked_tool_call


class TestUsage:
    """The last that is not null, wherever it rides, never summed."""

    @pytest.mark.parametrize(
        "chunks",
        [
            [chunk({"content": "a"}), chunk(finish="stop", usage=USAGE)],
            [chunk({"content": "a"}, finish="stop"), chunk(usage=USAGE) | {"choices": []}],
            [chunk({"content": "a"}, usage={"prompt_tokens": 12}), chunk(usage=USAGE)],
            [chunk({"content": "a"}, usage=USAGE), chunk(finish="stop", usage=None)],
            [chunk({"content": "a"}, usage=USAGE), chunk(finish="stop", usage=USAGE)],
            [chunk({"content": "a"}, usage=USAGE), chunk(finish="stop", usage={})],
        ],
    )
    def test_the_last_that_says_something_counts(self, chunks):
        assert read(*chunks).usage == Usage(12, 7, 4, 3)

    def test_none_is_none(self):
        assert deltas({"content": "a"}).usage is None


class TestEnds:
    @pytest.mark.parametrize(
        ("finish", "done", "ended"),
        [("stop", True, True), ("stop", False, True), (None, True, True), (None, False, False)],
    )
    def test_done_and_finish_reason_are_two_facts(self, finish, done, ended):
        chunks = [chunk({"content": "a"})] + ([chunk(finish=finish)] if finish else [])
        assert read(*chunks, done=done).ended is ended

    def test_a_repeated_finish_is_one(self):
        stream = CompletionStream()
        found = stream.feed(event(chunk(finish="stop")) * 2 + event(chunk(finish="length")))
        assert [d for d in found if isinstance(d, Finish)] == [Finish("stop")]
        assert stream.completion.finish_reason == "stop"

    def test_an_unknown_finish_reason_is_kept(self):
        assert read(chunk(finish="model_on_strike")).finish_reason == "model_on_strike"

    @pytest.mark.parametrize(
        ("error", "fault"),
        [
            ({"message": "No.", "code": 502}, Fault("No.", "502")),
            ({"message": "No.", "type": "server_error"}, Fault("No.", "server_error")),
            ("No.", Fault("No.", "")),
        ],
    )
    def test_an_error_object_keeps_what_came_before(self, error, fault):
        said = read(chunk({"content": "Half"}), {"error": error}, done=False)
        assert (said.answer, said.fault) == ("Half", fault)

    def test_an_event_that_is_cut_off_is_dropped_without_harm(self):
        stream = CompletionStream()
        stream.feed(event(chunk({"content": "a"})) + event(chunk({"content": "b"}))[:-20])
        stream.close()
        assert stream.completion.answer == "a"
        assert stream.unparsable == 1

    def test_a_last_event_without_blank_line_counts(self):
        stream = CompletionStream()
        stream.feed(event(chunk({"content": "a"})).rstrip())
        assert stream.close()
        assert stream.completion.answer == "a"

    @pytest.mark.parametrize("before", [[], [{"content": '{"a"'}], [{"reasoning_content": "x"}]])
    def test_blanks_without_end_are_a_runaway(self, before):
        stream = CompletionStream()
        for delta in before:
            stream.take(chunk(delta))
        for _ in range(RUNAWAY_BLANKS // 8 + 20):
            stream.take(chunk({"content": "\n       "}))
        assert stream.runaway

    def test_thinking_alone_is_an_empty_answer(self):
        assert deltas({"reasoning_content": "long"}).empty
        assert deltas({"content": " \n"}).empty
        assert not deltas({"content": "a"}).empty
        assert not deltas({"tool_calls": [piece(0, id="a", name="f")]}).empty


class TestWholeReplies:
    def test_a_body_reads_like_its_stream(self):
        call = tool_call("c", "f", '{"x": 1}')
        streamed = read(*answer_chunks("Yes.", "Hm.", [call]))
        whole = CompletionStream.whole(whole_body("Yes.", "Hm.", [call]))
        assert whole == replace(streamed, facts=whole.facts)
        assert streamed.facts == {"fingerprint": "fp_test", "created": whole.facts["created"]}

    def test_a_relay_s_wrapping_comes_off(self):
        body = {"data": whole_body("Yes."), "success": True}
        assert CompletionStream.whole(body).answer == "Yes."

    @pytest.mark.parametrize(
        "body", [{}, {"choices": []}, {"choices": None}, {"choices": [None]}, {"data": None}]
    )
    def test_what_is_no_reply_is_none(self, body):
        assert CompletionStream.whole(body) is None

    def test_it_comes_apart_into_deltas_that_rebuild_it(self):
        call = tool_call("c", "f", "{}")
        whole = CompletionStream.whole(whole_body("Yes.", "Hm.", [call]))
        parts = list(deltas_of(whole))
        assert [type(p) for p in parts] == [ReasoningDelta, TextDelta, ToolCallDelta, Usage, Finish]

    def test_the_message_for_the_history(self):
        whole = CompletionStream.whole(whole_body("Yes.", "Hm.", [tool_call("c", "f", "{}")]))
        message = whole.message()
        assert (message.role, message.content, message.reasoning) == ("assistant", "Yes.", "Hm.")
        assert message.tool_calls == (ToolCall("c", "f", "{}"),)


_NAMES = [
    *("choices", "delta", "message", "content", "reasoning", "reasoning_content", "index"),
    *("reasoning_details", "tool_calls", "function", "arguments", "name", "id", "usage", "model"),
    *("finish_reason", "error", "logprobs", "prompt_tokens", "cost", "timings", "text", "code"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(_NAMES),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(json_values, max_size=4))
def test_no_json_that_a_server_may_send_raises(values):
    stream = CompletionStream()
    for value in values:
        stream.feed(event(json.dumps(value)))
    stream.close()
    repr(stream.completion)


def test_an_emoji_cut_into_its_halves_arrives_whole():
    """A relay that counts in UTF-16 may cut there; a lone half could not even be shown."""
    stream = CompletionStream()
    for delta in (
        {"reasoning_content": "a\ud83d"},
        {"reasoning_content": "\ude00b"},
        {"content": "\ud83d"},
        {"content": "\ude00"},
        {"content": "\ude00 \ud83d"},
        {"tool_calls": [piece(0, '"\ud83d', id="c", name="f")]},
        {"tool_calls": [piece(0, '\ude00"')]},
    ):
        stream.feed(b"data: " + json.dumps(chunk(delta)).encode() + b"\n\n")
    stream.close()
    said = stream.completion
    assert said.reasoning == "a😀b"
    assert said.answer == "😀\ufffd \ufffd"
    assert said.tool_calls[0].arguments == '"😀"'


@given(st.lists(st.text(st.characters(categories=["Cs", "Ll"]), max_size=5)))
def test_whatever_halves_come_the_text_can_be_encoded(parts):
    stream = CompletionStream()
    told = [d for part in parts for d in stream.take(chunk({"content": part}))] + stream.close()
    assert "".join(d.text for d in told) == stream.completion.answer
    for delta in told:
        delta.text.encode()


@given(st.binary(max_size=200))
def test_no_bytes_that_a_server_may_send_raise(data):
    stream = CompletionStream()
    stream.feed(data)
    stream.close()


unicode_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("text", ["<", "<thin", " ", "\n"])
def test_an_answer_that_might_have_become_a_tag_is_an_answer(text):
    stream = CompletionStream()
    told = stream.feed(event(chunk({"content": text})) + DONE) + stream.close()
    assert told == [TextDelta(text)]
    assert stream.completion.answer == text


@given(unicode_texts.filter(lambda t: "<think>" not in t), unicode_texts, st.integers(0, 2**32))
def test_any_unicode_arrives_whole_under_any_cut(text, reasoning, seed):
    body = b"".join(map(event, answer_chunks(text, reasoning))) + DONE
    rng, stream, at = random.Random(seed), CompletionStream(), 0
    while at < len(body):
        size = rng.choice([1, 2, 3, 7, 50, 400])
        stream.feed(body[at : at + size])
        at += size
    stream.close()
    assert stream.completion.answer == text
    assert (stream.completion.reasoning or "") == reasoning


def test_twenty_thousand_deltas_cost_linear_time():
    """Lists, not string sums; ten times the deltas, about ten times the work."""
    import cProfile
    import pstats

    def calls(count: int) -> int:
        body = event(chunk({"content": "word "})) * count
        stream, profile = CompletionStream(), cProfile.Profile()
        profile.enable()
        stream.feed(body)
        profile.disable()
        assert len(stream.completion.answer) == 5 * count
        return int(pstats.Stats(profile).total_calls)

    assert calls(20_000) < 12 * calls(2_000)
