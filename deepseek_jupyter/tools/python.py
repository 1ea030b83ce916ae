"""The `run_python` tool: the model's code in this kernel, never without the user's consent.

The code runs as a cell does, in the notebook's variables: magics work, figures are shown. What it
prints, its last expression and its error go back as text; In, Out and the numbers of cells stay as
they are. The time limit is the loop's, as for every tool.

Only on the main thread, where a cell would run. A question from a panel is on another one: its code
waits for the kernel to be free, for a moment, and is refused when it is not.
"""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.errors import ToolArgumentsError, ToolError
from deepseek_jupyter.words import english

from .functions import Tool

CHARACTERS = 8_000  # of output, of the result and of the error, each
WAIT = 2.0  # seconds for a kernel that is busy
_WORD = re.compile(r"\w(?:[\w.:+-]*\w)?")
_DESCRIPTION = (
    "Run Python code in the user's notebook kernel, with its variables, and get what it prints, "
    "the value of its last line and its error. The user reads the code before it runs and may say "
    "no. Figures are shown to the user, not to you."
)
_PARAMETERS = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "Python code, as in a cell."}},
    "required": ["code"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a piece of code. `shown` counts the figures and other rich outputs by type."""

    printed: str = ""
    result: str = ""
    error: str = ""
    shown: Mapping[str, int] | None = None

    @property
    def text(self) -> str:
        """For the model."""
        parts = (("Printed", self.printed), ("Result", self.result), ("Error", self.error))
        told = [f"{name}:\n{_cut(text)}" for name, text in parts if text]
        shown = [f"(Shown to the user: {n} × {kind})" for kind, n in (self.shown or {}).items()]
        at = len(told) - bool(self.error)
        every = [*told[:at], *shown, *told[at:]]
        return "\n".join(every) or "(It ran, and printed and returned nothing.)"

    @property
    def cut(self) -> str:
        """How much of it `text` has, in words."""
        names = ("what it printed", "its result", "its error")
        sizes = (len(text.rstrip()) for text in (self.printed, self.result, self.error))
        return "; ".join(
            f"{CHARACTERS:,} of {size:,} characters of {name}"
            for name, size in zip(names, sizes, strict=True)
            if size > CHARACTERS
        )


def python_tool(shell: Any, protected: Callable[[], Mapping[str, Any]] = dict) -> Tool:
    """The tool for an IPython `shell`; results with rows of a `protected` frame wait for a yes."""
    if shell is None:
        raise ToolError("run_python needs a notebook or an IPython shell.", "Run it from a cell.")
    return Tool(
        name="run_python",
        description=_DESCRIPTION,
        parameters_schema=_PARAMETERS,
        call=lambda code: run(shell, code),
        consent="ask",
        text=lambda ran: ran.text,
        cut=lambda ran: ran.cut,
        check=_checked,
        preview=lambda arguments: str(arguments.get("code", "")),
        kept=lambda text: rows_in(text, protected()),
        facts=lambda ran: {"failed": True} if ran.error else {},
    )


def rows_in(text: str, frames: Mapping[str, Any]) -> str:
    """Those of `frames` of which a line of `text` holds two cells of one row, of three characters
    or more each; looked for are the rows that a card reads.
    """
    from deepseek_jupyter.context.table import plain, read, shown

    lines = [set(_WORD.findall(line)) for line in text.splitlines()]
    words, found = set().union(*lines), []
    for name, frame in frames.items():
        rows: dict[int, list[set[str]]] = {}
        for column in read(frame).columns:
            for at, value in enumerate(column.values):
                cell = "" if value is None or isinstance(value, bool) else shown(plain(value))
                if len(cell) > 2 and (parts := set(_WORD.findall(cell))) and parts <= words:
                    rows.setdefault(at, []).append(parts)
        many = (cells for cells in rows.values() if len(cells) > 1)
        if any(sum(cell <= line for cell in cells) > 1 for cells in many for line in lines):
            found.append(name)
    return ", ".join(found)


def _checked(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    code = arguments.get("code")
    if not isinstance(code, str) or not code.strip():
        raise ToolArgumentsError("code must be a string of Python.")
    return {"code": code}


def run(shell: Any, code: str) -> Ran:
    """Run `code` here, or on the main thread when it is free. Raises `ToolError` when it is not."""
    if threading.current_thread() is threading.main_thread():
        return run_here(shell, code)
    loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    if loop is None:
        raise ToolError(
            "Code can run from a cell only here: there is no kernel to give it to.",
            "Ask from a cell, or without run_python.",
        )
    return _handed_over(loop.add_callback, lambda: run_here(shell, code))


def _handed_over(schedule: Callable[[Callable[[], None]], Any], work: Callable[[], Ran]) -> Ran:
    """Do `work` on the main thread. What has not begun in time never will."""
    future: Future[Ran] = Future()

    def job() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

    schedule(job)
    try:
        return future.result(WAIT)
    except TimeoutError:
        if future.cancel():
            raise ToolError(
                "The kernel is busy with a cell.", "Ask again when it is done."
            ) from None
        return future.result()


def run_here(shell: Any, code: str) -> Ran:
    """Run `code` as a cell on this thread. A `KeyboardInterrupt` of the user goes on."""
    from IPython.utils.capture import capture_output

    if _awaits(shell, code):
        return Ran(error="await cannot stand at the top here; use asyncio.run or plain code.")
    results: list[str] = []
    with capture_output() as captured, _untraced(shell), _hooked(shell, results):
        outcome = shell.run_cell(code, store_history=False)
    shown = _show(captured.outputs)
    error = outcome.error_before_exec or outcome.error_in_exec
    if isinstance(error, KeyboardInterrupt):
        raise error
    printed = english(captured.stdout + captured.stderr)
    return Ran(printed, "\n".join(results), _told(error, code) if error else "", shown)


def _awaits(shell: Any, code: str) -> bool:
    """Whether it needs a running loop; the kernel's own is in the middle of a cell."""
    try:
        cell = shell.transform_cell(code)
    except SyntaxError:  # running it shows what is wrong
        return False
    return bool(shell.should_run_async(code, transformed_cell=cell))


@contextmanager
def _untraced(shell: Any) -> Iterator[None]:
    """Errors of the code are the model's: no traceback in the user's cell, no trace of the run."""
    names = ("showtraceback", "showsyntaxerror")
    before = (shell.last_execution_succeeded, shell.last_execution_result)
    for name in names:
        setattr(shell, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name in names:
            delattr(shell, name)
        shell.last_execution_succeeded, shell.last_execution_result = before


@contextmanager
def _hooked(shell: Any, results: list[str]) -> Iterator[None]:
    """Put values of expressions into `results`; what has a picture or a table is shown as well."""

    def hook(value: Any) -> None:
        if value is None:
            return
        data, metadata = shell.display_formatter.format(value)
        results.append(english(str(data.get("text/plain", ""))))
        if len(data) > 1:
            shell.display_pub.publish(data, metadata)

    trap = shell.display_trap
    before = trap.hook, sys.displayhook
    trap.hook = sys.displayhook = hook  # the trap sets the one when no cell is running around us
    try:
        yield
    finally:
        trap.hook, sys.displayhook = before


def _show(outputs: list[Any]) -> dict[str, int]:
    """Show figures and tables to the user, and count them by kind."""
    counts: dict[str, int] = {}
    for output in outputs:
        output.display()
        kinds = [kind for kind in output.data if kind != "text/plain"]
        kind = next((k for k in kinds if k.startswith("image/")), (kinds or ["text/plain"])[0])
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _told(error: BaseException, code: str) -> str:
    """The error, and the lines of the code that it went through."""
    lines = code.splitlines()
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        cell = frame.filename.startswith("<ipython-input") or "ipykernel_" in frame.filename
        number = frame.lineno or 0
        if cell and frame.line and 0 < number <= len(lines):
            found.append(f"line {number}: {frame.line}")
    return "\n".join([*found, "".join(traceback.format_exception_only(error)).strip()])


def _cut(text: str) -> str:
    """The beginning and the end of a long text: both say more than the middle."""
    text = text.rstrip()
    if len(text) <= CHARACTERS:
        return text
    half = CHARACTERS // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half:,} characters left out) …\n{text[-half:]}"
