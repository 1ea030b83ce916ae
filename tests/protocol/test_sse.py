"""Bytes to events by the standard, whatever the cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.sse import SSEDecoder


def events(*chunks: bytes) -> list[str]:
    decoder = SSEDecoder()
    return [data for chunk in chunks for data in decoder.feed(chunk)] + decoder.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_three_line_ends(end):
    assert events(b"data: a" + end + end + b"data: b" + end + end) == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data\n\n", []),
        (b"data:\n\n", []),
        (b"data: \n\n", []),
        (b": keep-alive\n\n", []),
        (b": c\n\ndata: a\n\n", ["a"]),
        (b"data: a\n: in between\ndata: b\n\n", ["a\nb"]),
        (b"event: x\nid: 1\nretry:0\ndata: a\n\n", ["a"]),
        (b"\n\n\n\ndata: a\n\n\n", ["a"]),
        (b"data: a\n", ["a"]),
        (b"data: a", ["a"]),
        (b"DATA: a\n\n", []),
        (b"nonsense\n\ndata: a\n\n", ["a"]),
        ("data: a\u2028b\x85c\x0bd\n\n".encode(), ["a\u2028b\x85c\x0bd"]),
        (b"", []),
    ],
)
def test_what_a_body_says(body, said):
    assert events(body) == said
    assert events(*(body[i : i + 1] for i in range(len(body)))) == said


def test_a_byte_that_is_no_utf8_becomes_a_mark_and_spoils_nothing_else():
    assert events(b"data: a\xffb\n\ndata: c\n\n") == ["a\ufffdb", "c"]


def test_comments_and_junk_are_counted():
    decoder = SSEDecoder()
    decoder.feed(b": one\n:two\n\n<html>\nupstream error\n\n")
    assert decoder.comments == 2
    assert decoder.junk == 2


def test_an_event_is_given_out_as_soon_as_its_blank_line_is_there():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == ["a"]


texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)
bodies = st.lists(
    st.tuples(
        texts, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["data: ", "data:"])
    ).filter(lambda part: part[2] == "data: " or not part[0].startswith(" "))
)


@given(bodies, st.data())
def test_no_cut_changes_what_is_said(parts, data):
    """Random unicode, random line ends, random cuts."""
    body = "".join(f": c{end}{field}{text}{end}{end}" for text, end, field in parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert events(*chunks) == [text for text, _, _ in parts]
