"""A host is taught by once; for a week, by base URL, model and version."""

from __future__ import annotations

import json
import time

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import errors
from deepseek_jupyter.home import home
from deepseek_jupyter.magics.doctor import _hosts, forget
from deepseek_jupyter.transport import learned
from tests.support.scripted import answer, error, plain

REASONING = "Please remove the reasoning_content field of the earlier messages."
USAGE = "Unrecognized request argument supplied: stream_options"
EMPTY = "all messages must have non-empty content"
WORD = "Prompt must contain the word 'json' in some form to use 'response_format'."


def body(server):
    return server.requests[-1].json


def refused_once(server, message):
    server.queue(error(400, message), answer("Fine."), answer("Fine."))


def ask(**how):
    return ds.ask("Hi.", show=False, **how)


class TestOnce:
    def test_usage_that_may_not_be_asked_for(self, session, server):
        refused_once(server, USAGE)
        assert ask().text == "Fine."
        assert "stream_options" not in body(server)
        ask()
        assert len(server.requests) == 3
        assert "stream_options" not in body(server)

    def test_thinking_that_may_not_come_back(self, session, server):
        server.queue(answer("One.", reasoning="Hm"))
        ask()
        refused_once(server, REASONING)
        ask()
        ask()
        assert len(server.requests) == 4
        assert "reasoning_content" not in json.dumps(body(server))

    def test_the_word_of_json_mode(self, session, server):
        session.config.providers = {"x": {"like": "vllm", "base_url": server.base_url("vllm")}}
        refused_once(server, WORD)
        for _ in range(2):
            ask(provider="x", model="m", response_format={"type": "json_object"})
        assert len(server.requests) == 3
        assert "JSON" in body(server)["messages"][-1]["content"]

    def test_thinking_without_its_beginning(self, session, server):
        said = "Hm\n</think>\n\nFine."
        server.queue(answer(said), answer(said))
        for _ in range(2):
            reply = ask(history=False)
            assert (reply.reasoning.strip(), reply.text) == ("Hm", "Fine.")
        assert learned.lessons()[0][2] == "answers begin with thinking: yes"

    @pytest.mark.parametrize(
        "message",
        [
            "Unrecognized request argument supplied: seed",
            "Unsupported parameter: 'seed' is not supported with this model.",
            "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not "
            "permitted'}]",
        ],
    )
    def test_a_parameter_that_the_host_refuses(self, session, server, message):
        refused_once(server, message)
        told = ask(seed=7, temperature=0.5).turn.notices
        assert "deepseek refuses seed; sent again without." in told
        assert "seed" not in body(server)
        told = ask(seed=7, temperature=0.5).turn.notices
        assert "deepseek refuses seed for deepseek-flash; left out." in told
        assert len(server.requests) == 3
        assert "seed" not in body(server)
        assert body(server)["temperature"] == 0.5
        assert learned.lessons()[0][2] == "refuses: seed"

    @pytest.mark.parametrize(
        ("message", "how"),
        [
            ("Unsupported parameter: seed", {}),  # not ours
            ("Unsupported parameter: max_tokens", {"max_tokens": 5}),  # the answer would differ
            ("seed is out of range", {"seed": 7}),
        ],
    )
    def test_what_may_not_be_left_out_is_an_error(self, session, server, message, how):
        server.queue(error(400, message))
        with pytest.raises(errors.BadRequestError):
            ask(**how)
        assert len(server.requests) == 1

    def test_of_another_model_nothing_is_known(self, session, server):
        refused_once(server, USAGE)
        ask()
        ask(model="deepseek-v4-pro")
        assert "stream_options" in body(server)

    def test_a_refusal_that_no_change_cures_teaches_nothing(self, session, server):
        server.queue(error(400, USAGE), error(400, USAGE))
        with pytest.raises(errors.BadRequestError):
            ask()
        assert learned.lessons() == []


class TestForgetting:
    @pytest.fixture
    def taught(self, session, server):
        refused_once(server, USAGE)
        ask()
        assert len(learned.lessons()) == 1
        return home() / "hosts.json"

    def test_doctor_shows_it(self, taught, session, server):
        ((mark, subject, found),) = _hosts(session)
        assert (mark, subject) == ("note", "learned")
        assert "deepseek-flash at http://127.0.0.1" in found
        assert "usage is asked for: no" in found

    def test_by_command(self, taught, session, server):
        assert forget().title.startswith("Models forgotten: 1.")
        assert learned.lessons() == []
        ask()
        assert "stream_options" in body(server)

    @pytest.mark.parametrize("days", [8, -1])
    def test_after_a_week_and_from_the_future(self, taught, days):
        rows = json.loads(taught.read_text())
        for row in rows.values():
            row["when"] = time.time() - days * 86400
        taught.write_text(json.dumps(rows))
        assert learned.lessons() == []

    def test_by_another_version(self, taught, monkeypatch):
        monkeypatch.setattr(learned, "__version__", "0.0.0")
        assert learned.lessons() == []

    @pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"x": 1}', '{"[1]": {"when": 1}}'])
    def test_a_damaged_file_is_no_file(self, taught, session, server, text):
        taught.write_text(text)
        assert ask().text == "Fine."

    def test_a_lesson_of_another_type_is_none(self, taught, session, server):
        taught.write_text(taught.read_text().replace('"stream_usage": false', '"replay": [1]'))
        ask()
        assert "stream_options" in body(server)


def test_what_a_list_told_is_known_for_its_models(session, server):
    session.config.providers = {"vllm": {"base_url": server.base_url("vllm")}}
    server.queue(plain({"data": [{"id": "m", "max_model_len": 2048}, {"id": "n"}]}))
    session.endpoints.models(*session.endpoints.provider("vllm"))
    with pytest.raises(errors.ContextLengthError, match="m takes 2,048"):
        ds.ask("word " * 4000, provider="vllm", model="m", show=False)
    server.queue(answer("Fine."))
    notices = ds.ask("word " * 4000, provider="vllm", model="n", show=False).turn.notices
    assert "is not known" in notices[0]
