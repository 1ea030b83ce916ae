"""What goes out while an answer grows, and what stays: one output, few updates, all four forms."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.kernels import TURN_MIME
from tests.support.scripted import Reply, answer, chunk, deltas, error, pause, send, sse
from tests.support.wording import USAGE, event

FORMS = {TURN_MIME, "text/markdown", "text/plain"}


def test_updates_are_throttled_and_the_last_one_is_whole(kernel, server):
    server.queue(Reply(deltas(600, rate=300)))
    ran = kernel.run("%%ds\nTell me.")
    sent = ran.of("display_data", "update_display_data")
    seconds = sent[-1].at - sent[0].at
    assert 2 <= len(sent) <= 12 * seconds + 5  # at least five a second is a row of make bench
    assert set(sent[-1].data) == FORMS
    (turn,) = ran.turns
    assert len(turn["answer"]) == 4 * 600
    assert turn["status"] == "done"


@pytest.mark.parametrize("variable", ["JPY_SESSION_NAME", "NOTHING"])
def test_while_it_streams_the_types_stay_the_same(kernel, server, variable):
    server.queue(Reply(deltas(100, rate=200)))
    kernel.run(f"import os\nos.environ['{variable}'] = 'a notebook under a Jupyter server'")
    *growing, last = kernel.run("%%ds\nTell me.").of("display_data", "update_display_data")
    kernel.run(f"del os.environ['{variable}']")
    assert len({frozenset(m.data) for m in growing}) == 1
    jupyter = {TURN_MIME} if variable == "JPY_SESSION_NAME" else set()
    assert set(growing[0].data) == {"text/html", "text/plain"} | jupyter
    assert set(last.data) == FORMS


@pytest.mark.parametrize("console", [True, False])
def test_a_console_is_shown_the_whole_answer_and_a_notebook_its_beginning(kernel, server, console):
    text = "# A title\n\nand *text*." + " More." * 20
    server.queue(answer(text, reasoning="Thought."))
    ran = kernel.run("%%ds\nx", allow_stdin=console)
    (bundle,) = ran.bundles
    assert ran.turns[0]["answer"] == text
    assert (bundle["text/plain"] == text) == console
    assert console or bundle["text/plain"].startswith("# A title and *text*. More.")
    assert ("Thought." in bundle["text/markdown"]) == console
    assert bundle[TURN_MIME]["reasoning"] == "Thought."


def test_the_footer_tells_model_tokens_money_and_time(kernel, server):
    server.queue(answer("Hello.", reasoning="Hm.", usage=USAGE))
    ran = kernel.run("%%ds\nx")
    footer = ran.turns[0]["footer"]
    assert footer.startswith("deepseek-flash · 8 new + 4 cached + 3 thinking + 4 out tokens · ~$")
    assert ran.bundles[0]["text/markdown"].endswith("<sub>deepseek-flash</sub>")


def test_where_a_user_sees_the_markdown_it_tells_them_too(kernel, server):
    server.queue(answer("Hello.", reasoning="Hm.", usage=USAGE))
    ran = kernel.run("%%ds\nx", allow_stdin=True)
    assert "+ 4 out tokens · " in ran.bundles[0]["text/markdown"]


def test_thinking_is_open_while_it_grows_and_folded_after(kernel, server):
    thought = [send(event(chunk({"reasoning_content": f"step {n} "}))) for n in "12"]
    server.queue(Reply(thought[0], pause(0.3), thought[1], pause(0.3), answer("Done.").steps))
    sent = kernel.run("%%ds\nx", allow_stdin=True).of("display_data", "update_display_data")
    pages = [page for m in sent[:-1] if "step 1" in (page := m.data["text/html"])]
    assert "<details open" in pages[0]
    assert "<details>" in sent[-1].data["text/markdown"]


def test_capture_keeps_one_output(kernel, server):
    server.queue(Reply(deltas(60, rate=200)))
    assert kernel.run("%%capture taken\nreply = ds.ask('x')").outputs == []
    assert kernel.value("len(taken.outputs)") == 1
    assert kernel.value("sorted(taken.outputs[0].data)") == sorted(FORMS)
    assert (
        kernel.value("len(taken.outputs[0].data['text/plain'])")
        <= 80
        < kernel.value("len(reply.text)")
    )


def test_lone_surrogates_do_not_break_the_output(kernel, server):
    texts = (r"a \ud83d b", r"\ud83d", r"\ude00")
    pieces = [f'{{"choices":[{{"index":0,"delta":{{"content":"{t}"}}}}]}}' for t in texts]
    server.queue(sse(*pieces, chunk({}, finish="stop")))
    ran = kernel.run("%%ds\nx")
    assert ran.ok, ran.error
    assert ran.bundles[0]["text/plain"] == "a \ufffd b\U0001f600"
    json.dumps(ran.turns[0], ensure_ascii=False).encode()
    server.queue(answer("Next."))
    assert kernel.run("%%ds\nand on").ok


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_answer_fails_the_cell(kernel, server, text):
    server.queue(answer(text))
    ran = kernel.run("%%ds\nx")
    assert not ran.ok
    assert ran.error[0].startswith("EmptyAnswerError")


def test_nbclient_executes_and_saves_it(base_environment, server, tmp_path):
    server.queue(Reply(deltas(100, rate=200)), answer("Second."))
    cells = ["%load_ext deepseek_jupyter", "%%ds\nOne.", "print('between')", "%ds Two?"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    for cell, name in zip(notebook.cells, "abcd", strict=True):
        cell.id = name
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env={**base_environment, "IPYTHONDIR": str(tmp_path / "ipython")})
    nbformat.validate(notebook)
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1, 1, 1]
    assert set(notebook.cells[1].outputs[0].data) == FORMS
    assert notebook.cells[3].outputs[0].data["text/plain"] == "Second."
    assert nbformat.reads(nbformat.writes(notebook), as_version=4) == notebook


@pytest.fixture
def executing(kernel):
    """A server that executes cells itself: it drops display updates."""
    said = "from deepseek_jupyter.display.pages import pages; pages.updates = {}"
    kernel.run(said.format(False))
    yield kernel
    kernel.run(said.format(True))


SHOWING = ("display_data", "update_display_data", "clear_output", "stream")


def test_where_updates_are_lost_a_cell_that_asks_is_replaced_by_its_answer(executing, server):
    server.queue(Reply(deltas(100, rate=200)))
    ran = executing.run("%%ds\nTell me.")
    shown = [message.kind for message in ran.of(*SHOWING)]
    assert shown == ["display_data", "clear_output", "display_data"]
    assert [turn["status"] for turn in ran.turns] == ["done"]


def test_where_updates_are_lost_nothing_else_of_a_cell_is_wiped(executing, server):
    server.queue(answer("One."), answer("Two."))
    ran = executing.run("print('before')\n%ds One?\n%ds Two?\nprint('after')")
    shown = [message.kind for message in ran.of(*SHOWING)]
    assert shown == ["stream", "display_data", "display_data", "stream"]
    assert [turn["answer"] for turn in ran.turns] == ["One.", "Two."]


@pytest.mark.parametrize("method", ["feed", "finish"])
def test_a_rendering_that_fails_costs_the_looks_and_not_the_answer(kernel, server, method):
    text = "Some *words* and <b>more</b>."
    server.queue(answer(text))
    kernel.run(
        "from deepseek_jupyter.sanitizer.sanitizer import Sanitizer\n"
        f"kept = Sanitizer.{method}\n"
        "def flaw(*_): raise ZeroDivisionError\n"
        f"Sanitizer.{method} = flaw"
    )
    ran = kernel.run("%%ds\nTell me.")
    kernel.run(f"Sanitizer.{method} = kept")
    assert ran.ok
    (turn,) = ran.turns
    assert (turn["answer"], turn["status"]) == (text, "done")
    assert "words" in ran.bundles[0]["text/markdown"]
    assert "<b>" not in ran.bundles[0]["text/markdown"]


@pytest.mark.parametrize("flag", ["", " --on-error return"])
def test_the_saved_cell_says_an_error_once(kernel, server, flag):
    server.queue(error(402, "Insufficient Balance"))
    ran = kernel.run(f"%%ds{flag}\nHello?")
    said = ran.bundles[-1]["text/markdown"]
    assert ("balance is used up" in said) == bool(flag)
    assert bool(ran.error) == (not flag)
