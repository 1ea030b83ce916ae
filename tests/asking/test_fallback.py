"""Where a question goes on to when its host turns it away."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.errors import (
    AuthenticationError,
    ConfigurationError,
    ModelNotFoundError,
    OverloadedError,
    PolicyError,
    TruncatedError,
)
from tests.support.asking import KEY
from tests.support.scripted import Reply, answer, error, reset, send
from tests.support.wording import chunk, event

COMET = "cometapi:deepseek-v3.2-exp"
WCODE = "wcode:deepseek/deepseek-v3.2-exp"


@pytest.fixture
def hosts(session, server, monkeypatch):
    for name in ("cometapi", "wcode"):
        session.config.providers[name] = {"base_url": server.base_url(name)}
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    session.config.fallback = [COMET, WCODE]
    return session


def ask(**options):
    return ds.ask("Hello?", show=False, **options)


def paths(server):
    return [request.path.split("/")[1] for request in server.requests]


def astream(**options):
    async def read():
        return [delta async for delta in ds.stream("Hello?", **options)]

    return asyncio.run(read())


WAYS = {
    "ask": ask,
    "aask": lambda **options: asyncio.run(ds.aask("Hello?", show=False, **options)),
    "stream": lambda **options: list(ds.stream("Hello?", **options)),
    "astream": astream,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("refusal", [error(503, "busy"), error(429, "slow"), error(404, {
    "error": {"message": "The model does not exist", "code": "model_not_found"}})])  # fmt: skip
def test_it_goes_on_to_the_next_with_a_notice(hosts, server, way, refusal):
    server.queue(refusal, answer("From Comet."))
    WAYS[way]()
    turn = hosts.last.turn
    assert (turn.provider, turn.model, turn.answer) == (*COMET.split(":"), "From Comet.")
    (told,) = [said for said in turn.notices if "is asked instead" in said]
    assert told.startswith("deepseek:deepseek-flash did not answer: ")
    assert len(paths(server)) == 2
    assert server.requests[1].json["model"] == "deepseek-v3.2-exp"
    assert hosts.conversation.turn(turn.id).provider == "cometapi"
    assert len(hosts.conversation) == 1


def test_to_the_last_and_no_further(hosts, server):
    server.queue(error(503, "one"), error(503, "two"), error(503, "three"))
    with pytest.raises(OverloadedError, match="three"):
        ask()
    assert paths(server)[1:] == ["cometapi", "wcode"]
    assert len([s for s in hosts.last.turn.notices if "asked instead" in s]) == 2


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (error(401, "no"), AuthenticationError),
        (Reply(send(event(chunk({"content": "Half"}))), reset()), TruncatedError),
        (Reply(send(event(chunk({"content": "Half"}))), send(event({"error": {"code": 503}}))),
         ds.DeepSeekError),
    ],
)  # fmt: skip
def test_no_other_failure_and_none_after_output(hosts, server, refusal, kind):
    server.queue(refusal)
    with pytest.raises(kind):
        ask()
    assert len(server.requests) == 1


def test_a_wrong_model_goes_on_without_a_fallback_to_an_error(hosts, server):
    hosts.config.fallback = []
    server.queue(error(404, {"error": {"message": "no such model", "code": "model_not_found"}}))
    with pytest.raises(ModelNotFoundError):
        ask()


def test_the_dry_run_shows_places_prices_and_who_is_passed_over(hosts, server):
    hosts.config.fallback = [COMET, WCODE, "deepseek:deepseek-flash"]
    told = str(ask(dry_run=True, max_tokens=1000))
    assert f"{COMET} 0.0004 USD {WCODE} 0.0055 CNY" in " ".join(told.split())
    assert "deepseek:deepseek-flash" not in told
    told = str(ask(dry_run=True, provider="wcode", top_k=3))
    assert f"The fallback {COMET} is skipped: cometapi has no parameter 'top_k'" in told
    assert not server.requests


def test_one_that_may_not_have_it_is_passed_over(hosts, server, policy):
    policy('[teaching]\nproviders = ["deepseek", "wcode"]\n')
    server.queue(error(503, "busy"), answer("From wcode."))
    assert ask().turn.provider == "wcode"
    assert "cometapi" not in paths(server)


def test_one_that_may_not_have_the_data_is_passed_over_where_there_is_some(hosts, server, policy):
    policy('[data]\nproviders = ["deepseek", "wcode"]\n')
    frame = pd.DataFrame({"n": [1, 2, 3]})
    server.queue(error(503, "busy"), answer("From wcode."))
    reply = ask(attach=frame)
    assert reply.turn.provider == "wcode"
    assert any(COMET in said and "skipped" in said for said in reply.turn.notices)
    assert "cometapi" not in paths(server)
    with pytest.raises(PolicyError, match="provider for data"):
        ask(provider="cometapi", attach=frame)
    with pytest.raises(PolicyError):  # the frame is in the history
        ask(provider="cometapi")
    server.queue(answer("No data."))
    assert ask(provider="cometapi", history=False).turn.provider == "cometapi"


def test_the_dearest_counts_against_a_budget(hosts, server):
    hosts.config.prices = {"wcode": {"deepseek/deepseek-v3.2-exp": [900, 900, 900, "USD"]}}
    with pytest.raises(ConfigurationError, match="budget is"):
        ask(budget=0.5, max_tokens=1000)
    assert not server.requests


@pytest.mark.parametrize("name", ["deepseek-flash", "nobody:x", ""])
def test_a_fallback_without_a_provider_is_refused(hosts, server, name):
    hosts.config.fallback = [name]
    with pytest.raises(ConfigurationError, match="names no provider"):
        ask()


def test_what_its_host_does_not_take_passes_it_over(hosts, server):
    server.queue(answer("Fine."))
    reply = ask(provider="wcode", top_k=3)
    assert any(COMET in said and "top_k" in said for said in reply.turn.notices)


def test_policies_of_the_first_place_still_stop_it(hosts, server, policy):
    policy('[teaching]\nproviders = ["wcode"]\n')
    with pytest.raises(PolicyError):
        ask()
