"""The magics: ``%%deepseek``, its short form ``%%ds``, and the line forms.

Each method parses, asks once and returns; what can be decided without IPython is in `arguments` and
`commands`. `register` also hooks what looks at cells: the input transform, and the log of runs.
"""

from __future__ import annotations

import re
import time
import tokenize
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from deepseek_jupyter.cells.executed import Executed, log
from deepseek_jupyter.config import settings
from deepseek_jupyter.display.frontend import in_jupyter
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.errors import DeepSeekError, Interrupted
from deepseek_jupyter.page import requests

from . import completion
from .arguments import Command, flag_help, parse_cell, parse_line

if TYPE_CHECKING:
    from deepseek_jupyter.asking.reply import Reply
    from deepseek_jupyter.display.surfaces import Surface
    from deepseek_jupyter.session.session import Session

_MANUAL = """Ask a DeepSeek model; thinking and answer stream into the output.

The cell's text is the prompt. ``{{ expression }}`` is replaced by the value of a Python
expression; single braces, ``$`` and code between backticks are left alone. The conversation goes
on from cell to cell, and a cell that is run again replaces its own turn instead of adding one. The
reply is returned (``_``), and ``deepseek_jupyter.last`` is the newest one.

In a cell::

    %%deepseek --think -m deepseek-flash
    Why is the sky blue? Answer in {{ n }} sentences.

On a line, with the question after the flags::

    %ds --no-think What is the capital of France?

Options
-------
"""


@magics_class
class DeepSeekMagics(Magics):
    """``%%deepseek``, ``%deepseek``, ``%%ds`` and ``%ds``."""

    _request = ""  # the execution that asked last, and how often it has asked
    _asked = 0

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def deepseek(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        """Replaced by the manual below."""
        if cell is None:
            from .commands import run

            return run(line, self._cell_id)
        return self._ask_cell(line, cell, local_ns)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def ds(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        """Replaced by the manual below."""
        if cell is not None:
            return self._ask_cell(line, cell, local_ns)
        if not line.strip():
            raise UsageError("%ds takes a question; %deepseek shows the status.")
        return self._ask(parse_line(line, self._cell_id()), local_ns)

    def _ask_cell(self, line: str, cell: str, local_ns: Any) -> Any:
        command = parse_cell(line, cell, self._cell_id())
        if command.question.cell_id is None and in_jupyter():  # a front end without cell ids
            command = replace(command, question=replace(command.question, by_prompt=True))
        return self._ask(command, local_ns)

    def _ask(self, command: Command, local_ns: Mapping[str, Any] | None) -> Any:
        # Late: loading the extension must cost nothing; and the card comes before the rest.
        from deepseek_jupyter.display.surfaces import preparing, surface

        names = {**self.shell.user_ns, **(local_ns or {})}
        show = False if command.quiet or settings().quiet or command.question.dry_run else None
        if command.compare is not None or command.times != 1:
            return self._kept(command, _compared(command, names, show=show))
        if command.map is not None:
            return self._kept(command, _mapped(command, names))
        on = surface(show)
        with preparing(on, command.question.prompt):
            return self._answer(command, names, on)

    def _kept(self, command: Command, found: Any) -> Any:
        """`found`, which is what ``--out`` names from now on."""
        if command.out:
            self.shell.user_ns[command.out] = found
        return found

    def _answer(self, command: Command, names: Mapping[str, Any], on: Surface) -> Any:
        from deepseek_jupyter.api import get_session, mapped
        from deepseek_jupyter.asking.ask import ask, resolve
        from deepseek_jupyter.asking.preview import Preview, preview
        from deepseek_jupyter.display.frontend import current_cell
        from deepseek_jupyter.privacy.rules import Teaching

        session = get_session()
        if command.code:
            Teaching(session.policy_files()).check_code_insertion()
        quiet = False if command.quiet else None
        question = mapped(resolve(command.question, names, template=True), quiet)
        if isinstance(question, Preview):
            return question
        if question.dry_run:
            return preview(session, question)
        try:
            reply = ask(session, question, on)
        except (DeepSeekError, Interrupted) as error:
            if error.reply is not None:  # what had arrived
                self._kept(command, error.reply)
            raise
        self._kept(command, reply)
        reply.shown_in = current_cell()
        if command.code and reply.code:
            _place(session, command, reply)
        return reply

    def _cell_id(self) -> str | None:
        """The id of the running cell, where the front end sends one (JupyterLab, VS Code).

        The second question of one execution is ``ID#2``: it goes on from the first, and takes the
        place of the second one when the cell is run again.
        """
        parent = (self.shell.get_parent() if hasattr(self.shell, "get_parent") else None) or {}
        found = parent.get("metadata", {}).get("cellId")
        if not found:
            return None
        request = parent.get("header", {}).get("msg_id", "")
        self._asked = self._asked + 1 if request == self._request else 1
        self._request = request
        return f"{found}#{self._asked}" if self._asked > 1 else str(found)


for _method in (DeepSeekMagics.deepseek, DeepSeekMagics.ds):
    _method.__doc__ = _MANUAL + flag_help() + "\n``%deepseek help`` lists the line commands.\n"


def _compared(command: Command, names: dict[str, Any], *, show: bool | None) -> Any:
    from deepseek_jupyter.api import get_session
    from deepseek_jupyter.asking.ask import resolve
    from deepseek_jupyter.display.columns import Columns
    from deepseek_jupyter.jobs.comparison import compared

    question = resolve(command.question, names, template=True)
    how = (command.compare, command.times, names, partial(Columns, show=show))
    return compared(get_session(), question, *how)


def _mapped(command: Command, names: Mapping[str, Any]) -> Any:
    """The rows of a frame with the answers of ``--map``."""
    from deepseek_jupyter.api import get_session
    from deepseek_jupyter.asking.ask import schema_value
    from deepseek_jupyter.asking.attachments import named_value
    from deepseek_jupyter.jobs.row_task import MapOptions, RowTask
    from deepseek_jupyter.jobs.verbs import answered

    question, session = command.question, get_session()
    to = str if question.schema is None else schema_value(question.schema, names)
    quiet = command.quiet or session.config.quiet
    given = (to, command.into, command.rows, question.budget)
    options = MapOptions(*given, show=not quiet, where=command.where)
    frame = named_value(str(command.map), names, "--map")
    return answered(RowTask(session, frame, question, options, names))


def _place(session: Session, command: Command, reply: Reply) -> None:
    """What ``--code`` and ``--run`` do with an answer's code."""
    from deepseek_jupyter.display.report import tell
    from deepseek_jupyter.fixing.placement import may_run, place_code

    question = command.question
    run = command.run and not reply.cut and may_run(session, reply, question.approve)
    if notice := place_code(reply.code_cells, reply, question.cell_id, run=run):
        tell(notice)


# A question mark at the end of a line makes IPython show help instead of running the magic
# (ipython#14258). Only lines that begin with our own magic are taken out of its hands.
_QUESTION_LINE = re.compile(r"^(\s*)((?:[\w.]+\s*=\s*)?)%ds\s+(.*\?)\s*$")
_EMPTY_CELL = re.compile(r"^%%(?:ds|deepseek)\b")


def keep_question_marks(lines: list[str]) -> list[str]:
    """An input transform: ``%ds what?`` becomes the call that it means.

    It also gives a cell magic without a body (``%%ds --continue``) the empty line without which
    IPython refuses it.
    """
    if lines and _EMPTY_CELL.match(lines[0]):
        body = "".join(lines[1:])
        return [lines[0].rstrip("\n") + "\n", "\n"] if not body.strip() else lines
    if lines and lines[0].startswith("%%"):
        return lines
    kept: list[str] = []
    for line in lines:
        found = _QUESTION_LINE.match(line)
        if found and not _in_string(kept):
            indent, target, question = found.groups()
            line = f"{indent}{target}get_ipython().run_line_magic('ds', {question!r})\n"
        kept.append(line)
    return kept


def _in_string(lines: Sequence[str]) -> bool:
    """Whether a triple-quoted string is still open after `lines`."""
    try:
        for _ in tokenize.generate_tokens(iter(lines).__next__):
            pass
    except tokenize.TokenError as error:  # in the words of 3.11, and of 3.12 and later
        return "multi-line string" in error.args[0] or "triple-quoted" in error.args[0]
    except SyntaxError:  # indentation that only IPython's other transforms make sense of
        return False
    return False


# Which cells ran, and the error that came last: what %deepseek fix looks at.


def _ended(result: Any) -> None:
    info = result.info
    if info.silent or not info.store_history or result.execution_count is None:
        return
    error = result.error_before_exec or result.error_in_exec
    run = Executed(
        count=result.execution_count,
        source=info.raw_cell,
        python=getattr(info, "transformed_cell", None) or "",
        id=getattr(info, "cell_id", None),
        failed=error is not None,
        at=time.time(),
    )
    # A stop and our own refusals are not errors of the user's code.
    ours = not isinstance(error, Exception) or isinstance(error, DeepSeekError | UsageError)
    log.add(run, None if ours else error)


def register(ipython: Any) -> None:
    """Register the magics, the settings and the input transform; once, however often called."""
    if not any(isinstance(c, DeepSeekMagics) for c in ipython.configurables):
        ipython.register_magics(DeepSeekMagics)
    config = settings()
    if config not in ipython.configurables:
        ipython.configurables.append(config)
    if keep_question_marks not in ipython.input_transformers_cleanup:
        ipython.input_transformers_cleanup.append(keep_question_marks)
    ipython.events.register("post_run_cell", _ended)  # once, by itself
    completion.register(ipython)
    if manager := _comm_manager(ipython):
        requests.register()
        pages.register(manager)


def unregister(ipython: Any) -> None:
    for kind in ("line", "cell"):
        for name in ("deepseek", "ds"):
            ipython.magics_manager.magics[kind].pop(name, None)
    config = settings()
    ipython.configurables[:] = [
        c for c in ipython.configurables if c is not config and not isinstance(c, DeepSeekMagics)
    ]
    with suppress(ValueError):
        ipython.input_transformers_cleanup.remove(keep_question_marks)
    with suppress(ValueError):
        ipython.events.unregister("post_run_cell", _ended)
    log.clear()
    completion.unregister(ipython)
    if manager := _comm_manager(ipython):
        pages.unregister(manager)


def _comm_manager(ipython: Any) -> Any:
    return getattr(getattr(ipython, "kernel", None), "comm_manager", None)
