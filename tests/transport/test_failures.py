"""Error bodies of every known host, as one class and one sentence."""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.transport.failures import Refusal, api_error, concurrency_limit, request_id

# host and case -> status, body, class
KNOWN = {
    "deepseek, context": (
        400,
        {"error": {"message": "This model's maximum context length is 1048565 tokens. However…"}},
        errors.ContextLengthError,
    ),
    "llama.cpp, context": (
        400,
        {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}},
        errors.ContextLengthError,
    ),
    "deepseek, model": (
        400,
        {"error": {"message": "The supported API model names are a or b, but you passed c."}},
        errors.ModelNotFoundError,
    ),
    "vllm, model": (
        404,
        {"object": "error", "message": "The model `x` does not exist.", "code": 404},
        errors.ModelNotFoundError,
    ),
    "ollama, model": (
        404,
        {"error": {"message": 'model "x" not found, try pulling it first'}},
        errors.ModelNotFoundError,
    ),
    "ollama native": (400, {"error": "something"}, errors.BadRequestError),
    "siliconflow, model": (
        400,
        {"code": 20012, "message": "Model does not exist. Please check it carefully."},
        errors.ModelNotFoundError,
    ),
    "siliconflow, balance": (
        403,
        {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None},
        errors.InsufficientBalanceError,
    ),
    "siliconflow, key": (401, '"Invalid token"', errors.AuthenticationError),
    "deepseek, balance": (
        402,
        {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}},
        errors.InsufficientBalanceError,
    ),
    "openrouter, moderation": (403, {"error": {"code": 403}}, errors.PermissionDeniedError),
    "openrouter, timeout": (408, {"error": {"code": 408}}, errors.ServerError),
    "wcode, quota": (429, {"error": "quota exceeded"}, errors.InsufficientBalanceError),
    "deepseek, risk": (400, {"error": {"message": "Content Exists Risk"}}, errors.ContentRiskError),
    "old deepseek, risk": (400, {"detail": "Content Exists Risk"}, errors.ContentRiskError),
    "fastapi": (422, {"detail": [{"msg": "field required"}]}, errors.BadRequestError),
    "nginx, too large": (413, "<html>Too Large</html>", errors.EndpointError),
    "list": (400, [1, 2], errors.BadRequestError),
    "number": (500, 7, errors.ServerError),
    "null error": (500, {"error": None}, errors.ServerError),
    "unknown 4xx": (418, "", errors.BadRequestError),
    "unknown 5xx": (599, "", errors.ServerError),
}


@pytest.mark.parametrize(("status", "body", "kind"), KNOWN.values(), ids=KNOWN)
def test_every_known_body_is_its_class_and_a_sentence(status, body, kind):
    text = body if isinstance(body, str) else json.dumps(body)
    found = api_error(Refusal(status, {}, text, "https://x/y", "host"))
    assert type(found) is kind
    assert found.what.endswith((".", "…"))
    assert "https://x/y" in str(found)
    assert "<" not in found.what


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
