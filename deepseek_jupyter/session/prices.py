"""What models cost, and what recorded answers would have cost elsewhere. Unknown stays unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from deepseek_jupyter.display.render import money
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.model_facts import MODELS
from deepseek_jupyter.protocol.usage import BUCKETS, PricePeriod, Usage, period_at, plus

from .session import Session


def price_list(session: Session) -> Report:
    """A row for each model with a known price, your own prices first, and each default model."""
    now, notes = datetime.now(UTC), dict[str, None]()
    rows = []
    for provider, model in dict.fromkeys(_models(session)):
        profile = session.endpoints.taught(session.endpoints.profile(provider), model)
        facts, price = profile.facts(model), session.price(profile, model)
        period = period_at(facts.prices, now)
        own = price is not None and (period is None or price != period.at(now))
        if period and period.peak and not own:
            notes[_peak(provider, period, now)] = None
        figures = (price.hit, price.miss, price.output) if price else ()
        shown = [f"{figure:g}" for figure in figures] or ["not known"] * 3
        context = f"{facts.context:,}" if facts.context else "not known"
        since = "" if own or not period else f"{period.since:%Y-%m-%d}"
        source = "your settings" if own else facts.source
        unit = price.currency if price else ""
        rows.append((f"{provider}:{model}", *shown, unit, context, since, source))
    heads = ("model", "in cache", "not in cache", "output", "", "context", "since", "source")
    remark = "Per million tokens, now. Estimates: the bill of the provider is what counts."
    return Report("Prices", rows, heads, "\n".join([*notes, remark]))


def _models(session: Session) -> Iterator[tuple[str, str]]:
    names = session.endpoints.names
    for name, own in session.config.prices.items():
        if isinstance(own, Mapping):
            yield from ((name, model) for model in own)
        else:
            yield session.config.provider or "deepseek", name
    for row in MODELS:
        ids = [id for id in row.ids if row.prices and not set(id) & set("*?[")]
        yield from ((name, id) for name in names if name in row.providers for id in ids)
    for name in names:
        if model := session.endpoints.profile(name).default_model:
            yield name, model


def _peak(provider: str, period: PricePeriod, now: datetime) -> str:
    hours = ", ".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in period.peak)
    days = " on weekdays" if period.peak_weekdays_only else ""
    state = "it is peak time now" if period.in_peak(now) else "not now"
    return f"{provider} costs {period.peak_factor} times as much at {hours} UTC{days}: {state}."


def what_if(session: Session, asked: Iterable[Mapping[str, Any]], models: Sequence[str]) -> Report:
    """The tokens of `asked`, rows of `turns()`, at the prices of `models` (``provider:id``)."""
    counted = [row for row in asked if _usage(row).total_tokens]
    if not counted:
        raise ParameterError("There are no answers with tokens to reckon with.", "Ask something.")
    usage = sum((_usage(row) for row in counted), Usage())
    paid: dict[str, list[Decimal]] = {}
    for row in counted:
        if isinstance(row.get("currency"), str):
            paid.setdefault(str(row["currency"]), []).append(Decimal(str(row["cost"])))
    as_asked = " + ".join(money(plus(*amounts), unit) for unit, amounts in paid.items())
    unpriced = len(counted) - sum(map(len, paid.values()))
    unknown = f", {unpriced} without a known price" if unpriced else ""
    rows = [("as asked", (as_asked or "not known") + unknown, *_tokens_of(usage), "")]
    for wanted in models:
        provider, model = session.endpoints.named(None, wanted)
        profile = session.endpoints.keyless(provider)[0]
        price = session.price(profile, model)
        if price is None:
            rows.append((wanted, "not known", *_tokens_of(usage), ""))
            continue
        cost = price.cost(usage).amount
        thinking = price.cost(Usage(completion_tokens=usage.reasoning_tokens)).amount
        share = f"{thinking / cost:.0%}" if cost else ""
        rows.append((wanted, money(cost, price.currency), *_tokens_of(usage), share))
    heads = ("model", "cost", "new", "cached", "out", "thinking's share")
    return Report(
        f"What {len(counted):,} answers cost, and would cost now",
        rows,
        heads,
        "With as many tokens and cache hits as were recorded; another model may use others.",
    )


def _usage(row: Mapping[str, Any]) -> Usage:
    found = {name: row.get(name) for name in BUCKETS}
    # A frame may have NaN, which does not equal itself, where there is nothing.
    known: dict[str, Any] = {n: int(v) for n, v in found.items() if v and v == v}
    return Usage(**known)


def _tokens_of(usage: Usage) -> tuple[str, ...]:
    counts = (usage.cache_miss_tokens, usage.cache_hit_tokens, usage.completion_tokens)
    return tuple(f"{count:,}" for count in counts)
