"""What is refused before it is sent because it is too long or may cost too much.

Every check reads the body that is about to be posted: the context of the model, the question's own
budget, the notebook's, and that of a policy file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeGuard

from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.errors import ConfigurationError, ContextLengthError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.request import Built
from deepseek_jupyter.protocol.responses import WEB_SEARCH
from deepseek_jupyter.protocol.tokens import (
    count_body,
    count_tokens,
    least_answer,
    surely_within,
)
from deepseek_jupyter.protocol.usage import Price, Usage, plus
from deepseek_jupyter.session.accounts import notebook_cost, notebook_tokens
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.providers import KEYLESS, Provider

_HOLDING = threading.Lock()  # no two questions take the same rest of a budget

_DOUBT = 1.3  # an estimate may be a fifth too high, and a refusal must not be wrong

_SMALL_CONTEXT = 4096  # tokens: less than any model of these years takes, Ollama's default
_CUT_ANSWERS = frozenset({"llamacpp", "local", "ollama"})  # hosts that end an answer where it ends

# DeepSeek's default max_tokens (api-docs.deepseek.com/api/create-chat-completion).
_LONGEST_PLAIN, _LONGEST_THINKING, _LONGEST_MOST = 8_192, 65_536, 131_072


# Tokens that the pages of a search may take: one recorded turn with a search read 29,386.
_SEARCHED = 30_000


def check_context(built: Built, provider: Provider) -> Built:
    """Raise `ContextLengthError` when what is sent, and what the answer needs (`max_tokens`, or a
    little), cannot fit.

    Returns `built`, with a notice where the model's context is not known.
    """
    model = built.body["model"]
    limit = provider.facts(model).context
    if not limit:
        if surely_within(built.body, _SMALL_CONTEXT):
            return built
        notice = (
            f"How many tokens {model} takes at {provider.name} is not known, so the length is not "
            "checked: %deepseek models may tell, or set context_tokens in DeepSeek.providers."
        )
        return replace(built, notices=(*built.notices, notice))
    cut = provider.dialect.like in _CUT_ANSWERS
    asked = 0 if cut else int(built.body.get("max_tokens") or 0)
    room = limit - (asked or least_answer(limit))
    if room > 0 and surely_within(built.body, room * _DOUBT):
        return built
    tokens = count_body(built.body)
    if tokens > room * _DOUBT:
        more = f", and max_tokens asks for {asked:,}" if asked else ""
        raise ContextLengthError(
            f"The request is about {tokens:,} tokens{more}; {model} takes {limit:,} in all."
        )
    return built


def worst_cost(built: Built, price: Price, measure: Callable[[str], int] = count_tokens) -> Decimal:
    """What the answer costs with nothing cached and every token used that the request allows."""
    thinking = _LONGEST_MOST if built.body.get("reasoning_effort") == "max" else _LONGEST_THINKING
    out = built.body.get("max_tokens") or (thinking if built.thinks else _LONGEST_PLAIN)
    read = count_body(built.body, measure)
    read += _SEARCHED if WEB_SEARCH in (built.body.get("tools") or ()) else 0
    return price.cost(Usage(prompt_tokens=read, completion_tokens=int(out))).amount


def search_notice(price: Price | None) -> str:
    """What the user reads before a question that may be searched for."""
    cost = f", about {price.cost(Usage(_SEARCHED)).amount:.4f} {price.currency}" if price else ""
    return (
        "Words of the question may go to a web search on the provider's server; a turn with a "
        f"search can read {_SEARCHED:,} tokens{cost}."
    )


def budget_at(session: Session, setting: Any, provider: Provider) -> float:
    """What a setting allows at `provider`: one sum for all, or a table by provider; 0 for any sum.

    Raises `ConfigurationError` where the table cannot be read: a limit must not be lost by a typo.
    """
    if not isinstance(setting, Mapping):
        return float(setting)
    for name, allowed in setting.items():
        number = isinstance(allowed, int | float) and not isinstance(allowed, bool)
        if not number or not allowed >= 0 or session.endpoints.profile(name).name != name:
            raise ConfigurationError(
                f"The budget {name!r}: {allowed!r} is none.", "Write {'provider': sum}."
            )
    return float(setting.get(provider.name, 0))


def check_spending(
    session: Session,
    built: Built,
    provider: Provider,
    teaching: Teaching,
    budget: float,
    earlier: Usage | None = None,
    turn: str = "",
) -> None:
    """Raise `ConfigurationError` or `PolicyError` where a budget may be exceeded.

    The worst case counts: nothing cached, and as long an answer as the request allows. `budget` is
    the question's own, 0 for none; `earlier` what its earlier rounds used, which no account has
    yet. With `turn`, the id of a turn that is about to be asked, the worst case counts for every
    other question of this kernel until it is taken out of `session.held`.
    """
    price = session.price(provider, built.body["model"])
    if budget and _priced(price, provider, built.body["model"], "--budget"):
        worst = plus(price.cost(earlier or Usage()).amount, worst_cost(built, price))
        if worst > budget:
            raise ConfigurationError(
                f"This question may cost up to {worst:.4f} {price.currency}; "
                f"the budget is {budget:g}.",
                "Raise --budget, lower --max-tokens, or ask with --new or --no-history.",
            )
    model, worst_of = built.body["model"], cache(partial(worst_cost, built))
    with _HOLDING:
        check_notebook(session, provider, model, teaching, price, worst_of, earlier, turn)
        if turn and price and left_to_spend(session, provider, teaching, price)[0] is not None:
            most = plus(price.cost(earlier or Usage()).amount, worst_of(price))
            session.held[turn] = Total(f"{provider.name}:{model}", cost={price.currency: most})


def left_to_spend(
    session: Session, provider: Provider, teaching: Teaching, price: Price | None
) -> tuple[Decimal | None, int | None]:
    """What budgets leave, in the currency of `price` and in tokens; None where none limits it."""
    left, tokens, setting = list[Decimal](), list[int](), session.config.notebook_budget
    if price is not None and (cap := budget_at(session, setting, provider)):
        at = provider.name if isinstance(setting, Mapping) else ""
        left.append(plus(Decimal(str(cap)), -notebook_cost(session, price.currency, at)))
    for rules in teaching.files.teaching:
        if price is not None and rules.budget and rules.budget.currency == price.currency:
            left.append(plus(rules.budget.amount, -notebook_cost(session, price.currency)))
        if rules.budget_tokens is not None:
            tokens.append(rules.budget_tokens - notebook_tokens(session))
    return min(left, default=None), min(tokens, default=None)


def _priced(price: Price | None, provider: Provider, model: str, budget: str) -> TypeGuard[Price]:
    """Whether there is a budget to check. Raises `ConfigurationError` where it cannot be."""
    if price is None and not provider.free:
        raise ConfigurationError(
            f"No price of {model} at {provider.name} is known, so {budget} cannot be checked.",
            f"Set it: %config DeepSeek.prices = {{'{provider.name}': {{'{model}': "
            "[hit, miss, output, 'USD']}}, per million tokens; or ask with the budget 0.",
        )
    return price is not None


def check_notebook(
    session: Session,
    provider: Provider,
    model: str,
    teaching: Teaching,
    price: Price | None,
    worst: Callable[[Price], Decimal],
    earlier: Usage | None = None,
    turn: str = "",
) -> None:
    """Raise `ConfigurationError` or `PolicyError` where the notebook's budget, or that of a policy
    file, may be exceeded; `worst` is what the next answer, of `turn`, may cost.
    """
    used = earlier or Usage()
    spent = price.cost(used).amount if price else Decimal()
    setting = session.config.notebook_budget
    cap = budget_at(session, setting, provider)
    if cap and _priced(price, provider, model, "DeepSeek.notebook_budget"):
        at = provider.name if isinstance(setting, Mapping) else ""
        before = plus(notebook_cost(session, price.currency, at, turn), spent)
        most = worst(price)
        if plus(before, most) > cap:
            raise ConfigurationError(
                f"This notebook has cost {before:.4f} {price.currency} and this answer may cost up "
                f"to {most:.4f}; its budget is {cap:g}.",
                "Raise it with %config DeepSeek.notebook_budget, or lower --max-tokens.",
            )
    teaching.check_budget(
        # `spent` is in the currency of `price`; in another one a budget is refused anyway.
        lambda currency: plus(notebook_cost(session, currency, own=turn), spent),
        lambda: notebook_tokens(session) + used.prompt_tokens + used.completion_tokens,
        lambda: (worst(price), price.currency) if price else None,
        free=provider.name in KEYLESS,
    )
