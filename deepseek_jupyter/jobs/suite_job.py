"""`SuiteJob`: every case, variant and repeat as one request of one job.

Variants take turns, so that load and hour hit all alike. A repeat has a key of its own, so that
none is answered by another one; a rerun finds each of them again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import DeepSeekError, ParameterError
from deepseek_jupyter.protocol.tokens import count_body
from deepseek_jupyter.protocol.usage import Usage, plus
from deepseek_jupyter.tools.arrow import frame_of

from .attempt import Attempt
from .job_view import watch
from .limits import Cap
from .row_task import MapOptions, RowTask, trial_caps
from .runner import JobRequest, Result, Runner
from .scorers import Scorer
from .template import text_of
from .trial import cap_of
from .variant import Variant, check_different
from .verbs import prompt_of

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

Budget = float | str | Mapping[str, float] | None

Verdict = Literal["first", "second", "tie"]
_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


class SuiteJob:
    """The requests of a suite and what comes of them. `attempts` are in order; `spent` is what they
    and the judge cost now, by currency.
    """

    def __init__(
        self,
        session: Session,
        frame: Any,
        question: Question,
        variants: Sequence[Variant],
        repeats: int,
        names: Mapping[str, Any],
        options: MapOptions,
        budget: Budget,
    ) -> None:
        """Nothing is sent. Raises `ConfigurationError` and its kind, for equal variants too."""
        asked = [one.ask(question) for one in variants]
        options = replace(options, into="answer of the suite", think=None, stream=True)
        self.tasks = [RowTask(session, frame, one, options, names) for one in asked]
        check_different(variants, [task.prepared for task in self.tasks])
        self._session, self._variants, self._repeats = session, variants, repeats
        self._options = options
        self._source, self._template = self.tasks[0].source, self.tasks[0].template
        labels = self._source.labels
        self._source.read(labels)
        self.cases = [dict(zip(labels, row, strict=True)) for row in self._source.rows()]
        for task in self.tasks:
            task.source.read(task.template.named)
        self.key = f"{repeats} {' '.join(task.key for task in self.tasks)}"
        self.attempts: list[Attempt] = []
        self.judged = self.torn = self.asked = 0
        self.judge_costs: dict[str, Decimal] = {}
        self._budget, self._caps = budget, dict[str, Cap]()
        self._check_currencies()
        self._sent: dict[int, str] = {}
        self._raw: dict[int, str] = {}

    def question(self, case: int) -> str:
        """A case's prompt, "" where a named column has no value."""
        values = {name: text_of(self.cases[case][name]) for name in self._template.named}
        known = {name: text for name, text in values.items() if text is not None}
        return self._template.render(known) if len(known) == len(values) else ""

    @property
    def spent(self) -> dict[str, Decimal]:
        """What was paid now, by currency."""
        return {currency: cap.spent for currency, cap in self._caps.items() if currency}

    # Money

    def _cap(self, task: RowTask) -> Cap:
        """The cap of a task: those with prices in one currency share one.

        Raises `ConfigurationError` where a budget cannot be held.
        """
        task.key, budget = self.key, self._budget
        cap = task.cap(budget.get(task.currency) if isinstance(budget, Mapping) else budget)
        return self._caps.setdefault(task.currency, cap).bound(cap.most)

    # Asking

    def requests(self, places: Iterable[int] | None = None) -> Iterator[JobRequest]:
        """The requests for the cases at `places` (None: all); repeats one after the other."""
        size, chosen = len(self.tasks), None if places is None else list(places)
        for repeat in range(self._repeats):
            for row in zip(*(task.requests(chosen) for task in self.tasks), strict=True):
                for step in range(size):
                    lane = (row[0].place + repeat + step) % size
                    yield self._numbered(row[lane], lane, repeat)

    def _numbered(self, request: JobRequest, lane: int, repeat: int) -> JobRequest:
        if request.request is not None:
            self._sent[request.place] = str(request.request.messages[-1].content)
        place = (request.place * len(self.tasks) + lane) * self._repeats + repeat
        return replace(request, place=place, key=f"{request.key} suite {repeat}", lane=lane)

    def run(self, places: Sequence[int] | None) -> Runner:
        """Ask the cases at `places`. Raises `Interrupted`, and what a rerun cannot change."""
        lanes = [(task.prepared, self._cap(task)) for task in self.tasks]
        ask = partial(Runner, others=lanes[1:], whole=True, keep_cut=True)
        runner = self.tasks[0].runner(self.requests(places), lanes[0][1], ask)
        found: dict[int, Attempt] = {}
        rows = len(self.cases) if places is None else len(places)
        rows, show = rows * len(self.tasks) * self._repeats, self._options.show
        watch(runner, rows, partial(self._take, found), show=show, noun="answers").close()
        self.attempts = [found[place] for place in sorted(found)]
        self._raw = {at: self._raw[place] for at, place in enumerate(sorted(found))}
        self.asked = runner.tally.asked
        return runner

    def _take(self, found: dict[int, Attempt], result: Result) -> None:
        place, repeat = divmod(result.place, self._repeats)
        case, lane = divmod(place, len(self.tasks))
        name, kept = self._variants[lane].name, result.answer
        self._raw[result.place] = kept.text if kept else ""
        if kept is None:
            found[result.place] = Attempt(case, name, repeat, error=result.error)
            return
        usage, (first, took) = kept.usage, kept.times
        found[result.place] = Attempt(
            case,
            name,
            repeat,
            result.value[0],
            kept.reasoning,
            None,
            "",
            kept.finish,
            kept.model,
            usage.prompt_tokens,
            usage.cache_hit_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens,
            None if kept.cost is None else format(kept.cost, "f"),
            kept.currency,
            first or None,
            took or None,
        )

    def score(self, scorer: Scorer) -> None:
        """Score the answers; a scorer that fails on one is an error of that one."""
        if scorer.grade is not None:
            self.attempts = [self._scored(one, scorer) for one in self.attempts]

    def _scored(self, one: Attempt, scorer: Scorer) -> Attempt:
        if not one.whole:
            return one
        try:
            return replace(one, score=scorer.score(one.answer, self.cases[one.case]))
        except ParameterError:
            raise
        except Exception as error:
            return replace(one, error=f"The scorer failed: {type(error).__name__}: {error}")

    def judge(self, scorer: Scorer) -> DeepSeekError | None:
        """Have the pairs of answers judged, within the caps; why that ended early, if it did."""
        prompt = prompt_of("judge", rubric=str(scorer.settings["rubric"]))
        question = Question(prompt, system="", replay=self.tasks[0].replay)
        asked = Variant.of(scorer.settings["model"], {}).ask(question)
        stopped: DeepSeekError | None = None

        def ask(rows: list[dict[str, str]]) -> dict[int, Any]:
            nonlocal stopped
            said, costs = dict[int, Any](), list[Decimal]()

            def take(result: Result) -> None:
                if result.answer is not None and not result.error:
                    said[result.place] = result.value[0]
                    costs.append(result.answer.cost or Decimal())

            if rows:
                given = replace(self._options, to=Verdict, into="answer", think=False, stream=False)
                task = RowTask(self._session, frame_of(rows), asked, given, {})
                task.source.read(task.template.named)
                runner = task.runner(task.requests(), self._cap(task), whole=True)
                show = self._options.show
                watch(runner, len(rows), take, show=show, noun="answers").close()
                stopped = runner.stop_error(runner.tally.done, len(rows))
                self.judge_costs = {task.currency: plus(*costs)}
            return said

        found = judged(self.attempts, self._sent, self._raw, ask)
        self.attempts, self.judged, self.torn = found
        return stopped

    # The trial

    def estimate(self, runner: Runner, tried: int) -> Report:
        """What all cases would take, by those that were tried; the caps for them are kept."""
        requests = [one for one in self.requests() if one.built is not None]
        kept, share = runner.kept([one.key for one in requests]), len(self.cases) / max(tried, 1)
        left = [one for one in requests if one.key not in kept]
        likely: dict[str, Decimal] = {
            name: cost * Decimal(share) for name, cost in self.judge_costs.items() if name
        }
        rows, worst = [], dict.fromkeys(likely, Decimal())
        for lane, (task, variant) in enumerate(zip(self.tasks, self._variants, strict=True)):
            own = [one for one in left if one.lane == lane]
            read = sum(count_body(one.built.body) for one in own if one.built)
            every = (one for one in self.attempts if one.variant == variant.name and not one.error)
            out = sorted(one.tokens_out for one in every) or [0]
            high, currency = out[round(0.95 * (len(out) - 1))], task.currency
            said = "nothing" if task.prepared.provider.free else "not known"
            if task.price is not None:
                cost = task.price.cost(Usage(read, len(own) * high)).amount
                said = f"up to {money(cost, currency)}"
                likely[currency] = plus(likely.get(currency, Decimal()), cost)
                most = max((one.worst for one in own), default=Decimal())
                worst[currency] = max(worst.get(currency, most), most)
            rows.append((variant.name, f"{len(own):,}", f"{read:,}", f"{median(out):,.0f}", said))
        caps = {name: cap_of(cost, worst[name]) for name, cost in likely.items()}
        kept_caps = {(self.key, name): cap for name, cap in caps.items()}
        trial_caps.setdefault(self._session, {}).update(kept_caps)
        time = seconds(len(left) * runner.tally.each / runner.limit.now)
        unknown = next((said[0] for said in rows if said[-1] == "not known"), "")
        allowed = " and ".join(money(cap, name) for name, cap in caps.items())
        heads = ("variant", "left to ask", "tokens in", "tokens out, each", "price")
        remark = "Nothing is left to ask; rows='all' gives all cases."
        if left:
            remark = f"rows='all' asks the rest in about {time}, for {allowed} at most."
            if unknown:
                remark = (
                    f"budget='none' asks the rest in about {time}: no price of {unknown} is known."
                )
            elif not caps:
                remark = f"rows='all' asks the rest in about {time}."
        return Report("All cases", rows, heads, remark, quoted=1)

    def _check_currencies(self) -> None:
        known = sorted({task.currency for task in self.tasks} - {""})
        if len(known) > 1 and isinstance(self._budget, int | float):
            said = ", ".join(f"{one!r}: {self._budget}" for one in known)
            raise ParameterError(
                "The variants have prices in several currencies.", f"Give budget={{{said}}}."
            )


def judged(
    attempts: Sequence[Attempt],
    sent: Mapping[int, str],
    raw: Mapping[int, str],
    ask: Callable[[list[dict[str, str]]], Mapping[int, Any]],
) -> tuple[list[Attempt], int, int]:
    """The attempts with what a judge says of each; how many pairs have a verdict, and in how many
    of them the two orders contradict each other: those are ties, because the order decided. Nothing
    says whose answers they are. Equal answers are a tie unasked.

    `sent` is each case's question and `raw` each attempt's answer, as they went over the wire: what
    was masked stays so. `ask` has rows judged, a pair in one order and then in the other, and
    returns the verdicts by row.
    """
    groups = defaultdict[tuple[int, int], list[int]](list)
    for at, one in enumerate(attempts):
        if one.whole:
            groups[one.case, one.repeat].append(at)
    every = [pair for group in groups.values() for pair in combinations(group, 2)]
    pairs = [(a, b) for a, b in every if raw[a].strip() != raw[b].strip()]
    said = ask(
        [
            {"question": sent[attempts[x].case], "first": raw[x], "second": raw[y]}
            for pair in pairs
            for x, y in (pair, pair[::-1])
        ]
    )
    worth, count, torn = dict.fromkeys(set(every) - set(pairs), 0.5), 0, 0
    for row, pair in enumerate(pairs):
        here, there = said.get(2 * row), said.get(2 * row + 1)
        if here in _WORTH and there in _WORTH:
            one_way, other_way = _WORTH[here], 1 - _WORTH[there]
            count, torn = count + 1, torn + (one_way != other_way)
            worth[pair] = one_way if one_way == other_way else 0.5
    against = defaultdict[int, dict[str, float]](dict)
    for (a, b), score in worth.items():
        against[a][attempts[b].variant] = score
        against[b][attempts[a].variant] = 1 - score
    scored = [
        replace(one, against=against[at], score=sum(against[at].values()) / len(against[at]))
        if at in against
        else one
        for at, one in enumerate(attempts)
    ]
    return scored, count, torn
