"""`row_map`: one question about every row of a frame; a trial with a price first.

The first rows are a trial. All rows need a budget, a cap from a trial, or the word that there is
none. Whatever was answered is kept by the request's hash, so that a rerun asks only what is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from deepseek_jupyter.asking.attachments import kept_from_texts
from deepseek_jupyter.asking.attachments import name_of as called
from deepseek_jupyter.asking.budget import left_to_spend, worst_cost
from deepseek_jupyter.asking.prepare import place, prepare
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.context.row_frame import NewColumn, RowFrame
from deepseek_jupyter.context.table import is_frame
from deepseek_jupyter.errors import (
    ConfigurationError,
    DeepSeekError,
    Interrupted,
    JobStoppedError,
    ParameterError,
    PolicyError,
)
from deepseek_jupyter.protocol.tokens import count_body, most_tokens

from .accuracy import Accuracy
from .answer_form import AnswerForm
from .job_view import JobView
from .limits import Cap
from .release import released
from .runner import JobRequest, Result, Runner
from .template import template_of, text_of
from .trial import Estimate, drawn, sample, scan, trial_report

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.answers import KeptAnswer
    from deepseek_jupyter.display.report import Report
    from deepseek_jupyter.session.session import Session

_NOTHING = -1  # a budget that no request fits into
ALSO = ("error", "raw", "reasoning", "tokens")

_caps: WeakKeyDictionary[Any, dict[str, Decimal]] = WeakKeyDictionary()  # of trials, by task


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map does with its rows; see `deepseek_jupyter.map`."""

    to: Any = str
    into: str = "answer"
    rows: int | str = 5
    budget: float | str | None = None
    also: Sequence[str] = ()
    truth: str | None = None
    concurrency: int | None = None
    max_errors: float = 0.05
    show: bool = True


class RowTask:
    """One question about the rows of one frame, ready to be asked."""

    def __init__(
        self,
        session: Session,
        frame: Any,
        question: Question,
        options: MapOptions,
        names: Mapping[str, Any],
        name: str = "",
    ) -> None:
        """Nothing is sent. Raises `ConfigurationError` and its kind."""
        self.session, self.options, self.frame = session, options, frame
        self.source = RowFrame(frame)
        self.name = name or called(frame, names, 1)
        labels = self.source.labels
        self.template = template_of(question.prompt, labels, names, partial(self._refuse, names))
        self.form = AnswerForm.of(options.to, options.into)
        _check_names(options, self.form, labels, lazy=self.source.lazy)
        schema = None if self.form.shape is None else self.form.shape
        question = replace(
            question, prompt=self.template.source, schema=schema, history=False, stream=False,
            think=question.think or (False if question.effort is None else None),
            cells="none", tools=("none",), attach=(), dry_run=False,
        )  # fmt: skip
        placed = place(session, question)
        named = self.template.named
        masks = released(session, placed, frame, self.name, named, names)
        self.prepared = prepare(session, placed)
        limit = self.form.most_tokens
        if limit and "max_tokens" not in placed.turn.parameters and not self.prepared.built.thinks:
            given = {**question.parameters, "max_tokens": limit}
            placed = place(session, replace(question, parameters=given))
            self.prepared = prepare(session, placed)
        said = [m.content for m in self.prepared.request.messages if m.role == "system"]
        self.masks = replace(masks, taken=placed.redactor.used(*said))
        self.price = session.price(self.prepared.provider, self.prepared.request.model)
        self.replay = question.replay or "auto"
        self._digest = hashlib.blake2b(self._same_for_all().encode(), digest_size=16)

    def _refuse(self, names: Mapping[str, Any], source: str, value: Any) -> None:
        if is_frame(value):
            raise ParameterError(
                f"{{{{ {source} }}}} is a frame or a column of one; a map fills in plain values.",
                f"Columns of {self.name} are named alone: {{{{ column }}}}.",
            )
        if kept_from_texts(self.session, source, value, names):
            raise PolicyError(f"The data policy keeps {{{{ {source} }}}} out of texts.")

    def _same_for_all(self) -> str:
        """What all requests have in common, for their keys: with their text they are the same
        question to the same model.
        """
        asked = self.prepared.request
        heads = [m.content for m in asked.messages[:-1]]
        words = self.prepared.asked.words if self.prepared.asked else ""
        shape = self.form.shape.schema if self.form.shape else ""
        parts = (
            *(self.prepared.provider.name, asked.model, heads, words, shape, asked.think),
            *(asked.effort, dict(asked.parameters), dict(asked.extra)),
        )
        return json.dumps(parts, sort_keys=True, default=repr)

    @property
    def key(self) -> str:
        """By which a trial's cap is found again."""
        return f"{self._digest.hexdigest()} {self.template.source} {self.name}"

    def requests(self, places: Iterable[int] | None = None) -> Iterator[JobRequest]:
        """The requests of the rows at `places` (None: of all) that have a value in each column."""
        wanted = None if places is None else set(places)
        at = -1
        for batch in self.source.batches():
            for row in batch:
                at += 1
                if wanted is None or at in wanted:
                    values = dict(zip(self.template.named, map(text_of, row), strict=True))
                    if None not in values.values():
                        yield self._request(at, values)  # type: ignore[arg-type]

    def _request(self, at: int, values: Mapping[str, str]) -> JobRequest:
        redactor, said = self.masks.begin(values)
        text = redactor.redact(self.template.render(said))
        digest = self._digest.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        known = dict(redactor.known) if redactor.has_pseudonyms else {}
        request = JobRequest(at, digest.hexdigest(), known=known)
        try:
            request.request, request.built = self.prepared.saying(text)
        except DeepSeekError as error:
            request.error = error
            return request
        if self.price is not None:
            twice = 2 if request.built.body.get("response_format") else 1  # see `insist_on_json`
            request.worst = twice * worst_cost(request.built, self.price, most_tokens)
        return request

    def read(self, request: JobRequest, answer: KeptAnswer) -> tuple[Any, ...]:
        """The values of an answer, a column each."""
        return self.form.read(answer.text, self.prepared.asked, request.known)

    def tokens_of(self, request: JobRequest) -> int:
        """Of a request's body, as exactly as can be counted here."""
        return count_body(request.built.body) if request.built is not None else 0


class Job:
    """What a map has done. `cost` is what it cost now; kept answers cost nothing."""

    def __init__(self, task: RowTask, rows: int, places: Sequence[int] | None) -> None:
        self._task, self._places = task, places
        self.rows = rows if places is None else len(places)
        self.values: dict[int, tuple[Any, ...]] = {}
        self.failed: dict[int, str] = {}
        self.extras: dict[int, KeptAnswer] = {}
        self.runner: Runner | None = None
        self.estimate: Estimate | None = None
        self.accuracy: Accuracy | None = None

    @property
    def cost(self) -> Decimal | None:
        """What was charged, None where no price is known."""
        if self.runner is None or self._task.price is None:
            return None
        return self.runner.cap.spent

    @property
    def currency(self) -> str | None:
        """Of `cost`."""
        return self._task.price.currency if self._task.price else None

    @property
    def asked(self) -> int:
        """How many requests were answered by the model, or failed."""
        return self.runner.tally.asked if self.runner else 0

    @property
    def frame(self) -> Any:
        """The rows with the answers so far."""
        places = range(self.rows) if self._places is None else self._places
        none = (None,) * len(self._task.form.names)
        found = [self.values.get(at, none) for at in places]
        form, into = self._task.form, self._task.options.into
        new = [
            NewColumn(name, [row[at] for row in found], form.kinds[at])
            for at, name in enumerate(form.names)
        ]
        new += [self._extra(f"{into}_{name}", name, places) for name in self._task.options.also]
        return self._task.source.answered(new, self._places)

    def _extra(self, label: str, name: str, places: Iterable[int]) -> NewColumn:
        if name == "error":
            return NewColumn(label, [self.failed.get(at) for at in places], str)
        kind = int if name == "tokens" else str
        got = [_EXTRAS[name](self.extras[at]) if at in self.extras else None for at in places]
        return NewColumn(label, got, kind)

    def errors(self) -> Any:
        """The rows that failed, with the column ``error``."""
        places = sorted(self.failed)
        texts = [self.failed[at] for at in places]
        return self._task.source.answered([NewColumn("error", texts, str)], places)

    def retry(self) -> Any:
        """Ask the rows that failed, and those not asked yet, again; the whole frame comes back."""
        return _run(self._task, self._places, self._task.options.budget)

    def picked(self, places: Sequence[int]) -> Any:
        """Rows of the frame, by place; it must be an eager one."""
        return self._task.source.picked(places)

    @property
    def report(self) -> Report:
        """The figures of the job, and of a trial what all rows would cost."""
        return trial_report(self, self._task)

    def __repr__(self) -> str:
        done = len(self.values)
        return f"<Job: {done:,} of {self.rows:,} rows answered, {len(self.failed):,} failed>"


_EXTRAS: Mapping[str, Callable[[KeptAnswer], Any]] = {
    "raw": lambda answer: answer.text,
    "reasoning": lambda answer: answer.reasoning or None,
    "tokens": lambda answer: answer.usage.total_tokens,
}


last_job: Job | None = None


def row_map(task: RowTask) -> Any:
    """The rows of a trial, or all of them, with the answers. Raises `JobStoppedError`."""
    rows, options = task.source.read(task.template.named), task.options
    if options.rows == "all":
        return _run(task, None, _money(task, options.budget))
    places = drawn(task, rows, int(options.rows))
    return _run(task, places, options.budget, rows)


def _money(task: RowTask, budget: float | str | None) -> float | str | None:
    """The budget of all rows: the user's, the cap of a trial, or nothing at all."""
    trial = _caps.get(task.session, {}).get(task.key)
    if budget is not None or task.prepared.provider.free:
        return budget
    if trial is not None:
        return float(trial)
    return _NOTHING  # what is kept can be given all the same


def _cap(task: RowTask, budget: float | str | None) -> Cap:
    """What may be spent: the job's budget, the notebook's, and that of policy files.

    Raises `ConfigurationError` where a budget cannot be held.
    """
    if budget == _NOTHING:
        return Cap(Decimal(_NOTHING))
    most = None if budget in (None, "none", 0) else Decimal(str(budget))
    prepared = task.prepared
    left, tokens = left_to_spend(task.session, prepared.provider, prepared.teaching, task.price)
    if most is not None and task.price is None and not prepared.provider.free:
        raise ConfigurationError(
            f"No price of {prepared.request.model} is known, so a budget cannot be held.",
            "Tell it with %config DeepSeek.prices, or give budget='none'.",
        )
    if task.price is None:
        return Cap(None, tokens)
    if most is not None and not prepared.built.body.get("max_tokens"):
        raise ConfigurationError(
            "With a budget the length of an answer must be known, and this one may be of any.",
            "Give max_tokens=200, or a type that has an end: to=Literal[...], bool, int.",
        )
    return Cap(min((m for m in (most, left) if m is not None), default=None), tokens)


def _run(
    task: RowTask, places: Sequence[int] | None, budget: float | str | None, rows: int | None = None
) -> Any:
    """Ask the rows at `places`, None for all; of a trial among `rows`."""
    from deepseek_jupyter.transport.engine import Stop, engine

    global last_job
    options = task.options
    count = rows or task.source.read(task.template.named)
    runner = Runner(
        task.session, task.prepared, task.requests(places), task.read,
        cap=_cap(task, budget), concurrency=options.concurrency, replay=task.replay,
        max_errors=options.max_errors, whole=bool({*options.also} - {"error"}),
    )  # fmt: skip
    last_job = job = Job(task, count, places)
    job.runner = runner
    view, stop = JobView(job.rows, runner, show=options.show), Stop()
    try:
        with closing(engine().drain(runner.results, stop)) as batches:
            for batch in batches:
                for result in batch or ():
                    _keep(job, result)
                view.refresh()
    except KeyboardInterrupt as stopped:
        view.close("Stopped; what was answered is kept.")
        said = "Stopped. What was answered is kept: the same call goes on from there (ds.job)."
        raise Interrupted(said) from stopped
    _finish(job, rows)
    shown = [sample(job, task)] if rows is not None else []
    view.close(runner.stopped, job.report, *shown)
    if runner.stopped:
        raise _stopped(job)
    return _with_job(job)


def _keep(job: Job, result: Result) -> None:
    if result.error:
        job.failed[result.place] = result.error
        return
    job.values[result.place] = result.value
    if result.answer is not None and job.runner is not None and job._task.options.also:
        job.extras[result.place] = result.answer


def _finish(job: Job, rows: int | None) -> None:
    """Measure: a trial what all rows would cost, answers against what is known to be true."""
    task = job._task
    if rows is not None and job.runner is not None and not job.runner.stopped:
        job.estimate = scan(task, job, rows)
        cap = job.estimate.cap
        if cap is not None:
            _caps.setdefault(task.session, {})[task.key] = cap
    if task.options.truth is not None:
        truths = (row[0] for batch in task.source.batches([task.options.truth]) for row in batch)
        pairs = {
            at: (truth, job.values[at][0]) for at, truth in enumerate(truths) if at in job.values
        }
        job.accuracy = Accuracy(pairs, task.source)


def _stopped(job: Job) -> DeepSeekError:
    runner = job.runner
    assert runner is not None
    if runner.cap.most == _NOTHING:
        return ConfigurationError(
            f"{job.rows - len(job.values):,} rows are to be asked, and there is neither a budget "
            "nor a trial of this task to take a cap from.",
            "Run it with rows=5 first, or give budget=0.50; budget='none' goes without.",
        )
    error = runner.error or JobStoppedError(
        f"Stopped after {len(job.values):,} of {job.rows:,} rows: {runner.stopped}"
    )
    if isinstance(error, JobStoppedError):
        error.job = job
    return error


def _with_job(job: Job) -> Any:
    """The frame, with the job as its attribute where its library lets one be set."""
    frame = job.frame
    try:
        if "job" not in job._task.source.labels:
            object.__setattr__(frame, "job", job)
    except (AttributeError, TypeError):  # pyarrow, DuckDB: see `deepseek_jupyter.job`
        pass
    return frame


def _check_names(
    options: MapOptions, form: AnswerForm, labels: Sequence[str], *, lazy: bool
) -> None:
    """Raise `ParameterError` for what the frame cannot take."""
    unknown = [name for name in options.also if name not in ALSO]
    if unknown:
        raise ParameterError(f"also has {unknown[0]!r}.", f"There are {', '.join(ALSO)}.")
    new = [*form.names, *(f"{options.into}_{name}" for name in options.also)]
    taken = [name for name in new if name in labels or new.count(name) > 1]
    if taken:
        raise ParameterError(
            f"The frame has a column {taken[0]!r} already.",
            "Give the answers another name: into='…'; or drop that column first.",
        )
    if options.truth is not None and (options.truth not in labels or lazy):
        where = "a lazy frame's cannot be compared" if lazy else "the frame has no such column"
        raise ParameterError(f"truth={options.truth!r}: {where}.")
    if options.rows != "all" and not (isinstance(options.rows, int) and options.rows > 0):
        raise ParameterError(f"rows={options.rows!r}.", "Give a number of rows, or rows='all'.")
