"""`ds.panel()` as a widget, in front ends that do not have the extension."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.support.scripted import Reply, Step, deltas, send, wait_for
from tests.support.scripted import Server as Scripted
from tests.support.wording import DONE, USAGE, chunk, event

from .jupyter import Server
from .pages import at_rest
from .panel import Panel
from .test_accessible import serious
from .test_citations import ANSWER, CELLS, mark_shows_its_line
from .test_live import KEY, stream
from .test_look import ARTEFACTS
from .test_panel import endpoint, notebook, restart, run, sent  # noqa: F401

SHOW = "import deepseek_jupyter as ds\nds.panel(height=560)"

ATTACK = (
    'Safe. <img src="http://example.test/a.png" onerror="window.__run=1"> '
    "![pixel](http://example.test/b.png) [link](javascript:window.__run=2)\n\n"
    "<script>window.__run=3</script>\n\n<style>body{display:none}</style>\n\nDone."
)


@pytest.fixture(scope="module", params=["lab", "notebook"])
def bare(request, endpoint: Scripted, tmp_path_factory) -> Iterator[Server]:  # noqa: F811
    """A server whose pages have widgets, but not the extension."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_BASE_URL", endpoint.base_url("deepseek"))
        patch.setenv("DEEPSEEK_API_KEY", KEY)
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path_factory.mktemp("home")))
        server = Server(request.param, tmp_path_factory.mktemp("bare"), extension=False)
    yield server
    server.stop()


def held(text: str, until: threading.Event) -> tuple[Step, ...]:
    """An answer that begins with `text`, and ends when it may."""
    end = event(chunk({"content": " And so on."}, finish="stop", usage=USAGE)) + DONE
    return send(event(chunk({"content": text}))), wait_for(until), send(end)


def test_the_widget_alone_is_the_whole_panel(bare, endpoint, notebook):  # noqa: F811
    book = notebook(bare, SHOW, "%%ds --think\nHow do I take a mean?")
    run(book, 0)
    run(book, 1)
    panel = Panel(book, ".jp-DeepSeek-widget")
    panel.field.wait_for()
    assert book.page.locator(".jp-DeepSeek-sidebar").count() == 0

    # A cell asks, and the panel shows it while it streams.
    endpoint.queue(stream("Use `groupby`.", "They want a mean.", gap=0.1))
    book.run(2)
    panel.node.get_by_text("Thinking…").first.wait_for()
    book.until_done()
    panel.until("How do I take a mean?", "groupby")

    # The panel goes on, beside the cells, and streams.
    ended = threading.Event()
    endpoint.queue(Reply(*held("As a **table**.", ended)))
    panel.ask("And how do I show it?")
    turn = panel.turn("And how do I show it?")
    turn.locator(".jp-DeepSeek-flow strong", has_text="table").wait_for()
    ended.set()
    panel.until("And how do I show it?", "And so on.")
    assert sent(endpoint)[-3:] == [
        "How do I take a mean?",
        "Use `groupby`.",
        "And how do I show it?",
    ]

    # Edited, the question has a sibling, and the switch goes between them.
    endpoint.queue(stream(ATTACK, gap=0.0))
    turn.hover()
    turn.get_by_role("button", name="Edit the question").click()
    panel.ask("And how do I draw it?")
    turn = panel.until("And how do I draw it?", "Done.")
    turn.get_by_text("2/2", exact=True).wait_for()
    assert sent(endpoint)[-2:] == ["Use `groupby`.", "And how do I draw it?"]

    # What a model wrote is text in the widget as it is in the card.
    assert turn.locator("img, script, style").count() == 0
    assert turn.get_by_role("link", name="pixel").count() == 1
    assert turn.get_by_role("link", name="link", exact=True).count() == 0
    assert book.page.evaluate("() => window.__run") is None

    # Stopped, what arrived stays.
    endpoint.queue(Reply(deltas(4000, rate=40)))
    panel.ask("Count for ever.")
    turn = panel.stop("Count for ever.")
    assert endpoint.requests[-1].closed.wait(60)
    assert turn.locator(".jp-DeepSeek-flow").last.inner_text()

    assert KEY not in book.page.content()
    assert book.requests == []
    if bare.kind == "notebook":
        return  # what follows is the widget manager's, which is the same one

    # Reloaded, the page finds the widget in the kernel.
    everything = ("How do I take a mean?", "And how do I draw it?", "Count for ever.")
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    at_rest(book.page)
    book.page.reload()
    book.page.wait_for_function("() => window.jupyterapp !== undefined")
    panel.field.wait_for()
    panel.until_prompts(*everything)
    book.until_idle()

    # The kernel starts again: it is said, and the cell, run again, brings all back.
    restart(book)
    panel.button("Tree of the conversation").click()
    panel.node.get_by_text("run this cell again").first.wait_for()
    assert panel.field.is_disabled()
    run(book, 0)
    run(book, 1)
    panel.until_prompts(*everything)


def test_marks_of_quotes_in_the_widget(bare, endpoint, notebook):  # noqa: F811
    book = notebook(bare, SHOW, *CELLS)
    endpoint.queue(stream(ANSWER, gap=0.0))
    for number in range(4):
        run(book, number)
    panel = Panel(book, ".jp-DeepSeek-widget")
    panel.until("Is it open?", "It says")
    mark_shows_its_line(book.page, panel.node)
    ARTEFACTS.mkdir(exist_ok=True)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        book.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        at_rest(book.page)
        name = f"citations-widget-{theme.split()[1].lower()}.png"
        panel.node.screenshot(path=ARTEFACTS / name)
        assert serious(book.page, ".jp-DeepSeek-widget") == []
