"""A turn from Enter to its last word: what it waits for, what failed, what can be done about it."""

from __future__ import annotations

import re

import pytest

from tests.support.scripted import Reply, answer, close, deltas, error, pause, send, stall
from tests.support.wording import chunk, event

from .asking import run, saved
from .notebook import Notebook
from .pages import at_rest, take, until
from .panel import Panel
from .test_look import ARTEFACTS

LOAD = "%load_ext deepseek_jupyter\n%config DeepSeek.retry_wait = 0.01"
HALF = Reply([send(event(chunk({"content": "Half of it"}))), pause(0.2), close()])
TRACEBACK = ".jp-OutputArea-child:has([data-mime-type*='jupyter.stderr'])"


@pytest.fixture
def open_book(browser, asking_server, asking_endpoint):
    books = []
    asking_endpoint.forget()

    def give(*cells: str) -> Notebook:
        page = take(browser, asking_server(), {"width": 1100, "height": 800})
        book = Notebook(asking_server(), page, (LOAD, *cells), load=False)
        books.append(book)
        run(book, 0)
        return book

    yield give
    for book in books:
        assert book.own_errors == []
        book.close()


def picture(book: Notebook, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    at_rest(book.page)
    book.page.screenshot(path=ARTEFACTS / f"turn-{name}.png")


def errors_of(book: Notebook, index: int) -> list[dict[str, str]]:
    outputs = saved(book)["cells"][index]["outputs"]
    return [output for output in outputs if output["output_type"] == "error"]


def test_an_error_is_said_once(open_book, asking_endpoint):
    book = open_book("%%ds\nHello", "print('not run')")
    asking_endpoint.queue(error(402, "Insufficient Balance"), answer("Hello back."))
    book.page.evaluate(
        "() => { window.__ran = jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    book.until_done()
    card = book.card
    assert card.locator(".jp-DeepSeek-error-message").inner_text() == (
        "The account's balance is used up."
    )
    assert not book.page.locator(TRACEBACK).is_visible()
    assert book.page.get_by_text("used up").count() == 1
    fold = card.locator(".jp-DeepSeek-error-fold")
    assert not card.get_by_text("HTTP 402").is_visible()
    picture(book, "error")
    fold.locator("summary").click()
    assert "Insufficient Balance" in fold.inner_text()
    assert "HTTP 402" in fold.inner_text()
    assert "/chat/completions" in fold.inner_text()
    # The file says it to those who have no card, and the cells after it did not run.
    (said,) = errors_of(book, 1)
    assert said["ename"] == "InsufficientBalanceError"
    assert "HTTP 402" in "".join(said["traceback"])
    assert saved(book)["cells"][2]["outputs"] == []
    card.get_by_role("button", name="Try again").click()
    until(book.page, lambda: "Hello back." in book.card.inner_text())
    assert not book.card.locator(".jp-DeepSeek-error").is_visible()


def test_a_refusal_is_said_once_and_is_no_turn(open_book):
    book = open_book(
        "%%ds -t 9\nHello",
        "import deepseek_jupyter as ds\nlen(list(ds.get_session().conversation))",
    )
    run(book, 1)
    assert "temperature" in book.card.locator(".jp-DeepSeek-error-message").inner_text()
    assert not book.page.locator(TRACEBACK).is_visible()
    assert errors_of(book, 1)[0]["ename"] == "ParameterError"
    run(book, 2)
    assert book.result(2) == "0"


def test_a_wrong_key_offers_to_enter_one(open_book, asking_endpoint):
    book = open_book("%%ds\nHello")
    asking_endpoint.queue(error(401, "Authentication Fails"))
    run(book, 1)
    picture(book, "key")
    card = book.card
    assert (
        "%deepseek login"
        not in card.locator(".jp-DeepSeek-notes .jp-DeepSeek-error-hint").inner_text()
    )
    card.get_by_role("button", name="Enter key").click()
    book.page.locator("input[type=password], .jp-Stdin-input").first.wait_for()


def test_a_cut_answer_is_gone_on_with(open_book, asking_endpoint):
    book = open_book("%%ds\nHello")
    asking_endpoint.queue(HALF, answer("and the rest."))
    run(book, 1)
    picture(book, "cut")
    hints = book.card.get_by_text(re.compile("run the cell again|--continue", re.IGNORECASE))
    assert [h for h in hints.all() if h.is_visible()] == []  # the buttons say it
    assert book.card.get_by_role("button", name="Try again").is_visible()
    book.card.get_by_role("button", name="Continue").click()
    until(book.page, lambda: "and the rest." in book.card.inner_text())
    assert book.sources()[2] == "%%ds --continue\n"
    assert "Half of it" in str(asking_endpoint.requests[-1].json["messages"])


def test_a_retry_counts_down_in_one_line(open_book, asking_endpoint):
    book = open_book("%%ds\nHello")
    busy = error(429, "Rate limit", headers={"retry-after": "8"})
    asking_endpoint.queue(busy, answer("At last."))
    book.run(1)
    phase = book.card.locator(".jp-DeepSeek-phase")
    phase.get_by_text(re.compile(r"Trying again in [4-8] s \(2 of 5\)")).wait_for()
    picture(book, "retry")
    phase.get_by_text(re.compile(r"Trying again in [1-3] s \(2 of 5\)")).wait_for()
    book.until_done()
    assert "At last." in book.text
    assert book.card.locator(".jp-DeepSeek-notice").count() == 0


def test_the_card_says_what_it_waits_for_and_how_long(open_book, asking_endpoint):
    book = open_book("%%ds\nHello")
    asking_endpoint.queue(Reply([pause(4.5), *deltas(2)]))
    book.run(1)
    phase = book.card.locator(".jp-DeepSeek-phase")
    phase.get_by_text("Waiting for deepseek…", exact=True).wait_for()
    phase.get_by_text(re.compile("Waiting for deepseek… [34] s")).wait_for()
    book.until_done()


def test_the_figures_are_there_on_demand(open_book, asking_endpoint):
    book = open_book("%%ds\nHello")
    asking_endpoint.queue(answer("Hello back."))
    run(book, 1)
    card = book.card
    picture(book, "done")
    assert "tokens" not in card.inner_text()
    assert card.get_by_text("deepseek-flash").count() == 2  # in the head, and in what is folded
    assert card.locator(".jp-DeepSeek-status").text_content() == "Done"
    card.locator(".jp-DeepSeek-price").press("Enter")
    assert "8 new + 4 cached" in card.inner_text()


def test_a_question_stands_in_the_panel_before_the_kernel_hears_of_it(open_book, asking_endpoint):
    book = open_book("import time; time.sleep(0)")
    panel = Panel.open(book)
    asking_endpoint.queue(answer("First."), Reply([stall()]), answer("Whole."))
    panel.ask("One")
    panel.until("One", "First.")
    panel.ask("Two")
    turn = panel.turn("Two")
    turn.get_by_text("Waiting for deepseek…").wait_for()
    picture(book, "panel")
    widths = turn.evaluate(
        "turn => [turn.querySelector('.jp-DeepSeek-panel-question').offsetWidth, turn.offsetWidth]"
    )
    assert widths[0] < 80 < widths[1]
    panel.node.locator(".jp-DeepSeek-panel-composer").get_by_role("button", name="Stop").click()
    turn.get_by_text("Stopped", exact=True).wait_for()
    status = panel.node.locator("> .jp-DeepSeek-status")
    until(book.page, lambda: status.text_content() == "Stopped")
    panel.ask("Three")
    panel.until("Three", "Whole.")
    until(book.page, lambda: status.text_content() == "Done")
    assert panel.prompts.count("Three") == 1


def test_a_failed_question_of_the_panel_has_its_buttons(open_book, asking_endpoint):
    book = open_book()
    panel = Panel.open(book)
    asking_endpoint.queue(error(401, "Authentication Fails"), answer("Now."))
    panel.ask("One")
    turn = panel.turn("One")
    turn.get_by_role("button", name="Enter key").wait_for()
    picture(book, "panel-error")
    turn.get_by_role("button", name="Try again").click()
    panel.until("One", "Now.")
    assert panel.prompts == ["One"]


ROWS = """import deepseek_jupyter as ds, pathlib, time
class Rows:
    shape = (10_000_000, 1)

    def __repr__(self):
        while not pathlib.Path({path!r}).exists():
            time.sleep(0.05)
        return "Rows"

big = Rows()"""


def test_an_awaited_question_says_what_it_waits_for(open_book, asking_endpoint, tmp_path):
    read = tmp_path / "read"
    book = open_book(ROWS.format(path=str(read)), "reply = await ds.aask('How many?', attach=big)")
    run(book, 1)
    asking_endpoint.queue(answer("Many."))
    book.run(2)
    book.card.get_by_text(re.compile(r"Reading big \(10,000,000 rows\)… 3 s")).first.wait_for()
    assert asking_endpoint.requests == []
    picture(book, "awaited")
    read.touch()
    book.until_done()
    assert "Many." in book.card.inner_text()
