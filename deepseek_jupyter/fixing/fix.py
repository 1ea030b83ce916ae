"""Changes to cells that a model proposes: asked for, decided on, written, taken back.

Nothing is written before `accept`, and nothing into a cell that is no longer what the model was
shown. With a page that has our extension the cells themselves change; elsewhere the code is offered
as new input. Commands call these functions, and so may the buttons of a page.

A `Proposal` is what came back and what has become of it; `Material` is what a question about a cell
says: the cells it depends on, the error, what is stale. The cells that ran, and the error that came
last, are read from the running shell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Any, Literal
from weakref import WeakKeyDictionary

from deepseek_jupyter.asking.ask import ask, resolve
from deepseek_jupyter.asking.attachments import Wanted
from deepseek_jupyter.asking.notebook_cells import cells_of
from deepseek_jupyter.asking.preview import Preview
from deepseek_jupyter.asking.preview import preview as preview_of
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.cells.edits import Edit, diff, read_edits
from deepseek_jupyter.cells.effects import effects
from deepseek_jupyter.cells.executed import Executed, log
from deepseek_jupyter.cells.failure import Failure
from deepseek_jupyter.cells.lineage import (
    Lineage,
    NotebookCell,
    cells_text,
    names_on_line,
    notes_text,
    prompt,
    stale_notes,
)
from deepseek_jupyter.conversation.restore import notebook_path
from deepseek_jupyter.display.frontend import (
    current_cell,
    has_frontend,
    offer_input,
    publish,
    run_here,
    shell,
    user_namespace,
)
from deepseek_jupyter.display.pages import Change, EditAnswer, Request, pages
from deepseek_jupyter.display.report import Changes
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.errors import CellError, ChangedCellError
from deepseek_jupyter.privacy.levels import SAMPLE, SCHEMA, parse_spec
from deepseek_jupyter.privacy.rules import Teaching, check_kind, strictest
from deepseek_jupyter.protocol.tokens import estimate_tokens
from deepseek_jupyter.session.memory import notebook_content
from deepseek_jupyter.session.session import Session

from .placement import place_code, provenance, writer

KINDS = ("fix", "explain", "doc", "test", "optimize")
_EDITING = ("fix", "doc", "optimize")

MIME = "application/vnd.deepseek.changes+json"

State = Literal["none", "offered", "asked", "accepted", "rejected", "reverted"]

_WORDS = {
    "none": "No change is offered.",
    "offered": "%deepseek fix accept [--run] applies it, %deepseek fix reject drops it.",
    "asked": "The page was asked to write it and has not answered yet.",
    "accepted": "Accepted. %deepseek fix revert takes it back.",
    "rejected": "Rejected; nothing was changed.",
    "reverted": "Taken back: the cells are as they were.",
}

_BUDGET = 6_000  # tokens of earlier cells

# A session's proposals by the id of their turn.
_offered: WeakKeyDictionary[Session, dict[str, Proposal]] = WeakKeyDictionary()


@dataclass(slots=True)
class Proposal:
    """A change to cells; `reply` is the answer that it came with, `id` the turn's.

    States: offered → accepted → reverted, which may be accepted again, or offered → rejected.
    It is `asked` while a page has not answered; `none` is an answer without edits.
    """

    kind: str
    reply: Reply
    edits: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()
    state: State = "none"
    before: tuple[Mapping[str, str] | None, ...] = field(default=(), repr=False)
    shown_in: int | None = None  # the cell whose card shows it

    @property
    def id(self) -> str:
        return self.reply.turn.id

    def changes(self) -> Changes:
        """The difference, cell by cell, and what can be done about it."""
        parts = [(edit.run.name, diff(edit.before, edit.after)) for edit in self.edits]
        return Changes(parts, "\n".join([*self.notes, _WORDS[self.state]]))

    @property
    def record(self) -> dict[str, Any]:
        """For a page that has our extension; in TypeScript `IProposal` in ``changes.ts``."""
        parts = self.changes().parts
        return {
            "schema": 1,
            "turn": self.id,
            "kind": self.kind,
            "state": self.state,
            "cells": [{"name": name, "lines": list(map(list, lines))} for name, lines in parts],
            "notes": list(self.notes),
            "remark": _WORDS[self.state],
        }

    def put_in_card(self) -> None:
        """Have the answer's card show the difference in place of the code that it was made of."""
        new = {edit.after.rstrip() for edit in self.edits}
        blocks = [(b.text.rstrip(), b.lines) for b in self.reply.code_blocks if b.is_python]
        cut = [at for text, at in blocks if {text, text.partition("\n")[2]} & new]
        self.reply.record["changes"] = {**self.record, "cut": cut}

    def __str__(self) -> str:
        return str(self.changes())

    def _ipython_display_(self) -> None:
        if self.shown_in is None or self.shown_in != current_cell():
            shown = self.changes()
            publish({MIME: self.record, "text/html": shown._repr_html_(), "text/plain": str(self)})


def propose(
    session: Session,
    kind: str,
    question: Question | None = None,
    *,
    target: str = "",
    on: Surface | None = None,
) -> Proposal:
    """Ask for a change. `kind` is one of `KINDS`; "explain" changes nothing, "test" makes a cell.

    `target` is a cell (``3``, ``In[3]``, an id) or a name that a cell defined; without it the cell
    that failed last ("fix") or ran last. `question` brings flags, and in its prompt what the user
    adds. Raises `CellError` where there is nothing to work on, and what asking raises.
    """
    material, asked = _composed(session, kind, question or Question(""), target)
    proposal: Proposal | None = None

    def ended(reply: Reply) -> None:
        nonlocal proposal
        proposal = _read(session, kind, material, reply)
        if kind in _EDITING:
            proposal.put_in_card()

    reply = ask(session, asked, on, ended)
    assert proposal is not None
    if kind == "test" and not reply.cut:
        place_code(
            [session.redactor.restore(cell) for cell in reply.code_cells], reply, asked.cell_id
        )
    if "changes" in reply.record and has_frontend():
        proposal.shown_in = reply.shown_in
    _offered.setdefault(session, {})[proposal.id] = proposal
    pages.handle("decide", partial(_decide, session), slow=True)
    return proposal


def preview(session: Session, kind: str, question: Question, target: str = "") -> Preview:
    """What `propose` would send. Raises what it raises before sending."""
    return replace(preview_of(session, _composed(session, kind, question, target)[1]), id="")


def accept(session: Session, turn: str | None = None, *, run: bool = False) -> Proposal:
    """Apply a proposal, the newest without the id of its `turn`; with `run` run its cells too.

    Raises `ChangedCellError` when a cell changed since, `CellError` when nothing is offered.
    """
    proposal = _in_state(session, turn, ("offered", "reverted"), "accept")
    Teaching(session.policy_files()).check_code_insertion()
    for edit in proposal.edits:  # before any page is asked: the kernel may know of a newer version
        for ran in executed():
            same = ran.id == edit.run.id and ran.id is not None
            if same and ran.count > edit.run.count and ran.source != edit.before:
                raise ChangedCellError(f"{edit.run.name} was changed and ran as {ran.name}.")
    new = provenance(proposal.reply)
    changes = [Change(e.run.id, e.before, e.after, new) for e in proposal.edits if e.run.id]
    _write(proposal, changes, "accepted", run)
    return proposal


def reject(session: Session, turn: str | None = None) -> Proposal:
    """Drop a proposal; nothing was changed and nothing will be."""
    proposal = _in_state(session, turn, ("offered",), "reject")
    proposal.state = "rejected"
    return proposal


def revert(session: Session, turn: str | None = None) -> Proposal:
    """Take an accepted proposal back. Raises `ChangedCellError` when a cell changed since."""
    proposal = _in_state(session, turn, ("accepted",), "revert")
    before = zip_longest(proposal.edits, proposal.before[: len(proposal.edits)])
    changes = [Change(e.run.id, e.after, e.before, old) for e, old in before if e.run.id]
    _write(proposal, changes, "reverted", run=False)
    return proposal


def newest(session: Session) -> Proposal | None:
    return next(reversed(_offered.get(session, {}).values()), None)


def _decide(session: Session, request: Request) -> dict[str, str]:
    """A button on a page: ``{turn, verb, run}`` → ``{state}``. The page itself writes the cells."""
    turn, verb = str(request.body.get("turn")), request.body.get("verb")
    if verb == "accept":
        return {"state": accept(session, turn, run=request.body.get("run") is True).state}
    if verb not in ("reject", "revert"):
        raise CellError(f"There is no way to {verb} a change.")
    return {"state": (reject if verb == "reject" else revert)(session, turn).state}


# Asking


def _composed(
    session: Session, kind: str, question: Question, target: str
) -> tuple[Material, Question]:
    """What is gathered, and the question that says it."""
    failure: Failure | None = None
    if kind == "fix":
        cell, failure = last_failure()
    else:
        cell = find(target) if target else previous()
    if kind != "explain":
        Teaching(session.policy_files()).check_code_insertion()
    rules = session.policy_files().data
    check_kind(cell.name, "cell", rules)
    if failure is not None and strictest(rules) < SAMPLE:  # as for the output of a cell
        failure = failure.without_data("\n".join(run.source for run in executed()))
    endpoints = session.endpoints
    find_provider = endpoints.keyless if question.dry_run else endpoints.provider
    provider = find_provider(question.provider)[0]
    context = provider.facts(question.model or provider.default_model).context or 4 * _BUDGET
    budget = min(_BUDGET, context // 4)  # of a small model's context, a quarter
    path = notebook_path(os.environ, user_namespace())
    material = gather(cell, failure, budget=budget, notebook=path)
    # The user sees a short prompt; the cells are in the material, which is sent below it.
    named = target if target.isidentifier() else ""
    about = f"`{named}` in {cell.name}" if named else f"the cell {cell.name}"
    title = f"{kind.capitalize()} {f'{named} ({cell.name})' if named else cell.name}"
    if failure is not None:
        title = f"{title}: {failure.kind}"  # no values
    asked = replace(
        question,
        prompt="\n\n".join(filter(None, (title, question.prompt))),
        material=prompt(kind, target=about, **material.parts),
        shortened=material.shortened,
        attach=(*question.attach, *_frames(session, material.on_the_line)),
        cells="none" if question.cells is None else question.cells,
    )
    return material, resolve(asked, user_namespace())


def _frames(session: Session, names: frozenset[str]) -> list[Wanted]:
    """The frames in the failed statement, at `schema`, unless the settings let nothing leave."""
    from deepseek_jupyter.context.frames import fits

    _, policy = parse_spec(f"x:{session.config.data_policy}")
    if policy.whole < SCHEMA:
        return []
    namespace = user_namespace()
    found = [(name, namespace[name]) for name in sorted(names) if name in namespace]
    return [Wanted(name, value, "schema") for name, value in found if fits(value)]


def _read(session: Session, kind: str, material: Material, reply: Reply) -> Proposal:
    if kind not in _EDITING:
        return Proposal(kind, reply)
    if reply.cut:
        return Proposal(
            kind, reply, notes=("The answer was cut, and an incomplete change is not offered.",)
        )
    restore = session.redactor.restore
    blocks = [(b.info, restore(b.text)) for b in reply.code_blocks if b.is_python]
    edits, notes = read_edits(blocks, material.cells, material.cell.count)
    return Proposal(kind, reply, tuple(edits), tuple(notes), "offered" if edits else "none")


# Deciding


def _in_state(session: Session, turn: str | None, states: Sequence[State], verb: str) -> Proposal:
    proposal = newest(session) if turn is None else _offered.get(session, {}).get(turn)
    if proposal is None:
        raise CellError(f"There is nothing to {verb}.", "%deepseek fix asks for a change.")
    if proposal.state not in states:
        raise CellError(f"There is nothing to {verb}: {proposal.changes().remark}")
    return proposal


def _write(proposal: Proposal, changes: Sequence[Change], goal: State, run: bool) -> None:
    if not writer.available or len(changes) < len(proposal.edits):
        _offer(proposal, goal, run)
        proposal.state = goal
        return
    came_from = proposal.state

    def done(answer: EditAnswer) -> None:
        applied = answer.outcome == "applied"
        proposal.state = goal if applied else came_from
        if applied and goal == "accepted":
            proposal.before = answer.provenance

    proposal.state = "asked"
    answer = writer.edit(changes, run=run, late=done)
    if answer.outcome == "asked":
        return
    done(answer)
    if answer.outcome == "refused":
        raise ChangedCellError(answer.why)


def _offer(proposal: Proposal, goal: State, run: bool) -> None:
    """Without a page: the new code as the next input, and run here if that was asked."""
    several = len(proposal.edits) > 1
    code = "\n\n".join(
        (f"# {edit.run.name}\n" if several else "")
        + (edit.after if goal == "accepted" else edit.before)
        for edit in proposal.edits
    )
    if has_frontend() or not run:  # a terminal keeps no cells: there it only runs
        offer_input(code)
    if run:
        run_here(code)


# What a question about a cell says


@dataclass(frozen=True, slots=True)
class Material:
    """What a question about `cell` says in addition to the user's own words.

    `cells` are those that an answer may rewrite, by count: shown whole, and as they are now.
    `parts` go into the prompt; `on_the_line` are the names in the statement that failed;
    `shortened` says what is left out.
    """

    cell: Executed
    cells: Mapping[int, Executed]
    parts: Mapping[str, str]
    on_the_line: frozenset[str]
    shortened: tuple[str, ...]


def gather(
    cell: Executed, failure: Failure | None, *, budget: int, notebook: str | None
) -> Material:
    """`budget` is in tokens, for the earlier cells; `notebook` the path of the notebook file."""
    runs = executed()
    namespace = user_namespace()
    lineage = Lineage(runs, iterators(namespace))
    line = failure.line_in(cell.count) if failure else None
    first = names_on_line(cell.python, line) & effects(cell.python).reads if line else frozenset()
    selection = lineage.choose(
        cell,
        first=first,
        called=failure.cells if failure else (),
        missing=failure.missing if failure else (),
        budget=budget,
        count=estimate_tokens,
    )
    placed, saved = saved_cells(notebook_content(notebook)), 0.0  # as they were saved, and when
    with suppress(OSError):
        saved = os.path.getmtime(notebook) if notebook else 0.0
    newest = {run.id: run.count for run in runs if run.id}
    whole = (chosen.run for chosen in selection.cells if chosen.whole)
    present = [run for run in whole if newest.get(run.id or "", run.count) <= run.count]
    on_the_line = names_on_line(cell.python, line) if line else frozenset()
    parts = {
        "cells": cells_text(selection.cells, cell, selection.left_out),
        "notes": notes_text(stale_notes(selection.cells, cell, runs, placed or None, saved)),
        "name": cell.name,
        "failure": failure.text() if failure else "",
    }
    shortened = (
        *(f"Of {c.run.name} the model reads an excerpt." for c in selection.cells if not c.whole),
        *(f"{c.run.name} is too long and stays here." for c in selection.left_out),
        *(failure.shortened if failure else ()),
    )
    return Material(
        cell, {run.count: run for run in (*present, cell)}, parts, on_the_line, shortened
    )


_NUMBER = re.compile(r"(?:In ?)?\[?(\d+)\]?$", re.IGNORECASE)
_OURS = re.compile(r"\s*%{1,2}(?:deepseek|ds)\b")


def executed() -> list[Executed]:
    """Every run that has ended, in order. Empty outside IPython.

    The shell remembers the sources of those that ran before the extension was loaded; the last that
    it remembers is the running cell's.
    """
    running = shell()
    if running is None:
        return []
    return log.runs(running.history_manager.input_hist_raw[:-1], running.transform_cell)


def last_failure() -> tuple[Executed, Failure]:
    """The cell that failed last and why. Raises `CellError` when none did, or it ran well since."""
    if log.error is None or log.failed is None:
        raise CellError("No cell has failed since the extension was loaded.", "Run the cell again.")
    runs = executed()
    # IPython before 9.4 does not tell what it made of a cell; `executed` finds out.
    run = next((r for r in runs if r.count == log.failed.count), log.failed)
    same = (r for r in runs if (r.id == run.id if r.id or run.id else r.source == run.source))
    again = [r for r in same if r.count > run.count]
    if again and not again[-1].failed:
        ran = f"{run.name} ran without an error as {again[-1].name}."
        raise CellError(ran, "There is nothing left to fix.")
    return run, Failure.of(log.error, _count_of)


def previous() -> Executed:
    """The newest run that is not a question to us. Raises `CellError` when there is none."""
    for run in reversed(executed()):
        if run.source.strip() and not _OURS.match(run.source):
            return run
    raise CellError("No cell has run before this one.", "Run one, or name one: %deepseek test 3.")


def find(named: str) -> Executed:
    """A run by ``3``, ``In[3]``, its cell's id or a name. Raises `CellError` for none."""
    runs = executed()
    if number := _NUMBER.match(named):
        found = next((run for run in runs if run.count == int(number[1])), None)
    else:
        by_id = [run for run in runs if run.id == named]
        found = by_id[-1] if by_id else Lineage(runs).definition(named)
    if found is None:
        raise CellError(
            f"No cell ran as {named}, and none defined it.", "Write a cell as 3 or In[3]."
        )
    return found


def iterators(namespace: Mapping[str, Any]) -> frozenset[str]:
    """The names whose values are used up by reading: generators, files, readers, zip and map."""
    return frozenset(
        name
        for name, value in list(namespace.items())
        if not name.startswith("_") and hasattr(type(value), "__next__")
    )


def saved_cells(content: object) -> dict[str, NotebookCell]:
    """The code cells of a notebook file by id; empty where it has none."""
    document = cells_of(content.get("cells") if isinstance(content, Mapping) else None, None)
    cells = enumerate(document.cells if document else ())
    return {cell.id: NotebookCell(index, cell.source) for index, cell in cells if cell.id}


def _count_of(file: str) -> int | None:
    """The count of the cell that a code's file name means, as IPython labels it."""
    running = shell()
    label = running.compile.format_code_name(file) if running is not None else None
    number = _NUMBER.match(label[1]) if label else None
    return int(number[1]) if number else None
