"""A card outlives its kernel and its page."""

from __future__ import annotations

import json
import os
import random
import time
from typing import Any

import nbformat
import pytest

from tests.support.kernels import record_in

from .asking import run, saved
from .notebook import CARD, LOAD, Notebook
from .pages import take, until
from .stream_script import MIME
from .test_live import stream

WORDS = "".join(f"word {n} " for n in range(300)) + "end"
THOUGHT = "I count. " * 30

SHOWN = """card => [...card.querySelectorAll('.jp-DeepSeek-log, .jp-DeepSeek-notes')]
    .map(node => node.matches('.jp-DeepSeek-notes') ? node.textContent : node.innerText)"""


def test_a_saved_notebook_shows_the_same_card_without_a_kernel(open_notebook):
    book = open_notebook(
        "stream_script.play(sample.answer(3000), sample.THINKING, deltas=100, rate=200, "
        "footer='12 in · 34 out', notices=['Cut to size.'])"
    )
    book.run(1)
    book.until_done()
    # The last words may be typed, and formulas typeset, when the cell has long ended.
    until(book.page, lambda: book.text.rstrip().endswith("return floa"))
    until(book.page, lambda: "\\" not in book.card.evaluate(SHOWN)[0])
    before = book.card.evaluate(SHOWN)
    assert "least squares" in before[0]
    assert "34 out" in before[1]
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    saved = nbformat.read(book.server.work / book.name, as_version=4)
    output = next(
        dict(output.data)
        for output in saved.cells[1].outputs
        if output.output_type == "display_data"
    )
    again = open_notebook("# saved", outputs={0: output}, kernel=False, load=False)
    again.card.wait_for()
    until(again.page, lambda: again.card.evaluate(SHOWN) == before)
    trusted = "() => jupyterapp.shell.currentWidget.content.widgets[0].model.trusted"
    assert again.page.evaluate(trusted) is False
    assert again.requests == []


def test_a_turn_that_a_crash_cut_off_is_shown_as_not_finished(open_notebook):
    record = {"schema": 1, "id": "x", "status": "answering", "answer": "Half of **an", "model": "m"}
    output = {MIME: record, "text/plain": "plain"}
    book = open_notebook("# crashed", outputs={0: output}, kernel=False, load=False)
    phase = book.card.locator(".jp-DeepSeek-phase")
    phase.get_by_text("Not finished", exact=True).wait_for()
    assert phase.get_attribute("data-status") == "answering"
    assert "Half of **an" in book.text
    assert not book.card.get_by_role("button", name="Stop").is_visible()


def test_a_record_from_the_future_is_shown_as_markdown(open_notebook):
    output = {MIME: {"schema": 99, "answer": 7}, "text/markdown": "So **it** is", "text/plain": "p"}
    book = open_notebook("# future", outputs={0: output}, kernel=False, load=False)
    book.card.wait_for()
    until(book.page, lambda: book.text.strip() == "So it is")


def test_a_page_that_is_reloaded_meanwhile_catches_up(open_notebook):
    book = open_notebook(
        "stream_script.play(sample.answer(8000), deltas=400, rate=50, every=20, final=False)"
    )
    page = book.page
    book.run(1)
    until(page, lambda: book.card.count() and len(book.text) > 100)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined")
    book.card.wait_for()
    book.until_idle()
    until(page, lambda: len(book.text) > 5000)


def test_a_busy_kernel_that_starts_its_subshells_late_streams_all_the_same(open_notebook):
    book = open_notebook(
        LOAD,
        "stream_script.play(sample.answer(3000), sample.THINKING, deltas=240, rate=40)",
        load=False,
    )
    page = book.page
    page.evaluate(
        """() => {
            const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
            const create = kernel.requestCreateSubshell.bind(kernel);
            const later = async future => {
                const reply = await future.done;
                await new Promise(resolve => setTimeout(resolve, 2000));
                return reply;
            };
            kernel.requestCreateSubshell = content => ({ done: later(create(content)) });
        }"""
    )
    book.run(0)
    book.run(1)
    prompt = page.locator(".jp-Cell .jp-InputPrompt").last
    until(page, lambda: book.card.count() and len(book.text) > 100)
    assert prompt.inner_text() == "[*]:"
    book.until_done()
    assert prompt.inner_text() == "[2]:"


MOMENTS = int(os.environ.get("DEEPSEEK_TEST_RELOADS", "3"))
LATE = 1.0  # seconds after the kernel's end, or after a page that comes later is connected
LOADING = 3.0  # seconds that a page takes where nothing else runs; more makes all else slower, too

CONNECTED = """() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel
    ?.connectionStatus === 'connected'"""


@pytest.mark.undisturbed
@pytest.mark.parametrize("number", range(MOMENTS))
def test_the_end_arrives_whenever_the_page_is_reloaded(
    number, browser, asking_server, asking_endpoint
):
    """Saved before or not: the answer is in the card, and once in the file."""
    dice = random.Random(f"{number} of {MOMENTS}")
    moment, saves = dice.uniform(0.5, 15), number % 2 == 0
    server = asking_server()
    asking_endpoint.forget()
    asking_endpoint.queue(stream(WORDS, THOUGHT, pieces=75, gap=0.1))
    cells = ("%load_ext deepseek_jupyter", "%%ds --think\nCount.")
    book = Notebook(server, take(browser, server, fresh=True), cells, load=False)
    page = book.page
    try:
        run(book, 0)
        page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        book.run(1)
        book.card.wait_for()
        page.wait_for_timeout(moment * 1000)
        if saves:
            page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        began = time.monotonic()
        page.reload()
        page.wait_for_function(CONNECTED)  # JupyterLab shows a saved card before it has a kernel
        connected = time.monotonic()
        page.locator(".jp-DeepSeek-notes", has_text="tokens").wait_for()
        until(page, lambda: "word 299" in book.text)
        late = time.monotonic() - max(connected, asking_endpoint.requests[-1].answered_at)
        loading = connected - began
        print(
            f"reload at {moment:.1f} s, saved {saves}: {loading:.1f} s, footer after {late:.2f} s"
        )
        assert late < LATE * max(1, loading / LOADING)
        assert page.locator(CARD).count() == 1
        assert page.get_by_text("Not finished").count() == 0
        found = saved(book)["cells"][1]["outputs"]
        assert [json.dumps(output).count("word 299 end") > 0 for output in found] == [True]
        assert record_in(found[0])["status"] == "done"
    finally:
        book.close()


@pytest.mark.parametrize("lost", [False, True], ids=["restored", "lost"])
def test_the_end_arrives_after_the_connection_was_lost(
    lost, browser, asking_server, asking_endpoint
):
    """The server keeps what a page misses, unless it has not noticed that the page is gone."""
    server = asking_server()
    asking_endpoint.forget()
    asking_endpoint.queue(stream(WORDS, THOUGHT, pieces=40, gap=0.1))
    page = take(browser, server, fresh=True)
    links: list[Any] = []

    def connect(link: Any) -> None:
        ended = asking_endpoint.requests and asking_endpoint.requests[-1].answered.is_set()
        if links and not ended:
            link.close()
            return
        links.append(link)
        kernel = link.connect_to_server()
        if lost:
            link.on_close(lambda *_: None)  # not passed on
        kernel.on_message(link.send)

    page.route_web_socket("**/channels**", connect)
    book = Notebook(
        server, page, ("%load_ext deepseek_jupyter", "%%ds --think\nCount."), load=False
    )
    try:
        run(book, 0)
        book.run(1)
        book.card.get_by_text("word 10").first.wait_for()
        first = len(links)
        for link in links:
            link.close()
        until(page, asking_endpoint.requests[-1].answered.is_set)
        until(page, lambda: len(links) > first)
        back = time.monotonic()
        page.locator(".jp-DeepSeek-notes", has_text="tokens").wait_for()
        late = time.monotonic() - back
        print(f"{late:.2f} s after the connection came back")
        assert late < 15  # the server takes 3 s; a card that only notices its silence 30 s
        assert "word 299" in book.text
        assert page.locator(CARD).count() == 1
        found = saved(book)["cells"][1]["outputs"]
        assert [record_in(output)["status"] for output in found] == ["done"]
    finally:
        page.context.close()  # its connections are led through this test
