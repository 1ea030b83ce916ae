"""Tokens with probabilities: joined, packed for a record, as rows, in words."""

from __future__ import annotations

import base64
import json
import math
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.asking.next_tokens import NextTokens
from deepseek_jupyter.protocol.logprobs import (
    KEPT,
    Token,
    chance,
    divided,
    in_words,
    joined,
    packed,
    rows,
    shown,
    tokens_of,
    unpacked,
)
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support import recordings
from tests.support.tokens import place

PROSE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8").split(" ") * 3


def recorded():
    found = [r for r in recordings.recordings() if b'"logprobs":{' in r.body]
    return [pytest.param(r, id=r.name) for r in found]


def test_the_recordings_are_here():
    if not recordings.present() and not recordings.IN_CI:
        pytest.skip(recordings.WHY_MISSING)
    assert len(recorded()) >= 25


@pytest.mark.parametrize("recording", recorded())
def test_recorded_tokens_join_to_the_text(recording):
    wire, dialect = WIRES["chat"], PROVIDERS[recording.provider].dialect
    if recording.kind == "stream":
        stream = wire.stream(dialect)
        stream.feed(recording.body)
        stream.close()
        said = stream.completion
    else:
        said = wire.parse(json.loads(recording.body), dialect)
    assert said is not None
    assert said.logprobs is not None
    lists = divided(said.logprobs, said.answer)
    again = unpacked(packed(lists))
    for found in (lists, again):
        assert joined(tokens_of(found.get("content"))) == said.answer
    if recording.family == "deepseek":  # llama.cpp tells an empty <think></think> as tokens only
        assert joined(tokens_of(again.get("reasoning_content"))) == (said.reasoning or "")


pairs = st.tuples(st.binary(min_size=1, max_size=6), st.integers(0, 9_000).map(lambda n: -n / 100))
tokens = st.builds(Token, st.lists(pairs, min_size=1, max_size=4).map(tuple), st.booleans())


@given(st.lists(tokens, min_size=1, max_size=20))
def test_what_is_packed_is_unpacked(some):
    wire = [token.wire() for token in some]
    assert unpacked(packed({"content": wire})) == {"content": [t.wire() for t in tokens_of(wire)]}


def test_two_thousand_tokens_take_at_most_60_kilobytes():
    draw = random.Random(1)

    def said(word: str) -> dict:
        others = [(other, -draw.expovariate(0.2)) for other in draw.sample(PROSE, 4)]
        return place(word, -draw.expovariate(2), *others)

    lists = {"content": [said(f" {word}") for word in (PROSE * 3)[:4_000]]}
    text = packed(lists)
    assert len(text) <= 60_000 < len(json.dumps(lists)) / 10
    kept = unpacked(text)["content"]
    assert len(kept) == KEPT == 2_000
    assert len(kept[0]["top_logprobs"]) == 5
    assert json.loads(zlib.decompress(base64.b64decode(text)))["left"] == 2_000
    noise = [
        place(draw.randbytes(6).hex(), -1, (draw.randbytes(6).hex(), -2)) for _ in range(2_000)
    ]
    assert len(packed({"content": noise})) <= 60_000


BOMB = base64.b64encode(zlib.compress(b" " * 50_000_000 + b"{}")).decode()
FORGED = [None, 7, "", "é", "AAAA", base64.b64encode(zlib.compress(b"[]")).decode(), BOMB]
FORGED += [
    base64.b64encode(zlib.compress(json.dumps(body).encode())).decode()
    for body in (
        {"texts": [], "content": [[0, 1]], "reasoning_content": [], "chosen": []},
        {"texts": ["a"], "content": [[0]], "reasoning_content": [], "chosen": []},
        {"texts": ["a"], "content": [["a", "b"]], "reasoning_content": [], "chosen": []},
        {"texts": ["a"], "content": [[]], "reasoning_content": [], "chosen": []},
        {"texts": [1], "content": [[0, 1]], "reasoning_content": [], "chosen": []},
    )
]


@pytest.mark.parametrize("data", FORGED, ids=range(len(FORGED)))
def test_what_nobody_packed_is_empty(data):
    assert unpacked(data) == {}


def test_a_character_may_be_cut_between_tokens():
    wave = "👋".encode()
    cut = [Token(((wave[:2], -0.1),)), Token(((wave[2:], -0.2),))]
    assert joined(cut) == "👋"
    assert shown(cut[0].raw) == "\\xf0\\x9f"
    again = tokens_of(unpacked(packed({"content": [t.wire() for t in cut]}))["content"])
    assert joined(again) == "👋"


@pytest.mark.parametrize(
    "entry",
    [None, 3, {}, {"token": 1, "logprob": 0}, {"token": "a"}, {"token": "a", "logprob": "x"}]
    + [{"token": "a", "logprob": -1, "bytes": raw} for raw in ([300], ["x"], 3.5)],
)
def test_what_is_no_token_is_left_out(entry):
    assert tokens_of([entry]) == []
    assert tokens_of([{"token": "a", "logprob": math.nan}]) == []


@pytest.mark.parametrize("raw", [None, []])
def test_without_bytes_the_text_counts(raw):
    (token,) = tokens_of([{"token": "é", "logprob": -1, "bytes": raw, "top_logprobs": 5}])
    assert token == Token((("é".encode(), -1.0),))


def test_a_row_has_the_alternatives_and_a_bound_of_the_entropy():
    (row,) = rows([place(" a", math.log(0.5), (" b", math.log(0.25)))])
    assert row["token"] == " a"
    assert row["p"] == pytest.approx(0.5)
    assert row["alternatives"] == {" b": pytest.approx(0.25)}
    assert row["entropy"] == pytest.approx(1.5)  # the last quarter as one other token


def test_sureness_in_words():
    said = [place("Red", math.log(0.25)), place(" and\n", -9999.0), place(".", 0.0)]
    assert in_words({"content": said}) == (
        "Perplexity 2.00, 1 of 2 tokens under 50 %. Least sure: ‹Red› 25 %, ‹.› 100 %."
    )
    assert in_words({"reasoning_content": said}) == ""


def test_thinking_that_a_host_counts_among_the_answer_is_divided_off():
    said = [place(text, -0.1) for text in ("<think>", "Hm", "</think>", "\n\n", "A", "b")]
    lists = divided({"content": said}, "Ab")
    assert lists == {"content": said[4:], "reasoning_content": said[:4]}
    assert divided({"content": said}, "other") == {"content": said}


CORPUS = json.loads((Path(__file__).parents[1] / "data" / "tokens.json").read_text("utf-8"))


def test_the_corpus_of_the_page_is_read_the_same_way():
    lists = unpacked(CORPUS["packed"])
    for name, field in (("answer", "content"), ("thinking", "reasoning_content")):
        found = [
            [*[[shown(raw), round(chance(p), 4)] for raw, p in token.pairs], token.chosen]
            for token in tokens_of(lists[field])
        ]
        assert found == [[[text, p], *others, chosen] for text, p, others, chosen in CORPUS[name]]


@pytest.mark.parametrize(("ps", "temperature", "top_p", "shares"), CORPUS["reweighted"])
def test_the_shares_of_the_page_are_the_kernels(ps, temperature, top_p, shares):
    found = NextTokens("", tuple(zip("abcd", ps, strict=False)), "").at(temperature, top_p)
    assert [round(p, 4) for _, p in found] == shares
