"""The Python functions: `ask`, `aask`, `stream`, `card`, and the session behind them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .asking.question import Question
from .asking.reply import Reply
from .display.surfaces import surface
from .session.config import settings
from .session.session import Session

if TYPE_CHECKING:
    from .asking.attachments import DataCard
    from .protocol.deltas import Delta

__all__ = ["Stream", "aask", "ask", "card", "get_session", "last", "stream"]

_session: Session | None = None
_making = threading.Lock()

_FIELDS = frozenset(f.name for f in fields(Question)) - {"prompt", "parameters"}


def get_session() -> Session:
    """The session of this process, made at first use."""
    global _session
    with _making:  # a cell and a panel may be the first at the same moment
        if _session is None:
            _session = Session(settings())
        return _session


def last() -> Reply | None:
    """The newest reply, whole or not; None before the first."""
    return get_session().last


def ask(prompt: str, *, show: bool | None = None, **options: Any) -> Reply:
    """Ask the model and wait for the answer.

    In a notebook or IPython terminal the answer streams into view (`show` False keeps it quiet);
    in a script only the `Reply` comes back, unless `show` is True.

    Options are the magic's flags by their long names: ``model``, ``provider``, ``think``
    (True/False), ``effort`` ("low", "high", "max"), ``system``, ``format`` ("md", "code", "json",
    "text"), ``stream`` (False for one plain request), ``history`` (False to ask outside the
    conversation), ``new``, ``go_on``, ``budget``, ``cells``; ``attach`` (a list of objects, of
    texts like ``"df:schema,price=full"`` and of pairs ``(df, "schema")``, or a dict of names and
    objects); ``dry_run`` (True: a `Preview` of what would be sent instead of an answer); ``schema``
    (a pydantic model, dataclass, TypedDict, enum, any other type, or a JSON schema: see
    `Reply.data`); ``tools`` (functions that the model may call, and the names "sql", "inspect",
    "run_python") with ``approve`` ("ask", "always", "never"); and every parameter of the provider
    by its API name: ``temperature``, ``top_p``, ``max_tokens``, ``stop``, ``seed``, ….

    Raises a `DeepSeekError` with `reply` holding what had arrived, or `Interrupted` on Ctrl-C.

    >>> import deepseek_jupyter as ds
    >>> ds.ask("What is the capital of France?", think=False).text  # doctest: +SKIP
    'Paris.'
    """
    question = _question(prompt, options)
    if question.dry_run:  # a `Preview` is what the caller asked for; all other calls get a Reply
        return get_session().preview(question)  # type: ignore[return-value]
    return get_session().ask(question, surface(_shown(show)))


def card(value: Any, policy: str = "", *, name: str = "df") -> DataCard:
    """What a model sees of `value` when it is attached: the text, its tokens, what leaves.

    `policy` is what ``--attach`` takes behind the colon: ``"schema,price=full,budget=500"``.
    Nothing is sent. Raises `ParameterError` for a policy that cannot be read.
    """
    from .asking.attachments import data_card

    return data_card(get_session(), value, name, policy)


async def aask(prompt: str, *, show: bool | None = None, **options: Any) -> Reply:
    """`ask` for code with an event loop of its own: ``reply = await ds.aask("…")``.

    Cancelling the task stops the answer and closes the connection; several may run at once.
    """
    question = _question(prompt, options)
    if question.dry_run:
        return await asyncio.to_thread(get_session().preview, question)  # type: ignore[arg-type]
    return await get_session().aask(question, surface(_shown(show)))


def stream(prompt: str, **options: Any) -> Stream:
    """The deltas of an answer as they arrive, for ``for`` and for ``async for``.

    >>> for delta in ds.stream("Count to three."):  # doctest: +SKIP
    ...     print(delta)
    TextDelta(text='1')
    """
    return Stream(get_session(), _question(prompt, options))


class Stream:
    """One answer to be iterated once. Nothing is sent before the first step.

    `reply` is set once it has ended, also one that was broken off; None before.
    """

    def __init__(self, session: Session, question: Question) -> None:
        self._session = session
        self._question = question
        self.reply: Reply | None = None

    def __iter__(self) -> Iterator[Delta]:
        yield from self._session.stream(self._question, self._ended)

    async def __aiter__(self) -> AsyncIterator[Delta]:
        # Closed here: an abandoned generator would end some time later.
        async with aclosing(self._session.astream(self._question, self._ended)) as deltas:
            async for delta in deltas:
                yield delta

    def _ended(self, reply: Reply) -> None:
        self.reply = reply


def _shown(show: bool | None) -> bool | None:
    return False if show is None and get_session().config.quiet else show


def _question(prompt: str, options: dict[str, Any]) -> Question:
    """Split options into the question's own fields and the provider's parameters.

    ``stream=True/False`` and ``stop=[...]`` keep their API meaning; so does ``tools`` given as the
    API's own dicts: their calls are the caller's to answer.
    """
    own = {name: value for name, value in options.items() if name in _FIELDS}
    own["attach"] = _attached(own.get("attach", ()))
    parameters = {name: value for name, value in options.items() if name not in _FIELDS}
    if "tools" in own:
        tools = own.pop("tools")
        tools = [tools] if callable(tools) or isinstance(tools, str) else list(tools or ())
        if tools and all(isinstance(tool, Mapping) for tool in tools):
            parameters["tools"] = tools
        else:
            own["tools"] = tuple(tools)
    return Question(prompt, parameters=parameters, **own)


def _attached(attach: Any) -> tuple[Any, ...]:
    """``attach=`` as a tuple: a list of things, a dict of them, or one."""
    if isinstance(attach, list):
        return tuple(attach)
    pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[1], str)
    if isinstance(attach, tuple) and not (pair and not isinstance(attach[0], str)):
        return attach
    return (attach,)
