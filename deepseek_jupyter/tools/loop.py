"""One round of the model's calls: which of them can run, running them, their results as text.

Planning and wording are pure. Who consents, and in which order the calls run, is decided in
`asking.tool_rounds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import inspect
import io
import json
import re
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from deepseek_jupyter.context.table import plain, shown
from deepseek_jupyter.errors import ToolArgumentsError, ToolError
from deepseek_jupyter.protocol.deltas import Completion
from deepseek_jupyter.protocol.messages import ToolCall, read_arguments

from .functions import Tool, tool_of, unwrapped

DENIED = (
    "denied: the user did not agree to this call. Do not try it again; go on without it, or say "
    "what you would have needed."
)
# Ends that say the calls are whole. Some hosts end a round of calls with "stop".
_WHOLE = frozenset({"tool_calls", "stop", "function_call"})
_WRITTEN_CALL = re.compile(
    r'"(?:name|function|tool)"\s*:\s*"([\w-]{1,64})"\s*,'
    r'\s*"(?:arguments|parameters|args|input)"\s*:'
)

ROWS = 50  # that the model reads
TOKENS = 2_000  # that they may take
_CHARACTERS_A_TOKEN = 3  # 1 English character is about 0.3 tokens
_NOTHING = "(done; it returned nothing)"


@dataclass(frozen=True, slots=True)
class Planned:
    """One call of a round. `problem` is what the model reads instead of a result.

    `arguments` are as the model gave them, `keywords` as the function takes them.
    """

    call: ToolCall
    tool: Tool | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def preview(self) -> str:
        """All that the call would run, for the user who is asked about it."""
        assert self.tool is not None
        return self.tool.shown(self.arguments)


def toolbox(tools: Iterable[Any]) -> dict[str, Tool]:
    """Tools by name. Raises `ToolError` for two of one name, and for what `tool_of` refuses."""
    found: dict[str, Tool] = {}
    for tool in map(tool_of, tools):
        if tool.name in found:
            raise ToolError(
                f"Two tools are called {tool.name}.", "Rename one: the model calls by name."
            )
        found[tool.name] = tool
    return found


def runnable(completion: Completion) -> bool:
    """Whether the calls of a completion may run: none that a limit or a filter cut off."""
    reason = completion.finish_reason
    whole = reason in _WHOLE if reason else completion.ended
    return bool(completion.tool_calls) and whole and completion.fault is None


def written_call(text: str, names: Collection[str]) -> str:
    """The one of `names` that a call written as JSON in `text` means; "" without one.

    Small models write ``{"name": "sql", "arguments": {…}}`` into their answer. That is text and
    never runs, and the user should know it.
    """
    return next((name for name in _WRITTEN_CALL.findall(text) if name in names), "")


def plan(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], restore: Callable[[str], str] = str
) -> list[Planned]:
    """Every call with its tool and checked arguments, or with what is wrong.

    `restore` puts back what was redacted on the way out, so that a function gets the real value.
    """
    planned: dict[str, Planned] = {}
    for place, call in enumerate(calls, 1):
        id = call.id
        while not id or id in planned:  # some hosts send none, or one for all
            id = f"{call.id or 'call'}_{place}"
            place += len(calls)
        planned[id] = _planned(replace(call, id=id), tools, restore)
    return list(planned.values())


def _planned(call: ToolCall, tools: Mapping[str, Tool], restore: Callable[[str], str]) -> Planned:
    tool = tools.get(call.name)
    if tool is None:
        known = ", ".join(tools) or "none"
        return Planned(call, problem=f"There is no function {call.name!r}; there is: {known}.")
    try:
        arguments = read_arguments(call.arguments) if call.arguments.strip() else {}
        arguments = arguments if tool.masked else restored(arguments, restore)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "they are nested too deeply"
        return Planned(call, tool, problem=f"The arguments are not JSON: {why}.")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return Planned(call, tool, problem="The arguments must be one JSON object.")
    try:
        keywords = tool.check(arguments) if tool.check else arguments
    except ToolArgumentsError as error:
        return Planned(call, tool, arguments, problem=error.what)
    return Planned(call, tool, arguments, keywords)


def restored(value: Any, restore: Callable[[str], str]) -> Any:
    """A JSON value with every text in it restored."""
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, list):
        return [restored(item, restore) for item in value]
    if isinstance(value, dict):
        return {name: restored(item, restore) for name, item in value.items()}
    return value


# Running them


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call returned or raised."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0

    def facts(self, tool: Tool) -> dict[str, Any]:
        """What the turn's record says of the run, without entries that are false or missing."""
        if self.error is not None:
            facts: Mapping[str, Any] = {"failed": True}
        elif tool.facts is not None:
            facts = tool.facts(self.value)
        else:
            frame: Any = None if tool.text else _frame(self.value)
            facts = {"rows": len(frame)} if hasattr(frame, "__len__") else {}
        said = {name: value for name, value in facts.items() if value is not False}
        return {"seconds": round(self.seconds, 3), **said}

    @property
    def problem(self) -> str:
        """The error as the model reads it, "" where there was none."""
        if self.error is None:
            return ""
        words = str(self.error).strip()
        return f"{type(self.error).__name__}: {words}" if words else type(self.error).__name__


def side_by_side(planned: Planned) -> bool:
    """Whether the call may run while others do: an async function, or one that never displays."""
    assert planned.tool is not None
    return _is_async(planned.tool.call) or not planned.tool.on_caller_thread


def call_here(planned: Planned, seconds: float) -> CallOutcome:
    """Call on this thread, so that what the function shows lands in the running cell.

    What it raises becomes a `CallOutcome`, except a `KeyboardInterrupt`, which stops everything.
    """
    assert planned.tool is not None
    began = time.monotonic()
    try:
        with _limited(seconds):
            outcome = CallOutcome(planned.tool.call(**planned.keywords))
    except (Exception, SystemExit) as error:
        outcome = CallOutcome(error=error)
    return replace(outcome, seconds=time.monotonic() - began)


async def call_all(calls: Sequence[Planned], seconds: float) -> list[CallOutcome]:
    """Call all at once on the running loop, synchronous ones in threads."""
    return list(await asyncio.gather(*(_call(planned, seconds) for planned in calls)))


async def _call(planned: Planned, seconds: float) -> CallOutcome:
    assert planned.tool is not None
    function, keywords = planned.tool.call, planned.keywords
    began = time.monotonic()
    try:
        here = _is_async(function)
        work = function(**keywords) if here else asyncio.to_thread(function, **keywords)
        value = await asyncio.wait_for(work, seconds or None)
        if inspect.isawaitable(value):
            value = await asyncio.wait_for(value, seconds or None)
        outcome = CallOutcome(value)
    except TimeoutError as error:
        late = seconds and time.monotonic() - began >= seconds
        outcome = CallOutcome(error=_too_long(seconds) if late else error)
    except (Exception, SystemExit) as error:
        outcome = CallOutcome(error=error)
    return replace(outcome, seconds=time.monotonic() - began)


def _is_async(function: Any) -> bool:
    function = unwrapped(function)
    called = getattr(function, "__call__", None)  # noqa: B004 - the method, not whether it has one
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _too_long(seconds: float) -> TimeoutError:
    return TimeoutError(f"it took longer than {seconds:g} seconds and was stopped")


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Stop the block after `seconds`; 0 lets it run.

    By the alarm signal, the one means that also ends a blocking call and leaves the function on
    this thread. Where there is none (Windows, other threads) the block runs to its end.
    """
    here = threading.current_thread() is threading.main_thread()
    if not seconds or not here or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise _too_long(seconds)

    before = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:  # an alarm that was set before goes on
            left = max(0.001, left - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left, again)


# Their results as text


@dataclass(frozen=True, slots=True)
class ResultText:
    """`text` for the model; `cut` says how much of the value that is, "" for all."""

    text: str
    cut: str = ""


def result_text(
    value: Any, *, rows: int = ROWS, tokens: int = TOKENS, name: str = ""
) -> ResultText:
    """`value` as text. What is over a cap is cut; `name` is where the whole of it stays."""
    frame = _frame(value)
    if frame is not None:
        text, cut = _of_frame(frame, rows)
    elif isinstance(value, str):
        text, cut = value, ""
    elif value is None:
        text, cut = _NOTHING, ""
    else:
        text, cut = _of_value(value, rows)
    longest = tokens * _CHARACTERS_A_TOKEN
    if len(text) > longest:
        cut = ", ".join(filter(None, (cut, f"{longest:,} of {len(text):,} characters")))
        text = text[:longest]
    if not cut:
        return ResultText(text)
    kept = f"; the whole is the notebook's variable {name}" if name else ""
    return ResultText(f"{text}\n… ({cut}{kept})", cut)


def _frame(value: Any) -> Any:
    """`value` as a narwhals frame or series; None for anything else."""
    import narwhals.stable.v2 as nw

    if isinstance(value, str | int | float | list | dict | tuple) or value is None:
        return None
    found = nw.from_native(value, pass_through=True, allow_series=True)
    return found if isinstance(found, nw.LazyFrame | nw.DataFrame | nw.Series) else None


def _of_frame(frame: Any, rows: int) -> tuple[str, str]:
    """A table as comma-separated lines, the form that costs the fewest tokens."""
    import narwhals.stable.v2 as nw

    if isinstance(frame, nw.Series):
        frame = frame.to_frame()
    if isinstance(frame, nw.LazyFrame):  # one row more shows whether there are more
        head, count = frame.head(rows + 1).collect(), None
    else:
        head, count = frame.head(rows + 1), len(frame)
    more = len(head) > rows
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows(map(_cell, row) for row in (head.columns, *head.head(rows).iter_rows()))
    in_all = f" of {count:,}" if count is not None else ""
    return text.getvalue().rstrip("\n"), f"the first {rows}{in_all} rows" if more else ""


def _cell(value: Any) -> str:
    return shown(plain(value)) if isinstance(value, float) or value is None else str(value)


def _of_value(value: Any, rows: int) -> tuple[str, str]:
    many = isinstance(value, Mapping) or (
        isinstance(value, Sequence | Set) and not isinstance(value, bytes | range)
    )
    if not many or len(value) <= rows:
        return _json(value), ""
    mapping = isinstance(value, Mapping)
    first = dict(islice(value.items(), rows)) if mapping else list(islice(value, rows))
    what = "entries" if mapping else "items"
    return _json(first), f"the first {rows} of {len(value):,} {what}"


def _json(value: Any) -> str:
    """JSON where the value has such a form, else its repr."""
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return json.dumps(to_jsonable_python(value), ensure_ascii=False)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError):
        return repr(value)
