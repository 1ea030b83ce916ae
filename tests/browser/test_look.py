"""Pictures of a finished card, for people to look at."""

from __future__ import annotations

from pathlib import Path

from .pages import at_rest

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"

PLAY = """stream_script.play(
    sample.SECTION, sample.THINKING * 2, deltas=120, rate=60,
    attachments=[
        {"name": "sales", "kind": "pandas", "policy": "sample(20)", "tokens": 812}
    ],
    tool_calls=[
        {"id": "1", "name": "describe", "arguments": '{"frame": "sales"}', "result": "12 rows"}
    ],
    notices=["The model left out two columns."],
    branch={"index": 2, "count": 3},
    footer="1,204 in (82 % cached) · 311 thinking · 512 out · $0.0004 · 4.1 s")"""


THINKS = "stream_script.play('', sample.THINKING * 2, deltas=120, rate=60, final=False)"


def test_a_card_in_each_theme(open_notebook):
    book = open_notebook(THINKS, PLAY)
    page = book.page
    ARTEFACTS.mkdir(exist_ok=True)
    book.run(1)
    page.locator(".jp-DeepSeek-thinking[open] p").first.wait_for()
    page.screenshot(path=ARTEFACTS / "card-light-thinking.png")
    book.until_done()
    book.run(2)
    book.until_done()
    page.set_viewport_size({"width": 1100, "height": 1250})
    seen = set()
    for theme in ("JupyterLab Dark High Contrast", "JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        at_rest(page)
        book.card.locator(".jp-DeepSeek-block", has_text="import numpy").first.hover()
        at_rest(page)
        name = theme.split(" ", 1)[1].lower().replace(" ", "-")
        book.card.screenshot(path=ARTEFACTS / f"card-{name}.png")
        colours = book.card.evaluate(
            "card => [getComputedStyle(card).backgroundColor, getComputedStyle(card).color]"
        )
        assert colours[0] != colours[1]
        seen.add(tuple(colours))
    assert len(seen) > 1
