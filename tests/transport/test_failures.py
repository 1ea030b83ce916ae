"""Errors as one class and two lines; the bodies of all hosts are in test_error_bodies."""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.transport.failures import Refusal, api_error, concurrency_limit, request_id


def test_the_address_is_in_it():
    assert "https://x/y" in str(api_error(Refusal(500, {}, "", "https://x/y", "host")))


def test_every_class_is_reached_from_some_status():
    reached = {type(api_error(Refusal(s, {}, "", "", ""))) for s in range(300, 600)}
    assert reached >= {
        errors.AuthenticationError,
        errors.InsufficientBalanceError,
        errors.PermissionDeniedError,
        errors.EndpointError,
        errors.RateLimitError,
        errors.ServerError,
        errors.OverloadedError,
        errors.BadRequestError,
    }


def test_long_words_of_a_server_are_cut():
    body = json.dumps({"error": {"message": "x" * 5000}})
    assert len(api_error(Refusal(400, {}, body)).what) < 500


def test_the_notebook_form_is_two_lines_what_and_what_to_do():
    body = json.dumps({"error": {"message": "Insufficient Balance"}})
    lines = api_error(Refusal(402, {}, body, "https://x", "deepseek"))._render_traceback_()
    assert len(lines) == 2
    assert lines[0].startswith("InsufficientBalanceError: Insufficient Balance.")
    assert "platform.deepseek.com" in lines[1]


@pytest.mark.parametrize(
    "name", ["x-ds-trace-id", "x-request-id", "x-deepseek-request-id", "x-generation-id", "cf-ray"]
)
def test_the_request_id_goes_by_many_names(name):
    assert request_id({name: "abc"}) == "abc"


def test_comet_writes_it_into_the_message():
    assert request_id({}, "bad thing (request id: 2026112100abc)") == "2026112100abc"


@pytest.mark.parametrize(
    ("message", "limit"),
    [("…which exceeds your concurrency limit of 39 based on your balance", 39), ("Slow.", None)],
)
def test_the_limit_in_a_429(message, limit):
    assert concurrency_limit(message) == limit
