"""Answers side by side: together, by keyboard, chosen, saved and there again."""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter.protocol.output import COMPARE_MIME, records_of
from tests.support.scripted import Reply, answer, deltas, error

from .asking import loading, run, saved
from .pages import at_rest, until
from .panel import Panel
from .test_accessible import serious
from .test_look import ARTEFACTS
from .watch import seen, watch

THREE = "deepseek-flash,deepseek-v4-pro,deepseek-chat"
CELL = f"%%ds --no-think --compare {THREE}\nExplain p-values in two sentences."
TEXTS = {
    "deepseek-flash": "A p-value says how **surprising** the data are if nothing is going on.\n\n"
    "```python\np = test(x, y).pvalue\n```",
    "deepseek-v4-pro": "A p-value says how *rare* such data are if the null hypothesis is true.",
    "deepseek-chat": "It is the probability of data at least as extreme, given the null.",
}
WIDE = {"width": 1700, "height": 1000}


@pytest.fixture
def book(open_notebook, server, tmp_path):
    server.validate = False
    server.fallback = lambda request: answer(TEXTS[request.json["model"]])
    book = open_notebook(loading(server, tmp_path / "home"), CELL, "%%ds\nAnd then?", load=False)
    book.page.set_viewport_size(WIDE)
    run(book, 0)
    return book


def column(book, name):
    return book.page.get_by_role("group", name=name, exact=True)


def chosen(book):
    return [
        name
        for name in TEXTS
        if column(book, name)
        .get_by_role("button", name="Go on with this one")
        .get_attribute("aria-pressed")
        == "true"
    ]


def longest_task(trace: bytes) -> float:
    """Of a page's main thread, in milliseconds of its own work: others' work does not count."""
    events = json.loads(trace)["traceEvents"]
    names = [e for e in events if e["name"] == "thread_name"]
    main = [(e["pid"], e["tid"]) for e in names if e["args"]["name"] == "CrRendererMain"]
    tasks = (e for e in events if e["ph"] == "X" and "RunTask" in e["name"])
    timed = (e for e in tasks if "tdur" in e)  # not one that was running when it ended
    return max(e["tdur"] / 1000 for e in timed if (e["pid"], e["tid"]) in main)


@pytest.mark.undisturbed
def test_three_columns_at_100_hz_without_a_long_frame(book, server, browser):
    server.fallback = lambda request: Reply(deltas(100, size=20))
    run(book, 1)  # loads what a first answer loads
    server.fallback = lambda request: Reply(deltas(600, rate=100, size=20))
    watch(book.page)
    browser.start_tracing(page=book.page, categories=["toplevel"])
    run(book, 1)
    longest = longest_task(browser.stop_tracing())
    print(f"longest task {longest:.0f} ms; {seen(book.page)}")
    assert longest < 100
    for name in TEXTS:
        assert " 599 " in f" {column(book, name).inner_text()} "
    assert book.own_errors == []


def test_the_one_that_is_gone_on_with_is_saved_and_there_again(book, server, open_notebook):
    run(book, 1)
    assert chosen(book) == ["deepseek-flash"]
    column(book, "deepseek-v4-pro").get_by_role("button", name="Go on with this one").click()
    until(book.page, lambda: chosen(book) == ["deepseek-v4-pro"])
    run(book, 2)
    said = [message["content"] for message in server.requests[-1].json["messages"]]
    assert said[1] == TEXTS["deepseek-v4-pro"]
    content = saved(book)
    (output,) = content["cells"][1]["outputs"]
    data = output["data"]
    records = records_of({kind: joined(value) for kind, value in data.items()})
    assert [record["answer"] for record in records] == list(TEXTS.values())
    assert data[COMPARE_MIME]["chosen"] == records[1]["id"]
    again = open_notebook(load=False, content=content)
    again.page.set_viewport_size(WIDE)
    again.page.get_by_text("how rare such data are").wait_for()
    assert chosen(again) == ["deepseek-v4-pro"]
    assert column(again, "deepseek-chat").get_by_text("First token after").is_visible()
    assert again.own_errors == []


def joined(value):
    return "".join(value) if isinstance(value, list) else value


def test_narrow_pages_have_tabs_with_keys(book):
    run(book, 1)
    book.page.set_viewport_size({"width": 1000, "height": 900})
    tabs = book.page.locator(".jp-DeepSeek-columns").get_by_role("tab")
    tabs.first.wait_for()
    assert tabs.all_inner_texts() == list(TEXTS)
    tabs.first.focus()
    for key, name in (("ArrowRight", "deepseek-v4-pro"), ("End", "deepseek-chat")):
        book.page.keyboard.press(key)
        panel = book.page.locator(".jp-DeepSeek-columns").get_by_role("tabpanel")
        assert panel.count() == 1
        assert book.page.evaluate("() => document.activeElement.textContent") == name
    assert TEXTS["deepseek-chat"] in panel.inner_text()
    assert serious(book.page, ".jp-DeepSeek-columns") == []
    book.page.keyboard.press("Tab")
    reached = set()
    for _ in range(12):
        reached.add(book.page.evaluate("() => document.activeElement.textContent.trim()"))
        book.page.keyboard.press("Tab")
    assert {"Differences", "Go on with this one"} <= reached


def test_the_words_that_differ_are_marked_on_demand(book):
    run(book, 1)
    book.page.get_by_role("button", name="Differences").click()
    words = column(book, "deepseek-v4-pro").locator(".jp-DeepSeek-words")
    assert words.locator("ins").all_inner_texts()[0] == "*rare* such"
    assert "**surprising** the" in words.locator("del").all_inner_texts()[0]
    book.page.get_by_role("button", name="Differences").click()
    assert not words.is_visible()


def test_stop_ends_all_and_each_keeps_what_came(book, server):
    server.fallback = lambda request: Reply(deltas(3000, rate=50, size=10))
    book.run(1)
    for name in TEXTS:
        column(book, name).get_by_text("5").first.wait_for()
    book.page.get_by_role("button", name="Stop all").click()
    book.until_done()
    for name in TEXTS:
        until(book.page, lambda name=name: "Stopped" in column(book, name).inner_text())
    assert all(request.closed.wait(60) for request in server.requests)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_its_look_in_each_theme(book, server, theme):
    page, failed = book.page, error(400, "The model is not served here.")
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    run(book, 1)
    at_rest(page)
    ARTEFACTS.mkdir(exist_ok=True)
    name = theme.rpartition(" ")[2].lower()
    page.screenshot(path=ARTEFACTS / f"compare-{name}.png")
    assert serious(page, ".jp-DeepSeek-columns") == []
    page.get_by_role("button", name="Differences").click()
    page.screenshot(path=ARTEFACTS / f"compare-{name}-differences.png")
    assert serious(page, ".jp-DeepSeek-columns") == []
    server.queue(failed)
    run(book, 1)
    page.screenshot(path=ARTEFACTS / f"compare-{name}-failed.png")
    assert serious(page, ".jp-DeepSeek-columns") == []


def test_the_panel_asks_several_and_goes_on_with_one(browser, server, open_notebook, tmp_path):
    server.validate = False
    server.fallback = lambda request: answer(TEXTS[request.json["model"]])
    book = open_notebook(loading(server, tmp_path / "home"), load=False)
    page = book.page
    run(book, 0)
    panel = Panel.open(book)
    panel.node.get_by_role("button", name="Compare").click()
    variants = panel.node.get_by_label("Variants, with commas between them")
    variants.fill("deepseek-flash, deepseek-v4-pro")
    panel.ask("What is a p-value?")
    tabs = panel.node.get_by_role("tab")
    tabs.nth(1).wait_for()
    assert tabs.all_inner_texts() == ["deepseek-flash", "deepseek-v4-pro"]
    assert panel.prompts == ["What is a p-value?"]
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    shown = panel.node.get_by_role("tabpanel")
    shown.get_by_text("rare").wait_for()
    use = shown.get_by_role("button", name="Go on with this one")
    until(page, lambda: use.get_attribute("aria-pressed") == "false")  # the first is, at the end
    use.click()
    until(page, lambda: use.get_attribute("aria-pressed") == "true")
    at_rest(page)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "compare-panel.png")
    assert serious(page, ".jp-DeepSeek-sidebar") == []
    variants.fill("")
    panel.ask("And then?")
    panel.until("And then?", TEXTS["deepseek-flash"][:12])
    said = [message["content"] for message in server.requests[-1].json["messages"]]
    assert said == ["What is a p-value?", TEXTS["deepseek-v4-pro"], "And then?"]
    assert panel.prompts == ["What is a p-value?", "And then?"]
    assert book.own_errors == []


@pytest.mark.parametrize("saves", [True, False])
@pytest.mark.parametrize("goodbye", [True, False])
def test_the_end_arrives_in_a_page_that_is_reloaded(book, server, saves, goodbye):
    server.fallback = lambda request: Reply(deltas(180, rate=30, size=10))
    page = book.page
    if not saves:
        page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    book.run(1)
    column(book, "deepseek-chat").get_by_text("20").first.wait_for()
    if saves:
        page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    if not goodbye:
        page.evaluate("() => { WebSocket.prototype.send = () => undefined; }")
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined")
    for name in TEXTS:
        column(book, name).get_by_text("First token after").wait_for()
        until(page, lambda name=name: " 179" in column(book, name).inner_text())
    (output,) = saved(book)["cells"][1]["outputs"]
    data = {kind: joined(value) for kind, value in output["data"].items()}
    assert [record["status"] for record in records_of(data)] == ["done"] * 3
