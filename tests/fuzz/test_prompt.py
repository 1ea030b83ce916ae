"""Whatever is typed: a question, or one line that says what is wrong with it."""

from __future__ import annotations

import contextlib
import shlex

from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from deepseek_jupyter.context.prompt import fill
from deepseek_jupyter.errors import DeepSeekError, TemplateError
from deepseek_jupyter.magics.arguments import flag_parser, parse_cell, parse_line
from tests.support.fuzzing import examples

NAMES = {"n": 3, "s": "text", "d": {"a": {"b": 1}}}
PIECES = ["{{", "}}", "{", "}", "\\", "'", '"', "n", "s", "d", "[", "]", "(", ")", ":", ",", "\n"]
MARKS = st.lists(st.sampled_from([*PIECES, " ", "\\{{", "{{ n }}", "f'", "#", "lambda", "\0", "é"]))


@examples(300)
@given(MARKS.map("".join))
def test_any_braces_give_a_text_or_a_template_error(text):
    with contextlib.suppress(TemplateError):  # anything else would reach the user as a traceback
        assert isinstance(fill(text, NAMES), str)


@examples(150)
@given(st.lists(st.text(st.characters(exclude_characters="{}\\`~")), min_size=2, max_size=5))
def test_what_stands_around_expressions_comes_through_letter_by_letter(parts):
    assert fill("{{ n }}".join(parts), NAMES) == "3".join(parts)


FLAGS = sorted(flag for action in flag_parser()._actions for flag in action.option_strings)
WORDS = [*("3", "-1", "0.5", "x", "k=v", "k=[1,", "="), *("md", "json", "--", "-", "é", "?")]
QUOTES = ["'", '"', "\\"]
words = st.sampled_from([*FLAGS, *WORDS, *QUOTES]) | st.text(max_size=8)
lines = st.lists(words, max_size=6).map(" ".join)


@examples(300)
@given(lines, st.text(max_size=20))
def test_any_line_is_a_command_or_one_line_of_what_is_wrong(line, body):
    for parse in (lambda: parse_cell(line, body), lambda: parse_line(line)):
        with contextlib.suppress(UsageError, DeepSeekError):
            assert isinstance(parse().question.prompt, str)


@examples(150)
@given(st.text(min_size=1).filter(lambda text: not text.lstrip().startswith("-")))
def test_a_question_on_the_line_arrives_as_written(text):
    """Flags come first; what follows is the question, quotes and all."""
    assert parse_line(text).question.prompt == text.strip()
    assert parse_line(f"--max-tokens 5 {text}").question.prompt == text.strip()


@examples(150)
@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_a_quoted_value_is_taken_whole(value):
    command = parse_cell(f"--system={shlex.quote(value)}", "Hello")
    assert command.question.system == value
