"""Whatever the journal's file does: each question is answered, in the output, with one notice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from tests.conversation import faults
from tests.conversation.faults import Fault
from tests.support.kernels import Kernel
from tests.support.scripted import Server, answer

from .conftest import _AFRESH

_PLACE = """\
import os
os.environ["DEEPSEEK_JUPYTER_HOME"], os.environ["JPY_SESSION_NAME"] = {!r}, {!r}
import deepseek_jupyter.conversation.database as _database
_database._PATIENCE = 0.3
"""

Ask = Callable[[str], list[str]]

# Name: the fault, how many notices it brings, and whether a kernel that starts with it can read
# what was said before.
FAULTS: dict[str, tuple[Fault, int, bool]] = {
    "full disk": (faults.full_disk, 1, True),
    "read-only disk": (faults.read_only, 1, True),
    "directory deleted": (faults.deleted, 0, False),
    "pages overwritten": (faults.damaged, 1, False),
    "a directory in its place": (faults.no_database, 1, False),
    "a file for its directory": (faults.no_directory, 1, False),
    "trigger that aborts": (faults.trigger("ABORT"), 1, True),
    "trigger that fails": (faults.trigger("FAIL"), 1, True),
    "trigger that rolls back": (faults.trigger("ROLLBACK"), 1, True),
    "trigger at the end": (faults.end_refused, 1, True),
    "a table is missing": (faults.another_schema, 1, False),
    "locked": (faults.locked, 1, True),
}
# Another program's choice, which stays; what it refused is not tried again.
REFUSED = {"trigger that aborts", "trigger that fails", "trigger at the end"}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with faults.small_disk(tmp_path / "disk"):
        yield tmp_path / "disk" / "state" / "journal.sqlite3"


@pytest.fixture
def start(kernel: Kernel, path: Path) -> Iterator[Callable[[], None]]:
    """Begin a session as a new kernel of the same notebook would."""
    before = kernel.value('__import__("os").environ["DEEPSEEK_JUPYTER_HOME"]')

    def begin() -> None:
        notebook = str(path.parents[2] / "study.ipynb")
        assert kernel.run(_PLACE.format(str(path.parent), notebook) + _AFRESH).ok

    yield begin
    kernel.run(f"import os\nos.environ['DEEPSEEK_JUPYTER_HOME'] = {before!r}")
    kernel.run("import os\ndel os.environ['JPY_SESSION_NAME']")


@pytest.fixture
def ask(kernel: Kernel, server: Server) -> Ask:
    """Ask a question in a cell; returns its notices about the journal."""

    def asked(prompt: str) -> list[str]:
        server.queue(answer(f"Answer to {prompt}."))
        ran = kernel.run(f"%%ds\n{prompt}")
        assert ran.ok, ran.error
        (bundle,) = ran.bundles
        (turn,) = ran.turns
        assert turn["answer"] == f"Answer to {prompt}."
        assert f"Answer to {prompt}." in bundle["text/plain"]
        assert ran.stderr == ""
        return [notice for notice in turn["notices"] if "journal" in notice]

    return asked


def close(kernel: Kernel) -> None:
    """As the end of a kernel does; a disk with an open file cannot be made read-only."""
    assert kernel.run("ds.get_session().conversation.journal.close()").ok


def sent(server: Server) -> list[str]:
    """The prompts of the last request."""
    messages = server.requests[-1].json["messages"]
    return [message["content"] for message in messages if message["role"] == "user"]


@pytest.mark.parametrize("when", ["later", "from the start"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_question_is_answered_whatever_the_journal_does(
    start, ask, kernel, server, path, name, when
):
    fault, expected, readable = FAULTS[name]
    start()
    assert ask("one") == ask("two") == []
    if when == "from the start" or name == "read-only disk":
        close(kernel)
    if when == "from the start":
        start()
    with fault(path):
        notices = [notice for prompt in ("three", "four", "five") for notice in ask(prompt)]
        remembered = ["one", "two"] if readable or when == "later" else []
        assert sent(server) == [*remembered, "three", "four", "five"]
    assert len(notices) == expected, notices
    ask("six")
    assert sent(server)[-4:] == ["three", "four", "five", "six"]
    if name not in REFUSED:
        assert kept(path)[-4:] == ["three", "four", "five", "six"]


def kept(path: Path) -> list[str]:
    """The prompts of the conversation that the next kernel would go on with."""
    journal = Journal.open(path)
    newest = max(journal.conversations(), key=lambda row: row.opened)
    prompts = [turn.prompt for turn in Conversation.load(journal, newest.id)]
    journal.close()
    return prompts


def test_a_file_that_another_program_keeps_for_itself(start, ask, kernel, server, path):
    start()
    ask("one")
    close(kernel)
    start()
    with faults.locked_for_reading_too(path):
        notices = [notice for prompt in ("two", "three") for notice in ask(prompt)]
    assert len(notices) == 1
    ask("four")
    assert sent(server)[-3:] == kept(path)[-3:] == ["two", "three", "four"]


def test_without_a_home_directory_the_conversation_is_in_memory(start, ask, server, kernel):
    start()
    nowhere = "import os; os.environ['DEEPSEEK_JUPYTER_HOME'] = '~nobody-of-this-name/state'\n"
    assert kernel.run(nowhere + _AFRESH).ok
    assert len([notice for prompt in ("one", "two", "three") for notice in ask(prompt)]) == 1
    assert sent(server) == ["one", "two", "three"]


def test_a_child_process_of_the_kernel_does_no_harm(start, ask, server, kernel, path):
    start()
    assert ask("one") == []
    kernel.run(
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    from tests.conversation.turns import a_turn\n"
        "    ds.get_session().conversation.journal.finish(a_turn('in the child'))\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)"
    )
    assert ask("two") == []
    assert sent(server) == kept(path) == ["one", "two"]
    assert os.path.exists(path)
