"""What is refused before it is sent because it is too long or may cost too much. Pure.

What a request may cost, held against every budget: its own, the notebook's, the policy's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deepseek_jupyter.errors import ConfigurationError, ContextLengthError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.request import ChatRequest
from deepseek_jupyter.protocol.tokens import count_messages, surely_within
from deepseek_jupyter.protocol.usage import Price, Usage
from deepseek_jupyter.session.accounts import notebook_cost, notebook_tokens
from deepseek_jupyter.transport.providers import KEYLESS, Provider

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session


_DOUBT = 1.3  # an estimate may be a fifth too high, and a refusal must not be wrong


def check_context(request: ChatRequest, limit: int | None) -> None:
    """Raise `ContextLengthError` when the messages cannot fit `limit` tokens."""
    if not limit or surely_within(request.messages, limit * _DOUBT):
        return
    tokens = count_messages(request.messages)
    if tokens > limit * _DOUBT:
        raise ContextLengthError(
            f"The messages are about {tokens:,} tokens; {request.model} takes {limit:,}."
        )


def check_budget(request: ChatRequest, price: Price | None, budget: float, spent: Decimal) -> None:
    """Raise `ConfigurationError` when the question may cost more than `budget` (0: no limit).

    The worst case is meant: nothing cached, and as long an answer as the request allows. `spent` is
    what its earlier requests have cost.
    """
    if not budget or price is None:
        return
    worst = spent + worst_cost(request, price)
    if worst > budget:
        raise ConfigurationError(
            f"This question may cost up to {worst:.4f} {price.currency}; the budget is {budget:g}.",
            "Raise --budget, lower --max-tokens, or ask with --new or --no-history.",
        )


def check_notebook_budget(
    request: ChatRequest, price: Price | None, cap: float, spent: Decimal
) -> None:
    """Raise `ConfigurationError` when `spent` and this answer may come to more than `cap`."""
    if not cap or price is None:
        return
    worst = worst_cost(request, price)
    if spent + worst > cap:
        raise ConfigurationError(
            f"This notebook has cost {spent:.4f} {price.currency} and this question may cost up to "
            f"{worst:.4f}; its budget is {cap:g}.",
            "Raise it with %config DeepSeek.notebook_budget, or lower --max-tokens.",
        )


def worst_cost(request: ChatRequest, price: Price) -> Decimal:
    """What the answer costs with nothing cached and every token used that the request allows."""
    out = request.parameters.get("max_tokens") or _longest_answer(request)
    usage = Usage(prompt_tokens=count_messages(request.messages), completion_tokens=int(out))
    return price.cost(usage).amount


def _longest_answer(request: ChatRequest) -> int:
    """DeepSeek's default max_tokens: 8K without thinking, 64K with, 128K at effort max."""
    if request.think is False or request.effort == "none":
        return 8_192
    return 131_072 if request.effort == "max" else 65_536


def check_spending(
    session: Session,
    request: ChatRequest,
    provider: Provider,
    teaching: Teaching,
    budget: float,
    earlier: Usage | None = None,
) -> None:
    """Raise `ConfigurationError` or `PolicyError` where a budget may be exceeded.

    `budget` is the question's own, 0 for none; `earlier` what its earlier rounds used, which no
    account has yet.
    """
    used = earlier or Usage()
    price = session.price(provider, request.model)
    spent = price.cost(used).amount if price else Decimal()
    check_budget(request, price, budget, spent)
    if price is not None and (cap := session.config.notebook_budget):
        check_notebook_budget(request, price, cap, notebook_cost(session, price.currency) + spent)
    teaching.check_budget(
        # `spent` is in the currency of `price`; in another one a budget is refused anyway.
        lambda currency: notebook_cost(session, currency) + spent,
        lambda: notebook_tokens(session) + used.prompt_tokens + used.completion_tokens,
        lambda: (worst_cost(request, price), price.currency) if price else None,
        free=provider.name in KEYLESS,
    )
