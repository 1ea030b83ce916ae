"""What is known of models, as one table: `MODELS`, which is ``models.toml``.

Models have facts, hosts have ways of saying things (`dialect`): a gateway sells five hundred models
of all sizes. What no row says and no host told stays unknown.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from .usage import Price, PricePeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a row says of ids like `ids` (`fnmatch`, any case) at `providers`, () being all.

    None, "" and () mean: not known.
    """

    ids: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    context: int | None = None  # tokens, as `output`
    output: int | None = None
    thinks: bool | None = None  # whether the id alone makes it think
    thinking_id: str = ""  # the ids of its two modes, where the id chooses
    plain_id: str = ""
    images: bool | None = None
    tools: bool | None = None
    json: bool | None = None  # forms that an answer can be held to
    schema: bool | None = None
    prices: tuple[PricePeriod, ...] = ()
    source: str = ""

    def fits(self, provider: str, model: str) -> bool:
        """Whether this row is about `model` at `provider`."""
        if self.providers and provider not in self.providers:
            return False
        return any(fnmatchcase(model.casefold(), pattern) for pattern in self.ids)

    def over(self, other: ModelFacts) -> ModelFacts:
        """What this says, and what `other` says where this says nothing."""
        unknown = (None, "", ())
        names = [f.name for f in fields(self) if getattr(self, f.name) in unknown]
        return replace(self, **{name: getattr(other, name) for name in names})


def _table() -> Iterator[ModelFacts]:
    table = tomllib.loads(Path(__file__).with_name("models.toml").read_text("utf-8"))
    periods = {name: list(map(_period, rows)) for name, rows in table["prices"].items()}
    for row in table["models"]:
        prices = itertools.chain.from_iterable(periods[name] for name in row.pop("prices", ()))
        taken: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in row.items()
        }
        yield ModelFacts(prices=tuple(prices), **taken)


def _period(row: dict[str, Any]) -> PricePeriod:
    peak = tuple(map(tuple, row.pop("peak", ())))
    return PricePeriod(price=Price.of(*row.pop("price")), peak=peak, **row)


MODELS = tuple(_table())


@lru_cache(256)
def facts_of(provider: str, model: str, *first: ModelFacts) -> ModelFacts:
    """What is known of `model` at `provider`: what `first` say, then the rows in their order."""
    known = ModelFacts()
    for row in (*first, *(row for row in MODELS if row.fits(provider, model))):
        known = known.over(row)
    return replace(known, ids=(model,), providers=(provider,))


def told_by_host(listed: Mapping[str, Any]) -> ModelFacts:
    """What an entry of a host's ``/models`` says, by any of the names in use.

    ``context_window`` is DeepSeek's, ``context_length`` OpenRouter's, ``max_model_len`` vLLM's and
    SGLang's, ``meta.n_ctx`` llama.cpp's (its n_ctx_train is what the model could take, not what the
    server was started with).
    """
    top, meta, architecture, pricing = (
        value if isinstance(value := listed.get(name), Mapping) else {}
        for name in ("top_provider", "meta", "architecture", "pricing")
    )
    inputs = listed.get("input_modalities") or architecture.get("input_modalities")
    takes = listed.get("supported_parameters")
    return ModelFacts(
        context=_tokens(
            top.get("context_length"),
            *(listed.get(n) for n in ("context_window", "context_length", "max_model_len")),
            meta.get("n_ctx"),
        ),
        output=_tokens(listed.get("max_output_tokens"), top.get("max_completion_tokens")),
        images="image" in inputs if isinstance(inputs, list) else None,
        tools="tools" in takes if isinstance(takes, list) else None,
        json="response_format" in takes if isinstance(takes, list) else None,
        schema="structured_outputs" in takes if isinstance(takes, list) else None,
        prices=_told_price(pricing),
    )


def _tokens(*values: object) -> int | None:
    return next((v for v in values if type(v) is int and v > 0), None)


def _told_price(pricing: Mapping[str, Any]) -> tuple[PricePeriod, ...]:
    """OpenRouter's ``pricing``: dollars a token, as decimal strings."""
    try:
        miss, output = (Price.per_token(pricing[name]) for name in ("prompt", "completion"))
        hit = Price.per_token(pricing.get("input_cache_read") or pricing["prompt"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return ()
    if min(hit, miss, output) < 0:  # "-1": the price depends on where it is sent
        return ()
    return (PricePeriod(datetime(2020, 1, 1, tzinfo=UTC), Price(hit, miss, output)),)
