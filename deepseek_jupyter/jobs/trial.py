"""The trial of a map: which rows it draws, and what all of them would cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.card import spread
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import shortened
from deepseek_jupyter.protocol.usage import Price, Usage, price_at
from deepseek_jupyter.transport.providers import own_price

from .template import text_of

if TYPE_CHECKING:
    from deepseek_jupyter.transport.providers import Provider

    from .row_map import Job, RowTask

_EXACT = 5_000  # different rows whose requests are made and counted; beyond, they are estimated
_STEP = timedelta(minutes=30)
_CELL = 80  # characters of a value in the table of a trial
_SHOWN = 8  # rows


@dataclass(frozen=True, slots=True)
class Estimate:
    """What all rows would take. `left` are the requests that nothing is kept of; `tokens_in` is
    theirs; `out` the tokens of an answer: the least, the median and the most of nine in ten.
    """

    rows: int
    distinct: int
    missing: int
    left: int
    exact: bool
    tokens_in: int
    out: tuple[int, int, int]
    low: Decimal | None
    high: Decimal | None
    later: tuple[datetime, Decimal] | None
    seconds: float
    cap: Decimal | None


def drawn(task: RowTask, rows: int, count: int) -> list[int]:
    """`count` rows with a value in each named column: drawn evenly, and the longest."""
    lengths = [
        -1 if None in row else sum(len(str(text_of(value))) for value in row)
        for batch in task.source.batches()
        for row in batch
    ]
    whole = [at for at, length in enumerate(lengths) if length >= 0]
    if len(whole) <= count:
        return whole
    longest = max(whole, key=lengths.__getitem__)
    places = {whole[at] for at in spread(len(whole), count)}
    if longest not in places:
        places = {whole[at] for at in spread(len(whole), count - 1)} | {longest}
    return sorted(places)


def scan(task: RowTask, job: Job, rows: int) -> Estimate:
    """Read all rows, and measure the requests of as many as can be."""
    different: set[Any] = set()
    first: list[int] = []
    at = missing = 0
    for batch in task.source.batches():
        for row in batch:
            texts = tuple(map(text_of, row))
            if None in texts:
                missing += 1
            elif (mark := hash(texts)) not in different:
                different.add(mark)
                if len(first) < _EXACT:
                    first.append(at)
            at += 1
    measured = _measured(task, first)
    share = len(different) / len(first) if first else 0
    kept = job.runner.kept(list(measured)) if job.runner is not None else {}
    sizes = [tokens for key, tokens in measured.items() if key not in kept]
    left, exact = round(len(sizes) * share), share <= 1
    tokens_in = round(sum(sizes) * share)
    out = _out(job)
    return Estimate(
        rows, len(different), missing, left, exact, tokens_in, out,
        *_prices(task, job, left, tokens_in, out),
        seconds=_seconds(job, left), cap=_cap_of(task, left, tokens_in, out, measured),
    )  # fmt: skip


def _measured(task: RowTask, places: list[int]) -> dict[str, int]:
    """The tokens of the requests of rows, by key."""
    found: dict[str, int] = {}
    for request in task.requests(places):
        if request.key not in found:
            found[request.key] = task.tokens_of(request)
    return found


def _out(job: Job) -> tuple[int, int, int]:
    """The least, the median and the most tokens of nine in ten answers of the trial."""
    assert job.runner is not None
    counts = sorted(job.runner.out) or [0]
    last = len(counts) - 1
    return counts[round(last * 0.05)], round(median(counts)), counts[round(last * 0.95)]


def _seconds(job: Job, left: int) -> float:
    runner = job.runner
    assert runner is not None
    answered = max(1, len(runner.out))
    return left * (runner.tally.seconds / answered) / max(1, runner.limit.now)


def _cost(price: Price, left: int, tokens_in: int, hits: float, out: int) -> Decimal:
    return price.cost(Usage(tokens_in, left * out, round(tokens_in * hits))).amount


def _prices(
    task: RowTask, job: Job, left: int, tokens_in: int, out: tuple[int, int, int]
) -> tuple[Decimal | None, Decimal | None, tuple[datetime, Decimal] | None]:
    """With the cache of the trial and the median answer; without a cache and with the longest; and
    the latter at the hour at which the price changes next.
    """
    if task.price is None or job.runner is None:
        return None, None, None
    used = job.runner.tally.usage
    hits = used.cache_hit_tokens / used.prompt_tokens if used.prompt_tokens else 0.0
    low = _cost(task.price, left, tokens_in, hits, out[1])
    high = _cost(task.price, left, tokens_in, 0.0, out[2])
    provider, model = task.prepared.provider, task.prepared.request.model
    own = own_price(task.session.config.prices, provider.name, model)
    change = None if own else next_price(provider, model, datetime.now(UTC))
    if change is None:
        return low, high, None
    return low, high, (change[0], _cost(change[1], left, tokens_in, 0.0, out[2]))


def next_price(provider: Provider, model: str, now: datetime) -> tuple[datetime, Price] | None:
    """When the price of `model` changes within a day, and to what."""
    periods = provider.facts(model).prices
    present = price_at(periods, now)
    hour = now.replace(minute=0, second=0, microsecond=0)
    for step in range(1, 49):
        moment = hour + step * _STEP
        later = price_at(periods, moment)
        if moment > now and later is not None and later != present:
            return moment, later
    return None


def _cap_of(
    task: RowTask, left: int, tokens_in: int, out: tuple[int, int, int], measured: dict[str, int]
) -> Decimal | None:
    """Twice what the rows cost at most by the trial, and the worst case of what is in flight.

    None where no price is known, or an answer may be of any length.
    """
    most = task.prepared.built.body.get("max_tokens")
    if task.price is None or not most:
        return None
    likely = _cost(task.price, left, tokens_in, 0.0, out[2])
    worst = _cost(task.price, 1, 8 * max(measured.values(), default=0), 0.0, int(most))
    return Decimal(f"{2 * likely + 16 * worst:.2g}") + Decimal("0.0001")


def trial_report(job: Job, task: RowTask) -> Report:
    """The figures of a job; of a trial what all rows would take too."""
    runner, estimate = job.runner, job.estimate
    assert runner is not None
    tally = runner.tally
    rows = [("answered", f"{len(job.values):,} of {job.rows:,} rows, {len(job.failed):,} failed")]
    rows += [("asked", f"{tally.asked:,} requests, {tally.kept:,} from what was kept or equal")]
    rows += [("cost", _shown(job.cost, job.currency))]
    if estimate is not None:
        rows += _of_all(estimate, job.currency)
    rows += [("leaves", _leaving(task)), *_evaluated(task)]
    if job.accuracy is not None:
        rows += [("accuracy", str(job.accuracy))]
    title = "The job" if estimate is None else f"Trial of {job.rows:,} of {estimate.rows:,} rows"
    return Report(title, rows, (), _advice(estimate, task, job.currency))


def _of_all(estimate: Estimate, currency: str | None) -> list[tuple[str, str]]:
    about = "" if estimate.exact else "≈ "
    low, middle, high = estimate.out
    rows = [
        ("rows", f"{estimate.rows:,}, {estimate.distinct:,} different, "
                 f"{estimate.missing:,} without a value (not sent)"),
        ("left to ask", f"{about}{estimate.left:,}"),
        ("tokens in", f"{about}{estimate.tokens_in:,}"),
        ("tokens out, each", f"{middle:,} (90 % range {low:,} to {high:,})"),
    ]  # fmt: skip
    if estimate.low is not None:
        now = f"{_shown(estimate.low, currency)} to {_shown(estimate.high, currency)} now"
        if estimate.later is not None:
            moment, cost = estimate.later
            now += f"; from {moment.astimezone():%H:%M} up to {_shown(cost, currency)}"
        rows.append(("price of the rest", now))
    rows.append(("time", f"about {seconds(estimate.seconds)} at the present limit"))
    return rows


def _shown(amount: Decimal | None, currency: str | None) -> str:
    return "no price known" if amount is None else f"~{money(amount, currency or '')}"


def _leaving(task: RowTask) -> str:
    """What of each column leaves."""
    kinds = task.masks.kinds
    parts = [
        f"{name}: " + (f"as <{kinds[name]}-…>" if name in kinds else "every value of these rows")
        for name in task.template.named
    ]
    found = ", ".join(sorted(task.masks.redactor.detectors))
    return "; ".join(parts) + (f"; masked: {found}" if found else "")


def _evaluated(task: RowTask) -> list[tuple[str, str]]:
    return [(f"{{{{ {s} }}}}", shortened(text, _CELL)) for s, text in task.template.evaluated]


def _advice(estimate: Estimate | None, task: RowTask, currency: str | None) -> str:
    if estimate is None or not estimate.left:
        return ""
    if estimate.cap is not None:
        cap = money(estimate.cap, currency or "")
        return f"rows='all' asks the rest, for {cap} at most; budget=… sets another cap."
    if task.price is not None:
        return (
            f"rows='all' needs max_tokens, to hold a cap: max_tokens={4 * estimate.out[2] + 16}, "
            "and a budget; or budget='none'."
        )
    return "rows='all' asks the rest; no price is known, so no cap can be held."


def sample(job: Job, task: RowTask) -> Report:
    """The first rows with their answers."""
    places = sorted({*job.values, *job.failed})[:_SHOWN]
    wanted, at, found = set(places), 0, []
    for batch in task.source.batches():
        found += [(at + n, row) for n, row in enumerate(batch) if at + n in wanted]
        at += len(batch)
        if len(found) == len(places):
            break
    rows = []
    for place, row in islice(found, _SHOWN):
        answer = job.values.get(place, (job.failed.get(place, ""),))
        rows.append(tuple(shortened(" ".join(str(v).split()), _CELL) for v in (*row, *answer)))
    width = max(map(len, rows), default=0)
    heads = (*task.template.named, *task.form.names)[:width]
    return Report("", [row + ("",) * (width - len(row)) for row in rows], heads)
