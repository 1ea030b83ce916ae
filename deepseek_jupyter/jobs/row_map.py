"""One question about every row of a frame; a trial with a price first.

All rows need a budget, the cap of a trial, or the word that there is none. What was answered is
kept by the request's hash, so that a rerun asks only what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from deepseek_jupyter import errors
from deepseek_jupyter.asking.preview import Preview
from deepseek_jupyter.context.row_frame import NewColumn
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import ParameterError, counted, shortened
from deepseek_jupyter.protocol.request import encoded
from deepseek_jupyter.protocol.tokens import count_body

from .job_view import watch
from .limits import Cap
from .paired import wilson
from .row_task import ALSO, RowTask, trial_caps
from .runner import JobRequest, Result, Runner
from .trial import Census, census_of, drawn, estimate, leaving, lengths_of

if TYPE_CHECKING:
    from deepseek_jupyter.context.row_frame import RowFrame
    from deepseek_jupyter.conversation.rows import KeptAnswer

_ERROR, _SHOWN = 300, 10  # characters of an error; errors in the table
_MOST_LABELS = 20  # of the table of truths and answers


class Accuracy:
    """`share` of the answers that are right, its 95 % `interval`, `confusion` and `wrong` rows.

    Compared as texts; rows whose truth is missing do not count.
    """

    def __init__(self, pairs: Mapping[int, tuple[Any, Any]], source: RowFrame) -> None:
        """`pairs` are truth and answer by row."""
        self._source = source
        known = {at: tuple(map(str, pair)) for at, pair in pairs.items() if pair[0] is not None}
        self.counts, self.rows = Counter(known.values()), len(known)
        self._wrong = sorted(at for at, (truth, answer) in known.items() if truth != answer)
        self.share = 1 - len(self._wrong) / len(known) if known else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the share among all such rows (Wilson)."""
        return wilson(self.rows - len(self._wrong), self.rows)

    @property
    def wrong(self) -> Any:
        """The rows whose answer is another than the truth."""
        return self._source.answered([], self._wrong)

    @property
    def confusion(self) -> Report:
        """How often each truth got each answer."""
        sides = zip(*self.counts, strict=True) if self.counts else ((), ())
        truths, answers = (sorted({*side})[:_MOST_LABELS] for side in sides)
        rows = [(t, *(f"{self.counts[t, answer]:,}" for answer in answers)) for t in truths]
        return Report("Truth (rows) and answer (columns)", rows, ("", *answers), str(self))

    def __str__(self) -> str:
        (low, high), right = self.interval, self.rows - len(self._wrong)
        return f"{right:,} of {self.rows:,} right: {self.share:.0%} ({low:.0%} to {high:.0%})"

    __repr__ = __str__


class Job:
    """What a map has done: `values` and `failed` by row, `extras` whole answers."""

    def __init__(self, task: RowTask, places: Sequence[int] | None) -> None:
        self._task, self._places = task, places
        self.values: dict[int, tuple[Any, ...]] = {}
        self.failed: dict[int, str] = {}
        self.extras: dict[int, KeptAnswer] = {}
        self.accuracy: Accuracy | None = None
        self.runner = self._begin(task.cap(task.options.budget))

    def _begin(self, cap: Cap) -> Runner:
        """Read the rows; what asks them."""
        task, rows = self._task, self._read(self._task)
        self._range = range(rows) if self._places is None else self._places
        return task.runner(task.requests(self._places), cap, whole=bool(task.options.also))

    def take(self, result: Result) -> None:
        """Keep what came of a row."""
        if result.error:
            self.failed[result.place] = result.error
            return
        self.values[result.place] = result.value
        if self._task.options.also and result.answer is not None:
            self.extras[result.place] = result.answer

    @staticmethod
    def _read(task: RowTask) -> int:
        return task.source.read(task.template.named)

    @classmethod
    def drawn(cls, task: RowTask, count: int) -> tuple[list[int], Callable[[], Census]]:
        """Where the rows of a trial are, and what counts all."""
        cls._read(task)
        census = partial(census_of, task.source.rows(), task.requests)
        return drawn(lengths_of(task.source.rows()), count), census

    @classmethod
    def longest(cls, task: RowTask) -> JobRequest | None:
        """The request of the longest row."""
        return next(task.requests(cls.drawn(task, 1)[0]), None)

    @property
    def rows(self) -> int:
        """How many rows it is about."""
        return len(self._range)

    @property
    def asked(self) -> int:
        """How many requests were answered by the model now, or failed."""
        return self.runner.tally.asked

    @property
    def cost(self) -> Decimal | None:
        """What it cost now, None where no price is known; kept answers cost nothing."""
        return None if self._task.price is None else self.runner.cap.spent

    @property
    def frame(self) -> Any:
        """The rows with the answers so far."""
        form, none = self._task.form, (None,) * len(self._task.form.names)
        found = [self.values.get(at, none) for at in self._range]
        new = [
            NewColumn(name, [row[at] for row in found], form.kinds[at])
            for at, name in enumerate(form.names)
        ]
        for name in self._task.options.also:
            found = [further(name, self.extras.get(at), self.failed.get(at)) for at in self._range]
            new.append(NewColumn(f"{self._task.options.into}_{name}", found, ALSO[name]))
        return self._task.source.answered(new, self._places)

    def errors(self) -> Any:
        """The rows that failed, with the column ``error``."""
        places = sorted(self.failed)
        said = NewColumn("error", [self.failed[at] for at in places], str)
        return self._task.source.answered([said], places)

    def retry(self) -> Any:
        """Ask again what failed or was not asked yet; the whole frame comes back."""
        return run(self._task, self._places, type(self))

    def picked(self, places: Sequence[int]) -> Any:
        """Rows by place; of a lazy frame, those that have their values."""
        return self._task.source.answered([], places)

    @property
    def report(self) -> Report:
        """Its figures, and what left."""
        counts = f"{len(self.values):,} of {self.rows:,} rows, {len(self.failed):,} failed"
        lines = [("answered", counts), ("asked", counted(self.asked, "request"))]
        right = [("right", str(self.accuracy))] if self.accuracy else []
        return Report("The job", [*lines, *right, *leaving(self._task)])

    def failures(self) -> list[Report]:
        """The first rows that failed, as a table; none where all were answered."""
        places = sorted(self.failed)
        shown = [(f"{at:,}", shortened(self.failed[at], _ERROR)) for at in places[:_SHOWN]]
        remark = "ds.job.errors() has all of them as a frame; ds.job.retry() asks them again."
        return [Report("Rows that failed", shown, ("row", "error"), remark)] if shown else []

    def compare(self, truth: str) -> None:
        """Measure the answers against the column `truth`."""
        rows = enumerate(self._task.source.rows([truth]))
        pairs = {at: (row[0], self.values[at][0]) for at, row in rows if at in self.values}
        self.accuracy = Accuracy(pairs, self._task.source)

    def __repr__(self) -> str:
        done = len(self.values)
        return f"<Job: {done:,} of {self.rows:,} rows answered, {len(self.failed):,} failed>"


def further(name: str, answer: KeptAnswer | None, error: str | None) -> Any:
    """The value of the column that `also` calls `name`."""
    if name == "error" or answer is None:
        return error if name == "error" else None
    texts = {"raw": answer.text, "reasoning": answer.reasoning or None}
    return texts.get(name, answer.usage.total_tokens)


last_job: Job | None = None


def row_map(task: RowTask, kind: type[Job] = Job) -> Any:
    """The rows of a trial, or all of them, with the answers. Raises `JobStoppedError`."""
    options = task.options
    task.cap(options.budget)  # refused before the rows are read
    if task.dry_run:
        return preview(task, kind.longest(task))
    if options.rows != "all":
        places, census = kind.drawn(task, int(options.rows))
        return run(task, places, kind, census)
    return run(task, None, kind)


def preview(task: RowTask, first: JobRequest | None) -> Preview:
    """The request of a row."""
    if first is None or first.built is None:
        raise ParameterError("There is no row to send.")
    provider = task.prepared.provider.title
    title = f"Nothing was sent. To {provider}, the longest row of {task.name}:"
    reports = [Report("Of all rows", leaving(task))]
    summary = f"{count_body(first.built.body):,} tokens."
    return Preview(title, summary, first.built.body, encoded(first.built.body), reports)


def run(
    task: RowTask,
    places: Sequence[int] | None,
    kind: type[Job] = Job,
    census: Callable[[], Census] | None = None,
) -> Any:
    """Ask the rows at `places`, None for all; the frame with the answers. A trial has a `census`
    of all rows.
    """
    global last_job
    last_job = job = kind(task, places)
    runner, options = job.runner, task.options
    view = watch(runner, job.rows, job.take, show=options.show)
    if options.truth is not None:
        job.compare(options.truth)
    reports = [job.report, *job.failures()]
    if census is not None and not runner.stopped:
        all_rows, most = estimate(task, runner, census())
        if most is not None:
            trial_caps.setdefault(task.session, {})[task.key, task.currency] = most
        reports.append(all_rows)
    view.close(*reports)
    if (stopped := runner.stop_error(len(job.values), job.rows)) is not None:
        if isinstance(stopped, errors.JobStoppedError):
            stopped.job = job
        raise stopped
    frame = job.frame
    if "job" not in task.source.labels:
        with suppress(AttributeError, TypeError):  # pyarrow, DuckDB: see `deepseek_jupyter.job`
            object.__setattr__(frame, "job", job)
    return frame
