"""What providers charge, by model and date, per million tokens.

DeepSeek: api-docs.deepseek.com/quick_start/pricing and the announcements under /news. A new price
is a new row; old rows stay, so that an old turn keeps its price. Peak hours cost twice.
Estimates only: the provider's bill is what counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from deepseek_jupyter.protocol.usage import Price, PricePeriod

__all__ = ["DEEPSEEK_PRICES", "WCODE_PRICES"]

_PEAK = ((time(1), time(4)), (time(6), time(10)))  # UTC

# The old ids are served by the Flash model of the day and billed as it.
_FLASH = frozenset(
    {
        "deepseek-flash",
        "deepseek-v4-flash",
        "deepseek-v4-flash-vision-exp",
        "deepseek-chat",
        "deepseek-reasoner",
    }
)
_PRO = frozenset({"deepseek-v4-pro"})


def _from(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


DEEPSEEK_PRICES = (
    PricePeriod(
        frozenset({"deepseek-chat", "deepseek-reasoner"}),
        _from(2025, 9, 29),
        Price.of("0.028", "0.28", "0.42"),  # V3.2-Exp, then V3.2
    ),
    PricePeriod(_FLASH, _from(2026, 4, 24), Price.of("0.028", "0.14", "0.28")),
    PricePeriod(_FLASH, _from(2026, 4, 26, 12, 15), Price.of("0.0028", "0.14", "0.28")),
    PricePeriod(_PRO, _from(2026, 4, 24), Price.of("0.003625", "0.435", "0.87")),
    PricePeriod(_FLASH, _from(2026, 8, 16, 16), Price.of("0.007", "0.22", "0.66"), _PEAK),
    PricePeriod(_PRO, _from(2026, 8, 16, 16), Price.of("0.022", "0.66", "1.98"), _PEAK),
    PricePeriod(
        _FLASH,
        _from(2026, 9, 10),
        Price.of("0.003", "0.15", "0.60"),
        _PEAK,
        peak_weekdays_only=True,
    ),
    PricePeriod(
        _PRO,
        _from(2026, 9, 10),
        Price.of("0.022", "0.66", "1.98"),
        _PEAK,
        peak_weekdays_only=True,
    ),
)

# wcode.net/model/deepseek-v3.2-exp: 0.0035 in, 0.0055 out per thousand, in yuan; no price for hits.
WCODE_PRICES = (
    PricePeriod(
        frozenset({"deepseek/deepseek-v3.2-exp"}),
        _from(2025, 10, 1),
        Price.of("3.5", "3.5", "5.5", "CNY"),
    ),
)
