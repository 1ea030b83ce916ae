"""Reading a chunk by its form brings exactly what parsing it would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.stream import RUNAWAY_BLANKS, ChunkTemplate, CompletionStream
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
