"""The card of a suite in each theme: what axe says, and that both answers open by keyboard."""

from __future__ import annotations

import pytest

from .notebook import Notebook
from .pages import take
from .test_accessible import THEMES, serious
from .test_first_hour import theme
from .test_look import ARTEFACTS

CARD = ".jp-OutputArea-output.jp-RenderedHTMLCommon"
MADE = """
from random import Random
from deepseek_jupyter.jobs.attempt import Attempt
from deepseek_jupyter.jobs.scorers import scorer_of
from deepseek_jupyter.jobs.suite import Suite
from deepseek_jupyter.jobs.variant import Variant

draw, shares = Random(7), {"flash-thinking": 0.93, "flash": 0.78, "v3.1-terminus": 0.9}
attempts = [
    Attempt(case, name, 0, f"The answer is {case}.", "I count." * 20, float(draw.random() < share),
            cost="0.0002", currency="USD", tokens_out=12, first=0.4, seconds=1 + draw.random())
    for name, share in shares.items()
    for case in range(200)
]
cases = [{"id": f"sum-{n}", "expected": n} for n in range(200)]
asked = [f"What is {n} and nothing?" for n in range(200)]
Suite(cases, asked, "{{ q }}", tuple(map(Variant, shares)), scorer_of("number"), 1, attempts)
"""


@pytest.mark.browser
def test_it_can_be_read_in_each_theme_and_opened_by_keyboard(browser, asking_server):
    page = take(browser, asking_server(), {"width": 1200, "height": 800})
    book = Notebook(asking_server(), page, (MADE,), load=False, name="suite.ipynb")
    book.run(0)
    card = page.locator(CARD).last
    card.get_by_text("What it shows").wait_for()
    fold = card.locator("details > summary").first
    fold.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    card.get_by_text("The answer is").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    card.get_by_text("I count.").first.wait_for()
    ARTEFACTS.mkdir(exist_ok=True)
    for name in THEMES[::-1]:
        theme(page, name)
        page.screenshot(path=ARTEFACTS / f"suite-{name.split(maxsplit=1)[1].lower()}.png")
        assert serious(page, CARD) == []
    assert book.own_errors == []
    book.close()
