"""A comparison in a notebook: one output that grows, and what stays of it for every reader."""

from __future__ import annotations

import nbformat
import pytest

from deepseek_jupyter.protocol.output import COMPARE_MIME, records_of
from tests.support.page import Page
from tests.support.scripted import Reply, answer, deltas

NAMES = ["deepseek-flash", "deepseek-v4-pro"]
CELL = f"%%ds --no-think --compare {','.join(NAMES)}\nExplain <b>p-values</b>."
TEXTS = {
    "deepseek-flash": "It is `rare`.\n\n```python\nif p < 0.05: ...\n```\n\n- one\n- two",
    "deepseek-v4-pro": "| a | b |\n|---|---|\n| 1 | <script>2</script> |\n\n**Good.**",
}


def test_one_output_grows_with_both_and_ends_as_columns(kernel, server, monkeypatch):
    monkeypatch.setattr(server, "fallback", Reply(deltas(100, rate=100)))
    first, *_, last = kernel.run(CELL).of("display_data", "update_display_data")
    growing = [m.data for m in kernel.run(CELL).of("display_data", "update_display_data")][:-1]
    assert len({first.content["transient"]["display_id"]}) == 1
    assert all(set(data) == {"text/html", "text/plain"} for data in growing)
    assert all(name in growing[-1]["text/html"] for name in NAMES)
    assert growing[-1]["text/html"].count("flex:1 1 16em") == 2
    assert set(last.data) == {COMPARE_MIME, "text/markdown", "text/plain"}
    assert [len(record["answer"]) for record in records_of(last.data)] == [400, 400]


def test_its_markdown_is_a_table_that_nbconvert_shows(kernel, server, monkeypatch):
    from nbconvert import HTMLExporter

    said = lambda request: answer(TEXTS[request.json["model"]])  # noqa: E731
    monkeypatch.setattr(server, "fallback", said)
    (data,) = kernel.run(CELL).bundles
    cell = nbformat.v4.new_code_cell(CELL)
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    columns = page.split('<td valign="top" width="50%">')[1:]
    assert len(columns) == 2
    for name, column, shown in zip(
        NAMES, columns, ("<li>one</li>", "<strong>Good.</strong>"), strict=True
    ):
        assert f"<strong>{name}</strong>" in column
        assert shown in column
        assert "tokens" in column
    assert "<script>2" not in page
    assert [record["answer"] for record in records_of(data)] == list(TEXTS.values())


def test_the_figures_are_no_second_output_and_are_shown_when_asked_for(kernel, server, monkeypatch):
    monkeypatch.setattr(server, "fallback", answer("Hm."))
    assert len(kernel.run(CELL.replace("%%ds", "%%ds -o found")).bundles) == 1
    assert "first token" in kernel.run("found.report").bundles[-1]["text/html"]
    assert COMPARE_MIME in kernel.run("found").bundles[-1]


@pytest.fixture
def page(kernel):
    """A page that is closed before the next test has the kernel."""
    found = Page(kernel)
    yield found
    found.leave()


def test_a_page_has_the_deltas_of_each_turn_and_the_last_word_on_all(
    kernel, page, server, monkeypatch
):
    monkeypatch.setattr(server, "fallback", Reply(deltas(100, rate=100)))
    page.ask("notebook_status")
    (data,) = kernel.run(CELL).bundles[-1:]
    records = records_of(data)
    for record in records:
        heard = [
            m.get("answer", "")
            for m in page.heard
            if m["type"] == "delta" and m["id"] == record["id"]
        ]
        assert record["answer"].startswith("".join(heard))
        assert len(heard) > 5
    id = data[COMPARE_MIME]["id"]
    assert page.until(lambda m: m["type"] == "final" and m["id"] == id)["bundle"] == data
    assert {record["compare"]["id"] for record in records} == {id}
    ids = {m["id"] for m in page.heard if m["type"] == "final"}
    assert ids.isdisjoint(record["id"] for record in records)


def test_a_page_stops_all_of_them(kernel, page, server, monkeypatch):
    monkeypatch.setattr(server, "fallback", Reply(deltas(1000, rate=50)))
    page.ask("conversation")
    cell = kernel.send(CELL)
    page.say({"type": "stop", "id": page.turn("begun", "Explain <b>p-values</b>.")["id"]})
    ran = kernel.finish(cell)
    assert [record["status"] for record in records_of(ran.bundles[-1])] == ["interrupted"] * 2
    assert ran.error
