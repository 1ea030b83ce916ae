"""What is known of models, as one table: `MODELS`, with the pages and dates the facts come from.

Models have facts, hosts have ways of saying things (`dialect`): a gateway sells five hundred models
of all sizes. What no row says and no host told stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from .usage import Price, PricePeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a row says of ids like `ids` (`fnmatch`, any case) at `providers`, () being all.

    None, "" and () mean: not known. `context` and `output` are tokens; `thinks` is whether the id
    alone makes it think, `thinking_id` and `plain_id` are the ids of its two modes where the id
    chooses; `json` and `schema` are forms that an answer can be held to.
    """

    ids: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    context: int | None = None
    output: int | None = None
    thinks: bool | None = None
    thinking_id: str = ""
    plain_id: str = ""
    images: bool | None = None
    tools: bool | None = None
    json: bool | None = None
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


# Prices per million tokens. A new price is a new period; old ones stay, so that an old turn keeps
# its price. Peak hours cost twice. Estimates only: the provider's bill is what counts.


def _from(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


_PEAK = ((time(1), time(4)), (time(6), time(10)))  # UTC
_WEEKDAYS: dict[str, Any] = {"peak": _PEAK, "peak_weekdays_only": True}
_FLASH = (
    PricePeriod(_from(2026, 4, 24), Price.of("0.028", "0.14", "0.28")),
    PricePeriod(_from(2026, 4, 26, 12, 15), Price.of("0.0028", "0.14", "0.28")),
    PricePeriod(_from(2026, 8, 16, 16), Price.of("0.007", "0.22", "0.66"), _PEAK),
    PricePeriod(_from(2026, 9, 10), Price.of("0.003", "0.15", "0.60"), **_WEEKDAYS),
)
_PRO = (
    PricePeriod(_from(2026, 4, 24), Price.of("0.003625", "0.435", "0.87")),
    PricePeriod(_from(2026, 8, 16, 16), Price.of("0.022", "0.66", "1.98"), _PEAK),
    PricePeriod(_from(2026, 9, 10), Price.of("0.022", "0.66", "1.98"), **_WEEKDAYS),
)
# The old ids are served by the Flash model of the day and billed as it; first V3.2-Exp, then V3.2.
_OLD = (PricePeriod(_from(2025, 9, 29), Price.of("0.028", "0.28", "0.42")), *_FLASH)

_OWN = ("deepseek",)
_PRICING = "https://api-docs.deepseek.com/quick_start/pricing"
_EXP = "https://www.cometapi.com/how-to-access-deepseek-v3-2-exp-api"

MODELS: tuple[ModelFacts, ...] = (
    # DeepSeek's own API. Its models are named in full, for it takes an unknown id for an error.
    ModelFacts(
        ids=("deepseek-flash", "deepseek-v4-flash", "deepseek-v4-flash-vision-exp"),
        providers=_OWN,
        images=True,  # /guides/vision: these are all served by deepseek-flash
        prices=_FLASH,
        source=_PRICING,
    ),
    # Its other models are given a placeholder in place of a picture, without a word.
    ModelFacts(ids=("deepseek-v4-pro",), providers=_OWN, prices=_PRO, source=_PRICING),
    ModelFacts(ids=("deepseek-chat",), providers=_OWN, thinks=False, prices=_OLD, source=_PRICING),
    ModelFacts(
        ids=("deepseek-reasoner",), providers=_OWN, thinks=True, prices=_OLD, source=_PRICING
    ),
    ModelFacts(
        ids=("deepseek-*",),
        providers=_OWN,
        context=1_048_576,
        output=393_216,
        tools=True,
        json=True,
        source=_PRICING,
    ),
    # CometAPI's V3.2-Exp: three ids, one model; "20 % below official", October 2025.
    ModelFacts(
        ids=("deepseek-v3.2-exp", "deepseek-v3.2-exp-thinking", "deepseek-v3.2-exp-nothinking"),
        providers=("cometapi",),
        thinking_id="DeepSeek-V3.2-Exp-thinking",
        plain_id="DeepSeek-V3.2-Exp-nothinking",
        prices=(PricePeriod(_from(2025, 10, 1), Price.of("0.22", "0.22", "0.35")),),
        source=_EXP,
    ),
    # 0.0035 in, 0.0055 out per thousand, in yuan; no price for hits.
    ModelFacts(
        ids=("deepseek/deepseek-v3.2-exp",),
        providers=("wcode",),
        schema=True,
        prices=(PricePeriod(_from(2025, 10, 1), Price.of("3.5", "3.5", "5.5", "CNY")),),
        source="https://wcode.net/model/deepseek-v3.2-exp",
    ),
    # The model itself, wherever a gateway sells it. (What a server of one's own takes is its own
    # setting, and `/models` says it.)
    ModelFacts(
        ids=("*deepseek-v3.2-exp*",),
        providers=("cometapi", "wcode", "openrouter", "siliconflow"),
        context=131_072,
        tools=True,
        json=True,
        source=_EXP,
    ),
    ModelFacts(
        ids=("*v3.2-speciale*",),
        thinks=True,
        tools=False,
        json=False,
        source="https://api-docs.deepseek.com/news/news251201",
    ),
    ModelFacts(ids=("*-nothinking", "*-nothink"), thinks=False),
    ModelFacts(ids=("*-thinking",), thinks=True),
)


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
    return (PricePeriod(_from(2020, 1, 1), Price(hit, miss, output)),)
