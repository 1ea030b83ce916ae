"""The trial of a map: which rows it draws, and what all of them would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.card import spread
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import shortened
from deepseek_jupyter.protocol.tokens import count_body
from deepseek_jupyter.protocol.usage import Price, PricePeriod, Usage, price_at
from deepseek_jupyter.transport.providers import own_price

from .template import text_of

if TYPE_CHECKING:
    from .row_task import RowTask
    from .runner import JobRequest, Runner

EXACT = 5_000  # different rows whose requests are made and counted; beyond, they are estimated
_STEP = timedelta(minutes=30)

Lines = list[tuple[str, str]]
Rows = Iterable[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Census:
    """How many rows there are, how many are `different`, how many have a value `missing`; and the
    tokens of the requests of those that were `sampled`, by key.
    """

    rows: int
    different: int
    missing: int
    sampled: int = 0
    measured: Mapping[str, int] = field(default_factory=dict)


def lengths_of(rows: Rows) -> list[int]:
    """Of each row the characters; -1 where a value is missing."""
    return [-1 if None in row else sum(len(str(text_of(v))) for v in row) for row in rows]


def drawn(lengths: Sequence[int], count: int) -> list[int]:
    """`count` rows with a value in each named column: drawn evenly, and the longest."""
    whole = [at for at, length in enumerate(lengths) if length >= 0]
    longest = max(whole, key=lengths.__getitem__, default=0)
    places = {whole[at] for at in spread(len(whole), count)}
    if longest not in places and whole:
        places = {*(whole[at] for at in spread(len(whole), count - 1)[: count - 1]), longest}
    return sorted(places)


def census_of(
    rows: Rows, requests: Callable[[list[int]], Iterable[JobRequest | None]], most: int = EXACT
) -> Census:
    """The census of `rows`; the `requests` of up to `most` different ones are measured."""
    first, missing, count = dict[int, int](), 0, 0
    for row in rows:
        if None in row:
            missing += 1
        else:
            first.setdefault(hash(tuple(map(text_of, row))), count)
        count += 1
    places = [*first.values()][:most]
    measured = {r.key: count_body(r.built.body) for r in requests(places) if r and r.built}
    return Census(count, len(first), missing, len(places), measured)


def estimate(task: RowTask, runner: Runner, census: Census) -> tuple[Report, Decimal | None]:
    """What all rows would take, and the cap for them; None where none can be held."""
    measured, kept = census.measured, runner.kept(list(census.measured))
    sizes = [tokens for key, tokens in measured.items() if key not in kept]
    share = max(1.0, census.different / max(1, census.sampled))
    left, tokens_in = round(len(sizes) * share), round(sum(sizes) * share)
    out = runner.tally.out
    low, high = (out[round((len(out) - 1) * part)] for part in (0.05, 0.95))
    about = "≈ " if share > 1 else ""
    rows = f"{census.rows:,}, {census.different:,} different"
    if census.missing:
        rows += f", {census.missing:,} not sent: a value is missing"
    passed = left * runner.tally.each / runner.limit.now
    lines = [
        ("rows", rows),
        ("left to ask", f"{about}{left:,}, {about}{tokens_in:,} tokens in"),
        ("tokens out, each", f"{median(out):,.0f} (90 % range {low:,} to {high:,})"),
    ]
    if left:
        lines += [
            *_prices(task, runner, tokens_in, (left * round(median(out)), left * high)),
            ("time", f"about {seconds(passed)} at the present limit"),
        ]
    longest, most = task.prepared.built.body.get("max_tokens"), None
    if task.price is not None and longest:
        likely = task.price.cost(Usage(tokens_in, left * high)).amount
        worst = task.price.cost(Usage(8 * max(measured.values(), default=0), int(longest))).amount
        most = cap_of(likely, worst)
    said = (
        _advice(task, high, most) if left else "Nothing is left to ask; rows='all' gives all rows."
    )
    return Report("All rows", lines, (), said), most


def cap_of(likely: Decimal, worst: Decimal) -> Decimal:
    """A cap: twice what is likely, and the worst case of what is in flight; no more digits than
    are known.
    """
    return Decimal(f"{2 * likely + 16 * worst:.1e}") + Decimal("0.0001")


def _prices(task: RowTask, runner: Runner, tokens_in: int, out: Sequence[int]) -> Lines:
    """From the cache's share of the trial and the median answer, to no cache and long answers;
    and the latter at the price that comes next.
    """
    if task.price is None:
        free = task.prepared.provider.free
        return [("price of the rest", "nothing, the server is your own" if free else "not known")]
    used = runner.tally.usage
    hits = used.cache_hit_tokens * tokens_in // max(1, used.prompt_tokens)
    most = Usage(tokens_in, out[1])
    low, high = (task.price.cost(u) for u in (Usage(tokens_in, out[0], hits), most))
    ends = [money(one.amount, one.currency) for one in (low, high)]
    said = f"{' to '.join(dict.fromkeys(ends))} now"
    provider, model = task.prepared.provider, task.prepared.request.model
    own = own_price(task.session.config.prices, provider.name, model)
    change = next_price(provider.facts(model).prices, datetime.now(UTC)) if own is None else None
    if change is not None:
        at, price = change
        later = money(price.cost(most).amount, low.currency)
        said += f", up to {later} from {at.astimezone():%H:%M}"
    return [("price of the rest", said)]


def next_price(periods: Sequence[PricePeriod], now: datetime) -> tuple[datetime, Price] | None:
    """When a model's price changes within a day, and to what."""
    hour, present = now.replace(minute=0, second=0, microsecond=0), price_at(periods, now)
    moments = (hour + step * _STEP for step in range(1, 49))
    changed = ((at, price) for at in moments if (price := price_at(periods, at)) != present)
    return next(((at, price) for at, price in changed if price is not None and at > now), None)


def leaving(task: RowTask) -> Lines:
    """What of each column leaves, and what else is in the prompt."""
    kinds, found = task.masks.kinds, ", ".join(sorted(task.masks.redactor.detectors))
    lines = [
        (f"{{{{ {n} }}}}", f"as <{kinds[n]}-…>" if n in kinds else "the values of these rows leave")
        for n in task.template.named
    ]
    told = [(f"{{{{ {s} }}}}", shortened(text, 80)) for s, text in task.template.evaluated]
    notices = (*task.prepared.notices, *task.prepared.built.notices)
    lines += [*told, *(("note", said) for said in dict.fromkeys(notices))]
    return [*lines, ("masked", found)] if found else lines


def _advice(task: RowTask, longest: int, cap: Decimal | None) -> str:
    """How to go on after a trial, whose longest answers had so many tokens."""
    if cap is not None and task.price is not None:
        most = money(cap, task.price.currency)
        return f"rows='all' asks the rest, for {most} at most; budget= sets another cap."
    if task.price is not None:
        return (
            "rows='all' needs a budget, and an answer of known length for it: "
            f"max_tokens={4 * longest + 16}; or budget='none'."
        )
    if task.prepared.provider.free:
        return "rows='all' asks the rest."
    return "budget='none' with rows='all' asks the rest: no price is known, so no cap can be held."
