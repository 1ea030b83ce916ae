"""The journal with 10,000 and 100,000 turns in it: open, append, search. And a notebook's file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rows import Row, alone
from serving import ROOT  # puts the checkout on the path
from texts import tokens

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.restore import rebuild
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.protocol.output import TURN_MIME
from tests.conversation.turns import a_turn

TITLE = "Journal"
RUNS = 9
NOTEBOOK, EVERYTHING = 10_000, 100_000
assert ROOT

# Words that few turns hold, many hold, all hold; and a phrase's end that is still being typed.
QUERIES = ("needle", "seven", "light waves", "scatt")


def rows() -> list[Row]:
    """In a folder of its own, on the disk that temporary files are on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite3"
        _fill(path, NOTEBOOK, "notebook")
        opened = [_timed(lambda: _open(path)) for _ in range(RUNS)]
        appended = [_append(path) for _ in range(RUNS)]
        _fill(path, EVERYTHING - NOTEBOOK, "other")
        found = [_timed_search(path) for _ in range(RUNS)]
        again = [_timed(lambda: _open(path)) for _ in range(RUNS)]
        size = path.stat().st_size / 1e6
    content = _notebook(NOTEBOOK)
    rebuilt = [_timed(lambda: rebuild(content)) for _ in range(5)]
    return [
        Row("10,000-turn conversation: opened, with its way", opened, "s", 0.1),
        Row("the same among 100,000 turns of others", again, "s", 0.1),
        Row(
            "append: begin and finish a turn, on the disk", appended, "ms", 10, note="median of 50"
        ),
        Row("search 100,000 turns", found, "s", 0.1, note="slowest of four queries"),
        Row("100,000 turns on the disk", [size], "MB"),
        Row("10,000 turns rebuilt from a notebook's outputs", rebuilt, "s"),
    ]


def _fill(path: Path, number: int, conversation: str) -> None:
    """Turns of some 600 characters, a chain of them."""
    words = "".join(tokens("prose", 6_000)).split()
    parent: str | None = None
    journal = Journal(path)
    for start in range(0, number, 5_000):
        turns: list[Turn] = []
        for n in range(start, min(start + 5_000, number)):
            said = " ".join(words[n % 900 : n % 900 + 90])
            special = " needle" if n % 2_000 == 7 else " seven" if n % 7 == 0 else ""
            turn = a_turn(
                f"Question {n}?", conversation=conversation, parent=parent, answer=said + special
            )
            turns.append(turn)
            parent = turn.id
        journal.adopt(turns)
    assert parent is not None
    journal.set_tip(conversation, "main", parent)
    journal.close()


def _open(path: Path) -> None:
    journal = Journal(path)
    conversation = Conversation.load(journal, "notebook")
    assert len(conversation) == NOTEBOOK
    conversation.window(conversation.tip, "", 60_000)  # what the next question needs
    journal.close()


def _append(path: Path) -> float:
    """Milliseconds, the median of 50."""
    journal = Journal(path)
    took = []
    parent = None
    for n in range(50):
        turn = a_turn(f"More {n}?", conversation="appended", parent=parent)
        began = time.perf_counter()
        journal.write_running(turn)
        journal.finish(turn, "main")
        journal.sync()
        took.append(1000 * (time.perf_counter() - began))
        parent = turn.id
    journal.close()
    return median(took)


def _timed_search(path: Path) -> float:
    journal = Journal(path)
    journal.search("warm up")
    slowest = 0.0
    for query in QUERIES:
        began = time.perf_counter()
        assert journal.search(query)
        slowest = max(slowest, time.perf_counter() - began)
    journal.close()
    return slowest


def _notebook(number: int) -> dict[str, object]:
    parent, cells = None, []
    for n in range(number):
        turn = a_turn(f"Question {n}?", parent=parent)
        cells.append({"outputs": [{"data": {TURN_MIME: turn.record}}]})
        parent = turn.id
    return {"cells": cells, "metadata": {}}


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    alone(TITLE, rows)
