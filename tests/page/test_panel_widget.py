"""`ds.panel()` as a widget: the kernel's side, on the comm of its model."""

from __future__ import annotations

import pytest

from tests.support.page import WidgetPage
from tests.support.scripted import Reply, answer, deltas

SHOW = "p = ds.panel(height=300); p"
WIDGET = "application/vnd.jupyter.widget-view+json"
OURS = "application/vnd.deepseek.panel+json"


@pytest.fixture
def page(kernel) -> WidgetPage:
    """A page without the extension, in which the panel is shown; the only one that is open."""
    kernel.run("from deepseek_jupyter.display.pages import pages\npages._data.clear()")
    (bundle,) = kernel.run(SHOW).bundles
    return WidgetPage(kernel, bundle[WIDGET]["model_id"])


def test_the_output_says_what_it_is_where_its_model_is_gone(kernel):
    (bundle,) = kernel.run(SHOW).bundles
    assert bundle[OURS] == {"height": 300}
    assert "JupyterLab" in bundle["text/plain"]
    assert kernel.run("p").bundles[-1][WIDGET] == bundle[WIDGET]
    kernel.run("import anywidget")
    assert kernel.value("isinstance(p, anywidget.AnyWidget)")


def test_without_anywidget_the_extension_still_shows_it(monkeypatch):
    import sys

    import deepseek_jupyter as ds

    monkeypatch.delitem(sys.modules, "deepseek_jupyter.page.panel_widget", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    shown = ds.panel(height=300)
    assert shown._repr_mimebundle_().keys() == {OURS, "text/plain"}
    assert repr(shown) == "panel(height=300)"


def test_requests_are_answered_as_on_our_own_comm(page, server):
    server.queue(answer("Paris.", reasoning="France, so"))
    assert page.ask("conversation")["way"] == []
    done = page.ask("ask", prompt="The capital of France?")
    assert done["status"] == "done"
    (record,) = page.ask("turns", ids=[done["turn"]])["records"]
    assert (record["answer"], record["reasoning"]) == ("Paris.", "France, so")
    assert "".join(m.get("answer", "") for m in page.heard if m["type"] == "delta")
    refused = page.send("no such request")
    told = page.until(lambda m: m["type"] == "answer" and m["to"] == refused)
    assert "does not know" in told["error"]["message"]


def test_it_streams_what_a_cell_asks_and_answers_and_stops_meanwhile(page, kernel, server):
    page.ask("conversation")
    server.queue(Reply(deltas(4000, rate=100)))
    cell = kernel.send("%%ds --on-error return\nFrom a cell")
    running = page.turn("begun", "From a cell")["id"]
    page.until(lambda m: m["type"] == "delta" and m["id"] == running and m["seq"] > 3)
    assert page.ask("names")["names"] is not None  # while the cell publishes
    page.say({"type": "resync", "id": running})
    whole = page.until(lambda m: m["type"] == "snapshot")
    assert whole["record"]["answer"]
    page.say({"type": "stop", "id": running})
    ended = page.turn("ended", "From a cell")
    assert ended["status"] == "interrupted"
    ran = kernel.finish(cell)
    (record,) = ran.turns
    assert record["answer"] == ended["answer"]
    assert record["answer"].startswith(whole["record"]["answer"])


def test_deltas_are_the_answer_in_order_and_the_output_is_that_of_every_front_end(
    page, kernel, server
):
    page.ask("conversation")
    server.queue(Reply(deltas(60, rate=100)))
    ran = kernel.run("%%ds\nA short story")
    (record,) = ran.turns
    told = [m for m in page.heard if m["type"] == "delta" and m["id"] == record["id"]]
    assert [m["seq"] for m in told] == list(range(len(told)))
    assert record["answer"].startswith("".join(m["answer"] for m in told))
    assert len(ran.of("update_display_data")) > 1
    assert "text/html" in ran.of("update_display_data")[0].data


def test_one_that_is_closed_hears_nothing(page, kernel, server):
    page.ask("conversation")
    server.queue(answer("Nobody hears this."))
    kernel.run("p.close()")
    before = len(page.heard)
    assert kernel.run("%%ds\nUnheard").ok
    assert len(page.heard) == before
