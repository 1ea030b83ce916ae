"""The whole way: a scripted server, the real magic in a real kernel, a real page."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from deepseek_jupyter.display.render import final_bundle
from tests.support.kernels import record_in
from tests.support.scripted import Reply, deltas, pause, send
from tests.support.scripted import Server as Scripted
from tests.support.wording import DONE, USAGE, chunk, event

from .jupyter import Server
from .notebook import Notebook
from .pages import at_rest, take
from .test_attacks import A_MOMENT, ALARM, ATTACKS

KEY = "sk-THE0KEY0MUST0NOT0SHOW0ANYWHERE"
ANSWER = (
    "Use `groupby`:\n\n```python\ndf.groupby('city').mean()\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n"
)
THOUGHT = "The user asks about groups. They want a mean."


def stream(answer: str, reasoning: str = "", *, pieces: int = 12, gap: float = 0.02) -> Reply:
    """A reply in so many pieces of thinking and of answer."""

    def cut(text: str) -> list[str]:
        size = max(1, -(-len(text) // pieces))
        return [text[start : start + size] for start in range(0, len(text), size)]

    said = [{"content": None, "reasoning_content": piece} for piece in cut(reasoning)]
    said += [{"content": piece, "reasoning_content": None} for piece in cut(answer)]
    steps = [step for delta in said for step in (send(event(chunk(delta))), pause(gap))]
    last = event(chunk({"content": ""}, finish="stop", usage=USAGE)) + DONE
    return Reply(*steps, send(last))


@pytest.fixture(scope="module")
def endpoint(asking_endpoint: Scripted) -> Scripted:
    return asking_endpoint


@pytest.fixture(scope="module", params=["extension", "no extension"])
def either(request, asking_server) -> Server:
    """A JupyterLab whose kernels ask the scripted server, with and without the extension."""
    return asking_server(extension=request.param == "extension")


@pytest.fixture(scope="module")
def lab(asking_server) -> Server:
    return asking_server()


@pytest.fixture
def notebook(browser, endpoint):
    endpoint.forget()
    books = []

    def give(server: Server, *cells: str) -> Notebook:
        cells = ("%load_ext deepseek_jupyter", *cells)
        book = Notebook(server, take(browser, server), cells, load=False)
        books.append(book)
        book.run(0)
        book.until_done()
        return book

    yield give
    for book in books:
        book.close()


def until_shown(book: Notebook, text: str) -> None:
    """Wait until an output holds a text, whatever the space between its words."""
    book.page.wait_for_function(
        """text => [...document.querySelectorAll('.jp-OutputArea')]
            .some(area => area.innerText.replace(/\\s+/g, ' ').includes(text))""",
        arg=text,
    )


def test_a_cell_streams_thinking_and_answer_and_saves_all_forms(either, endpoint, notebook):
    book = notebook(either, "%%deepseek --think\nHow do I take a mean by group?")
    endpoint.queue(stream(ANSWER, THOUGHT, gap=0.1))
    book.run(1)
    book.page.get_by_text("Thinking…").first.wait_for()
    book.until_done()
    shown = book.page.locator(".jp-OutputArea").last.inner_text()
    assert "df.groupby('city').mean()" in shown
    assert "Thought" in shown
    assert "tokens" in book.page.locator(".jp-OutputArea").last.text_content()
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")  # until it is
    saved = json.loads((either.work / book.name).read_text())
    (output,) = saved["cells"][1]["outputs"]
    assert set(output["data"]) == set(final_bundle(record_in(output)))
    assert KEY not in json.dumps(saved)
    assert book.requests == []


def test_the_stop_button_keeps_the_partial_and_closes_the_servers_socket(lab, endpoint, notebook):
    book = notebook(lab, "%%ds\nCount for ever.", "import deepseek_jupyter as ds; ds.last.text")
    endpoint.queue(Reply(deltas(5000, rate=50)))
    book.run(1)
    until_shown(book, "9 10 11 12")
    asked = endpoint.requests[-1]
    start = time.monotonic()
    book.card.get_by_role("button", name="Stop").click()
    assert asked.closed.wait(60)
    assert asked.closed_at - start < 5
    book.until_done()
    assert "stopped" in book.card.inner_text().lower()
    book.run(2)
    book.until_done()
    assert len(book.result(2)) > 40


def test_the_kernel_interrupt_does_the_same(either, endpoint, notebook):
    book = notebook(either, "%%ds\nCount for ever.")
    endpoint.queue(Reply(deltas(5000, rate=50)))
    book.run(1)
    until_shown(book, "9 10 11 12")
    asked = endpoint.requests[-1]
    book.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    assert asked.closed.wait(60)
    book.until_done()
    shown = book.page.locator(".jp-OutputArea").last.inner_text()
    assert "stopped" in shown.lower()
    assert "Traceback" not in shown


def test_a_kept_answer_comes_as_it_came_until_a_key_shows_the_rest(lab, endpoint, notebook):
    book = notebook(lab, "%%ds --new --replay auto --pace 0.05\nTell me.")
    said = " ".join(f"word{number}" for number in range(120))
    endpoint.queue(stream(said, pieces=60, gap=0.04))  # 48 s at that pace
    book.run(1)
    book.until_done()
    for way in ("Space", "ArrowRight", "button"):
        start = time.monotonic()
        book.run(1)
        until_shown(book, "word5 ")
        card = book.card
        assert "Replaying" in card.locator(".jp-DeepSeek-phase").inner_text()
        rest = card.get_by_role("button", name="Show the rest")
        if way == "button":
            rest.click()
        else:
            card.focus()
            book.page.keyboard.press(way)
        until_shown(book, "word119")
        assert time.monotonic() - start < 30
        book.until_done()
        assert "replayed · recorded 20" in card.inner_text()
        assert rest.count() == 0
        assert card.get_attribute("tabindex") == "-1"
    assert len(endpoint.requests) == 1


def test_no_attack_succeeds_in_a_cell_just_run(either, endpoint, notebook):
    """JupyterLab trusts such an output; the kernel's sanitizer is all there is without ours."""
    some = 40  # JupyterLab shows no more outputs of a cell than 50
    cells = [
        f"import deepseek_jupyter as ds\nfor _ in range({len(ATTACKS[start : start + some])}):\n"
        "    ds.ask('x', history=False)"
        for start in range(0, len(ATTACKS), some)
    ]
    book = notebook(either, *cells)
    book.page.evaluate(ALARM)
    for attack in ATTACKS:
        endpoint.queue(stream(attack["text"], attack["text"][:200], pieces=3, gap=0.0))
    for index in range(len(cells)):
        book.run(1 + index)
        book.until_done()
    book.page.wait_for_timeout(A_MOMENT)
    assert book.page.evaluate("() => window.__alarm ?? 0") == 0
    assert book.requests == []
    dangerous = "script,iframe,object,embed,form,link,meta,base,[onerror],[onload],[onclick]"
    found = ", ".join(f".jp-OutputArea {selector}" for selector in dangerous.split(","))
    assert book.page.locator(found).count() == 0


def test_no_attack_succeeds_in_nbconverts_html(browser, tmp_path: Path):
    import nbformat
    from nbconvert import HTMLExporter

    from deepseek_jupyter.conversation.turn import Turn

    notebook = nbformat.v4.new_notebook()
    for attack in ATTACKS:
        record = Turn("t", "c", "x", answer=attack["text"], reasoning=attack["text"]).record
        bundle = final_bundle({**record, "status": "done", "footer": attack["text"][:200]})
        cell = nbformat.v4.new_code_cell("# attack")
        cell.outputs = [nbformat.v4.new_output("display_data", bundle)]
        notebook.cells.append(cell)
    page_file = tmp_path / "page.html"
    exporter = HTMLExporter(mathjax_url="", require_js_url="")
    page_file.write_text(exporter.from_notebook_node(notebook)[0])
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.add_init_script(f"({ALARM})()")
    page.goto(page_file.as_uri())
    at_rest(page)
    page.wait_for_timeout(A_MOMENT)
    assert page.evaluate("() => window.__alarm ?? 0") == 0
    beyond = [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
    assert beyond == []
    context.close()


def test_cells_are_those_of_the_page_also_where_nothing_is_saved(lab, endpoint, notebook):
    book = notebook(lab, "%%ds\nHello?", "was = 'saved'", "%%ds --cells all\nWhat is in them?")
    endpoint.queue(stream("Hello."), stream("Two things."))
    book.run(1)
    book.until_done()
    book.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets[2]
            .model.sharedModel.setSource("is_now = 'typed and never saved'")"""
    )
    book.run(3)
    book.until_done()
    said = endpoint.requests[-1].json["messages"][-1]["content"]
    assert "is_now = 'typed and never saved'" in said
    assert "was = 'saved'" not in said
    assert said.endswith("What is in them?")


def test_a_policy_keeps_the_thinking_open_and_code_out_of_the_cells(lab, endpoint, notebook):
    policy = lab.work / "deepseek-policy.toml"
    policy.write_text('[teaching]\nthinking = "shown"\nforbid_code_insertion = true\n')
    try:
        book = notebook(lab, "%%ds\nHow do I take a mean by group?")
        endpoint.queue(stream(ANSWER, THOUGHT))
        book.run(1)
        book.until_done()
    finally:
        policy.unlink()
    thinking = book.card.locator("details.jp-DeepSeek-thinking")
    assert thinking.evaluate("node => node.open")
    thinking.locator("summary").click()
    assert thinking.evaluate("node => node.open")
    book.card.locator("pre").hover()
    shown = book.card.locator(".jp-DeepSeek-codebar button:visible")
    assert shown.count() == 1  # copying is allowed
    assert "A policy holds for this notebook" in book.card.inner_text()
