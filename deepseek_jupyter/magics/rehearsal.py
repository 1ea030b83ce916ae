"""Whether a notebook has an answer to each of its questions: looked up, or played without a model.

`rehearse` looks the questions of the open notebook up, in its order, as if each were asked.
`play` runs a notebook file in a kernel that has one recording and nothing else to ask.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from deepseek_jupyter.asking.ask import resolve
from deepseek_jupyter.asking.notebook_cells import all_cells
from deepseek_jupyter.asking.prepare import place
from deepseek_jupyter.asking.replay import kept_answer
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.turn import new_id
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.display.surfaces import NOWHERE
from deepseek_jupyter.errors import ConfigurationError, DeepSeekError, ReplayError, one_line
from deepseek_jupyter.session.memory import Memory
from deepseek_jupyter.session.recordings import ONLY
from deepseek_jupyter.session.session import Session

from .arguments import Command, parse_cell, parse_line

if TYPE_CHECKING:
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.conversation.recording import Recording
    from deepseek_jupyter.conversation.turn import Turn

_CELL = re.compile(r"\s*%%(?:ds|deepseek)\b[ \t]*(.*)\n?([\s\S]*)")
_LINE = re.compile(r"^\s*(?:[\w.]+\s*=\s*)?%ds\s+(.+)$", re.MULTILINE)
_VERBS = "ask|aask|stream|map|filter|classify|extract|translate|compare|suite|ajob"
_PYTHON = re.compile(rf"\bds\.(?:{_VERBS})\(")
_UNSEEN = "not looked at; deepseek-jupyter replay runs it"
_SECONDS = 600  # that one cell may take


def rehearse(session: Session) -> Report:
    """Each question of the notebook, and whether a kept answer is there for it."""
    scratch, rows, missed = _copy(session), list[tuple[str, ...]](), 0
    before = {turn.cell_id: turn for turn in session.recordings.kept()[0]}
    for number, cell in enumerate(all_cells(), 1):
        name = f"[{cell.number or number}]"
        # Not every front end sends the ids that the file has (nbclient, a console).
        id = cell.id if cell.id in before else None
        try:
            for command in _commands(cell.source, id):
                if command.question.dry_run:
                    continue
                there = command.map is None and _plays(scratch, command.question)
                why = "" if there else _why(command, before, behind=bool(missed))
                missed += bool(why) and command.map is None
                rows.append((name, one_line(command.question.prompt, 50), why or "there"))
        except (DeepSeekError, UsageError) as error:
            missed += 1
            rows.append((name, one_line(cell.source, 50), one_line(str(error), 100)))
        if _PYTHON.search(cell.source):
            rows.append((name, "asks from Python", _UNSEEN))
    if not rows:
        return Report("No cell asks anything.")
    told = f"{missed} of {len(rows)} have none." if missed else "None is missing."
    return Report("Rehearsal", rows, ("cell", "question", "kept answer"), told)


def _copy(session: Session) -> Session:
    """A session with the notebook's conversation as it is now, in which nothing is kept."""
    scratch, now = Session(session.config), session.conversation
    scratch.memory, scratch.recordings = Memory(persistent=False), session.recordings
    turns, branches = now.turns(), now.branches
    scratch.memory.conversation = Conversation.of_turns(new_id(), turns, branches, now.active)
    return scratch


def _commands(source: str, cell_id: str | None) -> Iterator[Command]:
    if match := _CELL.match(source):
        command = parse_cell(match[1], match[2], cell_id)
        yield replace(command, question=replace(command.question, by_prompt=True))
        return
    for at, line in enumerate(_LINE.findall(source), 1):
        yield parse_line(line, f"{cell_id}#{at}" if cell_id and at > 1 else cell_id)


def _plays(scratch: Session, question: Question) -> bool:
    """Whether there is an answer to a question, with which the conversation goes on."""
    asked = replace(question, replay="auto", pace="0")
    placed = place(scratch, resolve(asked, user_namespace(), template=True))
    replay = kept_answer(scratch, placed, NOWHERE)
    if replay is None:
        return False
    with replay:
        for _ in replay:
            pass
    return True


def _why(command: Command, before: Mapping[str | None, Turn], *, behind: bool) -> str:
    """Why a question has no kept answer, by the one that its cell had before."""
    asked = command.question
    then = before.get(asked.cell_id) if asked.cell_id else None
    if command.map is not None:
        return _UNSEEN
    if then is None:
        return "this cell has no kept answer"
    if asked.prompt != then.prompt and then.prompt:
        return "its words have changed"
    if behind:
        return "follows one that has none"
    changed = [n for n, v in asked.parameters.items() if then.parameters.get(n) != v]
    return f"has changed: {', '.join(changed) or 'settings, data or an earlier answer'}"


def play(notebook: Path, recording: Recording) -> tuple[Any, list[str]]:
    """The notebook at that path as executed from a recording alone, and what was not as it should.

    It runs in a state directory of its own, so that neither a key nor a model nor the journal of
    this machine can answer. Raises `ReplayError`.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import DeadKernelError
    except ImportError:
        raise ConfigurationError(
            "Running a notebook needs nbclient.", "Install it: pip install nbclient ipykernel."
        ) from None
    try:
        content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ReplayError(f"{notebook} cannot be read: {error}", "Name an .ipynb file.") from None
    with tempfile.TemporaryDirectory(prefix="deepseek-replay-") as state:
        environment = {
            **{n: v for n, v in os.environ.items() if not n.upper().endswith("_API_KEY")},
            "DEEPSEEK_JUPYTER_HOME": state,
            "JPY_SESSION_NAME": str(notebook.resolve()),
            ONLY: str(recording.path.resolve()),
        }
        client = NotebookClient(
            content,
            timeout=_SECONDS,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(notebook.resolve().parent)}},
        )
        try:
            client.execute(env=environment)
        except (DeadKernelError, TimeoutError) as error:
            raise ReplayError(f"{notebook} did not run to its end: {error}") from None
    return content, list(_problems(content))


def _problems(content: Any) -> Iterator[str]:
    """What went wrong in which cell, unless it is tagged as one that raises."""
    for number, cell in enumerate(content.cells, 1):
        if "raises-exception" in cell.get("metadata", {}).get("tags", ()):
            continue
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                yield f"cell {number}: {output['ename']}: {one_line(output['evalue'], 200)}"
