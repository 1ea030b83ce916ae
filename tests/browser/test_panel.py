"""The panel in the side bar: the life of a conversation, as a user lives it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.support.scripted import Reply, answer, deltas
from tests.support.scripted import Server as Scripted
from tests.support.wording import tool_call

from .jupyter import Server
from .notebook import Notebook
from .pages import at_rest, take
from .panel import Panel
from .test_live import KEY, stream

LOAD = "%load_ext deepseek_jupyter"
STAFF = (
    "import pandas as pd\n"
    "staff = pd.DataFrame({'name': ['Zelda Quill', 'Odo Marsh'], 'salary': [91731, 82642]})"
)
SHOW = "name => jupyterapp.commands.execute('docmanager:open', {path: name})"


@pytest.fixture(scope="module")
def endpoint(asking_endpoint: Scripted) -> Scripted:
    return asking_endpoint


@pytest.fixture(scope="module", params=["lab", "notebook"])
def host(request, asking_server) -> Server:
    return asking_server(request.param)


@pytest.fixture(scope="module")
def lab(asking_server) -> Server:
    return asking_server()


@pytest.fixture
def notebook(browser, endpoint):
    endpoint.forget()
    books = []

    def give(server: Server, *cells: str, **options) -> Notebook:
        fresh = not options.get("kernel", True)  # JupyterLab asks for one, in a dialog
        page = take(browser, server, {"width": 1300, "height": 900}, fresh=fresh)
        books.append(Notebook(server, page, (LOAD, *cells), load=False, **options))
        return books[-1]

    yield give
    for book in books:
        book.close()


def run(book: Notebook, index: int) -> None:
    book.run(index)
    book.until_done()


def restart(book: Notebook) -> None:
    """Restart the kernel, as the menu does."""
    book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    book.until_idle()


def sent(endpoint: Scripted) -> list[str]:
    """The texts of the last request."""
    return [message["content"] for message in endpoint.requests[-1].json["messages"]]


def test_the_life_of_a_conversation(host, endpoint, notebook):
    book = notebook(host, "%%ds --think\nHow do I take a mean?", "%deepseek undo", STAFF)
    run(book, 0)
    panel = Panel.open(book)

    # A cell asks, and the panel shows it while it streams.
    endpoint.queue(stream("Use `groupby`.", "They want a mean.", gap=0.1))
    book.run(1)
    panel.node.get_by_text("Thinking…").first.wait_for()
    book.until_done()
    panel.until("How do I take a mean?", "groupby")

    # The panel goes on, and the model is told what the cell asked.
    endpoint.queue(stream("As a **table**.", gap=0.02))
    panel.ask("And how do I show it?")
    panel.until("And how do I show it?", "As a table.")
    assert sent(endpoint)[-3:] == [
        "How do I take a mean?",
        "Use `groupby`.",
        "And how do I show it?",
    ]

    # Asked again it has two answers, and the switch goes between them.
    endpoint.queue(stream("As a chart.", gap=0.02))
    turn = panel.turn("And how do I show it?")
    turn.hover()
    turn.get_by_role("button", name="Ask again").click()
    turn = panel.until("And how do I show it?", "As a chart.")
    turn.get_by_text("2/2", exact=True).wait_for()
    turn.get_by_role("button", name="Earlier answer").click()
    turn = panel.until("And how do I show it?", "As a table.")
    turn.get_by_text("1/2", exact=True).wait_for()

    # Edited, the question becomes a third beside them.
    endpoint.queue(stream("As a map.", gap=0.02))
    turn.hover()
    turn.get_by_role("button", name="Edit the question").click()
    assert panel.field.input_value() == "And how do I show it?"
    panel.ask("And how do I draw it?")
    turn = panel.until("And how do I draw it?", "As a map.")
    turn.get_by_text("3/3", exact=True).wait_for()
    assert sent(endpoint)[-2:] == ["Use `groupby`.", "And how do I draw it?"]

    # Stopped, what arrived stays.
    endpoint.queue(Reply(deltas(4000, rate=40)))
    panel.ask("Count for ever.")
    turn = panel.stop("Count for ever.")
    assert endpoint.requests[-1].closed.wait(60)
    assert turn.locator(".jp-DeepSeek-flow").last.inner_text()

    # A command in a cell moves the panel.
    run(book, 2)
    panel.until_prompts("How do I take a mean?", "And how do I draw it?")

    # A frame is attached, and what its chip lets out can be read before it is sent.
    run(book, 3)
    panel.field.focus()
    book.page.keyboard.type("What is in @st")
    option = panel.node.locator(".jp-DeepSeek-panel-name")
    option.wait_for()
    assert option.inner_text().split() == ["staff", "DataFrame", "2", "×", "2"]
    book.page.keyboard.press("Enter")
    asked = len(endpoint.requests)
    chip = panel.node.locator(".jp-DeepSeek-panel-attached .jp-DeepSeek-chip")
    dry_run = panel.node.locator(".jp-DeepSeek-panel-drawer")
    for policy, shown in (("full", True), ("schema", False)):
        chip.get_by_label("What of staff may be sent").select_option(policy)
        panel.node.get_by_role("button", name="Show what would be sent").click()
        dry_run.get_by_text("salary").first.wait_for()
        seen = expect(dry_run)
        for secret in ("91731", "Zelda"):
            (seen.to_contain_text if shown else seen.not_to_contain_text)(secret, timeout=60_000)
        assert "salary" in dry_run.inner_text()
    dry_run.get_by_role("button", name="Close").click()
    assert len(endpoint.requests) == asked
    endpoint.queue(stream("Names and pay.", gap=0.02))
    panel.field.press("Enter")
    turn = panel.until("What is in @staff", "Names and pay.")
    assert "names and types" in turn.locator(".jp-DeepSeek-chip", has_text="staff").inner_text()
    assert "salary" in sent(endpoint)[-1]
    assert not re.search("91731|82642|Zelda|Odo", endpoint.requests[-1].raw.decode())

    # The kernel starts again: what was read stays, and the first question goes on from it.
    restart(book)
    panel.node.get_by_text("has not loaded").wait_for()
    kept = ("How do I take a mean?", "And how do I draw it?", "What is in @staff ")
    panel.until_prompts(*kept)
    endpoint.queue(stream("You are welcome.", gap=0.02))
    panel.ask("Thanks.")
    panel.until("Thanks.", "You are welcome.")
    assert sent(endpoint)[-2:] == ["Names and pay.", "Thanks."]
    kept += ("Thanks.",)
    panel.until_prompts(*kept)

    # Reloaded, the page finds the same.
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    book.page.reload()
    book.page.wait_for_function("() => window.jupyterapp !== undefined")
    book.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    book.until_idle()
    panel = Panel.open(book)
    panel.until_prompts(*kept)
    # All that was paid for is counted, the other branches too.
    meter = panel.node.locator(".jp-DeepSeek-panel-meter")
    meter.filter(has_text=re.compile(r"[5-9] turns · .*% cached · ~\$")).wait_for()
    assert KEY not in book.page.content()
    assert book.own_errors == []
    assert book.requests == []


def test_without_a_kernel_the_file_is_read_and_nothing_can_be_asked(lab, endpoint, notebook):
    from deepseek_jupyter.conversation.turn import Turn
    from deepseek_jupyter.display.render import final_bundle

    turn = Turn(
        "0198c0de-0000-7000-8000-000000000001", "c", "Who goes there?", answer="A **friend**."
    )
    record = {**turn.record, "status": "done", "footer": "a footer"}
    book = notebook(lab, "pass", outputs={1: final_bundle(record)}, kernel=False)
    panel = Panel.open(book)
    panel.until("Who goes there?", "A friend.")
    panel.node.get_by_text("No kernel").wait_for()
    assert panel.field.is_disabled()
    assert panel.node.get_by_role("button", name="Ask again").count() == 0


def test_the_panel_follows_the_notebook_in_front(lab, endpoint, notebook):
    book = notebook(lab, "%%ds\nFirst notebook?")
    run(book, 0)
    panel = Panel.open(book)
    endpoint.queue(stream("The first.", gap=0.0))
    run(book, 1)
    panel.until("First notebook?", "The first.")
    first = book.name
    book.name = "other-" + first
    book.write([LOAD, "%%ds\nSecond notebook?"], {}, kernel=True)
    book.page.evaluate(
        "name => jupyterapp.commands.execute('docmanager:open', {path: name})", book.name
    )
    book.page.wait_for_function(
        "name => jupyterapp.shell.currentWidget?.context?.path === name", arg=book.name
    )
    book.until_idle()
    run(book, 0)
    endpoint.queue(stream("The second.", gap=0.0))
    run(book, 1)
    panel.until("Second notebook?", "The second.")
    assert panel.prompts == ["Second notebook?"]
    book.page.evaluate(
        "name => jupyterapp.commands.execute('docmanager:open', {path: name})", first
    )
    panel.until_prompts("First notebook?")


def test_the_panel_stands_in_an_output_too_and_both_show_the_same(host, endpoint, notebook):
    book = notebook(host, "import deepseek_jupyter as ds\nds.panel(height=400)")
    run(book, 0)
    run(book, 1)
    side, out = Panel.open(book), Panel(book, ".jp-OutputArea")
    assert book.page.locator(".jp-DeepSeek-widget").count() == 0  # the extension's, not the widget
    endpoint.queue(stream("In both.", gap=0.02))
    out.ask("Where do you stand?")
    for panel in (out, side):
        panel.until("Where do you stand?", "In both.")
    assert book.sources() == [LOAD, "import deepseek_jupyter as ds\nds.panel(height=400)"]


def test_a_panel_that_outlived_its_kernel_is_shown_from_the_file(lab, endpoint, notebook):
    import deepseek_jupyter as ds

    bundle, _ = ds.panel()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    book = notebook(lab, "ds.panel()", outputs={1: bundle}, kernel=False)
    Panel(book, ".jp-OutputArea").node.get_by_text("No kernel").wait_for()
    assert "Error displaying widget" not in book.page.content()


def test_names_are_completed_with_type_and_shape_and_sent_by_keyboard(lab, endpoint, notebook):
    book = notebook(lab, "import pandas as pd\nsales = pd.DataFrame({'price': [1, 2, 3]})")
    run(book, 0)
    run(book, 1)
    panel = Panel.open(book)
    panel.field.focus()
    book.page.keyboard.type("What is in @sa")
    option = panel.node.locator(".jp-DeepSeek-panel-name")
    option.wait_for()
    assert option.inner_text().split() == ["sales", "DataFrame", "3", "×", "1"]
    book.page.keyboard.press("Enter")
    assert panel.field.input_value() == "What is in @sales "
    book.page.keyboard.press("Shift+Enter")
    book.page.keyboard.type("Say it briefly.")
    endpoint.queue(stream("Prices.", gap=0.0))
    book.page.keyboard.press("Enter")
    panel.until("What is in @sales", "Prices.")
    assert panel.field.input_value() == ""
    book.page.keyboard.press("ArrowUp")
    assert panel.field.input_value() == "What is in @sales \nSay it briefly."


def test_the_enter_that_ends_a_composition_sends_nothing(lab, endpoint, notebook):
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    panel.field.focus()
    session = book.page.context.new_cdp_session(book.page)
    session.send(
        "Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    )
    session.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    session.send("Input.insertText", {"text": "日本"})
    at_rest(book.page)
    assert endpoint.requests == []
    assert panel.field.input_value() == "日本"
    endpoint.queue(stream("はい。", gap=0.0))
    panel.field.press("Enter")
    panel.until("日本", "はい。")


def test_tree_search_settings_conversations_and_export(lab, endpoint, notebook):
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    for prompt, said in (("One?", "The first."), ("Two?", "The second word is groupby.")):
        endpoint.queue(stream(said, gap=0.0))
        panel.ask(prompt)
        panel.until(prompt, said)

    panel.button("Tree of the conversation").click()
    panel.node.get_by_role("button", name="One?").click()
    panel.until_prompts("One?")

    panel.button("Search").click()
    book.page.keyboard.type("groupby")
    panel.node.locator(".jp-DeepSeek-panel-mark").wait_for()
    panel.node.locator(".jp-DeepSeek-panel-found").get_by_role("button").click()
    panel.until_prompts("One?", "Two?")

    panel.button("Settings").click()
    panel.node.locator("label", has_text="Thinking").locator("select").select_option("on")
    panel.node.get_by_label("Temperature").fill("0.4")
    panel.node.get_by_label("Temperature").press("Tab")
    endpoint.queue(stream("Yes.", "Hm.", gap=0.0))
    panel.ask("With thought?")
    panel.until("With thought?", "Yes.")
    assert endpoint.requests[-1].json["thinking"] == {"type": "enabled"}

    panel.button("New conversation").click()
    panel.until_prompts()
    panel.button("Conversations").click()
    panel.node.locator(".jp-DeepSeek-panel-item", has_text="One?").click()
    panel.until_prompts("One?", "Two?", "With thought?")

    panel.button("Export").click()
    with book.page.expect_download() as coming:
        panel.node.get_by_role("button", name="JSON").click()
    turns = json.loads(coming.value.path().read_text())["turns"]
    assert [turn["prompt"] for turn in turns] == ["One?", "Two?", "With thought?"]


def test_what_would_be_sent_can_be_read_first(lab, endpoint, notebook):
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    panel.field.fill("Is this sent?")
    panel.node.get_by_text(re.compile(r"^\d+ of [\d,]+ tokens, about .*, 0 cached$")).wait_for()
    panel.node.get_by_role("button", name="Show what would be sent").click()
    message = panel.node.locator(".jp-DeepSeek-tool-text", has_text="Is this sent?")
    message.wait_for(state="attached")
    message.locator("xpath=..").locator("summary").click()
    message.wait_for()
    assert endpoint.requests == []
    assert panel.field.input_value() == "Is this sent?"


def test_what_is_refused_is_said_and_not_lost(lab, endpoint, notebook):
    book = notebook(lab)
    run(book, 0)
    panel = Panel.open(book)
    book.page.evaluate(
        """() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({
            code: "import deepseek_jupyter as ds; ds.get_session().config.budget = 1e-12"}).done"""
    )
    panel.ask("Too dear?")
    panel.node.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()
    assert panel.field.input_value() == "Too dear?"
    assert endpoint.requests == []


def press_until(book: Notebook, key: str, name: str, most: int = 20) -> None:
    """Press a key until the button with this name has the focus."""
    for _ in range(most):
        book.page.keyboard.press(key)
        if book.page.evaluate("() => document.activeElement.textContent") == name:
            return
    raise AssertionError(f"{name} is not reached by {key}")


def test_a_call_that_needs_consent_waits_for_a_click_or_a_key(lab, endpoint, notebook):
    book = notebook(lab, "print(done)")
    run(book, 0)
    panel = Panel.open(book)
    panel.button("Settings").click()
    panel.node.get_by_label("Tools").fill("run_python")
    panel.node.get_by_label("Tools").press("Tab")
    panel.button("Settings").click()
    consent = panel.node.get_by_role("alertdialog", name="May run_python run?")

    def ask(prompt: str, code: str) -> None:
        call = tool_call("call_1", "run_python", json.dumps({"code": code}))
        endpoint.queue(answer("", None, [call], finish="tool_calls"), answer(f"To {prompt}"))
        panel.ask(prompt)
        consent.wait_for()
        assert code in panel.turn(prompt).inner_text()

    ask("Run it by a click.", "done = ['by a click']")
    consent.get_by_role("button", name="Approve").click()
    panel.until("Run it by a click.", "To Run it by a click.")
    ask("Run it by a key.", "done.append('by a key')")
    press_until(book, "Shift+Tab", "Approve")
    book.page.keyboard.press("Enter")
    panel.until("Run it by a key.", "To Run it by a key.")
    ask("Refuse it by a key.", "done.append('refused')")
    press_until(book, "Shift+Tab", "Deny")
    book.page.keyboard.press("Space")
    turn = panel.until("Refuse it by a key.", "To Refuse it by a key.")
    assert "denied" in turn.locator(".jp-DeepSeek-tool-summary").inner_text()
    assert endpoint.requests[-1].json["messages"][-1]["content"].startswith("denied")
    focused = "() => document.activeElement.closest('.jp-DeepSeek-panel-turn') !== null"
    assert book.page.evaluate(focused)
    run(book, 1)
    book.page.get_by_text("['by a click', 'by a key']", exact=True).wait_for()
    assert book.own_errors == []


def test_cells_that_are_dragged_in_go_along_with_the_question(lab, endpoint, notebook):
    book = notebook(lab, "x = 41\nprint('seen', x)", "y = x + 1  # not run")
    run(book, 0)
    run(book, 1)
    panel = Panel.open(book)
    prompts = book.page.locator(".jp-Notebook .jp-InputPrompt")
    chips = panel.node.locator(".jp-DeepSeek-panel-attached .jp-DeepSeek-chip")

    def drag(onto) -> None:
        source, target = prompts.nth(1).bounding_box(), onto.bounding_box()
        book.page.mouse.move(source["x"] + 20, source["y"] + 8)
        book.page.mouse.down()
        book.page.mouse.move(source["x"] + 40, source["y"] + 20, steps=4)
        book.page.mouse.move(target["x"] + 30, target["y"] + 10, steps=8)
        book.page.locator(".jp-DeepSeek-panel.jp-mod-dropTarget").wait_for()
        book.page.mouse.up()
        book.page.locator(".jp-mod-dropTarget").wait_for(state="detached")

    prompts.nth(1).click()
    drag(panel.field)
    assert chips.all_inner_texts() == ["In[2]"]
    prompts.nth(1).click()
    prompts.nth(2).click(modifiers=["Shift"])
    drag(panel.node.get_by_role("group", name="Conversation", exact=True))
    assert chips.all_inner_texts() == ["In[2]", "cell 3"]
    endpoint.queue(stream("Forty-two.", gap=0.0))
    panel.ask("What is y?")
    turn = panel.until("What is y?", "Forty-two.")
    said = sent(endpoint)[-1]
    assert all(part in said for part in ("x = 41", "seen 41", "y = x + 1  # not run"))
    assert chips.count() == 0
    assert turn.locator(".jp-DeepSeek-chip").count() == 2
    assert book.sources() == [LOAD, "x = 41\nprint('seen', x)", "y = x + 1  # not run"]
    assert book.own_errors == []
