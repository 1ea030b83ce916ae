"""What goes over the wire as a notebook lives: golden files that a reviewer can read.

Each file in tests/data/wire is one story: what was done, and after it the messages of each request.
``UPDATE_GOLDEN=1`` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deepseek_jupyter.asking.ask import ask
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.home import home
from deepseek_jupyter.session.session import Session
from tests.support.asking import KEY
from tests.support.scripted import Server, answer

GOLDEN = Path(__file__).parents[1] / "data" / "wire"
CELLS = {"c1": "What is a kernel?", "c2": "And a comm?", "c3": "Sum up."}


class Notebook:
    """A notebook on the disk with its cells, run by kernels of its own; writes its story down."""

    def __init__(self, path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.server, self._monkeypatch = path, server, monkeypatch
        self.cells = dict(CELLS)
        self.story: list[str] = []
        self.outputs: dict[str, dict] = {}
        self._answered = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.open("A new notebook.")

    def open(self, told: str, path: Path | None = None) -> None:
        """Start a kernel on the file."""
        self.path = path or self.path
        self._monkeypatch.setenv("JPY_SESSION_NAME", str(self.path))
        self.say(told) if self.story else self.story.append(f"## {told}")
        self.session = Session(DeepSeek(attempts=1, system="Be brief."))

    def run(self, *names: str, **how: object) -> list[Reply]:
        """Run cells; each request's messages go into the story."""
        replies = []
        for name in names:
            self._answered += 1
            self.server.queue(answer(f"(answer {self._answered})", reasoning="(thinking)"))
            reply = ask(self.session, Question(self.cells[name], cell_id=name, **how), Nowhere())
            self.outputs[name] = reply.turn.record
            replies.append(reply)
            self.story.append(f"\nrun {name}" + "".join(f" {k}={v}" for k, v in how.items()))
            for message in self.server.requests[-1].json["messages"]:
                thinking = " +reasoning" if "reasoning_content" in message else ""
                self.story.append(f"  {message['role']}{thinking}: {message['content']}")
        self.save()
        return replies

    def save(self) -> None:
        cells = [
            {
                "cell_type": "code",
                "id": name,
                "source": f"%%deepseek\n{self.cells[name]}",
                "metadata": {},
                "execution_count": None,
                "outputs": [
                    {
                        "output_type": "display_data",
                        "metadata": {},
                        "data": {"application/vnd.deepseek.turn+json": self.outputs[name]},
                    }
                ]
                if name in self.outputs
                else [],
            }
            for name in self.cells
        ]
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.path.write_text(json.dumps(content))

    def say(self, told: str) -> None:
        self.story.append(f"\n## {told}")


@pytest.fixture
def notebook(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    return Notebook(tmp_path / "work" / "study.ipynb", server, monkeypatch)


def run_all_twice(n: Notebook) -> None:
    n.run(*n.cells)
    n.say("Run All again.")
    n.run(*n.cells)


def middle_cell_rerun(n: Notebook) -> None:
    n.run(*n.cells)
    n.say("The middle cell again, then the last one.")
    n.run("c2", "c3")


def cell_deleted(n: Notebook) -> None:
    n.run(*n.cells)
    n.say("The middle cell is deleted, Run All in a new kernel.")
    del n.cells["c2"]
    n.save()
    n.open("The kernel starts again.")
    n.run(*n.cells)


def renamed(n: Notebook) -> None:
    n.run("c1", "c2")
    n.open(
        "The file is renamed, the kernel starts again.", n.path.rename(n.path.with_name("b.ipynb"))
    )
    n.run("c3")


def copied(n: Notebook) -> None:
    n.run("c1", "c2")
    original, copy = n.path, n.path.with_name("copy.ipynb")
    shutil.copy(original, copy)
    n.open("A copy is opened.", copy)
    n.cells["c3"] = "In the copy: sum up."
    n.run("c3")
    n.open("The original again: it knows nothing of the copy's turn.", original)
    n.cells["c3"] = "In the original: sum up."
    n.run("c3")


def without_its_journal(n: Notebook) -> None:
    n.run("c1", "c2")
    for file in home().glob("journal*"):
        file.unlink()
    n.open("Opened on another machine, where there is no journal.")
    n.run("c3")


def edited_and_forked(n: Notebook) -> None:
    n.run("c1", "c2")
    n.say("The first cell asks something else; the second runs again.")
    n.cells["c1"] = "What is a notebook?"
    n.run("c1", "c2")
    n.say("A question beside the conversation, and one on a branch.")
    n.run("c3", history=False)
    n.run("c3", branch="other")


STORIES: list[Callable[[Notebook], None]] = [
    run_all_twice,
    middle_cell_rerun,
    cell_deleted,
    renamed,
    copied,
    without_its_journal,
    edited_and_forked,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_wire_is_as_written_down(notebook: Notebook, story: Callable[[Notebook], None]):
    story(notebook)
    told = "\n".join([f"# {story.__name__.replace('_', ' ')}", "", *notebook.story, ""])
    golden = GOLDEN / f"{story.__name__}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, "utf-8")
    assert told == golden.read_text("utf-8")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_wire_is_what_the_tree_says(notebook: Notebook, story: Callable[[Notebook], None]):
    """The last request's messages are the path to its turn, turn by turn."""
    story(notebook)
    conversation = notebook.session.conversation
    said = [m["content"] for m in notebook.server.requests[-1].json["messages"]][1:-1]
    tip = conversation.turn(conversation.branches.get("other") or conversation.tip)
    path = conversation.path(tip.parent)
    assert said == [text for turn in path for text in (turn.prompt, turn.answer)]
