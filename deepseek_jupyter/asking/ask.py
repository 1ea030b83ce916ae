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
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.surfaces import NOWHERE, Surface, preparing, surface
from deepseek_jupyter.errors import Interrupted, ParameterError, SchemaError
from deepseek_jupyter.protocol.deltas import Delta, Event

from .attachments import Wanted, kept_from_texts, resolved
from .fallback import TURNED_AWAY, prepare_all
from .file_turns import aask_of_file, ask_of_file, is_to_be_asked
from .prepare import Placed, Prepared, place
from .question import Question
from .replay import Replay, kept_answer
from .reply import Reply
from .run import Run, interrupts_held
from .toolset import BUILTIN, NO_TOOLS, function_named

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session


_TICK = 0.1  # seconds
_TOGETHER = 0.02  # seconds in which each of several answers is looked at once
_OVER = object()

Ended = Callable[[Reply], None]


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
    from deepseek_jupyter.context.prompt import fill
    from deepseek_jupyter.session.session import get_session

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
    import typing

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
    ended: Ended = lambda _: None,
) -> Reply:
    """Ask and wait. Raises one of the package's errors, or `Interrupted`, with `reply` set.

    `ended` is given a new reply, whole or not, before the surface shows the last of it.
    """
    on = on or surface(None)
    on.raises = _raises(session, question)
    with preparing(on, question.prompt):
        placed = _placed(session, question, on)
        replay = kept_answer(session, placed, on)
        if replay is None:
            placed = ask_of_file(session, placed, on)
            run = Run(session, prepare_all(session, placed, on), on, ended)
    if replay is not None:
        with replay:
            for seconds in replay:
                time.sleep(seconds)
        return replay.reply
    with run, closing(_batches(session, run)) as batches:
        for batch in batches:
            run.take(batch)
    return _reply(session, question, run)


async def aask(session: Session, question: Question, on: Surface | None = None) -> Reply:
    """`ask` for code with a loop of its own; cancelling it stops the answer."""
    on = on or surface(None)
    on.raises = _raises(session, question)
    with preparing(on, question.prompt):  # for what is not said: other threads show nothing
        placed, prepared = await asyncio.to_thread(_prepared, session, question, on)
        replay = kept_answer(session, placed, on) if prepared is None else None
        if replay is None:
            if prepared is None:
                placed = await aask_of_file(session, placed, on)
                prepared = await asyncio.to_thread(prepare_all, session, placed)
            run = Run(session, prepared, on, sync=False)
    if replay is not None:
        async for _ in _areplayed(replay):
            pass
        return replay.reply
    async with _reading(session, run) as batches:
        async for batch in batches:
            run.take(batch)
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

    def played(replay: Replay, ended: Ended) -> Generator[None]:
        try:
            with replay:
                yield
                for seconds in replay:
                    time.sleep(min(seconds, tick))
                    yield
        finally:
            ended(replay.reply)

    def run(one: Prepared, on: Surface, ended: Ended) -> Generator[None]:
        session.prefix = before  # none of them broke the prefix of another
        with Run(session, one, on, ended) as run:
            yield
            with closing(_batches(session, run, tick)) as batches:
                for batch in batches:
                    run.take(batch)
                    yield

    every = [
        played(one, ended) if isinstance(one, Replay) else run(one, on, ended)
        for one, on, ended in zip(asked, on, ended, strict=True)
    ]
    with ExitStack() as open_ones:
        for one in every:
            open_ones.enter_context(closing(one))
        with interrupts_held() as came:  # all have begun, or none
            running = [one for one in every if next(one, _OVER) is not _OVER]
        if came:
            raise KeyboardInterrupt
        while running:
            running = [one for one in running if next(one, _OVER) is not _OVER]
            shown()
    first = next((one for one in asked if not isinstance(one, Replay)), None)
    session.prefix = session.prefix if first is None else first.prefix


def stream(session: Session, question: Question, ended: Ended = lambda _: None) -> Iterator[Delta]:
    """The deltas as they come, shown nowhere; `ended` is given the reply, whole or not."""
    nowhere = surface(False)
    placed = _placed(session, question)
    if replay := kept_answer(session, placed, nowhere):
        with replay:
            for seconds in replay:
                yield from replay.take()
                time.sleep(seconds)
        yield from replay.take()
        ended(replay.reply)
        return
    run = Run(session, prepare_all(session, placed), nowhere, ended)
    with run, closing(_batches(session, run)) as batches:
        for batch in batches:
            yield from run.deltas(batch)
    yield from run.left
    _reply(session, question, run)


async def astream(
    session: Session, question: Question, ended: Ended = lambda _: None
) -> AsyncGenerator[Delta]:
    """`stream` for ``async for``."""
    nowhere = surface(False)
    placed, prepared = await asyncio.to_thread(_prepared, session, question, nowhere)
    if prepared is None:
        if replay := kept_answer(session, placed, nowhere):
            async for delta in _areplayed(replay):
                yield delta
            ended(replay.reply)
            return
        prepared = await asyncio.to_thread(prepare_all, session, placed)
    run = Run(session, prepared, nowhere, ended, sync=False)
    async with _reading(session, run) as batches:
        async for batch in batches:
            for delta in run.deltas(batch):
                yield delta
    for delta in run.left:
        yield delta
    _reply(session, question, run)


def _placed(session: Session, question: Question, on: Surface = NOWHERE) -> Placed:
    if question.dry_run:
        raise ParameterError(
            "A dry run sends nothing, so there is no answer to wait for.",
            "ds.ask(…, dry_run=True) shows what would be sent.",
        )
    return place(session, question, on)


async def _areplayed(replay: Replay) -> AsyncGenerator[Delta]:
    """A kept answer on the caller's loop, which a KeyboardInterrupt would end."""
    try:
        with replay:
            for seconds in replay:
                for delta in replay.take():
                    yield delta
                await asyncio.sleep(seconds)
    except Interrupted:
        raise asyncio.CancelledError from None
    for delta in replay.take():
        yield delta


def _prepared(session: Session, question: Question, on: Surface) -> tuple[Placed, Prepared | None]:
    """The question, placed, and prepared unless its answer may be kept or the user is to be asked:
    most take one thread only, once.
    """
    placed = _placed(session, question)
    replay = session.recordings.wanted(question.replay, session.config.replay)
    ready = replay == "never" and not is_to_be_asked(session, placed, on)
    return placed, prepare_all(session, placed) if ready else None


@asynccontextmanager
async def _reading(session: Session, run: Run) -> AsyncIterator[AsyncGenerator[list[Event]]]:
    """The batches of a run; at the end it is kept, and on the disk."""
    try:
        with run:
            async with aclosing(_abatches(session, run)) as batches:
                yield batches
    finally:
        await session.memory.group_sync()


def _reply(session: Session, question: Question, run: Run) -> Reply:
    """The reply of a run that is over. Raises its error, unless that is to be returned."""
    assert run.reply is not None
    if run.reply.error is not None and _raises(session, question):
        raise run.reply.error
    return run.reply


def _raises(session: Session, question: Question) -> bool:
    return (question.on_error or session.config.on_error) != "return"


def _batches(session: Session, run: Run, tick: float = _TICK) -> Generator[list[Event] | None]:
    """The events of each request until the answer is there; None is a quiet tick."""
    from deepseek_jupyter.transport.engine import engine

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
    from deepseek_jupyter.transport.engine import engine

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
    loop = asyncio.get_running_loop()
    timer = loop.call_later(_TICK, lambda: tick())

    def tick() -> None:
        nonlocal timer
        timer = loop.call_later(_TICK, tick)
        run.take(None)

    try:
        yield
    finally:
        timer.cancel()
