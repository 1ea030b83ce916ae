"""Tokens from every host's words, and what they cost at which hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.protocol.model_facts import facts_of
from deepseek_jupyter.protocol.usage import Price, Usage, price_at


class TestUsage:
    @pytest.mark.parametrize(
        ("wire", "timings", "hit"),
        [
            ({"prompt_cache_hit_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}, {}, 5),
            ({"prompt_tokens_details": {"prompt_cache_hit_tokens": 5}}, {}, 5),
            ({"prompt_tokens_details": {"cached_tokens": 5}}, {}, 5),
            ({"cache_read_input_tokens": 5}, {}, 5),
            ({}, {"cache_n": 5}, 5),
            ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": None}, None, 0),
            ({"prompt_cache_hit_tokens": True}, {}, 0),
        ],
    )
    def test_cached_tokens_go_by_many_names(self, wire, timings, hit):
        usage = Usage.from_wire({"prompt_tokens": 10, **wire}, timings)
        assert usage.cache_hit_tokens == hit
        assert usage.cache_miss_tokens == 10 - hit

    def test_reasoning_is_part_of_the_completion(self):
        wire = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}
        usage = Usage.from_wire(wire)
        assert (usage.completion_tokens, usage.reasoning_tokens) == (9, 4)
        assert usage.total_tokens == 9

    def test_a_host_s_own_cost_is_kept_exactly(self):
        assert Usage.from_wire({"cost": 0.000123}).cost == Decimal("0.000123")

    @given(*[st.integers(0, 10**6)] * 4)
    def test_sums_add_every_bucket(self, a, b, c, d):
        total = Usage(a, b, c, d) + Usage(1, 2, 3, 4, Decimal(1))
        assert total == Usage(a + 1, b + 2, c + 3, d + 4, Decimal(1))
        assert Usage(a, b, c, d) + Usage() == Usage(a, b, c, d)

    def test_the_record_spells_every_bucket_out(self):
        assert Usage(10, 5, 4, 2).to_json() == {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "cache_hit_tokens": 4,
            "cache_miss_tokens": 6,
            "reasoning_tokens": 2,
        }


def price(model: str, moment: str) -> Price | None:
    when = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return price_at(facts_of("deepseek", model).prices, when)


OFF_PEAK = Price.of("0.003", "0.15", "0.60")
PEAK = Price.of("0.006", "0.30", "1.20")


class TestPrices:
    """2026-11-20 is a Friday."""

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            ("2026-11-20 00:59:59", OFF_PEAK),
            ("2026-11-20 01:00", PEAK),
            ("2026-11-20 03:59:59", PEAK),
            ("2026-11-20 04:00", OFF_PEAK),
            ("2026-11-20 05:59", OFF_PEAK),
            ("2026-11-20 06:00", PEAK),
            ("2026-11-20 09:59", PEAK),
            ("2026-11-20 10:00", OFF_PEAK),
            ("2026-11-21 02:00", OFF_PEAK),  # Saturday
            ("2026-11-22 07:00", OFF_PEAK),  # Sunday
            ("2026-11-23 07:00", PEAK),  # Monday
        ],
    )
    def test_peak_hours_cost_twice_on_weekdays(self, moment, expected):
        assert price("deepseek-flash", moment) == expected

    def test_in_august_every_day_had_peak_hours(self):
        saturday = price("deepseek-flash", "2026-08-22 02:00")
        assert saturday == Price.of("0.014", "0.44", "1.32")

    @pytest.mark.parametrize(
        ("model", "moment", "expected"),
        [
            ("deepseek-chat", "2025-12-24 02:00", Price.of("0.028", "0.28", "0.42")),
            ("deepseek-reasoner", "2025-12-24", Price.of("0.028", "0.28", "0.42")),
            ("deepseek-v4-flash", "2026-04-25", Price.of("0.028", "0.14", "0.28")),
            ("deepseek-chat", "2026-06-01", Price.of("0.0028", "0.14", "0.28")),
            ("deepseek-v4-pro", "2026-06-01", Price.of("0.003625", "0.435", "0.87")),
            ("deepseek-v4-pro", "2026-11-21 12:00", Price.of("0.022", "0.66", "1.98")),
            ("deepseek-v4-flash", "2026-11-21 12:00", OFF_PEAK),
            ("deepseek-reasoner", "2026-11-21 12:00", OFF_PEAK),
        ],
    )
    def test_old_ids_cost_what_served_them_then(self, model, moment, expected):
        assert price(model, moment) == expected

    @pytest.mark.parametrize(
        ("model", "moment"),
        [("gpt-9", "2026-11-21"), ("deepseek-flash", "2020-01-01"), ("", "2026-11-21")],
    )
    def test_what_the_table_does_not_know_has_no_price(self, model, moment):
        assert price(model, moment) is None

    def test_other_time_zones_are_converted(self):
        shanghai = datetime(2026, 11, 20, 9, 30, tzinfo=timezone(timedelta(hours=8)))  # 01:30 UTC
        assert price_at(facts_of("deepseek", "deepseek-flash").prices, shanghai) == PEAK

    def test_hit_miss_and_output_are_counted_apart(self):
        usage = Usage(1_000_000, 500_000, 400_000, 300_000)
        cost = OFF_PEAK.cost(usage)
        assert cost.amount == Decimal("0.0012") + Decimal("0.09") + Decimal("0.30")
        assert cost.to_json() == {"amount": "0.3912", "currency": "USD"}

    def test_wcode_is_paid_in_yuan(self):
        when = datetime(2026, 11, 21, tzinfo=UTC)
        found = price_at(facts_of("wcode", "deepseek/deepseek-v3.2-exp").prices, when)
        assert found.cost(Usage(1000, 1000)).to_json() == {"amount": "0.009", "currency": "CNY"}


@pytest.mark.parametrize(
    "figure", [float("nan"), float("inf"), True, "x", "", -1, "-3", [2], 1e99, None]
)
def test_a_figure_that_is_none_counts_as_none(figure):
    usage = Usage.from_wire({"prompt_tokens": figure, "cost": figure})
    assert (usage.prompt_tokens, usage.cost) == (0, None)
