"""What is refused before it is sent because it is too long or may cost too much.

Every check reads the body that is about to be posted: the context of the model, the question's own
budget, the notebook's, and that of a policy file.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deepseek_jupyter.errors import ConfigurationError, ContextLengthError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.request import Built
from deepseek_jupyter.protocol.tokens import count_body, surely_within
from deepseek_jupyter.protocol.usage import Price, Usage
from deepseek_jupyter.session.accounts import notebook_cost, notebook_tokens
from deepseek_jupyter.transport.providers import KEYLESS, Provider

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

_DOUBT = 1.3  # an estimate may be a fifth too high, and a refusal must not be wrong

# DeepSeek's default max_tokens (api-docs.deepseek.com/api/create-chat-completion).
_LONGEST_PLAIN, _LONGEST_THINKING, _LONGEST_MOST = 8_192, 65_536, 131_072


def check_context(built: Built, limit: int | None) -> None:
    """Raise `ContextLengthError` when what is sent cannot fit `limit` tokens."""
    if not limit or surely_within(built.body, limit * _DOUBT):
        return
    tokens = count_body(built.body)
    if tokens > limit * _DOUBT:
        raise ContextLengthError(
            f"The request is about {tokens:,} tokens; {built.body['model']} takes {limit:,}."
        )


def check_budget(built: Built, price: Price | None, budget: float, spent: Decimal) -> None:
    """Raise `ConfigurationError` when the question may cost more than `budget` (0: no limit).

    The worst case is meant: nothing cached, and as long an answer as the request allows. `spent` is
    what its earlier requests have cost.
    """
    if not budget or price is None:
        return
    worst = spent + worst_cost(built, price)
    if worst > budget:
        raise ConfigurationError(
            f"This question may cost up to {worst:.4f} {price.currency}; the budget is {budget:g}.",
            "Raise --budget, lower --max-tokens, or ask with --new or --no-history.",
        )


def check_notebook_budget(built: Built, price: Price | None, cap: float, spent: Decimal) -> None:
    """Raise `ConfigurationError` when `spent` and this answer may come to more than `cap`."""
    if not cap or price is None:
        return
    worst = worst_cost(built, price)
    if spent + worst > cap:
        raise ConfigurationError(
            f"This notebook has cost {spent:.4f} {price.currency} and this question may cost up to "
            f"{worst:.4f}; its budget is {cap:g}.",
            "Raise it with %config DeepSeek.notebook_budget, or lower --max-tokens.",
        )


def worst_cost(built: Built, price: Price) -> Decimal:
    """What the answer costs with nothing cached and every token used that the request allows."""
    out = built.body.get("max_tokens") or _longest_answer(built)
    usage = Usage(prompt_tokens=count_body(built.body), completion_tokens=int(out))
    return price.cost(usage).amount


def _longest_answer(built: Built) -> int:
    if not built.thinks:
        return _LONGEST_PLAIN
    return _LONGEST_MOST if built.body.get("reasoning_effort") == "max" else _LONGEST_THINKING


def check_spending(
    session: Session,
    built: Built,
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
    price = session.price(provider, built.body["model"])
    spent = price.cost(used).amount if price else Decimal()
    check_budget(built, price, budget, spent)
    if price is not None and (cap := session.config.notebook_budget):
        check_notebook_budget(built, price, cap, notebook_cost(session, price.currency) + spent)
    teaching.check_budget(
        # `spent` is in the currency of `price`; in another one a budget is refused anyway.
        lambda currency: notebook_cost(session, currency) + spent,
        lambda: notebook_tokens(session) + used.prompt_tokens + used.completion_tokens,
        lambda: (worst_cost(built, price), price.currency) if price else None,
        free=provider.name in KEYLESS,
    )
