"""docs/architecture.md, "Follow a question through the files": real questions go that way."""

from __future__ import annotations

import inspect
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import deepseek_jupyter
from deepseek_jupyter import config
from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.display.surfaces import Deltas
from deepseek_jupyter.errors import Interrupted
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.transport.engine import engine
from tests.support.asking import KEY
from tests.support.scripted import Reply, answer, event, send, stall
from tests.support.shells import one_shell
from tests.support.wording import chunk

ROOT = Path(__file__).parents[1]
PACKAGE = Path(deepseek_jupyter.__file__).parent
FRONT_END = ROOT / "labextension" / "src"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CHAPTER = PAGE.partition("## Follow a question")[2].partition("\n## ")[0]
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!###).*\n)*)", CHAPTER, re.MULTILINE))
ROADS = {
    title: re.findall(r"^\d+\. `([^`]+)`: .", text, re.MULTILINE)
    for title, text in SECTIONS.items()
    if title != "Where is …?"
}
TOOL_CALL = {"id": "1", "function": {"name": "twice", "arguments": '{"n": 4}'}}

Trace = Callable[..., list[str]]


def where(file: str) -> Path:
    return (PACKAGE if file.endswith(".py") else FRONT_END) / file


def in_kernel(title: str) -> list[str]:
    return [file for file in ROADS[title] if file.endswith(".py")]


@pytest.fixture
def shell(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    monkeypatch.setattr(sessions, "_session", None)
    monkeypatch.setattr(config, "_settings", None)
    with one_shell() as running:
        running.run_line_magic("load_ext", "deepseek_jupyter")
        yield running
        running.run_line_magic("unload_ext", "deepseek_jupyter")


@pytest.fixture
def trace(shell: Any) -> Trace:
    """The files that are entered while `code` runs, until or `after` the first request is sent."""
    entered: list[str] = []
    sent: list[int] = []
    prefix = f"{PACKAGE}{os.sep}"

    def note(frame: Any, kind: str, _: object) -> None:
        code = frame.f_code
        if kind != "call" or not code.co_flags & inspect.CO_OPTIMIZED:  # bodies of modules, classes
            return
        if code.co_name == "_send_request_headers":  # httpcore's
            sent.append(len(entered))
        elif code.co_filename.startswith(prefix):
            entered.append(Path(code.co_filename[len(prefix) :]).as_posix())

    def files(code: Callable[[], Any], *, after: bool = False) -> list[str]:
        entered.clear()
        sent.clear()
        everywhere(note)
        try:
            code()
        finally:
            everywhere(None)
        return entered[sent[0] :] if after else entered[: sent[0]]

    return files


def everywhere(profile: Any) -> None:
    """Set the profile of this thread, of the engine's, and of those that begin from now on."""
    threading.setprofile(profile)
    done = threading.Event()
    engine().loop.call_soon_threadsafe(lambda: (sys.setprofile(profile), done.set()))
    assert done.wait(60)
    sys.setprofile(profile)


def entered_in_order(road: list[str], files: list[str]) -> list[str]:
    """Those of `road` that come, in this order, among `files`; files may be entered again."""
    rest = iter(files)
    return [file for file in road if file in rest]


def first_entries(road: list[str], files: list[str]) -> list[str]:
    """Those of `road` among `files`, in the order in which each is entered first."""
    return [file for file in dict.fromkeys(files) if file in road]


def test_every_file_of_the_chapter_is_there():
    assert len(ROADS) == 6
    assert all(len(road) >= 8 for road in ROADS.values())
    named = re.findall(r"`((?!tests)[\w/]+\.\w+)`", CHAPTER)
    assert [file for file in named if not where(file).exists()] == []
    assert len(re.findall(r"^\| .+ \| `", SECTIONS["Where is …?"], re.MULTILINE)) >= 10


def test_files_of_the_front_end_are_tied_to_those_before_them():
    """By an import in either direction, or by the comms' interface."""
    for title, road in ROADS.items():
        page = [file for file in road if file.endswith(".ts")]
        text = {file: where(file).read_text("utf-8") for file in page}
        for number, file in enumerate(page[1:], 1):
            assert "ICommHub" in text[file] or any(
                f"/{Path(before).stem}'" in text[file] or f"/{Path(file).stem}'" in text[before]
                for before in page[:number]
            ), (title, file)


def test_a_cells_text_goes_to_bytes_that_way(server, shell, trace):
    server.queue(answer("A bear."), answer("A bear."))
    shell.run_cell("%ds To warm up.")  # what is done once a kernel is no part of the road
    road = in_kernel("A cell's text to bytes")
    assert first_entries(road, trace(lambda: shell.run_cell("%%ds\nWhat is it?"))) == road


def test_a_delta_goes_to_the_pages_that_way(server, shell, trace):
    server.queue(answer("A bear."))
    session = deepseek_jupyter.get_session()
    files = trace(lambda: ask(session, Question("What is it?"), Deltas()), after=True)
    road = in_kernel("A delta to the screen")
    assert entered_in_order(road, files) == road


def test_a_frame_goes_to_its_card_that_way(server, shell, trace):
    pytest.importorskip("pandas")
    server.queue(answer("A bear."))
    shell.run_cell("import pandas as pd; sales = pd.DataFrame({'price': [1.5, 2.5] * 20})")
    files = trace(lambda: shell.run_cell("%%ds -a sales:stats\nWhat is it?"))
    road = in_kernel("A frame to its card")
    assert entered_in_order(road, files) == road


def test_a_tool_call_goes_that_way(server, shell, trace):
    server.queue(answer("", tool_calls=[TOOL_CALL], finish="tool_calls"), answer("Eight."))
    shell.run_cell("def twice(n: int) -> int:\n    '''Doubles.'''\n    return 2 * n")
    files = trace(lambda: shell.run_cell("%%ds --tools twice\nDouble 4."), after=True)
    road = in_kernel("A tool call")
    assert entered_in_order(road, files) == road


def test_a_stop_goes_that_way(server, shell, trace):
    turns: list[str] = []

    def press(_: object) -> None:
        pages.asked({"type": "stop", "id": turns[0]})

    server.queue(Reply(send(event(chunk({"content": "A be"}))), press, stall()))
    session = deepseek_jupyter.get_session()
    session.watchers.append(lambda what, record: turns.append(record["id"]))

    def stopped() -> None:
        with suppress(Interrupted):
            ask(session, Question("What is it?"), Deltas())

    files = trace(stopped, after=True)
    road = in_kernel("A stop")
    assert entered_in_order(road, files) == road
    assert session.last is not None
    assert session.last.turn.status == "interrupted"


def test_a_rerun_becomes_a_sibling_that_way(server, shell, trace):
    server.queue(answer("One."), answer("Two."))

    def run(number: int) -> None:
        ids = {"metadata": {"cellId": "cell"}, "header": {"msg_id": str(number)}}
        shell.get_parent = lambda: ids
        shell.run_cell("%%ds\nA number.")

    run(1)
    files = trace(lambda: run(2))
    road = in_kernel("A cell that is run again")
    assert entered_in_order(road, files) == road
    turn = deepseek_jupyter.get_session().last.turn
    assert turn.branch == {"index": 2, "count": 2}
