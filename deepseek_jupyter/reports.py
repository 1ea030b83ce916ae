"""What the commands say about the session, as `Report`s; shared by magics and command line."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .display.footer import money
from .display.report import Report
from .errors import DeepSeekError
from .protocol.usage import Usage

if TYPE_CHECKING:
    from .session import Session

__all__ = ["balance", "models", "providers", "status", "turns_in_words", "usage"]


def status(session: Session) -> Report:
    """Where questions go, what is remembered, what was spent."""
    rows = [("version", __version__), *_endpoint(session)]
    rows.append(("conversation", turns_in_words(len(list(session.conversation)))))
    spent = _money(_totals(session).values())
    rows.append(("spent", f"{len(session.spent)} answers" + (f", {spent}" if spent else "")))
    if session.last:
        rows.append(("last answer", session.last.footer))
    return Report("deepseek_jupyter", rows, remark="%deepseek help lists the commands.")


def _endpoint(session: Session) -> list[tuple[str, str]]:
    try:
        provider, key = session.endpoints.provider()
        model = session.endpoints.model(None, provider, key)
    except DeepSeekError as error:
        return [("provider", error.what), ("to do", error.hint)]
    source = key.source if key else "none needed"
    url = provider.base_url
    return [("provider", f"{provider.title}, {url}"), ("model", model), ("key", source)]


def turns_in_words(count: int) -> str:
    """1 turn, 2 turns."""
    return f"{count} turn{'s' if count != 1 else ''}"


def models(session: Session, name: str | None) -> Report:
    """The ids that the provider lists, with what it says of each."""
    provider, key = session.endpoints.provider(name)
    listed = session.endpoints.models(provider, key)
    rows = [
        (str(m["id"]), _size(m.get("context_window")), str(m.get("owned_by") or "")) for m in listed
    ]
    return Report(
        f"{len(rows)} models at {provider.title}",
        sorted(rows),
        ("id", "context", "owner") if rows else (),
        "Other ids are sent as they are; not every host lists all it serves.",
    )


def _size(tokens: object) -> str:
    return f"{tokens:,}" if isinstance(tokens, int) else ""


def balance(session: Session, name: str | None) -> Report:
    """What is left on the account. Granted credit is spent before money topped up."""
    provider, key = session.endpoints.provider(name)
    answer = session.endpoints.balance(provider, key)
    rows = [_balance_row(info) for info in answer.get("balance_infos") or ()]
    remark = "" if answer.get("is_available", True) else "Not enough for a request: top up."
    return Report(f"Balance at {provider.title}", rows, ("total", "granted", "topped up"), remark)


def _balance_row(info: Mapping[str, Any]) -> tuple[str, ...]:
    currency = str(info.get("currency") or "")
    names = ("total_balance", "granted_balance", "topped_up_balance")
    return tuple(f"{Decimal(str(info.get(name) or 0)):.2f} {currency}".strip() for name in names)


def usage(session: Session) -> Report:
    """Tokens and cost of this session, a row per model and one for the whole."""
    rows = [_usage_row(model, *totals) for model, totals in sorted(_totals(session).items())]
    heads = ("model", "answers", "new", "cached", "thinking", "out", "cost (estimate)")
    spent = _money(_totals(session).values())
    return Report("This session", rows, heads if rows else (), f"In all {spent}." if spent else "")


Totals = tuple[int, Usage, dict[str, Decimal]]


def _totals(session: Session) -> dict[str, Totals]:
    totals: dict[str, Totals] = {}
    for turn, used in session.spent:
        model = turn.served_model or turn.model
        count, tokens, costs = totals.get(model, (0, Usage(), {}))
        if turn.cost:
            currency = turn.cost["currency"]
            costs[currency] = costs.get(currency, Decimal(0)) + Decimal(turn.cost["amount"])
        totals[model] = (count + 1, tokens + (used or Usage()), costs)
    return totals


def _usage_row(
    model: str, count: int, used: Usage, costs: Mapping[str, Decimal]
) -> tuple[str, ...]:
    counts = (
        count,
        used.cache_miss_tokens,
        used.cache_hit_tokens,
        used.reasoning_tokens,
        max(0, used.completion_tokens - used.reasoning_tokens),
    )
    shown = " + ".join(money(amount, currency) for currency, amount in costs.items())
    return (model, *(f"{n:,}" for n in counts), shown or "no price known")


def _money(totals: Any) -> str:
    sums: dict[str, Decimal] = {}
    for _, _, costs in totals:
        for currency, amount in costs.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return " + ".join(f"~{money(amount, currency)}" for currency, amount in sums.items())


def providers(session: Session) -> Report:
    """Every profile: where it is, where its key comes from, its default model."""
    from .errors import MissingKeyError
    from .transport.keys import find_key
    from .transport.providers import PROVIDERS, provider_named

    own = session.config.providers
    rows = []
    for name in dict.fromkeys([*PROVIDERS, *own]):
        provider = provider_named(name, own)
        try:
            key = find_key(provider)
            source = key.source if key else "needs none"
        except MissingKeyError:
            source = f"no key ({provider.key_variables[0]})"
        chosen = "→ " if name == session.config.provider else ""
        rows.append(
            (
                chosen + name,
                provider.base_url or "started when used",
                source,
                provider.default_model,
            )
        )
    return Report(
        "Providers",
        rows,
        ("name", "base URL", "key", "default model"),
        "%deepseek provider NAME chooses one for this kernel; -p NAME for one question.",
    )
