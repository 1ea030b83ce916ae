"""The `< 2/3 >` of a card: looked at in place, gone on from, saved with the notebook."""

from __future__ import annotations

import nbformat
import pytest

from deepseek_jupyter.protocol.output import unpacked
from tests.support.scripted import answer

from .asking import loading, run, saved
from .pages import at_rest
from .stream_script import MIME


@pytest.fixture
def asked(open_notebook, server, tmp_path):
    """A notebook whose first question was asked three times, and gone on from after the first."""
    book = open_notebook(
        loading(server, tmp_path / "home"),
        "%%deepseek\nName a colour.",
        "%%deepseek\nName another one.",
        load=False,
    )
    run(book, 0)
    for index, text in ((1, "Red."), (2, "Blue."), (1, "Green."), (1, "Yellow.")):
        server.queue(answer(text))
        run(book, index)
    return book


def card(book, index: int = 0):
    return book.page.locator(".jp-DeepSeek-card").nth(index)


def text(book, index: int = 0) -> str:
    return card(book, index).locator(".jp-DeepSeek-typed > .jp-DeepSeek-flow").inner_text().strip()


def wait_for(book, words: str) -> None:
    flow = card(book).locator(".jp-DeepSeek-typed > .jp-DeepSeek-flow")
    try:
        flow.get_by_text(words, exact=True).wait_for()
    except Exception:
        pytest.fail(f"{words!r} is not shown, but:\n{card(book).inner_text()}")


def place(book) -> str:
    return card(book).locator(".jp-DeepSeek-branch-label").inner_text()


def press(book, name: str) -> None:
    card(book).get_by_role("button", name=name).click()


def test_looking_at_another_answer_and_back_changes_nothing(asked, server):
    assert (text(asked), place(asked)) == ("Yellow.", "3/3")
    assert card(asked).get_by_role("button", name="Next answer").is_disabled()
    before = saved(asked)
    press(asked, "Previous answer")
    wait_for(asked, "Green.")
    press(asked, "Previous answer")
    wait_for(asked, "Red.")
    assert place(asked) == "1/3"
    assert card(asked).get_by_role("button", name="Previous answer").is_disabled()
    press(asked, "Next answer")
    press(asked, "Next answer")
    wait_for(asked, "Yellow.")
    assert not card(asked).get_by_role("button", name="Go on from this answer").is_visible()
    assert saved(asked) == before
    assert len(server.requests) == 4


def test_going_on_from_it_saves_it_and_brings_back_what_followed(asked, server):
    press(asked, "Previous answer")
    wait_for(asked, "Green.")
    press(asked, "Previous answer")
    wait_for(asked, "Red.")
    press(asked, "Go on from this answer")
    card(asked).get_by_role("button", name="Go on from this answer").wait_for(state="hidden")
    at_rest(asked.page)
    assert (text(asked), place(asked)) == ("Red.", "1/3")
    content = saved(asked)
    nbformat.validate(nbformat.from_dict(content))
    (output,) = [o for o in content["cells"][1]["outputs"] if MIME in o.get("data", {})]
    data = output["data"]
    assert unpacked(data, output["metadata"])["answer"] == "Red."
    assert "".join(data["text/plain"]) == "Red."
    server.queue(answer("Pink."))
    asked.page.evaluate(
        """() => {
            const { content } = jupyterapp.shell.currentWidget;
            content.model.sharedModel.insertCell(3, {
                cell_type: 'code', source: '%%deepseek\\nAnd a third.'
            });
        }"""
    )
    run(asked, 3)
    messages = [m["content"] for m in server.requests[-1].json["messages"]]
    assert messages == ["Name a colour.", "Red.", "Name another one.", "Blue.", "And a third."]


def test_another_wording_of_the_question_is_shown_with_its_answer(asked, server):
    asked.page.evaluate(
        """() => jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel
            .setSource('%%deepseek\\nName a fruit <b>now</b>.')"""
    )
    server.queue(answer("Plum."))
    run(asked, 1)
    press(asked, "Previous answer")
    wait_for(asked, "Yellow.")
    said = card(asked).locator(".jp-DeepSeek-looked-prompt")
    assert said.inner_text() == "Asked: Name a colour."


def test_a_new_answer_takes_the_place_of_what_was_looked_at(asked, server):
    press(asked, "Previous answer")
    wait_for(asked, "Green.")
    server.queue(answer("White."))
    run(asked, 1)
    wait_for(asked, "White.")
    assert place(asked) == "4/4"
    assert not card(asked).locator(".jp-DeepSeek-looked").is_visible()


def test_after_a_restart_the_answers_are_there_again(asked, server, tmp_path):
    saved(asked)
    asked.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    asked.until_idle()
    run(asked, 0)
    press(asked, "Previous answer")
    wait_for(asked, "Green.")


def test_without_a_kernel_the_buttons_say_what_they_need(asked, open_notebook):
    content = saved(asked)
    content["metadata"]["kernelspec"] = {"name": "there-is-none", "display_name": "None"}
    again = open_notebook(load=False, kernel=False, content=content)
    card(again).wait_for()
    button = card(again).get_by_role("button", name="Previous answer")
    assert button.is_disabled()
    assert button.get_attribute("title") == "The other answers need a running kernel"
    wait_for(again, "Yellow.")
    assert again.own_errors == []


def test_a_kernel_that_does_not_know_the_answer_says_so(asked):
    asked.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    asked.until_idle()  # nothing has loaded the extension
    press(asked, "Previous answer")
    trouble = card(asked).locator(".jp-DeepSeek-looked [role=alert]")
    trouble.wait_for()
    assert trouble.inner_text()
    assert text(asked) == "Yellow."
