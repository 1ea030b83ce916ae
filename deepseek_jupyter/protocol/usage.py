"""Tokens and money.

Buckets are inclusive, as the API counts them: prompt = hit + miss, completion contains the
reasoning tokens. Prices are per million tokens; reasoning is billed as output
(api-docs.deepseek.com/quick_start/pricing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any

# What is counted of each request, as fields of `Usage`.
BUCKETS = ("prompt_tokens", "cache_hit_tokens", "completion_tokens", "reasoning_tokens")

_MOST = 10**15  # of tokens or money: more is a mistake
_OURS = Context(prec=28)  # the user's own context may have two digits, or raise where ours rounds


def plus(*amounts: Decimal) -> Decimal:
    """The sum of amounts of money, whatever the user's decimal context."""
    with localcontext(_OURS):
        return sum(amounts, Decimal())


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_hit_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = None  # the host's own figure where it sends one, in USD
    estimated: bool = False  # the host gave no figures

    @property
    def cache_miss_tokens(self) -> int:
        """Prompt tokens that were not in the provider's cache."""
        return max(0, self.prompt_tokens - self.cache_hit_tokens)

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        known = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            **{name: getattr(self, name) + getattr(other, name) for name in BUCKETS},
            cost=plus(*known) if known else None,
            estimated=self.estimated or other.estimated,
        )

    def to_json(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "cache_hit_tokens": self.cache_hit_tokens,
            "cache_miss_tokens": self.cache_miss_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            **({"estimated": True} if self.estimated else {}),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> Usage:
        """Read a ``usage`` object of any host; unknown fields are ignored, missing ones are 0.

        Cached tokens are taken from the first of the names in use: DeepSeek's
        ``prompt_cache_hit_tokens``, OpenAI's ``prompt_tokens_details.cached_tokens``, Moonshot's
        ``cached_tokens``, ``cache_read_input_tokens``, llama.cpp's ``timings.cache_n``.
        """
        prompt_details = _mapping(wire.get("prompt_tokens_details"))
        hit = first_int(
            wire.get("prompt_cache_hit_tokens"),
            prompt_details.get("prompt_cache_hit_tokens"),
            prompt_details.get("cached_tokens"),
            wire.get("cached_tokens"),
            wire.get("cache_read_input_tokens"),
            _mapping(timings).get("cache_n"),
        )
        reasoning = _mapping(wire.get("completion_tokens_details")).get("reasoning_tokens")
        return cls(
            prompt_tokens=first_int(wire.get("prompt_tokens"), wire.get("input_tokens")),
            completion_tokens=first_int(wire.get("completion_tokens"), wire.get("output_tokens")),
            cache_hit_tokens=hit,
            reasoning_tokens=first_int(reasoning, wire.get("reasoning_tokens")),
            cost=_number(wire.get("cost")),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate of what a request cost."""

    amount: Decimal
    currency: str = "USD"

    def to_json(self) -> dict[str, str]:
        """The record's form: the amount is a decimal string."""
        return {"amount": format(self.amount, "f"), "currency": self.currency}


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens: prompt found in the cache, prompt not found, output."""

    hit: Decimal
    miss: Decimal
    output: Decimal
    currency: str = "USD"

    @classmethod
    def of(cls, hit: str, miss: str, output: str, currency: str = "USD") -> Price:
        return cls(Decimal(hit), Decimal(miss), Decimal(output), currency)

    @staticmethod
    def per_token(amount: object) -> Decimal:
        """A price a token as one per million tokens. Raises `ArithmeticError` for no number."""
        return _OURS.multiply(Decimal(str(amount)), Decimal(1_000_000))

    def cost(self, usage: Usage) -> Cost:
        with localcontext(_OURS):
            amount = (
                usage.cache_hit_tokens * self.hit
                + usage.cache_miss_tokens * self.miss
                + usage.completion_tokens * self.output
            ) / 1_000_000
        return Cost(amount, self.currency)


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A model's price from a moment on, `peak_factor` times as high inside the peak windows."""

    since: datetime
    price: Price
    peak: tuple[tuple[time, time], ...] = ()  # (begin, end), UTC
    peak_factor: int = 2
    peak_weekdays_only: bool = False  # on a public holiday an estimate may be too high

    def at(self, when: datetime) -> Price:
        """The price at the UTC moment `when`."""
        if not self.in_peak(when):
            return self.price
        one, times = self.price, self.peak_factor
        with localcontext(_OURS):
            return Price(one.hit * times, one.miss * times, one.output * times, one.currency)

    def in_peak(self, when: datetime) -> bool:
        """Whether the UTC moment `when` is in a peak window."""
        in_window = any(begin <= when.time() < end for begin, end in self.peak)
        return in_window and not (self.peak_weekdays_only and when.weekday() >= 5)


def period_at(periods: Sequence[PricePeriod], when: datetime) -> PricePeriod | None:
    """The newest of the periods that have begun at `when`, None when none has."""
    begun = [period for period in periods if period.since <= when.astimezone(UTC)]
    return max(begun, key=lambda period: period.since, default=None)


def price_at(periods: Sequence[PricePeriod], when: datetime) -> Price | None:
    """The price at `when`, None when none of the periods has begun."""
    period = period_at(periods, when)
    return period.at(when.astimezone(UTC)) if period else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> Decimal | None:
    """A count or a sum, also written as a text; None for anything else, negative ones too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < _MOST else None


def first_int(*values: object) -> int:
    """The first of a server's counts that is one, 0 without any."""
    return next((int(n) for n in map(_number, values) if n is not None), 0)
