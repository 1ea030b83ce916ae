"""The card asks before a tool that acts runs, and its buttons are heard while the cell blocks."""

from __future__ import annotations

import json

import pytest

from tests.support.scripted import answer
from tests.support.wording import tool_call

from .test_live import endpoint, lab, notebook  # noqa: F401

TOOL = """\
import deepseek_jupyter as ds
from deepseek_jupyter.tools.functions import Tool
done = []
tool = Tool("act", "Run code.", {"type": "object", "properties": {"code": {"type": "string"}}},
            lambda code: done.append(code) or "ran", consent="ask", preview=lambda a: a["code"])
"""
CODE = "open('x.txt', 'w')  # <img src=x onerror=alert(1)>"
ASK = "reply = ds.ask('Go.', tools=[tool])"
GRACE = "from deepseek_jupyter.display.pages import pages; pages.grace = 0.0"
RESULT = "print(done, [d for s in reply.steps for _, d in s.decisions])"


@pytest.mark.parametrize(
    ("button", "result"),
    [
        ("Approve", ["approved"]),
        ("Deny", ["denied"]),
        ("Always in this conversation", ["approved for the conversation"]),
    ],
)
def test_the_card_asks_and_obeys(lab, endpoint, notebook, button, result):  # noqa: F811
    call = tool_call("call_1", "act", json.dumps({"code": CODE}))
    endpoint.queue(answer("Let me see.", None, [call], finish="tool_calls"), answer("Done."))
    book = notebook(lab, TOOL, "%ds --no-history Hello", ASK, RESULT)
    book.run(1)
    book.until_done()
    book.run(3)
    book.card.get_by_role("button", name=button).wait_for()
    assert CODE in book.card.inner_text()
    assert book.card.locator("img").count() == 0
    book.card.get_by_role("button", name=button).click()
    book.until_done()
    book.run(4)
    book.until_done()
    ran = [] if button == "Deny" else [CODE]
    assert book.page.get_by_text(f"{ran} {result}").count() >= 1
    assert book.requests == []


def test_a_reload_shows_the_question_again_and_a_closed_page_is_a_no(lab, endpoint, notebook):  # noqa: F811
    call = tool_call("call_1", "act", json.dumps({"code": CODE}))
    endpoint.queue(answer("", None, [call], finish="tool_calls"), answer("Done."))
    book = notebook(lab, TOOL, "%ds --no-history Hello", ASK, GRACE)
    page = book.page
    book.run(1)
    book.until_done()
    book.run(3)
    book.card.get_by_role("button", name="Approve").wait_for()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    book.card.get_by_role("button", name="Approve").click()
    endpoint.wait_for_requests(2)
    assert endpoint.requests[-1].json["messages"][-1]["content"] == "ran"
    leave = {
        "the notebook's tab": lambda: page.evaluate(
            "() => void jupyterapp.shell.currentWidget.dispose()"
        ),
        "the browser's tab": lambda: page.goto("about:blank"),
    }
    for number, close in enumerate(leave.values(), 1):
        book.until_idle()
        book.run(4)
        book.until_done()
        endpoint.queue(answer("", None, [call], finish="tool_calls"), answer("Done."))
        book.run(3)
        book.card.get_by_role("button", name="Approve").wait_for()
        close()
        endpoint.wait_for_requests(2 + 2 * number)
        assert endpoint.requests[-1].json["messages"][-1]["content"].startswith("denied")
        if number == 1:
            page.evaluate(
                "name => jupyterapp.commands.execute('docmanager:open', {path: name})", book.name
            )
            page.locator(".jp-Notebook .jp-Cell").first.wait_for()


HIDDEN = "import os\ntotal = 'a' + str(1)\n" + "\n" * 40 + "os.system('touch x')\u3164"


def test_all_that_would_run_is_in_view_above_the_buttons(lab, endpoint, notebook, tmp_path):  # noqa: F811
    call = tool_call("call_1", "act", json.dumps({"code": HIDDEN}))
    endpoint.queue(answer("Let me see.", None, [call], finish="tool_calls"), answer("Done."))
    book = notebook(lab, TOOL, "%ds --no-history Hello", ASK)
    book.run(1)
    book.until_done()
    book.run(3)
    approve = book.card.get_by_role("button", name="Approve")
    approve.wait_for()
    code = book.card.locator(".jp-DeepSeek-listing")
    code.locator("span[class*='ͼ'], span[class*='cm-'], span[class*='tok-']").first.wait_for()
    shown = code.inner_text()
    assert "40 blank lines" in shown
    assert shown.endswith("os.system('touch x')⟨U+3164⟩")
    assert "May act run? 43 lines" in book.card.inner_text()
    high, inner = code.evaluate("node => [node.clientHeight, node.scrollHeight]")
    assert inner <= high
    last = code.locator(".jp-DeepSeek-line").last
    assert last.get_attribute("data-line") == "43"
    box, button = last.bounding_box(), approve.bounding_box()
    assert box["y"] + box["height"] <= button["y"] <= box["y"] + box["height"] + 80
    book.card.screenshot(path=str(tmp_path / "consent.png"))
    book.card.get_by_role("button", name="Deny").click()
    book.until_done()
