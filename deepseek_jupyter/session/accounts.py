"""What was spent, by model, turn, branch, notebook or day; what models cost, and what recorded
answers would have cost elsewhere. An unknown price stays unknown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from deepseek_jupyter.conversation.totals import By, Total, by_key
from deepseek_jupyter.display.render import money
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import ParameterError, one_line
from deepseek_jupyter.protocol.model_facts import MODELS
from deepseek_jupyter.protocol.usage import BUCKETS, PricePeriod, Usage, period_at, plus

from .session import Session

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.journal import Journal


WAYS: tuple[str, ...] = get_args(By)

_SCOPES = {
    **dict.fromkeys(("turn", "branch"), "This conversation"),
    "conversation": "This notebook",
}


def usage(session: Session, by: By | None = None) -> Report:
    """Tokens and cost, a row a `by`; without `by` of this session."""
    if by is None:
        paid = sorted(session.ghosts.spent.values(), key=lambda total: total.key)
        rows = _as("rows", session.jobs.values())
        ghosts = _as("ghost text", paid)
        return _report("This session", "model", [*session_totals(session), *ghosts, *rows])
    conversation = session.conversation
    journal = conversation.journal
    if journal is None:
        return Report("The journal is off, so only this session is known: %deepseek usage.")
    within = conversation.id if by in ("turn", "branch") else None
    notebook = conversation.notebook if by == "conversation" else None
    totals = journal.totals(by, conversation=within, notebook=notebook)
    named = _named(totals, by, journal)
    ghosts = _as("ghost text", _named(journal.ghosts(by, notebook=notebook), by, journal))
    rows = _as("rows", _named(journal.answer_totals(by, notebook=notebook), by, journal))
    scope = _SCOPES.get(by, "Every notebook on this machine")
    return _report(scope, by, [*named, *ghosts, *rows])


def session_totals(session: Session) -> list[Total]:
    """One `Total` a provider and model, of what this kernel asked."""
    return sorted(by_key(map(Total.of_turn, session.spent)), key=lambda total: total.key)


def _as(kind: str, totals: Iterable[Total]) -> Iterator[Total]:
    """`totals` under names that say what kind of request they are of."""
    for total in totals:
        yield replace(total, key=f"{total.key} ({kind})" if total.key else kind)


def notebook_ghosts(session: Session) -> list[Total]:
    """What the notebook's ghost texts have cost so far, in all kernels; an estimate."""
    conversation = session.conversation
    if conversation.journal is None or conversation.notebook is None:
        return list(session.ghosts.spent.values())
    session.ghosts.flush()
    return conversation.journal.ghosts("model", notebook=conversation.notebook)


def _jobs(session: Session) -> list[Total]:
    """What the answers of the notebook's jobs have cost so far, in all kernels."""
    conversation = session.conversation
    if conversation.journal is None or conversation.notebook is None:
        return list(session.jobs.values())
    return conversation.journal.answer_totals("model", notebook=conversation.notebook)


def notebook_cost(session: Session, currency: str, provider: str = "", own: str = "") -> Decimal:
    """What the notebook has cost so far in `currency`, ghost text and jobs too, in all kernels, and
    what answers under way may cost, without the turn `own`; at `provider`, or at all.
    """
    held = [total for turn, total in [*session.held.items()] if turn != own]
    at = f"{provider}:" if provider else ""
    spent = (total for total in (*_everything(session), *held) if total.key.startswith(at))
    return sum(spent, Total("")).cost.get(currency, Decimal())


def _everything(session: Session) -> list[Total]:
    return [*notebook_totals(session), *notebook_ghosts(session), *_jobs(session)]


def notebook_tokens(session: Session) -> int:
    """The tokens that the notebook has used so far, ghost text and jobs too."""
    used = sum(_everything(session), Total("")).usage
    return used.prompt_tokens + used.completion_tokens


def notebook_totals(session: Session) -> list[Total]:
    """What the notebook's turns used in all kernels, also turns not written yet."""
    conversation = session.conversation
    journal = conversation.journal
    if journal is None or conversation.notebook is None:
        return session_totals(session)
    return [*journal.totals("model", notebook=conversation.notebook), *journal.unwritten()]


def in_words(totals: Iterable[Total]) -> str:
    """The money of `totals`, a currency at a time: "~$0.02 + ~¥1.10", "" for none."""
    cost = sum(totals, Total("")).cost
    return " + ".join(f"~{money(amount, currency)}" for currency, amount in cost.items())


def _named(totals: list[Total], by: By, journal: Journal) -> list[Total]:
    """The totals, under names that a person knows in place of ids."""
    if by == "turn":
        turns = journal.turns_of([total.key for total in totals])
        heads = {id: one_line(turn.prompt, 40) for id, turn in turns.items()}
        name = {id: f"{id[-6:]}  {head}" for id, head in heads.items()}
    elif by == "notebook":
        rows = {total.key: journal.notebook(total.key) for total in totals}
        name = {id: os.path.basename(row.path) for id, row in rows.items() if row and row.path}
    else:
        name = {total.key: total.key[-6:] for total in totals if by == "conversation"}
    nowhere = "" if by == "conversation" else "not in a notebook"
    return [replace(t, key=name.get(t.key) or t.key or nowhere) for t in totals]


def _report(title: str, by: str, totals: list[Total]) -> Report:
    heads = (by, "answers", "new", "cached", "thinking", "out", "cost (estimate)")
    rows = [_row(total) for total in totals]
    spent = in_words(totals)
    cached = sum(totals, Total("")).usage
    remark = f"In all {spent}." if spent else ""
    if cached.prompt_tokens:
        share = cached.cache_hit_tokens / cached.prompt_tokens
        remark = f"{remark} {share:.0%} of the prompt tokens came from the cache.".strip()
    return Report(title, rows, heads if rows else (), remark)


def _row(total: Total) -> tuple[str, ...]:
    used = total.usage
    counts = (
        total.turns,
        used.cache_miss_tokens,
        used.cache_hit_tokens,
        used.reasoning_tokens,
        max(0, used.completion_tokens - used.reasoning_tokens),
    )
    shown = " + ".join(money(amount, currency) for currency, amount in total.cost.items())
    return (total.key, *(f"{n:,}" for n in counts), shown or "no price known")


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
        raise ParameterError(
            "No answer here has token counts to compute a price from.", "Ask something."
        )
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
