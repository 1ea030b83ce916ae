"""Any history becomes one that the API accepts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.messages import (
    Message,
    ToolCall,
    assistant,
    legal,
    system,
    tool,
    user,
)
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.validator import complaint

DEEPSEEK = PROVIDERS["deepseek"].dialect
CALL = ToolCall("c1", "f", "{}")
OTHER = ToolCall("c2", "g", "{}")


class TestLegal:
    def test_a_whole_tool_turn_stays(self):
        history = [user("q"), assistant("", tool_calls=[CALL]), tool("r", "c1"), assistant("a")]
        assert legal(history) == history

    def test_an_interrupted_tool_turn_is_dropped(self):
        """No unanswered calls."""
        assert legal([user("q"), assistant("", tool_calls=[CALL])]) == [user("q")]

    def test_its_text_stays(self):
        repaired = legal([user("q"), assistant("Let me see.", tool_calls=[CALL]), user("r")])
        assert repaired == [user("q"), assistant("Let me see."), user("r")]

    def test_of_two_calls_the_answered_one_stays(self):
        history = [user("q"), assistant("", tool_calls=[CALL, OTHER]), tool("r", "c2")]
        assert legal(history)[1].tool_calls == (OTHER,)

    def test_results_without_a_call_are_dropped(self):
        assert legal([user("q"), tool("r", "c1"), assistant("a")]) == [user("q"), assistant("a")]

    def test_a_second_result_for_one_call_is_dropped(self):
        history = [assistant("", tool_calls=[CALL]), tool("r", "c1"), tool("s", "c1")]
        assert legal([user("q"), *history])[-1] == tool("r", "c1")

    def test_two_calls_with_one_id_become_one(self):
        twice = assistant("", tool_calls=[CALL, CALL, ToolCall("c1", "g", "[]")])
        assert legal([user("q"), twice, tool("r", "c1")])[1].tool_calls == (CALL,)

    def test_an_empty_assistant_message_is_dropped_and_its_neighbours_merge(self):
        assert legal([user("a"), assistant("", reasoning="x"), user("b")]) == [user("a\n\nb")]

    def test_system_messages_stay_apart(self):
        assert legal([system("a"), system("b"), user("q")]) == [system("a"), system("b"), user("q")]

    def test_the_given_list_is_left_alone(self):
        history = [user("a"), user("b")]
        legal(history)
        assert history == [user("a"), user("b")]


ids = st.sampled_from(["c1", "c2", "c3"])
tool_calls = st.lists(
    st.builds(ToolCall, ids, st.sampled_from(["f", "g"]), st.sampled_from(["", "{}", "{"])),
    max_size=3,
)
contents = st.sampled_from(["", "text", "Mehr — 更多"])
messages = st.one_of(
    st.builds(user, contents),
    st.builds(system, contents),
    st.builds(tool, contents, ids),
    st.builds(
        assistant, contents, reasoning=st.sampled_from([None, "", "Hm."]), tool_calls=tool_calls
    ),
    st.builds(lambda c: Message("assistant", c, prefix=True), contents),
)


@given(st.lists(messages, max_size=10))
def test_whatever_came_before_the_next_question_is_accepted(history):
    """Any order, interrupted anywhere, and DeepSeek's validator agrees."""
    request = ChatRequest("deepseek-flash", [*history, user("The next question.")])
    assert complaint(build(request, DEEPSEEK).body) is None


@given(st.lists(messages, max_size=10))
def test_repairing_twice_changes_nothing_more(history):
    assert legal(legal(history)) == legal(history)
