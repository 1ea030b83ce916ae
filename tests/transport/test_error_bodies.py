"""Error bodies as hosts send them: the class, whether it is tried again, the words, the advice.

The shapes are those that DeepSeek, CometAPI (new-api), wcode.net, OpenRouter, SiliconFlow, vLLM,
SGLang, llama.cpp, Ollama, Azure, Moonshot, Zhipu, Alibaba, Volcengine, Anthropic, Google, Tencent
and proxies document or were seen to send; the sentences are made up in their manner.
"""

from __future__ import annotations

import json

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.transport.failures import Refusal, api_error
from deepseek_jupyter.transport.retry import retryable
from tests.support.asking import ask, exchange_with, provider_at
from tests.support.scripted import plain, sse

BALANCE, MODEL, KEY = (
    errors.InsufficientBalanceError,
    errors.ModelNotFoundError,
    errors.AuthenticationError,
)
RATE, BUSY, SERVER = errors.RateLimitError, errors.OverloadedError, errors.ServerError
BAD, LONG, RISK = errors.BadRequestError, errors.ContextLengthError, errors.ContentRiskError
DENIED, NOWHERE = errors.PermissionDeniedError, errors.EndpointError
AGAIN = {RATE, BUSY, SERVER}  # the classes that are tried again


def nested(message, code=None, type="", **more):
    return {"error": {"message": message, "type": type, "param": None, "code": code, **more}}


def flat(code, message):
    return {"code": code, "message": message, "data": None}


# name -> status, body, class
BODIES = {
    # DeepSeek
    "deepseek 400 words": (400, nested("Failed to deserialize: unknown variant"), BAD),
    "deepseek 400 context": (400, nested("This model's maximum context length is 9 tokens."), LONG),
    "deepseek 400 model": (400, nested("The supported API model names are a or b"), MODEL),
    "deepseek 400 old model": (400, nested("Model Not Exist", "invalid_request_error"), MODEL),
    "deepseek 400 risk": (400, nested("Content Exists Risk", "invalid_request_error"), RISK),
    "deepseek 400 risk detail": (400, {"detail": "Content Exists Risk"}, RISK),
    "deepseek 401": (
        401,
        nested("Authentication Fails, ****abcd is invalid", "invalid_request_error"),
        KEY,
    ),
    "deepseek 401 text": (401, "Authentication Fails (no such user)", KEY),
    "deepseek 402": (402, nested("Insufficient Balance", "invalid_request_error"), BALANCE),
    "deepseek 429": (
        429,
        nested("exceeds your concurrency limit of 39 based on your balance"),
        RATE,
    ),
    "deepseek 503": (503, nested("Service is too busy."), BUSY),
    # CometAPI, which runs new-api
    "new-api no channel": (
        503,
        nested("No available channel for model X-thinkng under group default", "model_not_found"),
        MODEL,
    ),
    "new-api no channel, Chinese": (503, nested("当前分组 default 下对于模型 x 无可用渠道"), MODEL),
    "new-api quota": (
        403,
        nested("User's credit limit is insufficient, remaining $0.00", "insufficient_user_quota"),
        BALANCE,
    ),
    "new-api quota, Chinese": (403, nested("用户额度不足, 剩余额度: ¥0.000000"), BALANCE),
    "new-api token quota": (
        403,
        nested("the token quota is not enough", "pre_consume_token_quota_failed"),
        BALANCE,
    ),
    "new-api token": (401, nested("无效的令牌 (request id: 2026112100abcd)", ""), KEY),
    "new-api token in a 200": (200, nested("无效的令牌"), KEY),
    "new-api saturated": (429, nested("当前分组上游负载已饱和,请稍后再试"), RATE),
    "new-api upstream": (
        500,
        nested("bad response status code 502", "bad_response_status_code"),
        SERVER,
    ),
    "new-api sensitive": (
        400,
        nested("user sensitive words detected", "sensitive_words_detected"),
        RISK,
    ),
    "comet 500 that is a 400": (500, nested("bad request", "invalid_request"), BAD),
    "comet empty code": (500, nested("oops", "", "comet_api_error"), SERVER),
    "comet 524 page": (524, "<html><title>524: A timeout occurred</title></html>", SERVER),
    # wcode.net and other relays
    "wcode balance": (429, flat(429, "余额不足,请充值"), BALANCE),
    "wcode quota": (429, {"error": "quota exceeded"}, BALANCE),
    "wcode key": (401, {"error": "incorrect API_KEY"}, KEY),
    "wcode large": (413, {"error": "request body is too large"}, BAD),
    "relay wrap": (200, {"success": False, "data": nested("model x does not exist")}, MODEL),
    "relay text": (200, {"error": "余额不足"}, BALANCE),
    "relay 400 busy": (400, {"error": {"message": "系统繁忙"}}, BUSY),
    "relay 400 rate": (400, flat(1, "请求过于频繁,请稍后再试"), RATE),
    "relay string in string": (500, nested(json.dumps(nested("x", "model_not_found"))), MODEL),
    "new-api price": (400, nested("模型 x 倍率或价格未配置"), MODEL),
    "one-api model gone": (400, nested("该模型已下线"), MODEL),
    "one-api long": (400, nested("输入内容过长,超出模型最大上下文长度"), LONG),
    "key at a 403": (403, nested("Invalid API key"), KEY),
    # OpenRouter
    "openrouter key limit": (403, nested("Key limit exceeded (total limit).", 403), BALANCE),
    "openrouter tools": (404, nested("No endpoints found that support tool use.", 404), MODEL),
    "openrouter upstream in a 200": (200, nested("Provider returned error", 502), SERVER),
    "openrouter raw": (
        200,
        nested("Provider returned error", 400, metadata={"raw": '{"detail":"context window"}'}),
        LONG,
    ),
    "openrouter raw busy": (
        200,
        nested("Provider returned error", 429, metadata={"raw": "x is rate-limited upstream"}),
        RATE,
    ),
    "openrouter credits": (402, nested("This request requires more credits", 402), BALANCE),
    "openrouter key": (401, nested("No auth credentials found", 401), KEY),
    "openrouter moderation": (
        403,
        nested("Input was flagged", 403, metadata={"reasons": ["violence"], "flagged_input": "x"}),
        DENIED,
    ),
    "openrouter no endpoint": (404, nested("No endpoints found for deepseek/x.", 404), MODEL),
    "openrouter id": (400, nested("deepseek/x-9 is not a valid model ID", 400), MODEL),
    "openrouter timeout": (408, nested("Request timed out", 408), SERVER),
    "openrouter no provider": (503, nested("There is no available provider", 503), BUSY),
    "openrouter free limit": (429, nested("Rate limit exceeded: free-models-per-day", 429), RATE),
    # SiliconFlow
    "siliconflow model": (400, flat(20012, "Model does not exist. Please check it."), MODEL),
    "siliconflow model in code alone": (400, flat(20012, "Please check it."), MODEL),
    "siliconflow balance": (403, flat(30001, "Sorry, your balance is too small"), BALANCE),
    "siliconflow busy": (503, flat(50505, "Model service overloaded."), BUSY),
    "siliconflow busy in a 200": (200, flat(50505, "Please try again later."), BUSY),
    "siliconflow limit": (429, flat(50603, "System is too busy now."), RATE),
    "siliconflow parameter": (400, flat(20015, "The parameter is invalid."), BAD),
    "siliconflow paid": (403, flat(30011, "Paid balance is required for these models"), BALANCE),
    "siliconflow disabled": (403, flat(30003, "Model disabled."), MODEL),
    "siliconflow long": (
        400,
        flat(20015, "prompt_tokens must be less than max_seq_len (9)."),
        LONG,
    ),
    "siliconflow key": (401, '"Invalid token"', KEY),
    # self-hosted
    "vllm flat": (400, {"object": "error", "message": "bad", "type": "BadRequestError"}, BAD),
    "vllm model": (404, {"object": "error", "message": "The model `v3.2` does not exist."}, MODEL),
    "vllm context": (400, nested("This model's maximum context length is 8 tokens", 400), LONG),
    "vllm parameter": (422, {"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, BAD),
    "sglang": (400, nested("The input is too long", 400), LONG),
    "llama.cpp context": (400, nested("too long", 400, "exceed_context_size_error"), LONG),
    "llama.cpp loading": (503, nested("Loading model", 503, "unavailable_error"), BUSY),
    "llama.cpp key": (401, nested("Invalid API Key", 401, "authentication_error"), KEY),
    "ollama model": (404, nested('model "x" not found, try pulling it first'), MODEL),
    "ollama native": (404, {"error": "model 'x' not found"}, MODEL),
    "vllm longer": (
        400,
        nested("The decoder prompt is longer than the maximum model length"),
        LONG,
    ),
    "sglang longer": (
        400,
        nested("The input (9 tokens) is longer than the model's context length"),
        LONG,
    ),
    "llama.cpp router": (400, nested("model 'x' not found", 400), MODEL),
    "llama.cpp cannot": (501, nested("This server does not support embeddings.", 501), BAD),
    "lm studio context": (400, {"error": "It is loaded with context length of only 4096"}, LONG),
    "lm studio path": (200, {"error": "Unexpected endpoint or method. (POST /chat)"}, NOWHERE),
    # LiteLLM, which wraps the names of its own classes round everything
    "litellm provider": (
        400,
        nested("LLM Provider NOT provided. You passed model=x", "400"),
        MODEL,
    ),
    "litellm budget": (400, nested("Over: 10.0 of 5.0", type="budget_exceeded"), BALANCE),
    "litellm balance": (
        429,
        nested("litellm.RateLimitError: Insufficient Balance", "429"),
        BALANCE,
    ),
    "litellm key": (401, nested("key not allowed to access model. Tried to access b"), DENIED),
    "litellm context": (400, nested("litellm.ContextWindowExceededError: too much"), LONG),
    # other clouds
    "azure large": (413, nested("Request body too large", "tokens_limit_reached"), LONG),
    "bedrock id": (400, {"message": "The provided model identifier is invalid."}, MODEL),
    "bedrock profile": (400, {"message": "Invocation of model ID x isn't supported."}, MODEL),
    "bedrock token": (403, {"message": "The security token in the request is expired"}, KEY),
    "groq gone": (400, nested("The model `x` has been decommissioned."), MODEL),
    "nvidia": (404, {"title": "No", "detail": "Function 'x': Not found for account 'y'"}, MODEL),
    "fireworks": (412, nested("The account has reached its monthly spending limit."), BALANCE),
    "cloudflare allocation": (
        429,
        {"errors": [{"message": "you have used up your share"}]},
        BALANCE,
    ),
    "moonshot long": (400, nested("Your request exceeded model token limit: 131072"), LONG),
    "anthropic model": (404, {"type": "error", "error": {"message": "model: x-1"}}, MODEL),
    "alibaba free tier": (
        403,
        flat("AllocationQuota", "The free tier has been exhausted."),
        BALANCE,
    ),
    "alibaba allocation": (429, flat("Throttling.AllocationQuota", "Quota exceeded."), RATE),
    "alibaba range": (400, nested("Range of input length should be [1, 129024]"), LONG),
    "alibaba output range": (400, nested("Range of max_tokens should be [1, 8192]"), BAD),
    "tencent pack": (400, {"Response": {"Error": {"Message": "资源包余量已用尽"}}}, BALANCE),
    "baidu token": (200, {"error_code": 110, "error_msg": "Access token invalid"}, KEY),
    "baidu daily": (200, {"error_code": 17, "error_msg": "daily request limit reached"}, RATE),
    "minimax": (
        200,
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        None,
    ),
    "no words but msg": (200, {"code": 401, "msg": "未登录"}, KEY),
    "azure deployment": (
        404,
        nested("The API deployment is not there", "DeploymentNotFound"),
        MODEL,
    ),
    "azure filter": (
        400,
        nested("The response was filtered", "content_filter", innererror={"code": "Filtered"}),
        RISK,
    ),
    "azure rate": (429, nested("Exceeded call rate limit; retry after 6 seconds", "429"), RATE),
    "moonshot quota": (
        429,
        nested("Please check your plan", type="exceeded_current_quota_error"),
        BALANCE,
    ),
    "moonshot overload": (429, nested("Busy", type="engine_overloaded_error"), RATE),
    "openai quota": (429, nested("You exceeded your current quota", "insufficient_quota"), BALANCE),
    "zhipu balance": (429, {"error": {"code": "1113", "message": "请检查账户"}}, BALANCE),
    "zhipu model": (400, {"error": {"code": "1211", "message": "请检查代码"}}, MODEL),
    "zhipu rate": (200, {"error": {"code": "1302", "message": "并发数过高"}}, RATE),
    "alibaba arrears": (400, {"code": "Arrearage", "message": "Access denied"}, BALANCE),
    "alibaba risk": (400, {"code": "DataInspectionFailed", "message": "Inappropriate"}, RISK),
    "alibaba throttling": (429, {"code": "Throttling.RateQuota", "message": "Slow down"}, RATE),
    "volcengine model": (
        404,
        nested("The endpoint is closed", "InvalidEndpointOrModel.NotFound"),
        MODEL,
    ),
    "volcengine not open": (404, nested("Please activate it.", "ModelNotOpen"), MODEL),
    "volcengine trial": (429, nested("It has exhausted its free quota.", "QuotaExceeded"), BALANCE),
    "volcengine risk": (400, nested("Not shown.", "OutputTextSensitiveContentDetected"), RISK),
    "volcengine long": (400, nested("Input length 9 exceeds the maximum length 8"), LONG),
    "volcengine overdue": (403, nested("Overdue", "AccountOverdueError"), BALANCE),
    "volcengine busy": (429, nested("Overloaded", "ServerOverloaded"), RATE),
    "anthropic busy": (529, {"type": "error", "error": {"type": "overloaded_error"}}, BUSY),
    "anthropic busy in a 200": (
        200,
        {"type": "error", "error": {"type": "overloaded_error"}},
        BUSY,
    ),
    "google key": (400, nested("API key not valid. Please pass a valid one.", 400), KEY),
    "google quota a minute": (429, nested("Quota exceeded for requests per minute", 429), RATE),
    "tencent": (200, {"Response": {"Error": {"Code": "x", "Message": "模型不存在"}}}, None),
    "aws": (500, {"Message": "Internal error", "__type": "InternalFailure"}, SERVER),
    "list of errors": (400, {"errors": [{"message": "prompt is too long"}]}, LONG),
    "rfc 9457": (
        403,
        {"type": "about:blank", "title": "No", "detail": "no access", "status": 403},
        DENIED,
    ),
    # proxies, and nothing in particular
    "nginx large": (413, "<html><title>413 Request Entity Too Large</title></html>", BAD),
    "nginx page": (404, "<html><title>404 Not Found</title></html>", NOWHERE),
    "proxy login": (200, "<!doctype html><title>Sign in</title>", NOWHERE),
    "gateway page": (502, "<html><head><title>502 Bad Gateway</title>", SERVER),
    "429 page": (429, "<html><title>Slow down</title></html>", RATE),
    "empty 404": (404, "", NOWHERE),
    "empty 500": (500, "", SERVER),
    "empty object": (400, "{}", BAD),
    "null error": (500, {"error": None}, SERVER),
    "true error": (400, {"error": True, "message": "额度不足"}, BALANCE),
    "list": (400, [1, 2], BAD),
    "number": (500, 7, SERVER),
    "unknown keys": (400, {"wrong": "here"}, BAD),
    "deep": (400, "[" * 5000, BAD),
    "teapot": (418, "", BAD),
    "599": (599, "", SERVER),
}
CASES = pytest.mark.parametrize(("status", "body", "kind"), BODIES.values(), ids=BODIES)


def text_of(body):
    return body if isinstance(body, str) else json.dumps(body)


def texts_in(body):
    """The sentences of a body."""
    if isinstance(body, dict):
        words = [texts_in(v) for k, v in body.items() if k not in ("flagged_input", "reasons")]
        return [t for found in words for t in found]
    return [body] if isinstance(body, str) and " " in body and body[0] not in '<{["' else []


@CASES
def test_each_is_its_class_and_tried_again_only_where_that_may_help(status, body, kind):
    found = api_error(Refusal(status, {}, text_of(body), "https://x/v1/y", "host"))
    if kind is not None:
        assert type(found) is kind, found.what
        assert retryable(found) is (kind in AGAIN and status != 599)
    assert found.what.endswith((".", "…"))
    assert "<" not in found.what
    assert found.hint


@CASES
def test_the_servers_own_words_are_shown(status, body, kind):
    what = api_error(Refusal(status, {}, text_of(body), "https://x/v1/y", "host")).what
    for said in texts_in(body):
        assert said.rstrip(".: ") in what
    if isinstance(body, str) and "<title>" in body:
        assert body.partition("<title>")[2].partition("</title>")[0] in what


@pytest.mark.parametrize(
    ("provider", "where"),
    [
        ("deepseek", "platform.deepseek.com"),
        ("cometapi", "www.cometapi.com"),
        ("wcode", "wcode.net"),
        ("openrouter", "openrouter.ai/settings/credits"),
        ("siliconflow", "cloud.siliconflow.cn"),
        ("lab", "gate.example"),
    ],
)
def test_a_balance_is_told_with_a_way_that_works_there(provider, where):
    body = text_of(nested("Insufficient Balance"))
    hint = api_error(Refusal(402, {}, body, "https://gate.example/v1/y", provider)).hint
    assert where in hint
    assert ("%deepseek balance" in hint) is (provider == "deepseek")


def test_words_that_repeat_are_shown_once():
    body = nested("No credit left", metadata={"raw": json.dumps(nested("No credit left"))})
    assert api_error(Refusal(500, {}, text_of(body))).what == "No credit left."


def test_what_is_wrapped_is_shown_with_its_wrapping():
    body = nested(
        "Provider returned error", 502, metadata={"raw": text_of(nested("Out of memory"))}
    )
    assert api_error(Refusal(200, {}, text_of(body))).what == (
        "Provider returned error: Out of memory."
    )


IN_A_200 = {n: (b, k) for n, (s, b, k) in BODIES.items() if s == 200 and k not in (None, NOWHERE)}


@pytest.mark.parametrize(("body", "kind"), IN_A_200.values(), ids=IN_A_200)
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
def test_http_200_changes_nothing(server, body, kind, streamed):
    server.queue(sse(body, done=False) if streamed else plain(body))
    outcome = ask(exchange_with(provider_at(server, "openrouter"), stream=streamed))
    assert type(outcome.error) is kind
    assert outcome.error.status is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"Response": {"Error": {"Code": "x", "Message": "余额不足"}}}, BALANCE),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, RATE),
        ({"status": "ok", "message": "Welcome to this API."}, errors.InvalidResponseError),
    ],
)
def test_json_that_holds_no_answer_is_read_for_what_it_says(server, body, kind):
    server.queue(plain(body))
    outcome = ask(exchange_with(provider_at(server, "vllm"), stream=False))
    assert type(outcome.error) is kind
    assert any(words in outcome.error.what for words in ("余额不足", "rate limit", "Welcome"))


def test_a_model_that_is_not_there_is_asked_for_once(server, client):
    server.queue(plain(BODIES["new-api no channel"][1], status=503))
    outcome = ask(exchange_with(provider_at(server, "cometapi")), client)
    assert isinstance(outcome.error, MODEL)
    assert len(server.requests) == 1
    assert "%deepseek models cometapi" in outcome.error.hint
