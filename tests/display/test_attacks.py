"""Each attack of `tests/data/attacks/attacks.json`, as answer, thinking, notice, error and footer.

It is shown, does nothing in any front end, and sends no code to a terminal.
"""

from __future__ import annotations

import random

import pytest

from deepseek_jupyter.display.render import final_bundle, streaming_bundle
from deepseek_jupyter.sanitizer.sanitizer import Sanitizer, sanitize
from tests.support.forms import check_all
from tests.support.fuzzing import FUZZING

from .test_render import Page as Card
from .test_render import record
from .test_safe import ATTACKS, GFM, NAMES, PARSERS, Page, faults, fed, markdown_faults
from .test_terminal import assert_no_escape_code, assert_no_word_is_lost


def in_the_answer(attack: dict[str, str]) -> None:
    sanitized = sanitize(attack["text"])
    assert faults(sanitized.html) == []
    assert attack["must_show"] in Page(sanitized.html).shown()
    assert markdown_faults(sanitized.markdown) == []
    assert attack["must_show"] in Page(GFM.render(sanitized.markdown)).shown()


def in_pieces(attack: dict[str, str]) -> None:
    text = attack["text"]
    whole = sanitize(text)
    chance = random.Random(attack["name"])
    some = min(len(text), 120 if FUZZING else 5)
    cuts = sorted(chance.sample(range(len(text)), some))
    growing = Sanitizer()
    for before, cut in zip((0, *cuts), cuts, strict=False):
        assert fed(text, cut).finish() == whole, f"cut at {cut}"
        growing.feed(text[before:cut])
        assert faults(growing.html()) == [], f"after {cut}"


def around_the_answer(attack: dict[str, str]) -> None:
    text = attack["text"]
    made = record(
        reasoning=text,
        notices=[text],
        footer=text,
        error={"type": "ServerError", "message": text, "hint": ""},
    )
    final = final_bundle(made, seen=True)["text/markdown"]
    assert Card(GFM.render(final)).shown().count(attack["must_show"]) >= 4
    growing = Card(
        streaming_bundle("", text, status="thinking", elapsed=1.0, notices=[text])["text/html"]
    )
    assert growing.faults == []
    assert attack["must_show"] in growing.shown()  # of a long thought the end is shown


def in_the_markdown_around_it(attack: dict[str, str]) -> None:
    """A line of a notice or footer that begins with a fence or four spaces becomes a block of code.

    And JupyterLab takes `@@0@@` for the place of a formula.
    """
    text = attack["text"]
    error = {"type": "ServerError", "message": text, "hint": ""}
    made = record(reasoning=text, notices=[text], footer=text, error=error)
    bundle = final_bundle(made, seen=True)
    for name, parse in PARSERS.items():
        assert Card(str(parse(bundle["text/markdown"]))).faults == [], name


def in_a_terminal(attack: dict[str, str]) -> None:
    assert_no_word_is_lost(attack["text"])
    assert_no_escape_code(attack["text"], colour=True)


def in_a_terminal_without_colour(attack: dict[str, str]) -> None:
    assert_no_escape_code(attack["text"], colour=False)


FORMS = (
    in_the_answer,
    in_pieces,
    around_the_answer,
    in_the_markdown_around_it,
    in_a_terminal,
    in_a_terminal_without_colour,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_an_attack_is_shown_and_does_nothing(attack):
    check_all(FORMS, attack)
