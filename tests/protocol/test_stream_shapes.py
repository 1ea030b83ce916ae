"""Streams as hosts send them: what each comes to, whole and cut anywhere, and not streamed.

The shapes come from public reports and recordings; the words are made up.
"""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter.protocol.deltas import Fault, ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.messages import read_arguments
from deepseek_jupyter.protocol.stream import CompletionStream, error_of, parse_json
from deepseek_jupyter.protocol.usage import Usage


def call(index=None, id=None, name=None, args=None):
    """One element of ``tool_calls``; what is None is left out."""
    function = {k: v for k, v in (("name", name), ("arguments", args)) if v is not None}
    return {
        **{k: v for k, v in (("index", index), ("id", id)) if v is not None},
        "function": function,
    }


def calls(*elements):
    """A stream of deltas with one element each."""
    return [{"tool_calls": [element]} for element in elements]


A1, A2 = '{"a":1}', '{"a":2}'
TWO = [("add", A1), ("add", A2)]
PARTS = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]

# name -> deltas, and the calls they come to
CALLS = {
    "deepseek": (
        calls(call(0, "x", "add", ""), call(0, args='{"a"'), call(0, args=":1}")),
        TWO[:1],
    ),
    "parallel": (calls(call(0, "x", "add", A1), call(1, "y", "add", A2)), TWO),
    "parallel, in pieces": (
        calls(call(0, "x", "add", ""), call(1, "y", "add", ""), call(0, args=A1), call(1, args=A2)),
        TWO,
    ),
    "one id for both": (calls(call(0, "x", "add", A1), call(1, "x", "add", A2)), TWO),
    "one id for both, arguments apart": (
        calls(
            call(0, "x", "add"),
            call(0, "x", args=A1),
            call(1, "x", "add"),
            call(1, "x", args=A2),
        ),
        TWO,
    ),
    "one id, arguments by index": (
        calls(call(0, "x", "add"), call(0, args=A1), call(1, "x", "add"), call(1, args=A2)),
        TWO,
    ),
    "no id, index 0": (calls(call(0, None, "add", A1), call(0, None, "add", A2)), TWO),
    "empty id, index 0": (calls(call(0, "", "add", A1), call(0, "", "add", A2)), TWO),
    "no id, no index": (calls(call(None, None, "add", A1), call(None, None, "add", A2)), TWO),
    "empty id, no index": (calls(call(None, "", "add", A1), call(None, "", "add", A2)), TWO),
    "ids, no index": (calls(call(None, "x", "add", A1), call(None, "y", "add", A2)), TWO),
    "ids, index 0": (calls(call(0, "x", "add", A1), call(0, "y", "add", A2)), TWO),
    "ids, index 0, in pieces": (
        calls(call(0, "x", "add"), call(0, args=A1), call(0, "y", "add"), call(0, args=A2)),
        TWO,
    ),
    "both in one delta": (
        [{"tool_calls": [call(0, "x", "add", A1), call(1, "y", "add", A2)]}],
        TWO,
    ),
    "both in one delta without index": (
        [{"tool_calls": [call(None, "x", "add", A1), call(None, "y", "add", A2)]}],
        TWO,
    ),
    "name in each piece": (
        calls(call(0, "x", "add", '{"a"'), call(0, "x", "add", ":1}")),
        TWO[:1],
    ),
    "name in each piece, no id": (
        calls(call(0, None, "add", '{"a"'), call(0, None, "add", ":1}")),
        TWO[:1],
    ),
    "nulls later": (
        [
            *calls(call(0, "x", "add", '{"a":')),
            *[
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": None,
                            "type": None,
                            "function": {"name": None, "arguments": "1}"},
                        }
                    ]
                }
            ],
        ],
        TWO[:1],
    ),
    "an id for each piece": (
        calls(call(0, "x", "add", '{"a"'), call(0, "y", None, ":1}"), call(0, "z", None, "")),
        TWO[:1],
    ),
    "name in pieces": (
        calls(call(0, "x", "ad"), call(0, None, "d", ""), call(0, args=A1)),
        TWO[:1],
    ),
    "name again before the arguments": (
        calls(call(0, "x", "add", ""), call(0, "x", "add", A1)),
        TWO[:1],
    ),
    "without the object around it": (
        [{"tool_calls": [{"index": 0, "id": "x", "name": "add", "arguments": A1}]}],
        TWO[:1],
    ),
    "empty object first": (calls(call(0, "x", "add", "{}"), call(0, args=A1)), TWO[:1]),
    "empty object twice": (calls(call(0, "x", "now", "{}"), call(0, args="{}")), [("now", "{}")]),
    "empty object, then pieces": (
        calls(call(0, "x", "add", "{}"), call(0, args='{"a"'), call(0, args=":1}")),
        TWO[:1],
    ),
    "object arguments": (calls(call(0, "x", "add", {"a": 1})), [("add", '{"a": 1}')]),
    "no arguments": (calls(call(0, "x", "now")), [("now", "")]),
    "a ghost": ([*calls(call(0, "x", "add", A1)), {"tool_calls": [{"index": 1}]}], TWO[:1]),
    "index from 1": (calls(call(1, "x", "add", A1)), TWO[:1]),
    "one that is no list": ([{"tool_calls": call(0, "x", "add", A1)}], TWO[:1]),
    "text before": ([{"content": "I look."}, *calls(call(0, "x", "add", A1))], TWO[:1]),
    "null content": ([{"content": None, **calls(call(0, "x", "add", A1))[0]}], TWO[:1]),
    "numbers for ids": (calls(call(0, 7, "add", A1), call(1, 8, "add", A2)), TWO),
    "interleaved by id": (
        calls(
            call(None, "x", "add", '{"a"'),
            call(None, "y", "add", '{"a"'),
            call(None, "x", None, ":1}"),
            call(None, "y", None, ":2}"),
        ),
        TWO,
    ),
    "three of no identity": (
        calls(*(call(None, None, "add", A1) for _ in range(3))),
        [("add", A1)] * 3,
    ),
}

# name -> deltas, thinking, text
TEXTS = {
    "plain": ([{"content": "Hi "}, {"content": "there"}], None, "Hi there"),
    "thinking": ([{"reasoning_content": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "the other name": ([{"reasoning": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "both names": ([{"reasoning": "Hm", "reasoning_content": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "a third name": ([{"thinking": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "a fourth name": ([{"reasoning_text": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "blocks": (
        [{"thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]}, {"content": "Hi"}],
        "Hm",
        "Hi",
    ),
    "details": ([{"reasoning_details": [{"text": "Hm"}]}, {"content": "Hi"}], "Hm", "Hi"),
    "nulls": ([{"content": None, "reasoning_content": ""}, {"content": "Hi"}], "", "Hi"),
    "parts": ([{"content": PARTS}], None, "Hi there"),
    "a part a delta": ([{"content": [part]} for part in PARTS], None, "Hi there"),
    "parts as texts": ([{"content": ["Hi ", "there"]}], None, "Hi there"),
    "one part": ([{"content": PARTS[0]}, {"content": "there"}], None, "Hi there"),
    "parts with thinking": (
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
            {"content": PARTS},
        ],
        "Hm",
        "Hi there",
    ),
    "thinking as text": (
        [{"content": [{"type": "thinking", "thinking": "Hm"}, *PARTS]}],
        "Hm",
        "Hi there",
    ),
    "a reasoning part": (
        [{"content": [{"type": "reasoning", "text": "Hm"}, *PARTS]}],
        "Hm",
        "Hi there",
    ),
    "output_text": ([{"content": [{"type": "output_text", "text": "Hi"}]}], None, "Hi"),
    "unknown parts": ([{"content": [{"type": "x"}, None, 3, *PARTS]}], None, "Hi there"),
    "no parts": ([{"content": []}, {"content": "Hi"}], None, "Hi"),
    "refusal": ([{"content": None, "refusal": "No."}], None, "No."),
    "refusal as part": ([{"content": [{"type": "refusal", "refusal": "No."}]}], None, "No."),
    "tags": ([{"content": "<think>Hm</think>\n\nHi"}], "Hm", "Hi"),
    "tags in pieces": ([{"content": c} for c in "<think>Hm</think>\n\nHi"], "Hm", "Hi"),
    "tags, empty": ([{"content": "<think>\n\n</think>\n\nHi"}], None, "Hi"),
    "no beginning": ([{"content": "I think so yes</think>\n\nHi"}], "I think so yes", "Hi"),
    "no beginning, in pieces": (
        [{"content": "I think so"}, {"content": " yes</thi"}, {"content": "nk>\n\nHi"}],
        "I think so yes",
        "Hi",
    ),
    "no beginning, a letter each": ([{"content": c} for c in "Hm\n</think>\nHi"], "Hm", "Hi"),
    "no beginning, nothing after": ([{"content": "Hm</think>"}], "Hm", ""),
    "no beginning, nothing before": ([{"content": "</think>\n\nHi"}], "", "Hi"),
    "spoken of": ([{"content": "The tag </think> ends it."}], None, "The tag </think> ends it."),
    "in backticks": ([{"content": "Write `</think>` there."}], None, "Write `</think>` there."),
    "in a fence": (
        [{"content": "```\n<x>\n</think>\n```\nSo."}],
        None,
        "```\n<x>\n</think>\n```\nSo.",
    ),
    "its own field": (
        [{"reasoning_content": "Hm"}, {"content": "a</think>\nb"}],
        "Hm",
        "a</think>\nb",
    ),
    "all in the thinking": ([{"reasoning_content": "Hi"}], "Hi", ""),
    "the other name of thinking": ([{"reasoning": "Hm"}, {"content": "Hi"}], "Hm", "Hi"),
    "summaries": (
        [{"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm"}], "content": "Hi"}],
        "Hm",
        "Hi",
    ),
    "nulls between": (
        [{"role": "assistant", "content": None}, {}, {"content": "Hi"}, {"content": None}],
        None,
        "Hi",
    ),
    "null thinking": ([{"reasoning_content": None, "content": "Hi"}], None, "Hi"),
    "empty thinking": ([{"reasoning_content": "", "content": "Hi"}], "", "Hi"),
    "thinking after text": ([{"content": "H"}, {"reasoning": "m"}, {"content": "i"}], "m", "Hi"),
    "half characters": ([{"content": "\ud83d"}, {"content": "\ude00"}], None, "\U0001f600"),
    "half characters of thinking": (
        [{"reasoning": "\ud83d"}, {"reasoning": "\ude00"}, {"content": "Hi"}],
        "\U0001f600",
        "Hi",
    ),
    "template then parts": (
        [{"content": "Hi"}, {"content": " there"}, {"content": [{"text": "."}]}],
        None,
        "Hi there.",
    ),
}

PLAIN = {"prompt_tokens": 5, "completion_tokens": 7}

# name -> usage as sent, as counted
USAGES = {
    "plain": (PLAIN, Usage(5, 7)),
    "texts": ({"prompt_tokens": "5", "completion_tokens": "7"}, Usage(5, 7)),
    "floats": ({"prompt_tokens": 5.0, "completion_tokens": 7.0}, Usage(5, 7)),
    "minus one": ({"prompt_tokens": -1, "completion_tokens": 7}, Usage(0, 7)),
    "minus one, another name": ({**PLAIN, "prompt_tokens": -1, "input_tokens": 5}, Usage(5, 7)),
    "nulls": ({"prompt_tokens": None, "completion_tokens": 7}, Usage(0, 7)),
    "a list": ([1, 2], None),
    "a text": ("none", None),
    "true": ({"prompt_tokens": True, "completion_tokens": 7}, Usage(0, 7)),
    "details of odd types": ({**PLAIN, "prompt_tokens_details": [3]}, Usage(5, 7)),
    "cached as text": ({**PLAIN, "prompt_tokens_details": {"cached_tokens": "4"}}, Usage(5, 7, 4)),
    "cached, without details": ({**PLAIN, "cached_tokens": 4}, Usage(5, 7, 4)),
    "thinking, without details": (
        {**PLAIN, "reasoning_tokens": 3},
        Usage(5, 7, reasoning_tokens=3),
    ),
    "input, output": ({"input_tokens": 5, "output_tokens": 7}, Usage(5, 7)),
    "huge": ({"prompt_tokens": 10**30, "completion_tokens": 7}, Usage(0, 7)),
    "words": ({"prompt_tokens": "five", "completion_tokens": 7}, Usage(0, 7)),
}


def chunk(delta, finish=None, **more):
    return {"id": "i", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def stream_of(*chunks, bom=""):
    events = [f"data: {bom}{json.dumps(c)}\n\n" for c in chunks]
    return "".join([*events, "data: [DONE]\n\n"]).encode()


def read(data, size=0):
    """The completion of these bytes, read in pieces of `size`."""
    stream = CompletionStream()
    for at in range(0, len(data), size or len(data)):
        stream.feed(data[at : at + (size or len(data))])
    stream.close()
    assert not stream.unparsable
    return stream.completion


@pytest.mark.parametrize("size", [0, 1, 7, 64])
@pytest.mark.parametrize(("deltas", "expected"), CALLS.values(), ids=CALLS)
def test_calls(deltas, expected, size):
    said = read(stream_of(*map(chunk, deltas), chunk({}, "tool_calls")), size)
    assert [(c.name, c.arguments) for c in said.tool_calls] == expected


@pytest.mark.parametrize("size", [0, 1, 7, 64])
@pytest.mark.parametrize(("deltas", "thinking", "text"), TEXTS.values(), ids=TEXTS)
def test_texts(deltas, thinking, text, size):
    said = read(stream_of(*map(chunk, deltas), chunk({}, "stop")), size)
    assert (said.reasoning, said.answer) == (thinking, text)


@pytest.mark.parametrize(("deltas", "thinking", "text"), TEXTS.values(), ids=TEXTS)
def test_texts_in_one_piece(deltas, thinking, text):
    if len(deltas) > 1:
        pytest.skip("it is a stream")
    body = {"choices": [{"message": {"role": "assistant", **deltas[0]}, "finish_reason": "stop"}]}
    said = CompletionStream.whole(body)
    assert (said.reasoning, said.answer) == (thinking, text)


@pytest.mark.parametrize("choices", [True, False], ids=["with text", "alone"])
@pytest.mark.parametrize(("usage", "counted"), USAGES.values(), ids=USAGES)
def test_usage(usage, counted, choices):
    last = chunk({"content": "!"}, usage=usage) if choices else {"choices": [], "usage": usage}
    said = read(stream_of(chunk({"content": "Hi"}), last, chunk({}, "stop")))
    assert said.usage == counted
    assert said.answer == ("Hi!" if choices else "Hi"), "odd counts take no text along"


def test_usage_and_error_may_be_in_the_choice():
    end = {"index": 0, "delta": {}, "usage": PLAIN, "error": {"message": "Gone", "code": 502}}
    said = read(stream_of(chunk({"content": "Hi"}), {"choices": [end]}))
    assert (said.answer, said.usage, said.fault) == ("Hi", Usage(5, 7), Fault("Gone", "502"))


@pytest.mark.parametrize("null", ["null", "None", "", None])
def test_null_as_a_word_ends_nothing(null):
    said = read(stream_of(chunk({"content": "Hi"}, null), chunk({}, "length")))
    assert said.finish_reason == "length"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("MAX_TOKENS", "length"), ("model_length", "length"), ("sensitive", "content_filter")],
)
def test_a_cut_in_another_makers_word(word, meant):
    said = read(stream_of(chunk({"content": "Hi"}), chunk({}, word)))
    assert (said.finish_reason, said.facts["native_finish_reason"]) == (meant, word)


def test_what_a_relay_wraps():
    wrapped = [{"code": 0, "msg": "ok", "data": chunk({"content": c})} for c in "Hi"]
    said = read(stream_of(*wrapped, chunk({}, "stop")))
    assert (said.answer, said.fault) == ("Hi", None)
    assert error_of(wrapped[0]) is None
    assert CompletionStream.whole(wrapped[0]).answer == "H"


def test_events_without_a_blank_line_between_them():
    lines = [f"data: {json.dumps(chunk({'content': c}))}\n" for c in "Hi"]
    for size in (0, 1):
        assert read("".join([*lines, "data: [DONE]\n"]).encode(), size).answer == "Hi"


def test_what_was_shown_before_the_tag_stays_shown():
    """It is not known to be thinking until the tag comes."""
    stream = CompletionStream()
    shown = stream.feed(stream_of(*(chunk({"content": c}) for c in ("Hm", "</think>\n", "Hi"))))
    assert "".join(d.text for d in shown if isinstance(d, TextDelta)) == "Hm</think>\nHi"
    stream.close()
    assert stream.unopened


def test_where_it_is_known_it_is_shown_as_thinking():
    stream = CompletionStream(think_implied=True)
    shown = stream.feed(stream_of(*(chunk({"content": c}) for c in ("Hm", "</think>\n", "Hi"))))
    assert [d for d in shown if isinstance(d, TextDelta | ReasoningDelta)] == [
        ReasoningDelta("Hm"),
        TextDelta("Hi"),
    ]


def test_a_byte_order_mark_in_each_event():
    assert read(stream_of(chunk({"content": "Hi"}), bom="\ufeff")).answer == "Hi"


def test_a_byte_order_mark_before_json():
    assert parse_json('\ufeff{"a": 1}') == {"a": 1}


# as sent -> the value; None: refused
ARGUMENTS = {
    '{"a": 1}': {"a": 1},
    '{"a": "one\ntwo\tthree"}': {"a": "one\ntwo\tthree"},
    r'{"a": "it\'s"}': {"a": "it's"},
    r'{"a": "C:\\\\dir\\\'s"}': {"a": r"C:\\dir\'s"},
    '"{\\"a\\": 1}"': {"a": 1},
    '  {"a": 1}\n': {"a": 1},
    "null": None,
    "[1]": [1],
    '"text"': "text",
    "{a: 1}": ValueError,
    "{'a': 1}": ValueError,
    '{"a": 1': ValueError,
    '{"a": 1}{"a": 2}': ValueError,
    r'{"a": "\x"}': ValueError,
    "[" * 100_000: ValueError,
}


@pytest.mark.parametrize(("text", "value"), ARGUMENTS.items(), ids=range(len(ARGUMENTS)))
def test_arguments_are_read_as_far_as_no_guess_is_needed(text, value):
    if value is ValueError:
        with pytest.raises(ValueError, match=r"\w"):
            read_arguments(text)
    else:
        assert read_arguments(text) == value


def test_the_corpus_is_as_large_as_promised():
    assert len(CALLS) + len(TEXTS) + len(USAGES) >= 75
