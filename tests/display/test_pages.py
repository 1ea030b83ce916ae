"""The comms to the page: who answers its requests, and where the answer goes."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import pytest

from deepseek_jupyter.display.pages import CONTROL, DATA, Pages, Request, Tell
from deepseek_jupyter.errors import ParameterError


class Comm:
    """A comm as ipykernel gives it, without the wire."""

    def __init__(self, comm_id: str) -> None:
        self.comm_id = comm_id
        self.sent: list[dict[str, Any]] = []
        self.arrived = threading.Event()

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.arrived.set()

    def on_msg(self, callback: Any) -> None:
        self.receive = lambda data: callback({"content": {"data": data}})

    def on_close(self, callback: Any) -> None:
        self.close = callback


class Manager:
    def register_target(self, name: str, function: Any) -> None:
        setattr(self, name.partition(".")[2], function)

    def page(self, name: str, **said: Any) -> tuple[Comm, Comm]:
        """The two comms of a page that has just opened them."""
        data, control = Comm(f"{name}-data"), Comm(f"{name}-control")
        self.data(data, {"content": {"data": said}})
        self.control(control, {})
        return data, control


@pytest.fixture
def hub() -> tuple[Pages, Manager]:
    pages, manager = Pages(), Manager()
    pages.register(manager)
    assert (DATA, CONTROL) == ("deepseek.data", "deepseek.control")
    return pages, manager


def test_only_the_newest_pages_are_spoken_to(hub):
    """A page that is reloaded never closes its old comms."""
    pages, manager = hub
    opened = [manager.page(str(n))[0] for n in range(6)]
    pages.send({"type": "status"})
    assert [len(data.sent) for data in opened] == [0, 0, 1, 1, 1, 1]


def test_an_answer_goes_to_the_page_that_asked_and_never_on_the_control_comm(hub):
    pages, manager = hub
    pages.handle("add", lambda request: {"sum": sum(request.body["of"])})
    (data, control), (other, _) = manager.page("one"), manager.page("two")
    control.receive({"type": "add", "request": "r1", "page": "one-data", "of": [1, 2]})
    assert data.sent == [{"type": "answer", "to": "r1", "ok": True, "result": {"sum": 3}}]
    assert other.sent == []
    assert control.sent == []


def test_a_request_without_a_page_is_answered_to_all(hub):
    pages, manager = hub
    pages.handle("hello", lambda request: {})
    (data, control), (other, _) = manager.page("one"), manager.page("two")
    control.receive({"type": "hello", "request": "r1", "page": ["no", "id"]})
    assert len(data.sent) == len(other.sent) == 1


def test_a_failure_is_an_answer(hub):
    pages, manager = hub

    def refuse(request: Request) -> None:
        raise ParameterError("That cannot be.", "Try this.")

    pages.handle("refuse", refuse)
    pages.handle("break", lambda request: 1 / 0)
    data, control = manager.page("one")
    for kind in ("refuse", "break", "unheard of"):
        control.receive({"type": kind, "request": kind, "page": "one-data"})
    refused, broken, unknown = (message["error"] for message in data.sent)
    assert refused == {"type": "ParameterError", "message": "That cannot be.", "hint": "Try this."}
    assert broken["message"] == "ZeroDivisionError: division by zero"
    assert "unheard of" in unknown["message"]
    assert not any(message["ok"] for message in data.sent)


def test_a_slow_request_holds_up_nothing(hub):
    pages, manager = hub
    go_on = threading.Event()
    pages.handle("slow", lambda request: {"waited": go_on.wait(10)}, slow=True)
    pages.handle("quick", lambda request: {})
    data, control = manager.page("one")
    control.receive({"type": "slow", "request": "s", "page": "one-data"})
    control.receive({"type": "quick", "request": "q", "page": "one-data"})
    assert [message["to"] for message in data.sent] == ["q"]
    data.arrived.clear()
    go_on.set()
    assert data.arrived.wait(10)
    assert data.sent[-1] == {"type": "answer", "to": "s", "ok": True, "result": {"waited": True}}


@pytest.mark.parametrize("message", [None, 3, "stop", [], {}, {"type": None}, {"request": 7}])
def test_what_is_no_request_is_left_alone(hub, message):
    _, manager = hub
    data, control = manager.page("one")
    control.receive(message)
    assert data.sent == []


def test_an_answer_waits_for_the_data_comm_that_is_being_opened(hub):
    pages, manager = hub
    pages.handle("hello", lambda request: {})
    data, control = Comm("one-data"), Comm("one-control")
    manager.control(control, {})
    timer = threading.Timer(0.05, manager.data, (data, {}))
    timer.start()
    control.receive({"type": "hello", "request": "r1", "page": "one-data"})
    assert [message["to"] for message in data.sent] == ["r1"]


def test_a_panel_hears_what_pages_hear_and_is_no_page():
    pages = Pages()
    heard: list[Any] = []
    assert not pages.heard
    pages.join("panel", heard.append)
    pages.send({"type": "news"})
    assert heard == [{"type": "news"}]
    assert pages.heard
    assert not pages.connected  # cells are not its to show
    pages.send_newest({"type": "edit"})  # nor to change
    assert len(heard) == 1
    pages.leave("panel")
    pages.send({"type": "news"})
    assert len(heard) == 1
    assert not pages.heard


def test_a_panels_request_is_answered_to_it_alone():
    pages, manager = Pages(), Manager()
    pages.register(manager)
    data, _ = manager.page("a")
    pages.handle("double", lambda request: {"n": 2 * request.body["n"]})
    told: list[Any] = []
    pages.asked({"type": "double", "request": "r", "n": 4}, told.append)
    assert told == [{"type": "answer", "to": "r", "ok": True, "result": {"n": 8}}]
    assert data.sent == []


def test_panels_that_were_shown_again_and_again_do_not_pile_up():
    pages = Pages()
    heard: list[str] = []
    for number in range(20):
        pages.join(f"p{number}", lambda _, number=number: heard.append(f"p{number}"))
    pages.join("p16", lambda _: heard.append("p16"))  # it asks again
    pages.send({"type": "news"})
    assert heard == ["p17", "p18", "p19", "p16"]


def test_a_turn_of_the_panel_can_ask_its_user_wherever_one_listens():
    from deepseek_jupyter.display.pages import pages
    from deepseek_jupyter.display.surfaces import Deltas

    assert not Deltas().asks
    pages.join("panel", lambda _: None)
    try:
        assert Deltas().asks
    finally:
        pages.leave("panel")


class Asking:
    """A turn that waits for the user's word."""

    def stop(self) -> None: ...

    SNAPSHOT: ClassVar = {"type": "snapshot", "id": "turn", "record": {"asking": {"call": "c"}}}

    def catch_up(self, tell: Tell) -> None:
        tell(self.SNAPSHOT)


def test_a_question_is_given_up_when_the_last_page_has_left(hub):
    pages, manager = hub
    (_, one), (_, two) = manager.page("one"), manager.page("two")
    pages.expect("turn", "c")
    pages.grace = 0.0
    one.receive({"type": "leave", "page": "one-data"})
    assert pages.answer("turn", "c", 0) is None
    pages.grace = 3600.0
    two.receive({"type": "leave", "page": "two-data"})
    assert pages.answer("turn", "c", 0) is None, "a page that is loaded again has a while"
    assert not pages.connected
    pages.grace = 0.0
    assert pages.answer("turn", "c", 0) == "gone"


def test_a_question_in_a_panel_outlives_the_page_that_was_closed_before(hub):
    pages, manager = hub
    pages.grace = 0.0
    manager.page("one")[0].close({})
    pages.join("panel", lambda _: None)
    pages.expect("turn", "c")
    assert pages.answer("turn", "c", 0) is None
    pages.leave("panel")
    assert pages.answer("turn", "c", 0) == "gone"


def test_a_comm_that_is_closed_is_a_page_that_left(hub):
    pages, manager = hub
    pages.grace = 0.0
    data, _ = manager.page("one")
    pages.expect("turn", "c")
    data.close({})
    assert pages.answer("turn", "c", 0) == "gone"


def test_the_next_page_is_shown_the_question_and_may_answer(hub):
    pages, manager = hub
    first, control = manager.page("one")
    pages.begin("turn", Asking())
    pages.expect("turn", "c")
    control.receive({"type": "leave", "page": "one-data"})
    data, control = manager.page("two")
    assert data.sent == [{**Asking.SNAPSHOT, "alone": True}]
    pages.grace = 0.0
    assert pages.answer("turn", "c", 0) is None
    control.receive({"type": "approve", "id": "turn", "call": "c"})
    assert pages.answer("turn", "c", 0) == "yes"
    assert first.sent == []


def test_a_page_that_opens_is_told_of_running_turns_and_whether_it_is_alone(hub):
    """Alone it was loaded again: then no page may have the output of a turn."""
    pages, manager = hub
    pages.begin("turn", Asking())
    sent = [manager.page(name)[0].sent for name in ("one", "two")]
    assert [(m["type"], m["alone"]) for (m,) in sent] == [("snapshot", True), ("snapshot", False)]


def test_a_page_loaded_again_is_alone_though_its_goodbye_was_lost(hub):
    pages, manager = hub
    pages.begin("turn", Asking())
    loads = [manager.page(f"load {n}", tab="one")[0] for n in range(6)]
    assert [data.sent[0]["alone"] for data in loads] == [True] * 6
    assert [manager.page(tab, tab=tab)[0].sent[0]["alone"] for tab in ("two", "one")] == [False] * 2


RECORD = {"id": "t", "cell_id": "cell"}


def test_the_last_word_goes_to_every_page_the_newest_first(hub):
    pages, manager = hub
    old, (new, control) = manager.page("old")[0], manager.page("new")
    pages.settle(RECORD, {"text/plain": "end"})
    final = {"type": "final", "id": "t", "cell": "cell", "bundle": {"text/plain": "end"}}
    assert (old.sent, new.sent) == ([{**final, "rank": 1}], [{**final, "rank": 0}])
    assert len(manager.page("while it is on its way")[0].sent) == 1
    control.receive({"type": "heard", "id": "t"})
    assert manager.page("later")[0].sent == [], "it reads what the others wrote"


def test_a_page_that_comes_after_the_end_is_sent_what_no_page_saw(hub):
    pages, manager = hub
    pages.settle(RECORD, {"text/plain": "end"})
    data, control = manager.page("again")
    (sent,) = data.sent
    assert (sent["type"], sent["rank"], sent["alone"]) == ("final", 0, True)
    control.receive({"type": "heard", "id": "t"})
    assert manager.page("other")[0].sent == []


def test_a_page_says_whether_updates_reach_its_notebook(hub):
    pages, manager = hub
    assert pages.updates, "without a page"
    manager.data(Comm("executing"), {"content": {"data": {"updates": False}}})
    assert not pages.updates
    assert pages.rank("executing") == 3, "the server writes first"
    manager.data(Comm("plain"), {"content": {"data": {"updates": True}}})
    assert pages.updates


def test_the_end_of_a_turn_can_be_asked_for(hub):
    pages, _ = hub
    pages.begin("runs", Asking())
    pages.settle(RECORD, {"text/plain": "end"})
    assert pages.last_word("runs") == (True, None)
    assert pages.last_word("t") == (False, {"text/plain": "end"})
    assert pages.last_word("other") == (False, None)


def test_what_is_said_goes_before_who_has_left(hub):
    pages, manager = hub
    pages.grace = 0.0
    _, control = manager.page("one")
    pages.expect("turn", "c")
    control.receive({"type": "approve", "id": "turn", "call": "c"})
    control.receive({"type": "leave", "page": "one-data"})
    assert pages.answer("turn", "c", 0) == "yes"
