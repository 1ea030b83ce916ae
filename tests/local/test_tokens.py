"""Tokens of the embedded model: they are its text, and it goes on from any of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deepseek_jupyter import local
from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.next_tokens import branching, next_tokens
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.protocol.logprobs import joined, tokens_of
from deepseek_jupyter.session.session import Session

pytestmark = pytest.mark.local_model


@pytest.fixture(scope="module")
def session(installed_home: Path) -> Iterator[Session]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(installed_home))
        patch.setenv("DEEPSEEK_LOCAL_THREADS", "1")
        yield Session(DeepSeek(provider="local", journal=False))
        local.stop_server()


def test_going_on_from_its_own_token_gives_its_own_answer(session: Session) -> None:
    greedy = {"temperature": 0, "max_tokens": 12, "top_logprobs": 3}
    first = ask(session, Question("What is the capital of France?", parameters=greedy))
    tokens = tokens_of((first.logprobs or {})["content"])
    assert joined(tokens) == first.text
    place = len(tokens) // 2
    again = ask(session, branching(first.turn, place, -1))
    assert again.text == first.text
    other = ask(session, branching(first.turn, place, 0))
    begun = joined(tokens[:place]).encode() + tokens[place].pairs[1][0]
    assert other.text.encode().startswith(begun)
    assert other.text != first.text
    assert [token.chosen for token in tokens_of((other.logprobs or {})["content"])][place]
    assert other.record["branch"] == {"index": 3, "count": 3}


def test_the_next_token_is_asked_for_once(session: Session) -> None:
    found = next_tokens(session, "The capital of France is", 10)
    assert len(found.tokens) == 10
    assert found.tokens[0][0] == " Paris"
    assert found.at(temperature=0)[0] == (" Paris", pytest.approx(1))


def test_a_cut_answer_is_continued_from_its_very_words(session: Session) -> None:
    counts = "Count from one to ten in words."
    greedy = {"temperature": 0, "max_tokens": 20}
    whole = ask(session, Question(counts, history=False, parameters={"temperature": 0}))
    cut = ask(session, Question(counts, new=True, parameters=greedy))
    assert cut.finish_reason == "length"
    rest = ask(session, Question("", go_on=True, parameters={"temperature": 0}))
    assert cut.text + rest.text == whole.text
