"""Where code goes: into cells through a page that has our extension, else into the next input."""

from __future__ import annotations

from collections.abc import Sequence

from deepseek_jupyter.asking.consent import DECISIONS, REFUSALS, by_input, known_decision
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.display.frontend import offer_input, run_here
from deepseek_jupyter.display.pages import CellWriter, pages
from deepseek_jupyter.session.session import Session

writer = CellWriter(pages)

_RUN = "--run"  # in the place of a tool's name


def may_run(session: Session, reply: Reply, approve: str | None) -> bool:
    """Whether the answer's code may run: as the question says, or as the user says to all of it.

    It is a call like that of a tool that acts (`asking.consent`): a setting can only forbid it,
    and where no one can answer (nbclient, a script) it is no.
    """
    permit = (reply.turn.conversation, _RUN)
    decision = known_decision(
        "ask", asked=approve, setting=session.config.approve, remembered=permit in session.allowed
    )
    if decision is None:
        answer = by_input("this code", reply.code)
        decision = DECISIONS[answer]
        if answer == "always":
            session.allowed.add(permit)
    return decision not in REFUSALS


def place_code(
    sources: Sequence[str], reply: Reply, cell_id: str | None, *, run: bool = False
) -> str:
    """Put new code below the asking cell, a cell for each of `sources`; returns what the user
    should know of it.

    With `run` it also runs: its consent is the caller's business. Without a page the next input
    takes all of it in one, or, to be run, the asking cell runs it.
    """
    if not sources:
        return ""
    why = ""
    if writer.available and cell_id:
        own = cell_id.partition("#")[0]  # a cell's second question of one execution is ``ID#2``
        answer = writer.insert(own, sources, provenance(reply), run=run)
        if answer.outcome != "refused":
            return ""
        why = f"{answer.why} "
    code = "\n\n".join(sources)
    if run:
        run_here(code)
        return ""
    return why if offer_input(code) else f"{why}The code is in reply.code."


def provenance(reply: Reply) -> dict[str, str]:
    """What a cell's metadata says about code that a model wrote."""
    return {"turn": reply.turn.id, "model": reply.model}
