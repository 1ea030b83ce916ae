"""From what a server or the network did to the one error class that names its cause. Pure.

Servers disagree about everything. DeepSeek sends 400 as application/octet-stream and calls 401 and
402 ``invalid_request_error``, SiliconFlow has no ``error`` key, gateways wrap what another server
said, answer with HTTP 200 or with 503 for a model that they do not have, proxies answer in HTML.
So the body is read whatever its type, all levels of it, and the class follows from what it says:
codes and words first (English and Chinese), then the status.
Sources: the error pages of each provider, one-api's and new-api's sources, recorded bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from deepseek_jupyter import errors
from deepseek_jupyter.errors import APIError, DeepSeekError, shortened

from .addresses import address_hint

_MAX_SHOWN = 400  # characters of a server's own words

_REQUEST_IDS = (
    "x-ds-trace-id",
    "x-request-id",
    "x-deepseek-request-id",
    "x-generation-id",
    "cf-ray",
)
_COMET_ID = re.compile(r"request id: ?([0-9A-Za-z-]{8,})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Cause:
    """A class with the codes (folded) and words that mean it; `always` whatever the status is."""

    kind: type[APIError]
    codes: frozenset[str]
    words: re.Pattern[str]
    always: bool = True


def _cause(kind: type[APIError], codes: str, words: str, always: bool = True) -> _Cause:
    return _Cause(kind, frozenset(codes.split()), re.compile(words, re.IGNORECASE), always)


_PER_TIME = re.compile(r"per[ _](second|minute|hour|day)|rate.?limit|\b[rt]pm\b", re.IGNORECASE)
_CAUSES = (
    _cause(
        errors.ContentRiskError,
        "content_filter content_policy_violation data_inspection_failed datainspectionfailed "
        "sensitive_words_detected sensitivecontentdetected moderation_blocked 1301",
        r"content exists risk|content_filter|data_inspection_failed|content.{0,20}polic|"
        r"敏感[词内信]|内容(安全|违规|审核)|不合规",
    ),
    _cause(
        errors.ContextLengthError,
        "context_length_exceeded exceed_context_size_error string_above_max_length 1261",
        r"maximum context length|context_length_exceeded|exceed_context_size|"
        r"exceeds the available context size|context window|(prompt|input) is too long|"
        r"max(imum)? (input|prompt) (length|tokens)|"
        r"上下文(长度)?[超过]|超过.{0,8}最大.{0,6}(上下文|长度)",
    ),
    _cause(
        errors.InsufficientBalanceError,
        "insufficient_user_quota insufficient_quota insufficient_balance insufficientbalance "
        "pre_consume_token_quota_failed accountoverdueerror arrearage billing_not_active "
        "billing_hard_limit_reached exceeded_current_quota_error credit_balance_too_low "
        "token_quota_exhausted payment_required 30001 1113",
        r"insufficient.{0,12}(balance|quota|credit|fund)|balance is (insufficient|too low)|"
        r"quota.{0,4}(exceeded|exhausted|is not enough)|(credit|quota) limit is insufficient|"
        r"requires more credits|out of credits|exceeded your current quota|"
        r"余额(不足|已用)|额度(不足|已用)|配额(不足|已用)|欠费|请.{0,3}充值",
    ),
    _cause(
        errors.ModelNotFoundError,
        "model_not_found modelnotfound model_not_exist model_not_available model_not_supported "
        "unsupported_model invalid_model no_available_channel deploymentnotfound 20012 1211 "
        "invalidendpointormodel.notfound",
        r"supported API model names|model\b.{0,100}?(does not exist|not found|not exist)|"
        r"(unknown|invalid|no such|unsupported) model|not a valid model|model_not_found|"
        r"no available channel|no endpoints found for|"
        r"模型.{0,40}(不存在|未找到|不支持|未开通)|无可用渠道",
    ),
    _cause(
        errors.AuthenticationError,
        "invalid_api_key invalidapikey incorrect_api_key invalid_token token_expired unauthorized "
        "unauthenticated authentication_error authenticationerror 1000 1001 1002 1003 1004",
        r"(invalid|incorrect|missing|expired) (api[ _-]?)?(key|token)\b|api[ _-]?key.{0,30}"
        r"(invalid|not valid|expired|missing)|no auth credentials|authentication fail|"
        r"(令牌|密钥|api.?key).{0,8}(无效|错误|过期|不存在|禁用|不正确)|无效的?(令牌|密钥)|未提供令牌",
        False,
    ),
    _cause(
        errors.RateLimitError,
        "rate_limit_exceeded rate_limit_error rate_limit_reached_error too_many_requests "
        "ratelimitexceeded throttling throttling.ratequota concurrency_limit_exceeded "
        "resource_exhausted 1302 1303",
        r"rate.?limit|too many requests|concurrency limit|throttl|频繁|限流|并发.{0,6}[超过限]|"
        r"速率|频率",
        False,
    ),
    _cause(
        errors.OverloadedError,
        "overloaded_error server_overloaded serveroverloaded engine_overloaded_error "
        "engine_overloaded insufficient_system_resource service_unavailable serviceunavailable "
        "system_busy 50505 50603 1305 1312",
        r"overload|(server|system|service) is (too )?busy|at capacity|no (healthy|available) "
        r"(upstream|provider|instance|server)|temporarily unavailable|繁忙|负载|过载",
        False,
    ),
    _cause(
        errors.PermissionDeniedError,
        "permission_denied permission_error access_denied accessdenied",
        r"(do|does) not have (access|permission)|not allowed to (use|access)|无权|没有权限",
        False,
    ),
    _cause(
        errors.ServerError,
        "server_error internal_server_error internal_error internalerror upstream_error "
        "bad_response_status_code do_request_failed get_channel_failed timeout",
        r"internal (server )?error|upstream (error|timeout)|timed? ?out|内部错误|超时|上游",
        False,
    ),
    _cause(
        errors.BadRequestError,
        "invalid_request bad_request badrequest invalid_parameter "
        "invalidparameter invalid_argument 20015 1210 1214",
        r"invalid (parameter|request|argument|value)|参数",
        False,
    ),
)
# Statuses that hosts put on anything, so that what the body says comes first.
_VAGUE = frozenset({200, 400, 422, 500})
_BY_STATUS: Mapping[int, tuple[type[APIError], str]] = {
    401: (errors.AuthenticationError, "The API key was not accepted."),
    402: (errors.InsufficientBalanceError, "The account's balance is used up."),
    403: (errors.PermissionDeniedError, "This key may not do that."),
    404: (errors.EndpointError, "There is nothing at this address."),
    405: (errors.EndpointError, "This address does not take such requests."),
    408: (errors.ServerError, "The server gave up waiting for the request."),
    413: (errors.BadRequestError, "The request is too large for the server."),
    415: (errors.BadRequestError, "The server does not take this content type."),
    429: (errors.RateLimitError, "Too many requests at once."),
    500: (errors.ServerError, "The server failed."),
    502: (errors.ServerError, "A gateway before the server failed."),
    503: (errors.OverloadedError, "The server is overloaded."),
    504: (errors.ServerError, "A gateway before the server timed out."),
    524: (errors.ServerError, "A gateway before the server timed out."),
    529: (errors.OverloadedError, "The server is overloaded."),
}
_STATUSES = frozenset(map(str, range(400, 600)))
_TITLE = re.compile(r"<title[^>]*>\s*(.{1,120}?)\s*</title>", re.IGNORECASE | re.DOTALL)
_TOP_UP = {
    "deepseek": "platform.deepseek.com",
    "cometapi": "www.cometapi.com",
    "wcode": "wcode.net",
    "openrouter": "openrouter.ai/settings/credits",
    "siliconflow": "cloud.siliconflow.cn",
}
_LIMIT = re.compile(r"limit of (\d+)", re.IGNORECASE)
_RETRIED = frozenset({408, 429, 500, 502, 503, 504, 524, 529})
_PROSE = re.compile(r"<[^<>]*>|\s+")
# Escape sequences and other controls: an error is also shown in terminals, which obey them.
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|.)|[\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that is not an answer."""

    status: int
    headers: Mapping[str, str]
    body: str
    url: str = ""
    provider: str = ""
    redact: Callable[[str], str] = str  # takes the key out of the server's words

    def short(self, text: str) -> str:
        """`text` of the server's as one line that can be shown."""
        return _short(text, self.redact)


def api_error(refusal: Refusal) -> APIError:
    """The error for `refusal`, with the server's words, request id and URL in it."""
    said = _Said.of(refusal)
    kind, words = _classify(refusal, said)
    return kind(
        words,
        _hint(refusal, kind),
        status=None if refusal.status == 200 else refusal.status,
        provider=refusal.provider,
        url=refusal.url,
        request_id=request_id(refusal.headers, said.message),
        retry_after=retry_after(refusal.headers),
    )


def request_id(headers: Mapping[str, str], message: str = "") -> str:
    """What the provider's support asks for, "" where none was given."""
    for name in _REQUEST_IDS:
        if headers.get(name):
            return _short(headers[name])
    found = _COMET_ID.search(message)
    return found[1] if found else ""


def concurrency_limit(message: str) -> int | None:
    """The account's own limit, where a 429 names it ("exceeds your concurrency limit of 39")."""
    found = _LIMIT.search(message)
    return int(found[1]) if found else None


def looks_like_html(body: str) -> bool:
    """Whether `body` is a web page."""
    return body.lstrip()[:15].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))


_MESSAGE_KEYS = "message msg detail details error_msg error_message errmsg errormessage "
_MESSAGES = frozenset(f"{_MESSAGE_KEYS}error_description reason title".split(" "))
_CODE_KEYS = "code type status error_code errcode err_code errorcode status_code"
_CODES = frozenset(_CODE_KEYS.split(" "))
_INNER_KEYS = "error errors data metadata raw response result body cause innererror fault"
_INNER = frozenset(_INNER_KEYS.split(" "))
_DEEPEST = 8


@dataclass(slots=True)
class _Said:
    """What a body says, on all its levels: words and codes, the outer ones first."""

    messages: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    message: str = ""  # all of it as one line
    title: str = ""  # of a web page

    @classmethod
    def of(cls, refusal: Refusal) -> _Said:
        said, text = cls(), refusal.body.strip()
        if looks_like_html(text):
            found = _TITLE.search(text)
            said.title = refusal.short(found[1]) if found else ""
            return said
        said._read(text, 0)
        if not said.messages and not said.codes and text not in ("", "{}", '{"error": null}'):
            said.messages.append(text)
        told = [refusal.short(message) for message in said.messages]
        kept = [t for i, t in enumerate(told) if t and not any(t in o for o in told[:i])]
        said.message = shortened(": ".join(one.rstrip(":. ") for one in kept), _MAX_SHOWN)
        return said

    def _read(self, value: object, depth: int) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(value, str):
            try:
                inner = json.loads(value) if value.lstrip()[:1] in ("{", "[", '"') else None
            except (ValueError, RecursionError):
                inner = None
            if inner is None:
                self.messages.append(value)
            else:
                self._read(inner, depth + 1)
        elif isinstance(value, list):
            for item in value[:3]:
                self._read(item, depth + 1)
        elif isinstance(value, Mapping):
            self._read_mapping(value, depth)

    def _read_mapping(self, value: Mapping[str, object], depth: int) -> None:
        folded = {str(name).lower(): item for name, item in value.items()}
        for name, item in folded.items():
            if name in _CODES and isinstance(item, str | int) and not isinstance(item, bool):
                self.codes.append(str(item).casefold())
        at = folded.get("loc")  # FastAPI: which field is meant
        where = ".".join(map(str, at)) if isinstance(at, list) else ""
        for name, item in folded.items():
            if name in _MESSAGES and isinstance(item, str) and where:
                self.messages.append(f"{where}: {item}")
            elif name in _MESSAGES or name in _INNER:
                if name == "error" and isinstance(item, str) and " " not in item:
                    self.codes.append(item.casefold())  # {"error": "invalid_token", …}
                self._read(item, depth + 1)


def _short(text: str, redact: Callable[[str], str] = str) -> str:
    """`text` as one line; redacted as it will be read, and before a cut could halve a key."""
    return shortened(redact(_PROSE.sub(" ", _CONTROL.sub("", text)).strip()), _MAX_SHOWN)


def _classify(refusal: Refusal, said: _Said) -> tuple[type[APIError], str]:
    status = refusal.status
    words = said.message.rstrip(".") + "." if said.message else ""
    if 300 <= status < 400:
        target = refusal.short(_host(refusal.headers.get("location", ""))) or "another address"
        return errors.EndpointError, f"The server redirects to {target}; keys are not sent along."
    titled = f" ({said.title})." if said.title else "."
    if looks_like_html(refusal.body) and status < 500 and status not in (408, 429):
        return errors.EndpointError, f"The server answered with a web page instead of JSON{titled}"
    codes = set(said.codes)
    inner = next((int(c) for c in said.codes if c in _STATUSES), None)
    if status in (200, 500) and inner:
        status = inner
    elif status == 200 and "invalid_request_error" in codes:
        status = 400  # (with HTTP 500 it says nothing: DeepSeek writes it under every failure)
    vague = status in _VAGUE
    for cause in _CAUSES:
        by_words = cause.kind is not errors.InsufficientBalanceError or (
            status == 402 or not _PER_TIME.search(said.message)
        )
        meant = codes & cause.codes or (by_words and cause.words.search(said.message))
        if meant and (cause.always or vague):
            return cause.kind, words or f"The server refused it: {', '.join(said.codes)}."
    kind, own = _BY_STATUS.get(
        status, (errors.BadRequestError if 400 <= status < 500 else errors.ServerError, "")
    )
    own = own or f"The server answered HTTP {status} without saying why."
    return kind, words or own.removesuffix(".") + titled


def _host(url: str) -> str:
    try:
        return unquote(urlsplit(url).netloc)
    except ValueError:
        return ""


def _hint(refusal: Refusal, kind: type[APIError]) -> str:
    if kind is errors.InsufficientBalanceError:
        where = _TOP_UP.get(refusal.provider) or f"the provider of {_host(refusal.url)}"
        tells = " %deepseek balance shows what is left." if refusal.provider == "deepseek" else ""
        return f"Top up the account at {where}, or ask another provider with -p.{tells}"
    if kind is errors.ModelNotFoundError and refusal.provider:
        return f"%deepseek models {refusal.provider} lists the ids it offers; -m takes one."
    if kind is errors.EndpointError:
        return refusal.redact(address_hint(refusal.url, refusal.headers.get("location", "")))
    return ""


# Which failures are tried again, and after how long; the client sleeps. Each wait is twice the last
# one and up to half as long again, so that many kernels do not come back in step, and none comes
# back at once. Nothing is ever tried again after output was seen or a tool ran.


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; the n-th wait is at least `base` * 2**(n-1) seconds, and at most `cap`.

    A server's own Retry-After is honoured up to `patience` seconds; a longer one ends the tries.
    """

    attempts: int = 5
    base: float = 1.0
    cap: float = 20.0
    patience: float = 60.0

    def delay(
        self, error: DeepSeekError, attempt: int, draw: float, asked: float | None = None
    ) -> float | None:
        """Seconds to wait after the failure of try number `attempt` (from 1); None to give up.

        `draw` is a random number in [0, 1); `asked` is the server's Retry-After.
        """
        if attempt >= self.attempts or not retryable(error):
            return None
        if asked is not None:
            return asked if asked <= self.patience else None
        return min(self.cap, self.base * 2.0 ** (attempt - 1) * (1 + draw / 2))


def retryable(error: DeepSeekError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, errors.OverloadedError | errors.UnreachableError):
        return True
    if isinstance(error, errors.RateLimitError):
        return True
    # None: said with HTTP 200
    return isinstance(error, errors.ServerError) and error.status in (None, *_RETRIED)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # a date without zone means UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
