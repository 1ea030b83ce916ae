"""What forbids ghost text: a policy that keeps the model's code out, and budgets.

They hold for ghost text as for a question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepseek_jupyter.asking.teaching import Teaching
from deepseek_jupyter.errors import ConfigurationError, PolicyError
from deepseek_jupyter.protocol.tokens import estimate_tokens
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
    price = session.price(provider, asked.model)
    read = estimate_tokens(asked.prefix) + estimate_tokens(asked.suffix)
    usage = Usage(prompt_tokens=read, completion_tokens=asked.parameters["max_tokens"])
    worst = price.cost(usage) if price else None

    cap = session.config.notebook_budget
    if cap and worst is not None and notebook_cost(session, worst.currency) + worst.amount > cap:
        raise ConfigurationError(
            f"The notebook's budget of {cap:g} {worst.currency} is used up.",
            "Raise it with %config DeepSeek.notebook_budget.",
        )
    teaching.check_budget(
        lambda currency: notebook_cost(session, currency),
        lambda: notebook_tokens(session),
        (worst.amount, worst.currency) if worst else None,
        free=provider.name in KEYLESS,
    )
