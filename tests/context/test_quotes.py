"""Quotes are found where they stand, and nothing unfounded goes unmarked."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.context.quotes import QuoteSource, cited, quotes

TEXT = """The harbour board met on Tuesday, and everyone was there.
It approved a budget of 3.5 million euros for the new
breakwater, which is to be fin-
ished in 2027. The pilots do not enter after dark.
“Nobody,” said Ms Okafor, “was asked about the −5 °C limit.”
会议批准了三百五十万欧元的预算，用于新的防波堤。
It is unsafe after 20:15 at p < 0.05."""
SOURCE = QuoteSource("meeting.txt", TEXT, "line", ((0, 1),))


def marks(answer: str, *sources: QuoteSource) -> list[str]:
    return [citation.mark for citation in cited(answer, sources or (SOURCE,))]


@pytest.mark.parametrize(
    ("quote", "mark"),
    [
        ("the harbour board met on Tuesday", "[meeting.txt:1]"),
        ("THE HARBOUR BOARD  met on Tuesday.", "[meeting.txt:1]"),  # case, blanks, punctuation
        ("for the new breakwater", "[meeting.txt:2-3]"),
        ("to be finished in 2027", "[meeting.txt:3-4]"),  # a word that was cut at a line's end
        ("The *pilots* do not enter", "[meeting.txt:4]"),
        ("It approved a budget […] finished in 2027", "[meeting.txt:2-4]"),
        ("was asked about the -5 °C limit", "[meeting.txt:5]"),
        ("It approved a budgett of 3.5 million euros for the new", "[meeting.txt:2 ≈]"),
        # Not in it: other figures, a sign, a negation, an order, other words.
        ("It approved a budget of 35 million euros for the new", "[not found]"),
        ("It approved a budget of 3.4 million euros for the new", "[not found]"),
        ("was asked about the 5 °C limit", "[not found]"),
        ("The pilots do enter after dark.", "[not found]"),
        ("a budget approved it of 3.5 million euros", "[not found]"),
        ("The board agreed to spend money on a breakwater", "[not found]"),
        ("finished in 2027 … It approved a budget", "[not found]"),
        # Letter by letter, but cut out of a word or a number, or with what it leaves out.
        ("safe after 20:15", "[not found]"),
        ("after 2015 at p", "[not found]"),
        ("at p > 0.05", "[not found]"),
        ("5 °C limit", "[not found]"),
        (".5 million euros", "[not found]"),
        ("The pilots do … enter after dark", "[not found]"),
        ("The pilots do [never] enter after dark", "[not found]"),
        # One letter of twenty, but another word, sign or negation.
        ("It approved a budget of €3.5 million euros for the new", "[not found]"),
        ("It approved a budget of 3.5 billion euros for the new breakwater", "[not found]"),
        ("The pilots do now enter after dark. Nobody, said Ms Okafor, was", "[not found]"),
        ("会议批准了三百八十万欧元的预算,用于新的防波堤", "[not found]"),
    ],
)
def test_where_a_quote_stands(quote, mark):
    assert marks(f'They say "{quote}" there.') == [mark]


def test_quotes_in_all_marks_and_as_blocks():
    answer = (
        "“met on Tuesday” «met on Tuesday» »met on Friday« "
        "'the pilots are' the boys' own 「会议批准了」\n\n> everyone was there.\n> It approved\n"
    )
    assert marks(answer) == [
        "[meeting.txt:1]",
        "[meeting.txt:1]",
        "[not found]",
        "[not found]",
        "[meeting.txt:6]",
        "[meeting.txt:1-2]",
    ]
    figures = QuoteSource("a.txt", "of pears\n5 apples and 3 plums shall [not] rot")
    assert marks('"shall [not] rot" "pears [not] apples"', figures) == ["[a.txt]", "[not found]"]
    assert marks("> of pears\n> 5 apples", figures) == ["[a.txt]"]
    assert not list(quotes('`"met on Tuesday"` and\n```\n"x y z"\n```\nand 5" and 6" and "one"'))


def test_pages_paragraphs_and_cells():
    page = QuoteSource(
        "a.pdf", "head\n[page 1]\nfirst words\n[page 7]\nlast words", "page", ((1, 1), (3, 7))
    )
    cell = QuoteSource("a.ipynb", "head\n[cell 2]\nx = 41", "cell", ((1, 2),))
    word = QuoteSource("a.docx", "head\none two\nthree four", "paragraph", ((1, 1),))
    answer = '"last words" "x = 41" "three four" "first words last"'
    assert marks(answer, page, cell, word) == [
        *("[a.pdf p.7]", "[a.ipynb cell 2]", "[a.docx ¶2]", "[a.pdf p.1-7]"),
    ]


@given(st.integers(0, 10_000))
def test_every_true_quote_has_its_line_and_no_false_one_has_any(seed):
    """Sentences of random words: those quoted are found, shuffled and altered ones are not."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(2, 8))) for _ in range(300)]
    lines = [" ".join(rng.choices(words, k=8)) + f" {n}" for n in range(40)]
    source = QuoteSource("t.txt", "\n".join(lines), "line", ((0, 1),))
    at = rng.randrange(40)
    own = lines[at].split()
    shuffled = own[4:] + own[:4]
    wrong = [*own[:-1], str(at + 1_000)]
    answer = " ".join(f'"{" ".join(quote)}"' for quote in (own, shuffled, wrong))
    assert marks(answer, source) == [f"[t.txt:{at + 1}]", "[not found]", "[not found]"]
