"""A guard that cannot do its work says so: budgets without a price, contexts nobody knows."""

from __future__ import annotations

import asyncio

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import errors
from tests.support.asking import KEY
from tests.support.scripted import Reply, answer, pause

EXP = "deepseek-v3.2-exp"


@pytest.fixture
def hosts(session, server, monkeypatch):
    """CometAPI, wcode and a server of one's own, all at the scripted one."""
    names = ("cometapi", "wcode", "vllm", "openrouter", "ollama")
    session.config.providers = {name: {"base_url": server.base_url(name)} for name in names}
    for name in names:
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    return session


def sent(server, **how):
    """Whether the question was sent, and its notices."""
    server.queue(answer("Fine."))
    reply = ds.ask(how.pop("prompt", "Hi."), show=False, **how)
    return reply.turn.notices


class TestBudget:
    @pytest.mark.parametrize("provider", ["cometapi", "wcode"])
    def test_a_known_price_holds_it(self, hosts, server, provider):
        with pytest.raises(errors.ConfigurationError, match="budget is 1e-06"):
            ds.ask("Hi.", provider=provider, budget=1e-6)
        assert server.requests == []

    @pytest.mark.parametrize("setting", [None, "budget", "notebook_budget"])
    @pytest.mark.parametrize(
        ("provider", "model"), [("cometapi", "gpt-9"), ("openrouter", f"deepseek/{EXP}")]
    )
    def test_an_unknown_price_refuses_and_says_what_to_do(
        self, hosts, server, provider, model, setting
    ):
        how = {"budget": 5.0} if setting is None else {}
        if setting:
            setattr(hosts.config, setting, 5.0)
        with pytest.raises(errors.ConfigurationError, match=f"No price of {model}") as told:
            ds.ask("Hi.", provider=provider, model=model, **how)
        assert f"{{'{provider}': {{'{model}': [hit, miss, output, 'USD']}}}}" in told.value.hint
        assert server.requests == []
        hosts.config.prices = {provider: {model: [0.1, 0.1, 0.1, "USD"]}}
        sent(server, provider=provider, model=model, **how)

    def test_a_server_of_ones_own_costs_nothing(self, hosts, server):
        sent(server, provider="vllm", model="m", budget=1e-6)

    def test_questions_under_way_leave_less_to_the_others(self, hosts, server):
        hosts.config.prices = {"vllm": {"m": [1, 1, 1, "USD"]}}
        hosts.config.notebook_budget = 0.0036  # of an answer with 1,000 tokens: three

        async def eight():
            how = {"provider": "vllm", "model": "m", "max_tokens": 1000, "show": False}
            asked = [ds.aask(f"Question {n}.", history=False, **how) for n in range(8)]
            return await asyncio.gather(*asked, return_exceptions=True)

        server.fallback = lambda request: Reply(pause(1), *answer("Fine.").steps)
        refused = [told for told in asyncio.run(eight()) if isinstance(told, Exception)]
        assert {type(told) for told in refused} == {errors.ConfigurationError}
        assert (len(refused), len(server.requests)) == (5, 3)
        assert hosts.held == {}
        server.fallback = None
        sent(server, provider="vllm", model="m", max_tokens=1000)  # what they cost is far less

    def test_a_price_of_one_provider_is_none_of_another(self, hosts, server):
        hosts.config.prices = {"cometapi": {"x": [1, 1, 1]}}
        with pytest.raises(errors.ConfigurationError, match="No price of x at wcode"):
            ds.ask("Hi.", provider="wcode", model="x", budget=1.0)


class TestContext:
    LONG = "word " * 60_000

    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("cometapi", EXP),
            ("cometapi", "DeepSeek-V3.2-Exp-thinking"),
            ("wcode", f"deepseek/{EXP}"),
        ],
    )
    def test_a_gateways_model_has_its_own(self, hosts, server, provider, model):
        with pytest.raises(errors.ContextLengthError, match="131,072"):
            ds.ask(self.LONG * 5, provider=provider, model=model)
        assert server.requests == []

    def test_an_unknown_one_is_told_once(self, hosts, server):
        first, second = (sent(server, prompt=self.LONG, provider="vllm", model="m") for _ in "12")
        assert [n for n in first if "is not known, so the length is not checked" in n]
        assert not second

    def test_a_short_question_is_not_bothered(self, hosts, server):
        assert not sent(server, provider="vllm", model="m")

    @pytest.mark.parametrize("most", [131_072, 131_073, 10**9])
    def test_the_answer_asked_for_counts(self, hosts, server, most):
        with pytest.raises(errors.ContextLengthError, match="max_tokens asks for"):
            ds.ask("Hi.", provider="wcode", max_tokens=most)
        assert server.requests == []

    def test_what_fits_is_sent(self, hosts, server):
        sent(server, provider="wcode", max_tokens=131_000)

    def test_a_host_that_ends_the_answer_where_its_context_ends_is_asked(self, hosts, server):
        hosts.config.providers["ollama"]["context_tokens"] = 4096
        sent(server, provider="ollama", model="m", max_tokens=8192)


class TestEmptyAnswers:
    """Nothing to read is an error, so that Run All does not go on with ""."""

    @pytest.mark.parametrize(
        ("reasoning", "said", "finish", "hint"),
        [
            ("Hm", "", "stop", "--no-think"),
            (None, " \n" * 10, "length", "without -f json"),
            (None, "", "stop", "--max-tokens"),
        ],
    )
    def test_each_says_what_to_do(self, session, server, reasoning, said, finish, hint):
        server.queue(answer(said, reasoning=reasoning, finish=finish))
        with pytest.raises(errors.EmptyAnswerError) as told:
            ds.ask("Hi.", show=False)
        assert hint in told.value.hint
        assert told.value.reply.reasoning == reasoning

    def test_a_limit_met_while_thinking_is_told_and_no_error(self, session, server):
        server.queue(answer("", reasoning="Hm", finish="length"))
        assert "only thought" in ds.ask("Hi.", show=False).turn.notices[-1]

    @pytest.mark.parametrize("finish", ["stop", "length"])
    def test_blanks_in_json_mode_are_asked_again(self, session, server, finish):
        server.queue(answer(" \n" * 2000, finish=finish), answer('{"a": 1}'))
        assert ds.ask("JSON, please.", format="json", show=False).text == '{"a": 1}'
        assert len(server.requests) == 2
