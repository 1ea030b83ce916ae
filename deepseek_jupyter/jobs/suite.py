"""`suite`: cases asked of several variants, scored, and compared by what the scores can say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from deepseek_jupyter.context.table import is_frame
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.display.render import money
from deepseek_jupyter.display.report import Report, for_reader
from deepseek_jupyter.errors import JobStoppedError, ParameterError, shortened
from deepseek_jupyter.session.session import get_session
from deepseek_jupyter.tools.arrow import frame_of

from . import scorecard, suite_files
from .attempt import ERROR, NO_ANSWER, Attempt, Summary, pairs_of, scores_of, summary_of
from .paired import Pair, least_difference
from .row_map import Job, preview
from .row_task import MapOptions
from .scorers import Scorer, scorer_of, settled
from .suite_job import Budget, SuiteJob
from .variant import Variant, variants_of
from .verbs import question_of

_SENSITIVE = 0.02  # the share without a score, from which it is said what it may hide
_ROOM = 36_000  # bytes of all that got worse


def suite(
    cases: Any,
    variants: Any,
    *,
    prompt: str = "{{ prompt }}",
    score: Any = "exact",
    repeats: int = 1,
    rows: int | str = 5,
    budget: Budget = None,
    concurrency: int | None = None,
    max_errors: float = 0.5,
    show: bool = True,
    **options: Any,
) -> Any:
    """Ask several variants the same cases, score the answers, and say what the scores show.

    `cases` are a frame, a list of dicts, or a JSONL file: a row a case, with the columns that
    `prompt` names, `expected` for most scorers, and `id` if there is one. `variants` are texts such
    as ``"deepseek-flash?think=off"``, or dicts. `score` is ``exact``, ``contains``, ``regex``,
    ``number``, ``choice``, ``json``, ``same_frame``, one of ``ds.scorers`` with its settings, such
    as ``ds.scorers.judge(rubric)``, or a function of answer and case. Each case is asked `repeats`
    times, and a repeat is never answered by another one's answer.

    As in `map` the default is a trial of 5 cases, with the price of all; ``rows="all"`` asks the
    rest within `budget` (by currency where there are several), else within the trial's cap. What
    was answered is kept. `concurrency`, `max_errors`, `system`, `replay` and parameters are those
    of `map`, for every variant that does not set its own; with `dry_run` nothing is sent, and the
    request of each variant comes back by name. Else a `Suite`.

    >>> import deepseek_jupyter as ds
    >>> ds.suite(cases, "deepseek-flash, deepseek-v4-pro", score="number")  # doctest: +SKIP
    """
    if "n" in options or repeats < 1:
        raise ParameterError(
            "n= is not taken, and repeats= is 1 or more.", "repeats=3 asks each case three times."
        )
    names, scorer = user_namespace(), scorer_of(score)
    frame = cases if is_frame(cases) else frame_of(suite_files.records(cases))
    chosen, question = variants_of(variants, names, least=1), question_of(prompt, options)
    given = MapOptions(rows=rows, concurrency=concurrency, max_errors=max_errors, show=show)
    job = SuiteJob(get_session(), frame, question, chosen, repeats, names, given, budget)
    scorer = settled(scorer, job.cases)
    if question.dry_run:
        shown = (preview(task, Job.longest(task)) for task in job.tasks)
        return dict(zip((one.name for one in chosen), shown, strict=True))
    places = None if rows == "all" else Job.drawn(job.tasks[0], int(rows))[0]
    runner = job.run(places)
    stopped = runner.stop_error(len(job.attempts), len(job.cases) * len(chosen) * repeats)
    job.score(scorer)
    if stopped is None and scorer.grade is None:
        stopped = job.judge(scorer)
    settings = {"prompt": prompt, "scorer": scorer, "repeats": repeats, "options": options}
    made = _found(job, variants=chosen, source=frame, **settings)
    if isinstance(stopped, JobStoppedError):
        stopped.job = made
    if stopped is not None:
        raise stopped
    if places is not None:
        made.estimate = job.estimate(runner, len(places))
    return made


def _found(job: SuiteJob, **settings: Any) -> Suite:
    """What a job has found."""
    return Suite(
        cases=[{"id": at, **case} for at, case in enumerate(job.cases, 1)],
        questions=[job.question(at) for at in range(len(job.cases))],
        attempts=job.attempts,
        judge_costs=job.judge_costs,
        judged=[job.judged, job.torn],
        bodies=[task.body for task in job.tasks],
        asked=job.asked,
        spent=job.spent,
        **settings,
    )


@dataclass(repr=False)
class Suite:
    """Cases, what each variant answered, and what that shows. Shown as a card.

    `asked` is how many requests went out in this run, `spent` what they cost, by currency;
    kept answers cost nothing again.
    """

    cases: list[dict[str, Any]]
    questions: list[str]
    prompt: str
    variants: tuple[Variant, ...]
    scorer: Scorer
    repeats: int
    attempts: list[Attempt]
    options: dict[str, Any] = field(default_factory=dict)
    judge_costs: dict[str, Decimal] = field(default_factory=dict)
    judged: Sequence[int] = (0, 0)
    bodies: Sequence[Mapping[str, Any]] = ()
    asked: int = 0
    spent: Mapping[str, Decimal] = field(default_factory=dict)
    source: Any = None
    estimate: Report | None = None

    @property
    def names(self) -> list[str]:
        """The variants' names."""
        return [variant.name for variant in self.variants]

    @property
    def summaries(self) -> list[Summary]:
        """The figures of each variant."""
        return [summary_of(name, self._of(name)) for name in self.names]

    @property
    def pairs(self) -> list[Pair]:
        """Every two variants, the better one first."""
        return pairs_of(self.attempts, self.names)

    def _of(self, variant: str) -> list[Attempt]:
        if variant not in self.names:
            raise ParameterError(
                f"There is no variant {variant}.", f"Here: {', '.join(self.names)}."
            )
        return [one for one in self.attempts if one.variant == variant]

    # As frames and files

    def frame(self) -> Any:
        """A row an answer: case, variant, repeat, answer, thinking, score, tokens, money, times."""
        return frame_of(
            [
                {
                    "id": self.cases[one.case]["id"],
                    "question": self.questions[one.case],
                    **{name: value for name, value in asdict(one).items() if name != "against"},
                    "status": one.status,
                    "cost": None if one.cost is None else float(one.cost),
                }
                for one in self.attempts
            ]
        )

    def failures(self, right: str, wrong: str) -> Any:
        """The cases that `right` has right and `wrong` wrong, with both answers and thinkings."""
        return frame_of(
            [
                {
                    **self.cases[a.case],
                    **{
                        f"{one.variant}: {what}": getattr(one, what)
                        for one in (a, b)
                        for what in ("answer", "reasoning")
                    },
                }
                for a, b in self._worse(right, wrong)
            ]
            or [dict.fromkeys(self.cases[0])][:0]
        )

    def _worse(self, right: str, wrong: str) -> Iterator[tuple[Attempt, Attempt]]:
        """An attempt of each, for each case that went from right to wrong."""
        before, after = self._of(right), self._of(wrong)
        scores = (scores_of(self.attempts, *both) for both in ((right, wrong), (wrong, right)))
        cases = sorted({one.case for one in self.attempts})
        for case, a, b in zip(cases, *scores, strict=True):
            if a is not None and b is not None and a > 0.5 >= b:
                of_case = [one for one in before if one.case == case and one.score is not None]
                other = [one for one in after if one.case == case and one.score is not None]
                yield (
                    max(of_case, key=lambda o: o.score or 0),
                    min(other, key=lambda o: o.score or 0),
                )

    def save(self, path: str | Path) -> None:
        """Write cases and answers, in the clear, as JSON."""
        scorer = {"name": self.scorer.name, "settings": self.scorer.settings}
        names = ("cases", "questions", "prompt", "repeats", "options", "judged", "bodies")
        suite_files.write(
            path,
            {
                **{name: getattr(self, name) for name in names},
                "scorer": scorer,
                "judge_costs": {name: str(cost) for name, cost in self.judge_costs.items()},
                "variants": [asdict(one) for one in self.variants],
                "attempts": [asdict(one) for one in self.attempts],
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Suite:
        """What `save` wrote. A function that scored is not in the file: give it to `run` again."""
        return suite_files.read(path, cls)

    def to_inspect(self, folder: str | Path) -> list[Path]:
        """Write a log for each variant that Inspect (`inspect_ai`) reads."""
        made, cases = [], list(zip(self.cases, self.questions, strict=True))
        for at, name in enumerate(self.names, 1):
            log = suite_files.inspect_log(self.scorer.name, name, cases, self._of(name))
            made.append(Path(folder) / f"suite-{at}.json")
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].write_text(json.dumps(log, ensure_ascii=False, default=str), "utf-8")
        return made

    def to_promptfoo(self, path: str | Path) -> None:
        """Write a configuration with which promptfoo asks the same of the same models."""
        cases = list(zip(self.cases, self.questions, strict=True))
        bodies = dict(zip(self.names, self.bodies, strict=True))
        config = suite_files.promptfoo_config(self.scorer, bodies, cases)
        Path(path).write_text(
            json.dumps(config, ensure_ascii=False, default=str, indent=1), "utf-8"
        )

    # Again

    def run(self, variants: Any = None, *, score: Any = None, **options: Any) -> Suite:
        """Ask the same cases, of other `variants` or scored otherwise; what is kept is free."""
        frame = frame_of(self.cases) if self.source is None else self.source
        given = {"rows": "all", "repeats": self.repeats, **self.options, **options}
        chosen = self.variants if variants is None else variants
        return suite(  # type: ignore[no-any-return]
            frame, chosen, prompt=self.prompt, score=score or self.scorer, **given
        )

    def assert_not_worse(self, new: str, old: str, margin: float = 0.03) -> None:
        """Raise `AssertionError` unless `new` is shown to be at most `margin` worse than `old`."""
        self._of(new), self._of(old)
        both = (scores_of(self.attempts, *names) for names in ((new, old), (old, new)))
        least, count = least_difference(*both)
        if least < -margin:
            worse = scorecard.points(-least)
            raise AssertionError(
                f"{new} may be {worse} points worse than {old}; {count:,} cases do not rule it out."
            )

    # What it shows

    @property
    def lines(self) -> list[str]:
        """A sentence for each pair, then what else has to be known."""
        pairs, found = self.pairs, self.summaries
        costs = {one.variant: one.costs for one in found}
        said = [scorecard.verdict(pair, costs) for pair in pairs]
        lost = sum(one.counts[ERROR] + one.counts[NO_ANSWER] for one in found)
        if self.scorer.grade is not None and lost > _SENSITIVE * len(self.attempts):
            others = pairs_of(self.attempts, self.names, wrong=True)
            said += [scorecard.sensitive(pair) for pair in others if pair.difference]
        for one in found:
            errors = Counter(attempt.error for attempt in self._of(one.variant) if attempt.error)
            if errors:
                most, count = shortened(errors.most_common(1)[0][0], 200), one.counts[ERROR]
                said.append(f"Errors with {one.variant}: {count:,}. The most frequent: {most}")
            cut = sum(attempt.finish == "length" for attempt in self._of(one.variant))
            if cut:
                said.append(
                    f"{cut:,} answers of {one.variant} were cut at max_tokens and have no score."
                )
            if one.agreement is not None:
                said.append(
                    f"{one.variant} answers {one.agreement:.0%} of the cases alike in all "
                    f"{self.repeats} repeats."
                )
            if len(one.models) > 1:
                said.append(
                    f"{one.variant} was answered by several models: {', '.join(one.models)}."
                )
        again = len(self.questions) - len({*self.questions})
        if again:
            said.append(f"{again:,} cases repeat the prompt of another one and tell nothing new.")
        return said + self._of_judge()

    def _of_judge(self) -> list[str]:
        if self.scorer.name != "judge":
            return []
        judged, torn = self.judged
        cost = (
            " + ".join(money(c, name) for name, c in self.judge_costs.items() if name) or "nothing"
        )
        said = [f"The judge cost {cost}, which is not in the table."]
        if not judged:
            return [*said, "The judge gave no usable verdict on different answers."]
        said.append(f"In {torn:,} of {judged:,} pairs the judge chose by the order: they are ties.")
        if any(self.scorer.settings["model"] == one.model for one in self.variants):
            said.append("The judge is one of the variants; models favour their own answers.")
        return said

    @property
    def _reports(self) -> list[Report]:
        tried = len({one.case for one in self.attempts})
        some = f"A trial of {tried:,} of {len(self.cases):,} cases."
        scored = f"Scored by {self.scorer.name}; times are the median and the 95th percentile."
        title = " ".join([*([some] if self.estimate else []), scored])
        lines = [(line,) for line in self.lines]
        return [
            scorecard.table(self.summaries, title),
            *([Report("What it shows", lines)] if lines else []),
            *([self.estimate] if self.estimate else []),
        ]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self._reports))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        shown = "\n\n".join(str(report.said()) for report in self._reports)
        printer.text(for_reader(str(self), shown))

    def _repr_html_(self) -> str:
        table, *others = self._reports
        parts = [table.html(), scorecard.plot(self.summaries), *(one.html() for one in others)]
        old, *new = self.names
        for name in new:
            worse = [
                (f"{self.cases[a.case]['id']} · {self.questions[a.case]}", a, b)
                for a, b in self._worse(old, name)
            ]
            if worse:
                parts.append(scorecard.regressions(old, name, worse, _ROOM // len(new)))
        return f"<div>{''.join(parts)}</div>"
