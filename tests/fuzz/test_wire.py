"""Bytes of any server: read as the standard says, the same in any cuts, never an exception."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from deepseek_jupyter.errors import APIError
from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.sse import SSEDecoder
from deepseek_jupyter.protocol.stream import CompletionStream
from deepseek_jupyter.transport.failures import Refusal, api_error
from tests.support.fuzzing import examples
from tests.support.wording import DONE, answer_chunks, event, tool_call

LINES = [
    *(b"data: ", b"data:", b"data", b"data : ", b"event: x", b"id: 1", b"retry: 3", b":", b": c"),
    *(b"\n", b"\n\n", b"\r", b"\r\n", b"\r\r", b"\n\r", b"\xef\xbb\xbf", b" ", b"a", b"{}"),
    *("\u2028".encode(), "é".encode(), b"\xff", b"\xe2\x82", b"\0", b"[DONE]"),
]
bodies = st.lists(st.sampled_from(LINES), max_size=40).map(b"".join)


def by_the_standard(body: bytes) -> list[str]:
    """The standard's algorithm, written out slowly, on the whole body; data of events alone. The
    mark that may stand before a body is taken off by the client.
    """
    lines, line, at = [], b"", 0
    while at < len(body):
        byte = body[at : at + 1]
        at += 1
        if byte not in (b"\r", b"\n"):
            line += byte
            continue
        if byte == b"\r" and body[at : at + 1] == b"\n":
            at += 1
        lines.append(line)
        line = b""
    events: list[str] = []
    buffer = ""
    for raw in [*lines, line, b""]:  # an event that the end cuts short counts too, see close()
        text = raw.decode("utf-8", "replace")
        field, colon, value = text.partition(":")
        if not text:
            if buffer.strip("\n") or buffer.count("\n") > 1:
                events.append(buffer[:-1])
            buffer = ""
        elif field == "data" or (not colon and text == "data"):
            buffer += value.removeprefix(" ") + "\n"
    return events


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(min(place, len(body)) for place in places)
    return [body[a:b] for a, b in zip([0, *ends], [*ends, len(body)], strict=True)]


places = st.lists(st.integers(0, 200), max_size=8)


@examples(400)
@given(bodies, places)
def test_any_body_in_any_cuts_is_read_as_the_standard_says(body, places):
    decoder = SSEDecoder()
    told = [data for part in cut(body, places) for data in decoder.feed(part)] + decoder.close()
    assert told == by_the_standard(body)


# --- a sound stream that something on the way has damaged ----------------------------------------

SOUND = answer_chunks(
    "An answer with 1 < 2 and <think>.", "Let me see…", [tool_call("c1", "f", '{"a": [1, 2]}')]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


def replaced(value: Any, path: list[int], new: Any) -> Any:
    """`value` with the part that `path` leads to exchanged for `new`."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    here, *rest = path
    if isinstance(value, list):
        at = here % len(value)
        return [*value[:at], replaced(value[at], rest, new), *value[at + 1 :]]
    key = sorted(value)[here % len(value)]
    return {**value, key: replaced(value[key], rest, new)}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """DeepSeek's chunks, a few with a wrong value somewhere, some lost, doubled or garbled."""
    chunks: list[Any] = list(SOUND)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(chunks) - 1))
        path = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))
        chunks[at] = replaced(chunks[at], path, draw(VALUES))
    body = b"".join(map(event, chunks)) + DONE
    for _ in range(draw(st.integers(0, 3))):
        at, size = draw(st.integers(0, len(body))), draw(st.integers(0, 30))
        body = body[:at] + draw(st.binary(max_size=4)) + body[at + size :]
    return body


def read(parts: list[bytes]) -> CompletionStream:
    stream = CompletionStream()
    deltas = [delta for part in parts for delta in stream.feed(part)] + stream.close()
    whole = stream.completion
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == whole.answer
    thought = "".join(d.text for d in deltas if isinstance(d, ReasoningDelta))
    assert thought == (whole.reasoning or "")
    words = [whole.answer, thought, whole.model, whole.id, whole.finish_reason]
    for call in whole.tool_calls:
        words += [call.id, call.name, call.arguments]
    for word in words:
        assert word is None or isinstance(word, str)
    "".join(filter(None, words)).encode()  # no lone half of a pair: it could not even be kept
    return stream


@examples(200)
@given(damaged(), places)
def test_a_damaged_stream_reads_alike_in_any_cuts_and_never_raises(body, places):
    once, cuts = read([body]), read(cut(body, places))
    assert once.completion == cuts.completion
    assert (once.unparsable, once.sse.junk) == (cuts.unparsable, cuts.sse.junk)


@examples(150)
@given(st.lists(st.integers(0, 9), max_size=6), VALUES)
def test_a_damaged_whole_reply_is_a_completion_or_none(path, value):
    body = {"model": "m", "choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    changed = replaced(body, path, value)
    if isinstance(changed, dict):
        CompletionStream.whole(changed)


# --- refusals -----------------------------------------------------------------------------------

said = st.text(max_size=60) | VALUES.map(json.dumps) | st.sampled_from(
    ['{"error": {"message": ', "<html>", '{"error": "Model not exist"}', "\x1b[2J\x1b]0;x\x07"]
)  # fmt: skip


@examples(200)
@given(
    st.integers(300, 599), said, st.dictionaries(st.sampled_from(["retry-after", "cf-ray"]), said)
)
@example(500, "[" * 100_000, {})
def test_any_refusal_is_an_error_of_ours_that_no_terminal_obeys(status, body, headers):
    error = api_error(Refusal(status, headers, body, "https://api.example/chat", "deepseek"))
    assert isinstance(error, APIError)
    told = str(error)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t\r" for c in told)
