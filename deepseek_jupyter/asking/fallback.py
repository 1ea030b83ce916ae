"""Where a question goes when its host is overloaded or lacks the model: `DeepSeek.fallback`.

Every place is prepared before the first request, under its own policy, price and budget: nothing
that is decided later can send more, or elsewhere, than the dry run shows.
"""

from __future__ import annotations

from dataclasses import replace

from deepseek_jupyter.display.surfaces import NOWHERE, Surface
from deepseek_jupyter.errors import (
    ConfigurationError,
    ContextLengthError,
    MissingKeyError,
    ModelNotFoundError,
    OverloadedError,
    ParameterError,
    PolicyError,
    RateLimitError,
)
from deepseek_jupyter.session.session import Session

from .prepare import Placed, Prepared, prepare

# After these another host may answer; after all others the user has to do something.
TURNED_AWAY = (OverloadedError, RateLimitError, ModelNotFoundError)

_UNFIT = (PolicyError, MissingKeyError, ParameterError, ContextLengthError)


def prepare_all(session: Session, placed: Placed, on: Surface = NOWHERE) -> Prepared:
    """`prepare`, with the places that the question may go on to.

    A place that may not have the question is skipped, with a notice. Where the most expensive place
    may exceed a budget, the question is refused.
    """
    first = prepare(session, placed, on)
    if not session.config.fallback:
        return first
    others: list[Prepared] = []
    notices = list(first.notices)
    for name in session.config.fallback:
        provider, model = session.endpoints.named(None, name)
        if provider is None:
            raise ConfigurationError(
                f"The fallback {name!r} names no provider.",
                "Write each as provider:id, as in cometapi:deepseek-v3.2-exp.",
            )
        question = replace(placed.question, provider=provider, model=model, drawn=None)
        try:
            other = prepare(session, replace(placed, question=question), on)
        except _UNFIT as error:
            notices.append(f"The fallback {name} is skipped: {error.what}")
            continue
        if where(other) not in map(where, (first, *others)):
            others.append(other)
    return replace(first, fallbacks=tuple(others), notices=tuple(notices))


def where(prepared: Prepared) -> str:
    """Provider and model, as the setting names them."""
    return f"{prepared.provider.name}:{prepared.request.model}"
