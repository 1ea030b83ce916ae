"""Ways to the conversation: menu, palette, launcher, shortcut, toolbar; its key and settings."""

from __future__ import annotations

import re

import pytest

from .notebook import Notebook
from .pages import take, until
from .panel import Panel

PANEL = ".jp-DeepSeek-sidebar .jp-DeepSeek-panel-field"
LOAD = "%load_ext deepseek_jupyter"


@pytest.fixture
def book(browser, asking_server, request):
    kind, fresh = getattr(request, "param", ("lab", False))
    page = take(browser, asking_server(kind), {"width": 1300, "height": 900}, fresh=fresh)
    book = Notebook(asking_server(kind), page, (LOAD,), load=False)
    book.run(0)
    book.until_done()
    yield book
    book.close()


def by_menu(page):
    page.locator(".lm-MenuBar-item", has_text="DeepSeek").click()
    page.locator(".lm-Menu-item", has_text="Open Conversation").click()


def by_palette(page):
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Open Conversation")
    page.locator(".lm-CommandPalette-item", has_text="Open Conversation").click()


def by_shortcut(page):
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+Shift+D")


def by_launcher(page):
    page.evaluate("() => jupyterapp.commands.execute('launcher:create')")
    page.locator(".jp-LauncherCard", has_text="Open Conversation").click()


def by_toolbar(page):
    page.locator("[data-jp-item-name=deepseek-conversation]").click()


@pytest.mark.parametrize("book", [("lab", False), ("notebook", False)], indirect=True)
def test_the_panel_opens(book):
    for way in (by_menu, by_palette, by_shortcut, by_toolbar):
        assert not book.page.locator(PANEL).is_visible(), way
        way(book.page)
        book.page.locator(PANEL).wait_for()
        book.page.evaluate("() => jupyterapp.shell.collapseRight()")
        book.page.locator(PANEL).wait_for(state="hidden")
    assert book.own_errors == []


def test_the_launcher_opens_it_too(book):
    by_launcher(book.page)
    book.page.locator(".jp-DeepSeek-sidebar").wait_for()


@pytest.mark.parametrize("book", [("lab", True), ("notebook", True)], indirect=True)
def test_it_is_wide_enough_for_code_at_first_and_then_as_the_user_likes(book):
    page = book.page
    page.evaluate("() => jupyterapp.commands.execute('deepseek:open-conversation')")
    side = page.locator(".jp-DeepSeek-sidebar")
    page.locator(PANEL).wait_for()
    until(page, lambda: 375 <= side.bounding_box()["width"] <= 400)
    handle = page.locator("#jp-main-content-panel > .lm-SplitPanel-handle, .lm-SplitPanel-handle")
    box = side.bounding_box()
    assert handle.count() >= 1
    page.mouse.move(box["x"] - 2, 400)
    page.mouse.down()
    page.mouse.move(box["x"] + 98, 400)
    page.mouse.up()
    narrow = side.bounding_box()["width"]
    assert 250 <= narrow <= 310
    page.evaluate("() => jupyterapp.shell.collapseRight()")
    page.evaluate("() => jupyterapp.commands.execute('deepseek:open-conversation')")
    page.locator(PANEL).wait_for()
    until(page, lambda: abs(side.bounding_box()["width"] - narrow) < 5)


def test_settings_open_in_the_panel(book):
    book.page.evaluate("() => jupyterapp.commands.execute('deepseek:settings')")
    panel = Panel(book)
    panel.node.get_by_text("Longest answer (tokens)").wait_for()


def test_a_key_is_typed_into_a_hidden_prompt(book):
    page = book.page
    page.evaluate("() => void jupyterapp.commands.execute('deepseek:login')")
    field = page.locator(".jp-Stdin-input")
    field.wait_for()
    assert field.get_attribute("type") == "password"
    page.keyboard.type("sk-typed-into-the-prompt")
    page.keyboard.press("Enter")
    page.locator(".jp-OutputArea", has_text=re.compile("deepseek")).last.wait_for()
    assert "sk-typed" not in page.content()
