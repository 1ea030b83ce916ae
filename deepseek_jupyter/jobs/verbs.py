"""The verbs on frames: `map`, and on top of it `classify`, `extract`, `translate` and `filter`,
each a prompt file in ``prompts`` and a schema; `ajob` awaits any job.

`map` and `filter` are called as Python's own, so a star import leaves them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any, Literal, ParamSpec, TypeVar, cast

from deepseek_jupyter.asking.question import NAMED_PARAMETERS, Question
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.session.session import get_session

from . import row_map as rows_of
from .row_map import Job, row_map
from .row_task import MapOptions, RowTask

_TICK, _UNWIND = 0.1, 2.0  # seconds

P = ParamSpec("P")
T = TypeVar("T")

_QUESTION = {"model", "provider", "system", "think", "effort", "replay", "dry_run"}


def map(
    frame: Any, prompt: str, *, to: Any = str, into: str = "answer", rows: int | str = 5,
    budget: float | str | None = None, also: Sequence[str] = (), truth: str | None = None,
    concurrency: int | None = None, max_errors: float = 0.05, show: bool = True,
    where: Any = "kernel", **options: Any,
) -> Any:  # fmt: skip
    """Ask one question about every row of a frame; the frame comes back with the answers.

    `frame` is of pandas, polars (eager or lazy), pyarrow, DuckDB, Dask, Ibis or PySpark; what comes
    back is of that kind. In `prompt`, ``{{ column }}`` is the row's value; any other expression is
    evaluated once. `to` is the type of an answer; one with fields becomes a column each, any other
    the column `into`. A row without a value in a named column is not sent.

    The default is a trial: 5 rows, drawn evenly and with the longest, and what all would cost.
    ``rows="all"`` asks the rest, within `budget` (in the provider's currency), else within the cap
    that the trial gave; ``budget="none"`` goes without. What was answered is kept: the same call
    again asks nothing, a changed row is asked alone.

    `also` adds the columns ``answer_error``, ``_raw``, ``_reasoning``, ``_tokens``; `truth` names a
    column to compare the answers with. `concurrency` fixes how many requests run at once, else
    they adapt to the account's limit. More than `max_errors` of failed rows stop the job. With
    ``where="cluster"``, or a client of Dask's, the workers ask the rows of a Dask frame. Without
    `think` the model does not think. `model`, `provider`, `system`, `effort`, `replay`, `dry_run`
    (of the longest row) and parameters such as `max_tokens` are those of `ask`. The job is ``.job``
    of the frame that comes back, where the library lets it be set, and ``deepseek_jupyter.job``.

    >>> import deepseek_jupyter as ds
    >>> ds.map(reviews, "What is praised? {{ text }}", into="praised")  # doctest: +SKIP
    """
    also = (also,) if isinstance(also, str) else tuple(also)
    given = MapOptions(to, into, rows, budget, also, truth, concurrency, max_errors, show, where)
    task = RowTask(get_session(), frame, question_of(prompt, options), given, user_namespace())
    return answered(task)


def answered(task: RowTask) -> Any:
    """The rows of a task with their answers, asked where its options say."""
    if task.options.in_kernel:
        return row_map(task)
    from .cluster import ClusterJob

    return row_map(task, ClusterJob)


def classify(
    frame: Any, column: str, labels: Sequence[str], *, into: str = "label", **options: Any
) -> Any:
    """The label of `labels` that fits each text of `column` best; see `map` for the options."""
    if isinstance(labels, str) or not labels or not all(isinstance(one, str) for one in labels):
        raise ParameterError("classify takes the labels as texts.", "['price', 'quality', 'other']")
    said = ", ".join(labels)
    options = {"to": Literal[tuple(labels)], "into": into, **options}
    return map(frame, prompt_of("classify", column=column, labels=said), **options)


def extract(frame: Any, column: str, to: Any, **options: Any) -> Any:
    """The fields of the type `to` from each text of `column`; see `map` for the options."""
    return map(frame, prompt_of("extract", column=column), to=to, **options)


def translate(
    frame: Any, column: str, language: str, *, into: str = "translation", **options: Any
) -> Any:
    """Each text of `column` in `language`; see `map` for the options."""
    prompt = prompt_of("translate", column=column, language=language)
    return map(frame, prompt, into=into, **options)


def filter(frame: Any, prompt: str, *, into: str = "holds", **options: Any) -> Any:
    """The rows of a frame for which a sentence holds: ``"{{ text }} is a complaint"``.

    A trial comes back with the column `into`, so that its rows can be looked at. See `map`.
    """
    found = map(frame, prompt_of("filter", condition=prompt), to=bool, into=into, **options)
    job = rows_of.last_job
    if options.get("rows") != "all" or job is None:
        return found
    return job.picked([at for at, (holds,) in sorted(job.values.items()) if holds])


def row_function(prompt: str, *, budget: float | str, **options: Any) -> Callable[[Any], Any]:
    """A picklable function from a frame, or an iterator of them, to the same with answers.

    For engines that bring their own workers (Ray's ``map_batches``, Spark's ``mapInPandas``). It
    takes the options of `map`; `budget` is for each batch. No key and no setting goes along: each
    worker has its own in its environment, its own journal, and its own limit, so give
    `concurrency`.
    """
    return partial(_batch, prompt=prompt, rows="all", budget=budget, show=False, **options)


def _batch(frames: Any, **options: Any) -> Any:
    if isinstance(frames, Iterator):
        return (map(frame, **options) for frame in frames)
    return map(frames, **options)


def job() -> Job | None:
    """The newest job, whole or not; None before the first."""
    return rows_of.last_job


async def ajob(job: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """A job for code with an event loop of its own: `map` and its verbs, `suite`, `compare`, their
    ``run`` and ``retry``; what it returns or raises is the job's.

    It runs on a thread, a scorer of the user's too, and the loop goes on meanwhile. Cancelling the
    task stops the job; what was answered is kept, as after Ctrl-C.

    >>> found = await ds.ajob(ds.suite, cases, variants, rows="all")  # doctest: +SKIP
    """
    from deepseek_jupyter.transport.engine import Stop, stops_all

    stop = Stop()

    def run() -> tuple[T | None, BaseException | None]:
        stops_all.set(stop)
        try:
            return job(*args, **options), None
        except BaseException as error:  # an interrupt in a future would end the caller's loop
            return None, error

    work = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        while not work.done():  # a signal alone does not wake the loop, see asking.ask
            await asyncio.wait((work,), timeout=_TICK)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait((work,), timeout=_UNWIND)
        raise
    found, error = work.result()
    if isinstance(error, KeyboardInterrupt):
        raise asyncio.CancelledError from error
    if error is not None:
        raise error
    return cast("T", found)


def question_of(prompt: str, options: Mapping[str, Any]) -> Question:
    """The question that a prompt and the options of a verb are."""
    asked = {name: options[name] for name in _QUESTION & options.keys()}
    parameters = {name: value for name, value in options.items() if name not in asked}
    parameters = {n: v for n, v in parameters.items() if v is not None or n not in NAMED_PARAMETERS}
    return Question(prompt, parameters=parameters, **asked)


@cache
def _file(name: str) -> str:
    return (files(__package__) / "prompts" / f"{name}.md").read_text("utf-8").strip()


def prompt_of(name: str, *, column: str = "", **words: str) -> str:
    """A prompt of ours; ``[[column]]`` in its file is a place for the row's value."""
    text = _file(name)
    for word, value in {"column": f"{{{{ {column} }}}}", **words}.items():
        text = text.replace(f"[[{word}]]", value)
    return text
