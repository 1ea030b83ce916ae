"""Estimates of messages: everything that is sent costs, not the prose alone."""

from __future__ import annotations

from deepseek_jupyter.protocol.messages import ToolCall, assistant, user
from deepseek_jupyter.protocol.tokens import estimate_messages, estimate_tokens


def test_english_and_chinese_by_deepseeks_rule_of_thumb():
    assert estimate_tokens("a" * 1_000) == 300
    assert estimate_tokens("数" * 1_000) == 600
    assert estimate_tokens("") == 0


def test_the_arguments_of_a_call_count():
    code = "x = 1\n" * 5_000
    message = assistant("", tool_calls=[ToolCall("c", "run_python", code)])
    assert estimate_messages([message]) >= estimate_tokens(code)


def test_a_picture_counts_as_many_words():
    assert estimate_messages([user("What is it?", ["data:x"])]) > 1_000
