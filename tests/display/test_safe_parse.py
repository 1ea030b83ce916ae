"""What is spared the tokenizer's rules reads as if they had run."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deepseek_jupyter.sanitizer import parse as safe_parse
from deepseek_jupyter.sanitizer.parse import Block
from tests.support.fuzzing import examples

DEFAULT = getattr(MarkdownIt().inline, "terminator_re", None)  # older versions have none
ALWAYS = re.compile("")

WORDS = st.sampled_from(
    [
        *(
            "a",
            "The sky.",
            "x",
            "7",
            "1.",
            "2)",
            " ",
            "  ",
            "\t",
            "é",
            "中",
            "。",
            "²",
            "\xa0",
            "\u2009",
        ),
        *("*", "**", "***", "_", "__", "`", "``", "~~", "~", "|", "||", "-", "+", "=", ":", "---"),
        *(":-:", "#", ">", "!", "[", "]", "(", ")", "[x] ", "](http://e.org)", "http://e.org/a_b"),
        *(
            "<b>",
            "&amp;",
            "\\",
            "\\|",
            "\\(",
            "$",
            "$x$",
            "$$",
            "```",
            "**bold**",
            "*em*",
            "`co de`",
        ),
        *(
            "**a.** b",
            "(**a**)",
            "** a**",
            "**a **",
            "*a***b**",
            "` a `",
            "a\u0301",
            "_a_",
            ",",
            ".",
        ),
    ]
)
INLINE = st.lists(WORDS, max_size=7).map("".join)
MARKERS = st.sampled_from(["- ", "* ", "+ ", "1. ", "2. ", "07) ", "-  ", "-\t", " - ", "10.", "|"])
RULES = st.sampled_from(["|---|---|", "| :-- | --: |", "|:-:|-|", "|---|", "--|--", "| - | - |  "])


def rows(cells: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in cells]


LISTS = st.lists(st.tuples(MARKERS, INLINE).map("".join), min_size=1, max_size=5).map("\n".join)
TABLES = st.tuples(
    st.lists(INLINE, min_size=1, max_size=3),
    RULES,
    st.lists(st.lists(INLINE, min_size=1, max_size=3), max_size=3),
    st.sampled_from(["", " ", "\n", "\n- x", "\nx"]),
).map(lambda parts: "\n".join([*rows([parts[0]]), parts[1], *rows(parts[2])]) + parts[3])
ONE_LIST = st.tuples(MARKERS, st.lists(INLINE, min_size=1, max_size=5)).map(
    lambda parts: "\n".join(parts[0] + text for text in parts[1])
)


def rendered(text: str) -> tuple[str, str]:
    block = Block(text, 0)
    block.parse({"references": {}})
    return block.html, block.markdown


@examples(400)
@example("- **a** `b`\n- *c*, d")
@example("3. a\n4. b")
@example("| a | *b* |\n|---|:-:|\n| 1 |\n| 2 | 3 | 4 |")
@example("| a |\n|---|")
@example("- * * *")
@example("- a `**b`** c")
@example("# **a** b")
@given(st.one_of(LISTS, ONE_LIST, TABLES, INLINE, INLINE.map("# {}".format)))
def test_a_rule_that_is_spared_would_have_changed_nothing(text):
    short = rendered(text)
    with pytest.MonkeyPatch.context() as without:
        without.setattr(safe_parse, "_SPECIAL", ALWAYS)
        inline = safe_parse._parser().inline
        without.setattr(inline, "terminator_re", DEFAULT, raising=False)
        assert rendered(text) == short
