"""What is known of which model where, and what a host's ``/models`` adds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.messages import user
from deepseek_jupyter.protocol.model_facts import MODELS, ModelFacts, facts_of, told_by_host
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.protocol.usage import Price, price_at
from deepseek_jupyter.transport.providers import PROVIDERS, provider_named

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMET = Price.of("0.22", "0.22", "0.35")
WCODE = Price.of("3.5", "3.5", "5.5", "CNY")

# provider and id -> context and price
KNOWN = {
    ("deepseek", "deepseek-flash"): (1_048_576, Price.of("0.003", "0.15", "0.60")),
    ("deepseek", "deepseek-v4-pro"): (1_048_576, Price.of("0.022", "0.66", "1.98")),
    ("cometapi", "deepseek-v3.2-exp"): (131_072, COMET),
    ("cometapi", "DeepSeek-V3.2-Exp-thinking"): (131_072, COMET),
    ("cometapi", "DeepSeek-V3.2-Exp-nothinking"): (131_072, COMET),
    ("cometapi", "gpt-9"): (None, None),
    ("wcode", "deepseek/deepseek-v3.2-exp"): (131_072, WCODE),
    ("wcode", "other/model"): (None, None),
    ("openrouter", "deepseek/deepseek-v3.2-exp"): (131_072, None),
    ("siliconflow", "deepseek-ai/DeepSeek-V3.2-Exp"): (131_072, None),
    ("vllm", "deepseek-ai/DeepSeek-V3.2-Exp"): (None, None),  # what it takes is its setting
    ("deepseek", "deepseek-v3.2-exp"): (1_048_576, None),  # never an id there
}


@pytest.mark.parametrize(("provider", "model", "facts"), [(*k, v) for k, v in KNOWN.items()])
def test_facts_are_of_a_model_at_a_provider(provider, model, facts):
    found = facts_of(provider, model)
    assert (found.context, price_at(found.prices, NOW)) == facts


@pytest.mark.parametrize(
    "row", [r for r in MODELS if r.context or r.prices], ids=lambda r: r.ids[0]
)
def test_every_figure_has_its_source(row):
    assert row.source.startswith("https://")


def test_patterns_are_in_lower_case():
    assert all(pattern == pattern.casefold() for row in MODELS for pattern in row.ids)


def test_a_provider_of_the_users_own_has_the_facts_of_what_it_is_like():
    mine = provider_named("mine", {"mine": {"like": "cometapi", "base_url": "http://x"}})
    assert mine.price("deepseek-v3.2-exp") == COMET
    assert mine.facts("deepseek-v3.2-exp").context == 131_072


def test_the_users_word_is_above_the_hosts_and_the_hosts_above_the_table():
    model = "deepseek-v3.2-exp"
    told = PROVIDERS["cometapi"].derive(told={model: ModelFacts(context=1000, output=500)})
    assert (told.facts(model).context, told.facts(model).output) == (1000, 500)
    assert told.price(model) == COMET  # of which the host said nothing
    assert told.derive(context_tokens=9).facts(model).context == 9


# the host, and an entry of its list -> what it says
LISTED = {
    "deepseek": (
        {"id": "a", "context_window": 1048576, "max_output_tokens": 393216}
        | {"input_modalities": ["text", "image"]},
        {"context": 1048576, "output": 393216, "images": True},
    ),
    "vllm": ({"id": "a", "max_model_len": 32768, "owned_by": "vllm"}, {"context": 32768}),
    "llama.cpp": ({"id": "a", "meta": {"n_ctx": 8192, "n_ctx_train": 131072}}, {"context": 8192}),
    "openrouter": (
        {
            "id": "a",
            "context_length": 163840,
            "top_provider": {"context_length": 131072, "max_completion_tokens": 65536},
            "architecture": {"input_modalities": ["text"]},
            "supported_parameters": ["tools", "response_format"],
            "pricing": {"prompt": "0.00000027", "completion": "0.0000004"},
        },
        {"context": 131072, "output": 65536, "images": False, "tools": True}
        | {"json": True, "schema": False},
    ),
    "ollama": ({"id": "a", "object": "model", "owned_by": "library"}, {}),
    "nonsense": ({"id": "a", "context_window": "big", "pricing": 3, "meta": [1]}, {}),
    "true is no number": ({"id": "a", "context_length": True, "max_model_len": -1}, {}),
}


@pytest.mark.parametrize(("listed", "expected"), LISTED.values(), ids=LISTED)
def test_the_list_of_a_host_says(listed, expected):
    found = told_by_host(listed)
    names = ("context", "output", "images", "tools", "json", "schema")
    assert {n: getattr(found, n) for n in names if getattr(found, n) is not None} == expected


@pytest.mark.parametrize(
    ("pricing", "price"),
    [
        ({"prompt": "0.00000027", "completion": "0.0000004"}, ("0.27", "0.27", "0.4")),
        (
            {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"},
            ("0.1", "1", "2"),
        ),
        ({"prompt": "0", "completion": "0"}, ("0", "0", "0")),
        ({"prompt": "-1", "completion": "-1"}, None),
        ({"prompt": "free", "completion": "0"}, None),
        ({"prompt": "0.1"}, None),
    ],
)
def test_prices_a_token_are_prices_a_million(pricing, price):
    found = price_at(told_by_host({"id": "a", "pricing": pricing}).prices, NOW)
    assert found == (Price(*map(Decimal, price)) if price else None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_what_a_model_is_known_not_to_have_is_refused(parameters):
    request = ChatRequest("deepseek-v3.2-speciale", [user("JSON")], parameters)
    with pytest.raises(ParameterError, match="speciale"):
        build(request, PROVIDERS["openrouter"].dialect)


def test_wcode_wants_its_switch_for_a_schema():
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    request = ChatRequest("deepseek/deepseek-v3.2-exp", [user("x")], {"response_format": form})
    assert build(request, PROVIDERS["wcode"].dialect).body["structured_outputs"] is True
    assert "structured_outputs" not in build(request, PROVIDERS["openrouter"].dialect).body
