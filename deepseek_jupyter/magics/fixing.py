"""The commands about cells: ``%deepseek fix``, ``explain``, ``doc``, ``test``, ``optimize``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.api import get_session
from deepseek_jupyter.errors import CellError

from .arguments import Command, UsageProblem, parse_line

if TYPE_CHECKING:
    from deepseek_jupyter.asking.preview import Preview
    from deepseek_jupyter.asking.reply import Reply
    from deepseek_jupyter.fixing.fix import Proposal

__all__ = ["COMMANDS", "place"]

_VERBS = ("accept", "reject", "revert")


def cell_command(kind: str, line: str, cell_id: str | None) -> Proposal | Reply | Preview:
    """Ask for a change and show it, or decide on the one that was offered."""
    words = line.split()
    if words and words[0] in _VERBS and kind not in ("explain", "test"):  # those change no cell
        return _decide(words[0], words[1:])
    from deepseek_jupyter.display.frontend import current_cell, user_namespace
    from deepseek_jupyter.display.surfaces import surface
    from deepseek_jupyter.fixing import fix as fixes

    session = get_session()
    command = parse_line(line, cell_id)
    target, wish = _target(kind, command.question.prompt)
    question = replace(command.question, prompt=wish)
    if question.dry_run:
        return fixes.preview(session, kind, question, target)
    quiet = command.quiet or session.config.quiet
    on = surface(False if quiet else None)
    proposal = fixes.propose(session, kind, question, target=target, on=on)
    proposal.reply.shown_in = current_cell()
    if command.out:
        user_namespace()[command.out] = proposal.reply
    return proposal.reply if kind in ("explain", "test") else proposal


def place(command: Command, reply: Reply) -> None:
    """What ``--code`` and ``--run`` do with an answer's code."""
    from deepseek_jupyter.fixing.placement import may_run, place_code

    question = command.question
    run = command.run and not reply.cut and may_run(get_session(), reply, question.approve)
    if told := place_code(reply.code_cells, reply, question.cell_id, run=run):
        print(told)


def _decide(verb: str, arguments: Sequence[str]) -> Proposal:
    from deepseek_jupyter.fixing import fix as fixes

    run = "--run" in arguments
    turns = [word for word in arguments if word != "--run"]
    if len(turns) > 1 or (run and verb != "accept"):
        raise UsageProblem(f"{verb} takes {'--run' if verb == 'accept' else 'nothing'} at most.")
    turn = turns[0] if turns else None
    session = get_session()
    if verb == "accept":
        return fixes.accept(session, turn, run=run)
    return fixes.reject(session, turn) if verb == "reject" else fixes.revert(session, turn)


def _target(kind: str, words: str) -> tuple[str, str]:
    """The cell or name that the words begin with, and the rest."""
    first, _, rest = words.partition(" ")
    if kind == "fix" or not first:
        return "", words
    from deepseek_jupyter.fixing.cell_runs import find

    try:
        find(first)
    except CellError:
        if not rest:
            raise
        return "", words  # a wish, not a cell
    return first, rest.strip()


_SAYS = {
    "fix": ("[FLAGS] [WORDS] | accept [--run] | reject | revert", "repair the last error"),
    "explain": ("[CELL|NAME]", "what a cell or function does"),
    "doc": ("[CELL|NAME]", "docstrings and comments, as a change to accept"),
    "test": ("[CELL|NAME]", "tests in a new cell"),
    "optimize": ("[CELL|NAME]", "the same result faster, as a change to accept"),
}

COMMANDS: dict[str, tuple[Callable[..., Any], str, str]] = {
    kind: (partial(cell_command, kind), form, says) for kind, (form, says) in _SAYS.items()
}
