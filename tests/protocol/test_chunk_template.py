"""Reading a chunk by its form brings exactly what parsing it would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.stream import RUNAWAY_BLANKS, ChunkTemplate, CompletionStream
from deepseek_jupyter.protocol.wire import WIRES
from tests.support.wording import chunk

texts = st.text(max_size=8) | st.sampled_from(
    ['"', "\\", '","x":"', "\n", "content", "\u2028", "😀", "</think>", "}", "a", ""]
)
deltas = st.one_of(
    texts.map(lambda t: {"content": t}),
    texts.map(lambda t: {"content": None, "reasoning_content": t}),
    texts.map(lambda t: {"content": t, "reasoning_content": None}),
    texts.map(lambda t: {"content": t, "name": t}),
)


def parsed(event: str) -> dict[str, object]:
    return json.loads(event)


@given(st.lists(st.tuples(deltas, st.booleans()), max_size=30))
def test_a_stream_reads_the_same_as_its_chunks_parsed_one_by_one(said):
    """Against `take`, which never looks at the form of a chunk."""
    events = [json.dumps(chunk(delta), ensure_ascii=ascii_) for delta, ascii_ in said]
    fast, slow = CompletionStream(), CompletionStream()
    for event in events:
        fast.feed(f"data: {event}\n\n".encode())
        slow.take(parsed(event))
    fast.close()
    slow.close()
    assert fast.completion == slow.completion


def learned(event: str, brought: object) -> ChunkTemplate:
    template = ChunkTemplate(CompletionStream.text_fields)
    template.learn(event, [brought])
    return template


def test_another_text_in_the_same_place_is_read():
    template = learned('{"c":[{"delta":{"content":"a"}}]}', TextDelta("a"))
    assert template.text('{"c":[{"delta":{"content":"and more"}}]}') == "and more"
    assert template.kind is TextDelta


def test_thinking_is_learnt_as_thinking():
    template = learned('{"delta":{"reasoning_content":"a"}}', ReasoningDelta("a"))
    assert template.text('{"delta":{"reasoning_content":"b"}}') == "b"
    assert template.kind is ReasoningDelta


@pytest.mark.parametrize(
    "event",
    [
        '{"c":[{"delta":{"content":"a\\n"}}]}',
        '{"c":[{"delta":{"content":"a","x":"b"}}]}',
        '{"c":[{"delta":{"content":""}}]}',
        '{"c":[{"delta":{"content":"b"}}],"usage":1}',
        '{"c":[{"delta":{"con',
        "[DONE]",
    ],
)
def test_any_other_form_is_left_to_the_parser(event):
    assert learned('{"c":[{"delta":{"content":"a"}}]}', TextDelta("a")).text(event) is None


@pytest.mark.parametrize(
    "event",
    [
        '{"id":"a","delta":{"content":"\\u0061"}}',  # the literal is another field's
        '{"id":"a","delta":{"content":"a"}}',  # it stands there twice
    ],
)
def test_a_form_that_is_not_certain_is_not_learnt(event):
    assert learned(event, TextDelta("a")).text(event) is None


def fed(stream: CompletionStream, *texts: str) -> list[object]:
    events = (json.dumps(chunk({"content": text})) for text in texts)
    return stream.feed("".join(f"data: {event}\n\n" for event in events).encode())


def test_texts_that_come_with_one_read_are_one_delta():
    stream = CompletionStream()
    fed(stream, "One ", "two ")
    assert fed(stream, "three ", "four ", "five.") == [TextDelta("three four five.")]
    assert stream.completion.answer == "One two three four five."
    assert stream.events == 5


def test_blanks_at_the_end_of_a_read_count_as_blanks():
    stream = CompletionStream()
    fed(stream, "{", '"a"')
    fed(stream, "x", *[" "] * (RUNAWAY_BLANKS + 1))
    assert stream.runaway
    fed(stream, " ", "}")
    assert not stream.runaway


wires = st.sampled_from(["responses", "messages"])


@given(wires, st.lists(texts, max_size=8))
def test_on_other_wires_too(wire, said):
    """Events with a number of their own, and events that look alike but are of another kind."""
    events = [made for at, text in enumerate(said) for made in _numbered(wire, text, at)]
    stream, plain = (WIRES[wire].stream(Dialect()) for _ in range(2))
    for event in events:
        stream.feed(f"event: x\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode())
        plain.feed(f'data: {{"a":1,{json.dumps(event)[1:]}\r\n\r\n'.encode())
        plain._template.learn = lambda *_: None
    stream.close(), plain.close()
    assert stream.completion == plain.completion
    assert stream.unparsable == plain.unparsable == 0


def _numbered(wire: str, text: str, at: int) -> list[dict]:
    if wire == "messages":
        kinds = ("text_delta", "text"), ("thinking_delta", "thinking")
        kind, name = kinds[at % 5 == 0]
        delta = {"type": kind, name: text}
        return [{"type": "content_block_delta", "index": 0, "delta": delta}]
    kinds = ("response.output_text.delta", "response.reasoning_text.delta")
    where = {"item_id": "i", "sequence_number": at * 7}
    return [{"type": kinds[at % 5 == 0], "delta": text, **where}]
