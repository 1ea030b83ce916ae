"""Tool calls, typed lists and changes as blocks of the card, and of a page that nbconvert makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted import answer
from tests.support.wording import tool_call

from .pages import at_rest
from .test_accessible import THEMES, serious
from .test_live import endpoint, lab, notebook

__all__ = ["endpoint", "lab", "notebook"]

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"
DATA = """\
import pandas as pd, pydantic
df = pd.DataFrame({"city": ["Ulm", "Rome"] * 9, "price": [float(n) for n in range(18)]})
class City(pydantic.BaseModel):
    name: str
    people: int"""
QUERY = "SELECT city,\n  sum(price) AS total\nFROM df GROUP BY city"
CHANGE = "The limit is too high.\n\n```python In[3]\nLIMIT = 3\n```\n"
CELLS = (
    DATA,
    "LIMIT = 9",
    "1 / len([n for n in (3, 4) if n >= LIMIT])",
    "%%ds --no-history --tools sql,run_python -a df:full\nWhich city sells best?",
    "%%ds --no-history --schema list[City]\nTwo cities",
    "%deepseek fix",
)
ASK, LIST, FIX = 4, 5, 6


def sql(id: str, query: str) -> dict[str, object]:
    return tool_call(id, "sql", json.dumps({"query": query}))


def theme(page, name: str) -> None:
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
    at_rest(page)


def run(book, index: int) -> None:
    book.run(index)
    book.page.evaluate("async () => { await window.__ran.catch(() => undefined); }")
    book.until_idle()
    at_rest(book.page)


@pytest.fixture
def shown(lab, endpoint, notebook):
    """A notebook whose cells have called tools, listed cities and proposed a change."""
    book = notebook(lab, *CELLS)
    for index in (1, 2, 3):
        run(book, index)
    calls = [sql("a", QUERY), sql("b", "SELEC 1")]
    act = [tool_call("c", "run_python", json.dumps({"code": "total = df.price.sum()\ntotal"}))]
    endpoint.queue(
        answer("Let me look.", "They want a sum by city.", calls, finish="tool_calls"),
        answer("And the sum:", None, act, finish="tool_calls"),
        answer("Rome sells best."),
    )
    book.run(ASK)
    card = book.page.locator(".jp-Cell").nth(ASK).locator(".jp-DeepSeek-card")
    card.get_by_role("button", name="Approve").wait_for()
    assert card.locator(".jp-DeepSeek-phase").inner_text() == "", "the provider is not waited for"
    assert "run_python · waits for you" in card.inner_text()
    ARTEFACTS.mkdir(exist_ok=True)
    card.screenshot(path=ARTEFACTS / "blocks-consent.png")
    book.page.wait_for_timeout(1500)  # the time to read, which is not the answer's
    card.get_by_role("button", name="Approve").click()
    book.until_done()
    cities = [{"name": "Ulm", "people": 128000}, {"name": "Rome", "people": 2750000}]
    endpoint.queue(answer(json.dumps(cities)))
    run(book, LIST)
    endpoint.queue(answer(CHANGE))
    run(book, FIX)
    return book


def test_blocks_of_the_card(shown):
    page = shown.page
    cells = page.locator(".jp-Cell")
    card = cells.nth(ASK).locator(".jp-DeepSeek-card")
    before = card.locator(".jp-DeepSeek-tools .jp-DeepSeek-thinking")
    assert before.count() == 1, "what was thought before the calls stays"
    before.locator("summary").click()
    assert "They want a sum by city." in before.inner_text()
    lines = [
        line.split(" · ") for line in card.locator(".jp-DeepSeek-tool summary").all_inner_texts()
    ]
    assert [line[:2] for line in lines] == [
        ["sql", "2 rows"],
        ["sql", "failed"],
        ["run_python", "approved"],
    ]
    assert all(line[-1].endswith("s") for line in lines), "and the time"
    card.locator(".jp-DeepSeek-tool summary").first.click()
    at_rest(page)
    assert card.locator("td").all_inner_texts()[:2] in (["Ulm", "72"], ["Rome", "81"])
    assert "{" not in card.locator(".jp-DeepSeek-listing").first.inner_text()
    card.locator(".jp-DeepSeek-listing span[class*='ͼ']").first.wait_for()

    listed = cells.nth(LIST).locator(".jp-DeepSeek-card")
    assert listed.locator("th").all_inner_texts() == ["name", "people"]
    assert listed.locator("details.jp-DeepSeek-json").get_attribute("open") is None

    fix = cells.nth(FIX).locator(".jp-DeepSeek-card")
    assert "- LIMIT = 9\n+ LIMIT = 3" in fix.inner_text()
    assert fix.inner_text().count("LIMIT = 3") == 1, "one copy of the code"
    assert fix.locator(".jp-DeepSeek-replace:visible").count() == 0
    assert cells.nth(FIX).locator(".jp-OutputArea-child").count() == 1
    primary = fix.locator(".jp-mod-primary")
    assert primary.inner_text() == "Accept"
    page.set_viewport_size({"width": 1000, "height": 1500})
    found = []
    for name in THEMES[::-1]:
        theme(page, name)
        found += serious(page, ".jp-OutputArea .jp-DeepSeek-card")
        for index, part in ((ASK, "tools"), (LIST, "list"), (FIX, "fix")):
            cells.nth(index).screenshot(path=ARTEFACTS / f"blocks-{part}-{name[11:].lower()}.png")
    assert sorted(set(found)) == []
    primary.click()
    shown.until_idle()
    fix.get_by_text("Accepted").wait_for()
    assert shown.sources()[2] == "LIMIT = 3"
    assert shown.own_errors == []


def test_the_page_of_nbconvert(shown, browser, tmp_path):
    page = shown.page
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    source = shown.server.work / shown.name
    for name in ("light", "dark"):
        made = tmp_path / f"{name}.html"
        convert = ("-m", "nbconvert", "--to", "html", "--theme", name, "--output", str(made))
        subprocess.run([sys.executable, *convert, str(source)], check=True, capture_output=True)
        context = browser.new_context(viewport={"width": 900, "height": 800}, offline=True)
        static = context.new_page()
        static.goto(made.as_uri(), wait_until="domcontentloaded")
        folds = static.locator("details")
        assert folds.first.locator("summary").inner_text().startswith("sql · 2 rows · ")
        folds.first.locator("summary").click()
        query = folds.first.locator(".highlight pre")
        assert query.is_visible()
        assert query.locator("span.k").count() > 2, "in colours"
        frame = query.locator("xpath=../..")
        assert frame.evaluate("node => getComputedStyle(node).borderTopWidth") == "1px"
        assert folds.first.locator("table").is_visible()
        quotes = static.locator("blockquote").all_inner_texts()
        assert quotes[0].strip() == "Which city sells best?"
        static.screenshot(path=ARTEFACTS / f"blocks-nbconvert-{name}.png", full_page=True)
        context.close()
