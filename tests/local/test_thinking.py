"""The fields that turn thinking on and off, without a server."""

from __future__ import annotations

from deepseek_jupyter.local import thinking_body

OFF = {"chat_template_kwargs": {"enable_thinking": False}}


def test_on_brings_a_grammar_and_off_says_so() -> None:
    assert set(thinking_body(True)) == {"chat_template_kwargs", "grammar"}
    assert thinking_body(False) == OFF


def test_repeatable_gives_up_the_prompt_cache() -> None:
    assert thinking_body(False, repeatable=True) == {**OFF, "cache_prompt": False}


def test_one_grammar_a_request() -> None:
    assert thinking_body(True, response_format=True) == OFF
    assert thinking_body(True, tools=True) == OFF


def test_a_model_of_the_users_own_thinks_as_it_was_taught() -> None:
    assert "grammar" not in thinking_body(True, model="my-r1")
