"""What forbids ghost text: a policy that keeps the model's code out, and budgets.

They hold for ghost text as for a question.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deepseek_jupyter.errors import ConfigurationError, PolicyError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.tokens import count_tokens
from deepseek_jupyter.protocol.usage import Usage

from .accounts import notebook_cost, notebook_tokens

if TYPE_CHECKING:
    from deepseek_jupyter.protocol.fim import FimRequest
    from deepseek_jupyter.transport.providers import Provider

    from .session import Session

__all__ = ["check_ghost"]


def check_ghost(session: Session, asked: FimRequest, provider: Provider) -> None:
    """Raise `PolicyError` or `ConfigurationError` where `asked` may not be sent."""
    from deepseek_jupyter.transport.providers import KEYLESS

    teaching = Teaching(session.policy_files())
    if teaching.marks:  # ghost text writes code, never thinks, and knows no system prompt
        raise PolicyError(
            "The policy of this notebook leaves no place for ghost text.",
            "%deepseek doctor names its file.",
        )
    teaching.check_provider(provider.name)
    teaching.check_model(asked.model)
    cap = session.config.notebook_budget

    def worst() -> tuple[Decimal, str] | None:
        price = session.price(provider, asked.model)
        if price is None:
            return None
        read = count_tokens(asked.prefix) + count_tokens(asked.suffix)
        cost = price.cost(Usage(read, asked.parameters["max_tokens"]))
        return cost.amount, cost.currency

    def paid(currency: str) -> Decimal:
        return notebook_cost(session, currency)

    if cap and (most := worst()) is not None and paid(most[1]) + most[0] > cap:
        raise ConfigurationError(
            f"The notebook's budget of {cap:g} {most[1]} is used up.",
            "Raise it with %config DeepSeek.notebook_budget.",
        )
    teaching.check_budget(
        paid,
        lambda: notebook_tokens(session),
        worst,
        free=provider.name in KEYLESS,
    )
