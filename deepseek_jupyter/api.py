"""The Python functions: `ask`, `aask`, `stream`, `compare`, `card`, and the session behind them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, overload

from .asking import ask as asking
from .asking.attachments import DataCard, data_card
from .asking.preview import Preview, preview
from .asking.question import NAMED_PARAMETERS, Question, fitting
from .asking.reply import Reply
from .display.frontend import user_namespace
from .display.report import Report
from .display.surfaces import surface
from .errors import ParameterError
from .page.state import session
from .protocol.deltas import Delta
from .session.session import Session

if TYPE_CHECKING:
    from .asking.next_tokens import NextTokens
    from .jobs.comparison import Comparison

P = ParamSpec("P")
Shown = TypeVar("Shown", covariant=True)
Answered = TypeVar("Answered", covariant=True)


def get_session() -> Session:
    """The session of this process, made at first use."""
    return session()


def last() -> Reply | None:
    """The newest reply, whole or not; None before the first."""
    newest = get_session().last
    return newest if isinstance(newest, Reply) else None


# The options are the magic's flags, as `magics.arguments` has them: a test holds them to it. They
# are written once, here; `ask` and `aask` take them over.


def stream(
    prompt: str, *, dry_run: bool = False,
    model: str | None = None, provider: str | None = None, system: str | None = None,
    think: bool | None = None, effort: str | None = None, temperature: float | None = None,
    top_p: float | None = None, max_tokens: int | None = None, seed: int | None = None,
    stop: str | list[str] | None = None, top_logprobs: int | None = None, format: str = "md",
    schema: Any = None, tools: Any = (), approve: str | None = None, web: bool = False,
    attach: Any = (), cells: str | int | None = None,
    new: bool = False, go_on: bool = False, history: bool | None = None, branch: str | None = None,
    replay: str | None = None, pace: str | None = None, budget: float | None = None,
    stream: bool | None = None, on_error: str | None = None, fit: str | None = None,
    cite: bool = False, **parameters: Any,
) -> Stream:  # fmt: skip
    """The deltas of an answer as they arrive, for ``for`` and for ``async for``.

    It takes the options of `ask`, but for `show`: nothing is displayed.

    >>> for delta in ds.stream("Count to three."):  # doctest: +SKIP
    ...     print(delta)
    TextDelta(text='1')
    """
    return Stream(get_session(), _question(locals()))


_OPTIONS = inspect.signature(stream)
_DEFAULTS = {p.name: p.default for p in _OPTIONS.parameters.values() if p.kind is p.KEYWORD_ONLY}


class _Asks(Protocol[P, Shown, Answered]):
    """A function with the options of `stream`; what it returns depends on `dry_run`."""

    @overload
    def __call__(self, prompt: str, *, dry_run: Literal[True], **options: Any) -> Shown: ...
    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> Answered: ...


Asking = Callable[..., Reply | Preview]
AskingLater = Callable[..., Coroutine[Any, Any, Reply | Preview]]


def _now(like: Callable[P, object]) -> Callable[[Asking], _Asks[P, Preview, Reply]]:
    return _with_options


def _later(
    like: Callable[P, object],
) -> Callable[[AskingLater], _Asks[P, Coroutine[Any, Any, Preview], Coroutine[Any, Any, Reply]]]:
    return _with_options


def _with_options(function: Any) -> Any:
    """`function` with `show` and the options of `stream`, for Shift-Tab and completion."""
    first, *others = _OPTIONS.parameters.values()
    show = first.replace(name="show", kind=others[0].kind, default=None, annotation="bool | None")
    function.__signature__ = _OPTIONS.replace(
        parameters=[first, show, *others], return_annotation="Reply | Preview"
    )
    return function


@_now(stream)
def ask(prompt: str, *, show: bool | None = None, **options: Any) -> Reply | Preview:
    """Ask the model and wait for the answer.

    In a notebook or IPython terminal the answer streams into view (`show` False keeps it quiet);
    in a script only the `Reply` comes back, unless `show` is True. Without an option the settings
    hold (``%config DeepSeek``).

    Who answers: `provider`; `model`, sent verbatim; `think` (True or False) and `effort` ("none",
    "low", "high", "max"); `system`, the system prompt. How: `temperature`, `top_p`, `max_tokens`,
    `stop`, `seed`, `top_logprobs` (see `Reply.tokens`), and every other parameter of the
    provider by its API name.

    What goes along: `attach`, one or a list of objects, of texts like ``"df:schema,price=full"``
    and of pairs ``(df, "schema")``, or a dict of names and objects; `cells`, the notebook's own
    ("above", "all", "none", or how many); `fit` ("parts", "head", "map"), what to do with documents
    that do not fit; `cite` True, quotes from them with their places. What is already there: `new`
    begins a conversation, `history` False asks outside it, `branch` asks on that branch, `go_on`
    continues the last answer.

    What comes back: `format` ("md", "code", "json", "text"); `schema`, a pydantic model, dataclass,
    TypedDict, enum, any other type, or a JSON schema (see `Reply.data`); `tools`, functions that
    the model may call and the names "sql", "inspect" and "run_python" ("none": nothing), with
    `approve` ("ask", "always", "never"); `web` lets the provider's server search the web. `stream`
    False sends one plain request. `replay` ("auto", "always", "never") answers from what was kept,
    at a `pace` ("1" as it came, "4", "0", "think=8", "real").

    What must not happen: `budget` refuses a question that may cost more; `dry_run` sends nothing
    and returns a `Preview` of what would be sent. Raises a `DeepSeekError` with `reply` holding
    what had arrived, or `Interrupted` on Ctrl-C; with `on_error` "return" the reply comes back,
    its error in `Reply.error`.

    >>> import deepseek_jupyter as ds
    >>> ds.ask("What is the capital of France?", think=False).text  # doctest: +SKIP
    'Paris.'
    """
    question = mapped(_asked(prompt, options), show)
    if isinstance(question, Preview):
        return question
    if question.dry_run:
        return preview(get_session(), question)
    return asking.ask(get_session(), question, surface(_shown(show)))


@_later(stream)
async def aask(prompt: str, *, show: bool | None = None, **options: Any) -> Reply | Preview:
    """`ask` for code with an event loop of its own: ``reply = await ds.aask("…")``.

    It takes the options of `ask`. Cancelling the task stops the answer and closes the connection;
    several may run at once.
    """
    asked = _asked(prompt, options)
    question = asked if asked.fit != "map" else await asyncio.to_thread(mapped, asked, False)
    if isinstance(question, Preview):
        return question
    if question.dry_run:
        return await asyncio.to_thread(preview, get_session(), question)
    return await asking.aask(get_session(), question, surface(_shown(show)))


class Stream:
    """One answer to be iterated once. Nothing is sent before the first step.

    `reply` is set once it has ended, also one that was broken off; None before.
    """

    def __init__(self, session: Session, question: Question) -> None:
        if question.fit == "map":
            raise ParameterError("fit='map' is a job and does not stream.", "Use ds.ask.")
        self._session = session
        self._question = question
        self.reply: Reply | None = None

    def __iter__(self) -> Iterator[Delta]:
        yield from asking.stream(self._session, self._question, self._ended)

    async def __aiter__(self) -> AsyncIterator[Delta]:
        # Closed here: an abandoned generator would end some time later.
        source = asking.astream(self._session, self._question, self._ended)
        async with aclosing(source) as deltas:
            async for delta in deltas:
                yield delta

    def _ended(self, reply: Reply) -> None:
        self.reply = reply


def compare(
    prompt: str, variants: Any = None, times: int = 1, *, show: bool | None = None, **options: Any
) -> Comparison | Preview:
    """Ask one question of several variants at once and show the answers side by side.

    A variant is ``[provider:]model[?name=value&…]``, as ``"deepseek-flash?think=off&t=0"``, or a
    dict of these; `variants` are a list of them, or one text with commas. Each is asked `times`
    times; without variants the question itself is. The `options` are those of `ask`; `budget` holds
    for the sum, in each currency. The answers come back by name, each a `Reply`; an error is that
    of its column, and raised where all fail. The conversation goes on with the first, until another
    is chosen in the page or with ``use``.

    >>> found = ds.compare("What is a p-value?", "deepseek-flash,deepseek-v4-pro")  # doctest: +SKIP
    >>> found.use("deepseek-v4-pro").text  # doctest: +SKIP
    """
    from .display.columns import Columns
    from .jobs.comparison import compared

    question = _asked(prompt, options)
    columns = partial(Columns, show=False if question.dry_run else _shown(show))
    return compared(get_session(), question, variants, times, user_namespace(), columns)


def card(value: Any, policy: str = "", *, name: str = "df") -> DataCard:
    """What a model sees of `value` when it is attached: the text, its tokens, what leaves.

    `policy` is what ``--attach`` takes behind the colon: ``"schema,price=full,budget=500"``.
    Nothing is sent. Raises `ParameterError` for a policy that cannot be read.
    """
    return data_card(get_session(), value, name, policy)


def next_tokens(
    text: str, n: int = 10, *, model: str | None = None, provider: str | None = None
) -> NextTokens:
    """The `n` tokens (1 to 20) with which a model would most likely go on after `text`.

    One request of one token, for hosts with prefix completion; the sliders of what comes back ask
    nothing. It is no part of the conversation.

    >>> ds.next_tokens("The capital of France is", n=10)  # doctest: +SKIP
    """
    from .asking.next_tokens import next_tokens as asked

    return asked(get_session(), text, n, model=model, provider=provider)


def turns(*, journal: bool = False, backend: str | None = None) -> Any:
    """What was asked and answered, as a frame with a row a turn, oldest first.

    All turns of the notebook's conversation, of every branch and those asked with
    ``history=False``; with `journal` all on this machine. `backend` is "pandas", "polars",
    "pyarrow", or "records" for a list of dicts; None takes the first of these that is installed.

    Columns: the question (`prompt` as written; `system` and `sent` as they went out), the answer
    (`reasoning`, `answer`, `finish_reason`, `error`, `notices`), what was asked for (`provider`,
    `model`, `think`, `effort`, `parameters` as JSON), what came of it (`served_model`, tokens,
    `cost` in `currency`, `seconds`), and ids: `id`, `parent`, `conversation`, `cell_id`, the
    server's `response_id`, `request_id`, `fingerprint`. The messages of a turn as they went out:
    ``%deepseek show TURN --sent``.

    >>> ds.turns().groupby("model").cost.sum()  # doctest: +SKIP
    """
    from .conversation.exports import all_turns, rows
    from .tools.arrow import frame_or_rows

    conversation = get_session().conversation
    whole = conversation.journal if journal else None
    found = all_turns(conversation) if whole is None else whole.everything()
    return frame_or_rows(rows(found), backend)


def what_if(asked: Any = None, *, models: Sequence[str] | str) -> Report:
    """What recorded answers would have cost at the prices of other models.

    `asked` is a frame or list as `turns` returns it, or a `Conversation`; None is the notebook's.
    `models` are ``provider:id``, or ids of the provider in use. Nothing is sent.

    >>> ds.what_if(models=["deepseek-v4-pro"])  # doctest: +SKIP
    """
    from .conversation.conversation import Conversation
    from .conversation.exports import all_turns, rows
    from .session.accounts import what_if as reckoned

    found = get_session().conversation if asked is None else asked
    if isinstance(found, Conversation):
        found = rows(all_turns(found))
    for name, how in {"to_dicts": (), "to_pylist": (), "to_dict": ("records",)}.items():
        if hasattr(found, name):
            found = getattr(found, name)(*how)
    return reckoned(get_session(), found, [models] if isinstance(models, str) else models)


def _shown(show: bool | None) -> bool | None:
    return False if show is None and get_session().config.quiet else show


def mapped(question: Question, show: bool | None) -> Question | Preview:
    """`question` after the job that ``fit="map"`` may be."""
    if question.fit != "map":
        return question
    from .jobs import document_map

    return document_map.mapped(get_session(), question, show=_shown(show) is not False)


def _asked(prompt: str, options: Mapping[str, Any]) -> Question:
    given = {**_DEFAULTS, "prompt": prompt, "parameters": {}}
    for name, value in options.items():
        (given if name in _DEFAULTS else given["parameters"])[name] = value
    return _question(given)


def _question(given: Mapping[str, Any]) -> Question:
    """The question of `given`, which has each parameter of `stream` by name."""
    given = fitting(given)
    named = {name: given[name] for name in NAMED_PARAMETERS if given[name] is not None}
    options = {name: v for name, v in given.items() if name not in NAMED_PARAMETERS}
    asked = Question(**{**options, "parameters": {**named, **given["parameters"]}})
    return asking.resolve(asked, user_namespace())
