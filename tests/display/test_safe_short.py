"""The short cuts give what the tokenizer gives: with or without them, a text reads the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deepseek_jupyter.sanitizer import parse as safe_parse
from deepseek_jupyter.sanitizer.parse import Block
from tests.support.fuzzing import examples

SHORT_CUTS = ("flat_list", "flat_table", "simple_inline")

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
def test_a_short_cut_changes_nothing(text):
    short = rendered(text)
    with pytest.MonkeyPatch.context() as without:
        for name in SHORT_CUTS:
            without.setattr(safe_parse, name, lambda text: None)
        inline = safe_parse._parser().inline
        without.setattr(inline, "terminator_re", MarkdownIt().inline.terminator_re)
        assert rendered(text) == short


@pytest.mark.parametrize(
    "text",
    [
        "- **Blue.** It scatters `x_1` most.\n- *Red* least, (**so** far).",
        "1. one\n2. two",
        "| name | share |\n| --- | ---: |\n| a *b* | 0.5 |\n| `c` | 1 |",
    ],
)
def test_what_models_write_most_needs_no_tokenizer(text, monkeypatch):
    parser = safe_parse._parser()
    monkeypatch.setattr(parser.inline, "parse", None)
    monkeypatch.setattr(parser.block, "parse", None)
    html, markdown = rendered(text)
    assert html.startswith(("<ul>", "<ol>", "<table>"))
    assert markdown
