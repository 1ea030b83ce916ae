"""What is refused before it is sent because it is too long or may cost too much.

Every check reads the body that is about to be posted: the context of the model, the question's own
budget, the notebook's, and that of a policy file.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
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


def worst_cost(built: Built, price: Price) -> Decimal:
    """What the answer costs with nothing cached and every token used that the request allows."""
    thinking = _LONGEST_MOST if built.body.get("reasoning_effort") == "max" else _LONGEST_THINKING
    out = built.body.get("max_tokens") or (thinking if built.thinks else _LONGEST_PLAIN)
    usage = Usage(prompt_tokens=count_body(built.body), completion_tokens=int(out))
    return price.cost(usage).amount


def check_spending(
    session: Session,
    built: Built,
    provider: Provider,
    teaching: Teaching,
    budget: float,
    earlier: Usage | None = None,
) -> None:
    """Raise `ConfigurationError` or `PolicyError` where a budget may be exceeded.

    The worst case is meant: nothing cached, and as long an answer as the request allows. `budget`
    is the question's own, 0 for none; `earlier` what its earlier rounds used, which no account has
    yet.
    """
    price = session.price(provider, built.body["model"])
    capped = budget or session.config.notebook_budget
    if price is None and capped and provider.name not in KEYLESS:
        raise ConfigurationError(
            f"No price is known for {built.body['model']} of {provider.title}, so that the budget "
            "cannot be held.",
            "Tell the price with %config DeepSeek.prices, or ask without a budget.",
        )
    if budget and price is not None:
        worst = price.cost(earlier or Usage()).amount + worst_cost(built, price)
        if worst > budget:
            raise ConfigurationError(
                f"This question may cost up to {worst:.4f} {price.currency}; "
                f"the budget is {budget:g}.",
                "Raise --budget, lower --max-tokens, or ask with --new or --no-history.",
            )
    check_notebook(session, provider, teaching, price, partial(worst_cost, built), earlier)


def check_notebook(
    session: Session,
    provider: Provider,
    teaching: Teaching,
    price: Price | None,
    worst: Callable[[Price], Decimal],
    earlier: Usage | None = None,
) -> None:
    """Raise `ConfigurationError` or `PolicyError` where the notebook's budget, or that of a policy
    file, may be exceeded; `worst` is what the next answer may cost.
    """
    used = earlier or Usage()
    spent = price.cost(used).amount if price else Decimal()
    cap = session.config.notebook_budget
    if cap and price is not None:
        before, most = notebook_cost(session, price.currency) + spent, worst(price)
        if before + most > cap:
            raise ConfigurationError(
                f"This notebook has cost {before:.4f} {price.currency} and this answer may cost up "
                f"to {most:.4f}; its budget is {cap:g}.",
                "Raise it with %config DeepSeek.notebook_budget, or lower --max-tokens.",
            )
    teaching.check_budget(
        # `spent` is in the currency of `price`; in another one a budget is refused anyway.
        lambda currency: notebook_cost(session, currency) + spent,
        lambda: notebook_tokens(session) + used.prompt_tokens + used.completion_tokens,
        lambda: (worst(price), price.currency) if price else None,
        free=provider.name in KEYLESS,
    )
