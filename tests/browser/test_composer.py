"""Before the first question, and where it is written."""

from __future__ import annotations

import pytest

from .notebook import Notebook
from .pages import at_rest, take, until
from .panel import Panel
from .test_live import stream
from .test_look import ARTEFACTS

LOAD = "%load_ext deepseek_jupyter"
FRAME = "import pandas as pd\ndf = pd.DataFrame({'sex': ['f', 'm'], 'age': [1, 2]})"
FAILS = "df['rates']"


@pytest.fixture
def book(browser, asking_server, asking_endpoint):
    asking_endpoint.forget()
    page = take(browser, asking_server(), {"width": 1300, "height": 900})
    book = Notebook(asking_server(), page, (LOAD, FRAME, FAILS), load=False)
    yield book
    book.close()


def ready(book: Notebook, cells: int = 3) -> Panel:
    for index in range(cells):
        book.run(index)
        book.until_done()
    book.page.evaluate("() => jupyterapp.commands.execute('deepseek:open-conversation')")
    return Panel.open(book)


def picture(book: Notebook, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    for theme in ("Dark", "Light"):
        book.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        at_rest(book.page)
        book.page.screenshot(path=ARTEFACTS / f"{name}-{theme.lower()}.png")


def test_an_empty_panel_says_what_leaves_and_offers_questions(book, asking_endpoint):
    panel = ready(book)
    panel.node.get_by_text("Ask about this notebook").wait_for()
    who = panel.node.get_by_text("5 rows leave; addresses and keys stay here")
    who.wait_for()
    until(book.page, lambda: who.inner_text().startswith("deepseek-flash, DeepSeek. Of a frame"))
    assert "deepseek-flash" in panel.node.get_by_label("Model").inner_text()
    offered = panel.node.locator(".jp-DeepSeek-panel-starter")
    offered.first.wait_for()
    texts = offered.all_inner_texts()
    assert texts[0].split("\n") == ["Describe @df", "DataFrame, 2 × 2"]
    assert texts[-1] == "Explain the last error: In[3], KeyError"
    picture(book, "panel-empty")
    offered.first.click()
    assert panel.field.input_value() == "Describe @df"
    panel.node.get_by_label("What of df may be sent").wait_for()
    panel.field.fill("Pasted: describe @df, and how")
    panel.node.get_by_label("What of df may be sent").wait_for()
    panel.field.fill("Describe @df")
    asking_endpoint.queue(stream("It has two rows."))
    panel.field.press("Enter")
    panel.until("Describe @df", "two rows")
    assert not panel.node.locator(".jp-DeepSeek-panel-start").is_visible()
    picture(book, "panel-asked")


def test_a_name_that_is_written_out_is_sent_with_the_first_enter(book, asking_endpoint):
    panel = ready(book, 2)
    asking_endpoint.queue(stream("A frame."))
    panel.field.click()
    panel.page.keyboard.type("What is @df")
    panel.node.locator(".jp-DeepSeek-panel-name", has_text="df").first.wait_for()
    panel.page.keyboard.press("Enter")
    panel.until("What is @df", "A frame.")


def test_one_button_sends_and_stops_and_the_focus_stays(book, asking_endpoint):
    panel = ready(book, 1)
    asking_endpoint.queue(stream("word " * 400, pieces=400, gap=0.05))
    panel.field.fill("Write long.")
    composer = panel.node.locator(".jp-DeepSeek-panel-composer")
    send, stop = (composer.get_by_role("button", name=name) for name in ("Send", "Stop"))
    send.click()
    stop.wait_for()
    assert not send.is_visible()
    assert panel.node.get_by_role("button", name="Stop").count() == 1
    panel.turn("Write long.").locator(".jp-DeepSeek-flow .jp-DeepSeek-block").first.wait_for()
    stop.click()
    send.wait_for()
    assert panel.field.evaluate("node => node === document.activeElement")


def test_model_and_thinking_are_chosen_at_the_field(book, asking_endpoint):
    panel = ready(book, 1)
    think = panel.node.get_by_role("button", name="Think", exact=True)
    think.click()
    panel.node.locator("[aria-pressed=true]", has_text="Think").wait_for()
    asking_endpoint.queue(stream("Yes.", "Hm."))
    panel.ask("Now?")
    panel.until("Now?", "Yes.")
    body = asking_endpoint.requests[-1].json
    assert body["thinking"] == {"type": "enabled"}
    pick = panel.node.get_by_label("Model", exact=True).last
    assert pick.input_value() == ""
    assert "deepseek" in pick.inner_text()


def test_a_kernel_that_starts_is_not_called_missing(book):
    said = book.page.evaluate(
        """async () => {
            const said = new Set();
            const { sessionContext } = jupyterapp.shell.currentWidget;
            await jupyterapp.commands.execute('deepseek:open-conversation');
            const read = () => {
                const node = document.querySelector('.jp-DeepSeek-panel-about:not([hidden])');
                node && said.add(node.textContent);
            };
            const watch = setInterval(read, 5);
            await sessionContext.changeKernel({ name: 'python3' });
            await new Promise(resolve => setTimeout(resolve, 3000));
            clearInterval(watch);
            return [...said];
        }"""
    )
    assert not [line for line in said if "No kernel" in line]
    assert "Connecting…" in said
