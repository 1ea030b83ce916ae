"""A link names the host that it leads to, unless its text already does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepseek_jupyter.sanitizer.sanitizer import sanitize

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "links.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CORPUS["links"], ids=lambda case: case["label"])
def test_the_host_is_named_behind_the_label(case):
    shown = sanitize(f"[{case['label']}]({case['url']})!")
    named = f" ({case['named']})" if case["named"] else ""
    assert shown.html.endswith(f"</a>{named}!</p>\n")
    assert shown.markdown.replace("&#40;", "(").endswith(f"){named}!")


@pytest.mark.parametrize("text", ["https://a.test/x", "<https://a.test/x>", "[](https://a.test/x)"])
def test_an_address_or_an_empty_label_names_it_once(text):
    assert sanitize(text).html.count("a.test") == 2  # href and text
    assert "(a.test)" not in sanitize(text).html


def test_images_and_references_name_it_too():
    for text in ("![x](https://a.test/i)", "[x][r]\n\n[r]: https://a.test/i"):
        assert "(a.test)" in sanitize(text).html
        assert "(a.test)" in sanitize(text).markdown
