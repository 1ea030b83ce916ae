"""What a request may cost, held against every budget: its own, the notebook's, the policy's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deepseek_jupyter.protocol.request import ChatRequest
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.session.accounts import notebook_cost, notebook_tokens
from deepseek_jupyter.transport.providers import KEYLESS, Provider

from .limits import check_budget, check_notebook_budget, worst_cost
from .teaching import Teaching

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

__all__ = ["check_spending"]


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
