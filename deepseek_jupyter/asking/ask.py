"""The way of a question: `ask` waits for the answer, `stream` yields it, each also for async code;
`ask_together` waits for the answers of several.

Every question, from a cell, from Python or from a panel, first comes through `resolve`.
`prepare` settles everything and refuses what is wrong before anything is sent; a `Run` carries the
question through the wire and onto a surface; its `Reply` and turn are kept. A question with a kept
answer (`replay`) sends nothing.
"""

from __future__ import annotations

import asyncio
import time
import typing
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, aclosing, closing, contextmanager
from dataclasses import replace
from typing import Any

from deepseek_jupyter.context.prompt import fill
from deepseek_jupyter.display.surfaces import NOWHERE, FromThread, Surface, preparing, surface
from deepseek_jupyter.errors import Interrupted, ParameterError, SchemaError
from deepseek_jupyter.protocol.deltas import Delta, Event, Notice, Retry
from deepseek_jupyter.session.session import Session, get_session
from deepseek_jupyter.transport.engine import engine

from .attachments import Wanted, kept_from_texts, resolved
from .consent import aask_of_file, ask_of_file, is_to_be_asked
from .fallback import TURNED_AWAY, prepare_all
from .prepare import Placed, Prepared, place
from .question import Question
from .replay import Replay, kept_answer
from .reply import Reply
from .run import Run, interrupts_held
from .toolset import BUILTIN, NO_TOOLS, function_named

_TICK = 0.1  # seconds
_TOGETHER = 0.02  # seconds in which each of several answers is looked at once

Ended = Callable[[Reply], None]


def _ignored(reply: Reply) -> None:
    """For callers that do not want the reply."""


# The front door


def resolve(asked: Question, names: Mapping[str, Any], *, template: bool = False) -> Question:
    """`asked` with what it names found in `names`: attachments and ``@name``, tools and schema.

    In a `template`, ``{{ expression }}`` becomes the text of its value; a frame goes as a card,
    under its policy. Raises `ParameterError`, `TemplateError`, `SchemaError` or `ToolError` for
    what is not there or cannot be read.
    """
    framed: list[Wanted] = []
    prompt = _filled(asked.prompt, names, framed) if template else asked.prompt
    tools, parameters = _tools(asked.tools), asked.parameters
    if tools and all(isinstance(tool, Mapping) for tool in tools):  # the API's own: not ours to run
        parameters, tools = {**parameters, "tools": list(tools)}, ()
    schema = asked.schema
    asked = replace(
        asked,
        prompt=prompt,
        attach=(*_attached(asked.attach), *framed),
        schema=schema_value(schema, names) if isinstance(schema, str) else schema,
        tools=tuple(
            function_named(tool, names)
            if isinstance(tool, str) and tool not in (*BUILTIN, NO_TOOLS)
            else tool
            for tool in tools
        ),
        parameters=parameters,
    )
    return resolved(asked, names)


def _filled(prompt: str, names: Mapping[str, Any], framed: list[Wanted]) -> str:
    from deepseek_jupyter.context.frames import fits

    def as_card(source: str, value: Any) -> str | None:
        if not fits(value) and not kept_from_texts(get_session(), source, value, names):
            return None
        framed.append(Wanted(source, value))
        return f"`{source}`"

    return fill(prompt, names, as_card)


def _attached(attach: Any) -> tuple[Any, ...]:
    """One thing or several, as a tuple. ``(df, "schema")`` is one: an object and its policy."""
    if isinstance(attach, list):
        return tuple(attach)
    pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[1], str)
    if isinstance(attach, tuple) and not (pair and not isinstance(attach[0], str)):
        return attach
    return () if attach is None else (attach,)


def _tools(tools: Any) -> tuple[Any, ...]:
    """The tools, one or several; a text names some: ``"sql,mean"``."""
    if isinstance(tools, str):
        return tuple(filter(None, map(str.strip, tools.split(","))))
    if callable(tools) or isinstance(tools, Mapping):
        return (tools,)
    try:
        return tuple(tools or ())
    except TypeError:
        raise ParameterError(
            f"tools cannot be {tools!r}.", "Give a function, a name, or a list of them."
        ) from None


def schema_value(expression: str, names: Mapping[str, Any]) -> Any:
    """The type or JSON schema that an expression of the user's means."""
    known = {name: getattr(typing, name) for name in ("Annotated", "Any", "Literal", "Optional")}
    try:
        return eval(expression, {**known, **names})
    except Exception as error:
        raise SchemaError(
            f"--schema {expression}: {type(error).__name__}: {error}.",
            "Name a type or a JSON schema that this notebook has.",
        ) from error


# Asking


def ask(
    session: Session,
    question: Question,
    on: Surface | None = None,
    ended: Ended = _ignored,
) -> Reply:
    """Ask and wait. Raises one of the package's errors, or `Interrupted`, with `reply` set.

    `ended` is given the reply, whole or not; a new one before the surface shows the last of it.
    """
    on = on or surface(None)
    on.raises = _raises(session, question)
    with preparing(on, question.prompt):
        run = _run(session, question, on, ended)
    deque(_events(session, run, ended), 0)  # without a frame here, which an interrupt could strike
    return _reply(session, question, run)


async def aask(session: Session, question: Question, on: Surface | None = None) -> Reply:
    """`ask` for code with a loop of its own; cancelling it stops the answer."""
    on = on or surface(None)
    on.raises = _raises(session, question)
    with preparing(on, question.prompt):
        run = await _arun(session, question, on, _ignored)
    async with aclosing(_aevents(session, run, _ignored)) as shown:
        async for _ in shown:
            pass
    return _reply(session, question, run)


def ask_together(
    session: Session,
    asked: Sequence[Prepared | Replay],
    on: Sequence[Surface],
    ended: Sequence[Ended],
    shown: Callable[[], None],
) -> None:
    """Ask several prepared questions at once, or play their kept answers, each with its surface and
    its `ended`. `shown` is called again and again, on this thread. What stops one stops all.
    """
    tick = _TOGETHER / len(asked)
    before = session.prefix

    def begun(one: Prepared | Replay, on: Surface, ended: Ended) -> Generator[Sequence[Event]]:
        session.prefix = before  # none of them broke the prefix of another
        run = one if isinstance(one, Replay) else Run(session, one, on, ended)
        yield from _events(session, run, ended, tick)

    every = list(map(begun, asked, on, ended))
    with ExitStack() as open_ones:
        for one in every:
            open_ones.enter_context(closing(one))
        with interrupts_held() as came:  # all have begun, or none
            running = [one for one in every if next(one, None) is not None]
        if came:
            raise KeyboardInterrupt
        while running:
            running = [one for one in running if next(one, None) is not None]
            shown()
    first = next((one for one in asked if not isinstance(one, Replay)), None)
    session.prefix = session.prefix if first is None else first.prefix


def stream(session: Session, question: Question, ended: Ended = _ignored) -> Iterator[Delta]:
    """The deltas as they come, shown nowhere; `ended` is given the reply, whole or not."""
    run = _run(session, question, NOWHERE, ended)
    with closing(_events(session, run, ended)) as shown:
        for events in shown:
            yield from _of_model(events)
    _reply(session, question, run)


async def astream(
    session: Session, question: Question, ended: Ended = _ignored
) -> AsyncGenerator[Delta]:
    """`stream` for ``async for``."""
    run = await _arun(session, question, NOWHERE, ended)
    async with aclosing(_aevents(session, run, ended)) as shown:
        async for events in shown:
            for delta in _of_model(events):
                yield delta
    _reply(session, question, run)


def _of_model(events: Iterable[Event]) -> Iterator[Delta]:
    return (event for event in events if not isinstance(event, Notice | Retry))


def _ready(
    session: Session, question: Question, on: Surface, waits: Surface
) -> Replay | Prepared | Placed:
    """The kept answer, or the question, `Prepared` unless the user is to be asked first."""
    if question.dry_run:
        raise ParameterError(
            "A dry run sends nothing, so there is no answer to wait for.",
            "ds.ask(…, dry_run=True) shows what would be sent.",
        )
    placed = place(session, question, waits)
    if replay := kept_answer(session, placed, on):
        return replay
    if is_to_be_asked(session, placed, on):
        return placed
    return prepare_all(session, placed, waits)


def _run(session: Session, question: Question, on: Surface, ended: Ended) -> Run | Replay:
    ready = _ready(session, question, on, on)
    if isinstance(ready, Placed):
        ready = prepare_all(session, ask_of_file(session, ready, on), on)
    return ready if isinstance(ready, Replay) else Run(session, ready, on, ended)


async def _arun(session: Session, question: Question, on: Surface, ended: Ended) -> Run | Replay:
    """`_run` on another thread, which has this one show what it waits for."""
    waits = FromThread(on)
    try:
        ready = await asyncio.to_thread(_ready, session, question, on, waits)
        if isinstance(ready, Placed):
            placed = await aask_of_file(session, ready, on)
            ready = await asyncio.to_thread(prepare_all, session, placed, waits)
    finally:
        waits.on = NOWHERE  # a thread that outlives this shows nothing more
    return ready if isinstance(ready, Replay) else Run(session, ready, on, ended, sync=False)


def _events(
    session: Session, run: Run | Replay, ended: Ended, tick: float = _TICK
) -> Generator[Sequence[Event]]:
    """The events of an answer as they are shown; an empty list first, once it has begun."""
    try:
        with run:
            yield ()
            if isinstance(run, Replay):
                for seconds in run:
                    yield run.take()
                    time.sleep(min(seconds, tick))
            else:
                with closing(_batches(session, run, tick)) as batches:
                    for batch in batches:
                        yield run.take(batch)
        yield run.take() if isinstance(run, Replay) else run.left
    finally:
        if isinstance(run, Replay):
            ended(run.reply)


async def _aevents(
    session: Session, run: Run | Replay, ended: Ended
) -> AsyncGenerator[Sequence[Event]]:
    """`_events` on the caller's loop; at its end the turn is on the disk."""
    if isinstance(run, Replay):
        try:
            with run:
                for seconds in run:
                    yield run.take()
                    await asyncio.sleep(seconds)
            yield run.take()
        except Interrupted:
            raise asyncio.CancelledError from None
        finally:
            ended(run.reply)
        return
    try:
        with run:
            async with aclosing(_abatches(session, run)) as batches:
                async for batch in batches:
                    yield run.take(batch)
        yield run.left
    finally:
        await session.memory.group_sync()


def _reply(session: Session, question: Question, run: Run | Replay) -> Reply:
    """The reply of a run that is over. Raises its error, unless that is to be returned."""
    assert run.reply is not None
    if run.reply.error is not None and _raises(session, question):
        raise run.reply.error
    return run.reply


def _raises(session: Session, question: Question) -> bool:
    return (question.on_error or session.config.on_error) != "return"


def _batches(session: Session, run: Run, tick: float = _TICK) -> Generator[list[Event] | None]:
    """The events of each request until the answer is there; None is a quiet tick."""
    client = session.endpoints.client
    while True:
        source = engine().drain(lambda: client.stream(run.exchange), run.stop, tick)
        try:
            with closing(source) as batches:
                yield from batches
        except TURNED_AWAY as error:
            run.fall_back(error)
            continue
        if not run.go_on():
            return


async def _abatches(session: Session, run: Run) -> AsyncGenerator[list[Event]]:
    """`_batches` on the caller's loop."""
    client = session.endpoints.client
    while True:
        source = engine().adrain(lambda: client.stream(run.exchange), run.stop)
        try:
            with _ticking(run):
                async with aclosing(source) as batches:
                    async for batch in batches:
                        yield batch
        except TURNED_AWAY as error:
            run.fall_back(error)
            continue
        if not await run.ago_on():
            return


@contextmanager
def _ticking(run: Run) -> Iterator[None]:
    """A quiet tick now and then, for the clock on the screen.

    And for Stop: ipykernel (7.4) cancels an awaiting cell from a signal handler that does not wake
    the loop, so that without other events the cell would go on until the server says something.
    """
    timer = list[asyncio.TimerHandle]()
    _tick(run, timer)
    try:
        yield
    finally:
        timer[0].cancel()


def _tick(run: Run, timer: list[asyncio.TimerHandle]) -> None:
    timer[:] = [asyncio.get_running_loop().call_later(_TICK, _tick, run, timer)]
    run.take(None)
