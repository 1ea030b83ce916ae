"""``@name``: what is meant as a name of the notebook, and what only looks like it."""

from __future__ import annotations

import pytest

from deepseek_jupyter.context.prompt import mentions, readings
from tests.support.growth import assert_linear


def said(text):
    return [m.expression for m in mentions(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@df", ["df"]),
        ("What of @df, and @other?", ["df", "other"]),
        ("(@df)", ["df"]),
        ("see @df.", ["df"]),
        ("mean of @df.price!", ["df.price"]),
        ("@df['a b'].sum", ["df['a b'].sum"]),
        ("@Out[3] and @In[12]", ["Out[3]", "In[12]"]),
        ('read @"notes/a b.txt"', ['"notes/a b.txt"']),
        ("数据@df，看", ["df"]),
        ("@größe", ["größe"]),
    ],
)
def test_names_are_found(text, names):
    if text.startswith("数据"):  # a letter stands before it, as in an address
        assert said(text) == []
        assert said(text.replace("@", " @")) == names
    else:
        assert said(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "mail ann@df.org",
        "ann.lee@df",
        "@ df",
        "@123",
        "`@df` is how",
        "```python\n@df\ndef f(): ...\n```",
        "~~~\n@df\n~~~",
        "```\n@df",
        "@df.route('/')\ndef index(): ...",
        "@df\n@other\nclass A: ...",
        "git@github.com:df/df.git",
        "https://x.org/@df",
        "a@@df",
    ],
)
def test_what_only_looks_like_one_is_not(text):
    assert said(text) == []


def test_a_name_may_begin_a_prompt_of_several_lines():
    assert said("@df\nwhat is in it?") == ["df"]


def test_a_sentence_may_go_on_behind_a_name():
    assert list(readings("df.price.Then")) == ["df.price.Then", "df.price", "df"]
    assert list(readings("df['a']")) == ["df['a']", "df"]


def test_names_among_much_code_cost_no_more_than_the_length_of_the_text():
    text = "`@a` @b ```@c``` "
    assert said(text * 1_000) == ["b"] * 1_000
    assert_linear(lambda count: said(text * count), 5_000)
