"""Answers in a terminal: the same however the stream is cut, and no escape code but our own."""

from __future__ import annotations

import itertools
import re

import pytest

from deepseek_jupyter.display.terminal import TerminalStyler
from deepseek_jupyter.sanitizer.text import plain

ESCAPES = ["\x1b[31mred\x1b[0m", "\x1b]52;c;YWJj\x07", "\x9b2J", "\x1b[2J\x1b[1;1H", "a\x08b\x7f"]
OURS = re.compile("\x1b\\[[0-9]*m")

TEXTS = {
    "bold": "a **bold** b *** c ****d**** e",
    "code": "use `x = 1` and ``y`` or `**z**`",
    "fence": "Text\n```python\nx = '''`'''\n**kw\n```\nafter **b**",
    "long fence": "````md\n```py\nx\n```\n````\nafter",
    "fence in a list": "1. do\n   ```\n   ls\n   ```\n- ```sh\n  x\n  ```\n> ```\n> q\n> ```\n",
    "ticks in a line": "Write ``` to begin a fence\nand go on",
    "headings": "# One\ntext # no\n## Two **b**\n#!x",
    "unbalanced": "a ** b\nand `c\nplain",
    "open at the end": "```\nx = **",
}


def styled(pieces, *, colour: bool = True, width: int = 0) -> str:
    styler = TerminalStyler(colour=colour, width=width)
    return "".join([styler.answer(piece) for piece in pieces] + [styler.close()])


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("width", [0, 9])
def test_every_cut_gives_the_same(name, width):
    text = TEXTS[name]
    whole = styled([text], width=width)
    assert styled(text, width=width) == whole
    for cut in range(len(text)):
        assert styled([text[:cut], text[cut:]], width=width) == whole, text[:cut]
    for first, second in itertools.combinations(range(len(text)), 2):
        pieces = [text[:first], text[first:second], text[second:]]
        assert styled(pieces, width=width) == whole


def assert_no_word_is_lost(text):
    """Marks go, and a fence's language; every other character stays, in order."""
    kept = re.sub(r"(?m)^[\s>]*(?:[-*+] +)?`{3,}.*|\*\*|`", "", plain(text))
    shown = OURS.sub("", styled([text]))
    rest = iter(shown)
    assert all(char in rest for char in kept)
    if "```" not in text:
        assert re.sub(r"\*\*|`", "", plain(text)) == re.sub(r"\*\*|`", "", shown)


def assert_no_escape_code(text, *, colour):
    styler = TerminalStyler(colour=colour)
    for shown in (
        styled([text], colour=colour),
        styled(text, colour=colour),
        styler.thinking(text),
        "".join(styler.thinking(char) for char in text),
        styler.muted(text),
    ):
        left = OURS.sub("", shown) if colour else shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", left)


@pytest.mark.parametrize("name", TEXTS)
def test_no_word_is_lost(name):
    assert_no_word_is_lost(TEXTS[name])


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("colour", [True, False])
def test_no_escape_code_of_the_models_own(text, colour):
    assert_no_escape_code(text, colour=colour)


LONG = (
    "A **likelihood** is a `function of` the parameters, not of the data that were seen here.\n\n"
    "```python\nvalue = a_function_with_a_long_name(first, second)  # a comment\n```\n"
    "| a row of a table | that is wider than the terminal |\n- one **more** item of a list to wrap"
)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_terminal_breaks_lines_between_words_but_not_code_and_tables(size):
    styler = TerminalStyler(colour=True, width=30)
    pieces = [LONG[at : at + size] for at in range(0, len(LONG), size)]
    shown = OURS.sub("", "".join(map(styler.answer, pieces)) + styler.close())
    lines = shown.split("\n")
    assert "value = a_function_with_a_long_name(first, second)  # a comment" in lines
    assert "| a row of a table | that is wider than the terminal |" in lines
    assert all(len(line.rstrip()) <= 30 for line in lines if not line.startswith(("value", "|")))
    assert shown.split() == re.sub(r"\*\*|```python|```|`", "", LONG).split(), "no word is broken"


def test_thinking_is_wrapped_too_and_nothing_of_it_is_kept_back():
    styler = TerminalStyler(colour=True, width=20)
    shown = "".join(map(styler.thinking, "The user asks about a likelihood."))
    shown = OURS.sub("", shown + styler.close())
    assert shown == "The user asks about \na likelihood."


def test_without_colour_markdown_stays_as_it_is():
    text = "# T\n**b** `c`\n```py\nx\n```"
    assert styled(text, colour=False) == text


def test_the_terminal_is_left_as_it_was():
    for text in TEXTS.values():
        assert styled([text]).endswith("\x1b[0m")


def test_words_are_not_held_back():
    styler = TerminalStyler(colour=True)
    assert styler.answer("plain words") == "plain words"
    assert styler.answer(" and *") == " and "
    assert styler.answer("more") == "*more"


def test_an_unbalanced_mark_ends_with_its_line():
    first, second = styled(["a ** b\nplain"]).split("\n")
    assert first == "a \x1b[1m b\x1b[0m"
    assert second == "plain\x1b[0m"
