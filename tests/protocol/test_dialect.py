"""Thinking and effort in each provider's words."""

from __future__ import annotations

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.dialect import model_id, thinking_fields
from deepseek_jupyter.protocol.messages import user
from deepseek_jupyter.protocol.request import ChatRequest, build
from deepseek_jupyter.transport.providers import PROVIDERS

ON, OFF = {"type": "enabled"}, {"type": "disabled"}
COMET_V4, COMET_ON, COMET_OFF = (
    "deepseek-v4-pro",
    "DeepSeek-V3.2-Exp-thinking",
    "DeepSeek-V3.2-Exp-nothinking",
)
REFUSED = None

# provider and id -> fields for: think, no-think, effort low, effort high, effort max
TABLE = {
    ("deepseek", "deepseek-flash"): [
        {"thinking": ON},
        {"thinking": OFF},
        {"reasoning_effort": "low"},
        {"reasoning_effort": "high"},
        {"reasoning_effort": "max"},
    ],
    ("cometapi", COMET_V4): [
        {"thinking": ON},
        {"thinking": OFF},
        {"reasoning_effort": "low"},
        {"reasoning_effort": "high"},
        {"reasoning_effort": "max"},
    ],
    ("cometapi", COMET_ON): [{}, REFUSED, REFUSED, REFUSED, REFUSED],
    ("cometapi", COMET_OFF): [REFUSED, {}, REFUSED, REFUSED, REFUSED],
    ("cometapi", "deepseek-v3.2-exp"): [
        {"model": COMET_ON},
        {"model": COMET_OFF},
        *[REFUSED] * 3,
    ],
    ("cometapi", "DeepSeek-V3.1-Terminus"): [REFUSED] * 5,
    ("wcode", "deepseek/deepseek-v3.2-exp"): [
        {"reasoning": {"enabled": True}},
        {"reasoning": {"enabled": False}},
        REFUSED,
        REFUSED,
        REFUSED,
    ],
    ("openrouter", "deepseek/deepseek-v3.2-exp"): [
        {"reasoning": {"enabled": True}},
        {"reasoning": {"enabled": False}},
        {"reasoning": {"effort": "low"}},
        {"reasoning": {"effort": "high"}},
        {"reasoning": {"effort": "xhigh"}},
    ],
    ("siliconflow", "deepseek-ai/DeepSeek-V3.2-Exp"): [
        {"enable_thinking": True},
        {"enable_thinking": False},
        REFUSED,
        {"enable_thinking": True, "reasoning_effort": "high"},
        {"enable_thinking": True, "reasoning_effort": "max"},
    ],
    ("vllm", "m"): [
        {"chat_template_kwargs": {"thinking": True, "enable_thinking": True}},
        {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}},
        REFUSED,
        REFUSED,
        REFUSED,
    ],
    ("sglang", "m"): [
        {"chat_template_kwargs": {"thinking": True}},
        {"chat_template_kwargs": {"thinking": False}},
        REFUSED,
        REFUSED,
        REFUSED,
    ],
    ("llamacpp", "m"): [
        {"chat_template_kwargs": {"enable_thinking": True}},
        {"chat_template_kwargs": {"enable_thinking": False}},
        REFUSED,
        REFUSED,
        REFUSED,
    ],
    ("ollama", "m"): [
        {"reasoning_effort": "high"},
        {"reasoning_effort": "none"},
        {"reasoning_effort": "low"},
        {"reasoning_effort": "high"},
        {"reasoning_effort": "high"},
    ],
    ("local", "m"): [{}, {}, {}, {}, {}],
}
ASKED = [(True, None), (False, None), (None, "low"), (None, "high"), (None, "max")]


@pytest.mark.parametrize(
    ("provider", "model", "think", "effort", "fields"),
    [
        (provider, model, *asked, fields)
        for (provider, model), row in TABLE.items()
        for asked, fields in zip(ASKED, row, strict=True)
    ],
)
def test_each_provider_is_told_in_its_own_words(provider, model, think, effort, fields):
    dialect = PROVIDERS[provider].dialect
    if fields is REFUSED:
        with pytest.raises(ParameterError) as refused:
            told(dialect, model, think, effort)
        assert refused.value.hint
    else:
        assert told(dialect, model, think, effort) == fields


def told(dialect, model, think, effort):
    """What of a body says the mode: its fields, and the id where that is another one."""
    sent = model_id(dialect, model, think, effort)
    fields = thinking_fields(dialect, sent, think, effort)
    return fields if sent == model else {**fields, "model": sent}


def test_every_provider_is_in_the_table():
    assert {provider for provider, _ in TABLE} == PROVIDERS.keys()


@pytest.mark.parametrize(("provider", "model"), TABLE)
def test_what_the_user_did_not_say_is_not_sent(provider, model):
    assert thinking_fields(PROVIDERS[provider].dialect, model, None, None) == {}


@pytest.mark.parametrize(
    ("given", "sent"),
    [("minimal", "low"), ("medium", "high"), ("xhigh", "high"), ("ultra", "max")],
)
def test_other_words_for_an_effort_are_known(given, sent):
    fields = thinking_fields(PROVIDERS["deepseek"].dialect, "m", None, given)
    assert fields == {"reasoning_effort": sent}


def test_think_and_effort_together():
    fields = thinking_fields(PROVIDERS["deepseek"].dialect, "m", True, "max")
    assert fields == {"thinking": ON, "reasoning_effort": "max"}


def test_effort_none_is_no_thinking():
    assert thinking_fields(PROVIDERS["deepseek"].dialect, "m", None, "none") == {"thinking": OFF}


@pytest.mark.parametrize(("think", "effort"), [(True, "none"), (False, "high"), (None, "mighty")])
def test_nonsense_is_refused_here(think, effort):
    with pytest.raises(ParameterError):
        thinking_fields(PROVIDERS["deepseek"].dialect, "m", think, effort)


@pytest.mark.parametrize(
    ("model", "think", "hint"),
    [
        (COMET_OFF, True, COMET_ON),
        (COMET_ON, False, COMET_OFF),
        ("deepseek-v3.1-terminus", True, "%deepseek models cometapi"),
    ],
)
def test_comet_says_which_id_to_use(model, think, hint):
    with pytest.raises(ParameterError) as refused:
        model_id(PROVIDERS["cometapi"].dialect, model, think, None)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("model", "think", "thinks"),
    [
        ("deepseek-v3.2-exp", True, True),
        ("deepseek-v3.2-exp", False, False),
        (COMET_ON, None, True),
        (COMET_OFF, None, False),
    ],
)
def test_an_id_that_thinks_counts_as_thinking(model, think, thinks):
    request = ChatRequest(model, [user("Hi.")], {"max_tokens": 512}, think=think)
    built = build(request, PROVIDERS["cometapi"].dialect)
    assert built.thinks is thinks
    assert bool(built.notices) is thinks  # 512 tokens include the thinking
