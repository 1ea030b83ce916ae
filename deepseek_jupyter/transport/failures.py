"""From what a server or the network did to the one error class that names its cause. Pure.

Servers disagree about everything but the status: DeepSeek sends 400 as application/octet-stream
and calls 401 and 402 ``invalid_request_error``, SiliconFlow has no ``error`` key, proxies answer in
HTML. So the body is read whatever its type, and the class follows from status and message.
Sources: the error pages of each provider and recorded 400 and 401 bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from deepseek_jupyter.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentRiskError,
    ContextLengthError,
    EndpointError,
    InsufficientBalanceError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

from .retry import retry_after

__all__ = ["Failure", "api_error", "concurrency_limit", "looks_like_html", "request_id"]

_MAX_SHOWN = 400  # characters of a server's own words

_REQUEST_IDS = (
    "x-ds-trace-id",
    "x-request-id",
    "x-deepseek-request-id",
    "x-generation-id",
    "cf-ray",
)
_COMET_ID = re.compile(r"request id: ?([0-9A-Za-z-]{8,})", re.IGNORECASE)

_CONTEXT = re.compile(
    r"maximum context length|context_length_exceeded|exceed_context_size|"
    r"exceeds the available context size|context window",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"supported API model names|model[^.]{0,60}(does not exist|not found|not exist)|"
    r"(unknown|invalid|no such) model|not a valid model|model_not_found|no available channel",
    re.IGNORECASE,
)
_RISK = re.compile(r"content exists risk|content_filter|data_inspection_failed", re.IGNORECASE)
_BALANCE = re.compile(
    r"insufficient (account )?balance|balance is insufficient|insufficient_quota|quota exceeded|"
    r"quota is not enough|insufficient credits",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"limit of (\d+)", re.IGNORECASE)
_PROSE = re.compile(r"<[^>]*>|\s+")
# Escape sequences and other controls: an error is also shown in terminals, which obey them.
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|.)|[\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that is not an answer."""

    status: int
    headers: Mapping[str, str]
    body: str
    url: str = ""
    provider: str = ""

    def at(self, body: str, url: str, provider: str) -> Failure:
        """The same with its particulars."""
        return Failure(self.status, self.headers, body, url, provider)


def api_error(failure: Failure) -> APIError:
    """The error for `failure`, with the server's words, request id and URL in it."""
    message, code = _words(failure.body)
    kind, said = _classify(failure, message, code)
    return kind(
        said,
        _hint(failure, kind),
        status=failure.status,
        provider=failure.provider,
        url=failure.url,
        request_id=request_id(failure.headers, message),
        retry_after=retry_after(failure.headers),
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


def _words(body: str) -> tuple[str, str]:
    """Message, and code and type, of an error body in any of its known forms."""
    text = body.strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ("" if looks_like_html(text) else _short(text)), ""
    if not isinstance(parsed, Mapping):
        return _short(text), ""
    error = parsed.get("error", parsed)
    if isinstance(error, str):
        return _short(error), ""
    if not isinstance(error, Mapping):
        return _short(text), ""
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    codes = " ".join(str(error[name]) for name in ("code", "type") if error.get(name))
    return _short(message if isinstance(message, str) else json.dumps(message)), codes


def _short(text: str) -> str:
    text = _PROSE.sub(" ", _CONTROL.sub("", text)).strip()
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _classify(failure: Failure, message: str, code: str) -> tuple[type[APIError], str]:
    status = failure.status
    said = message.rstrip(".") + "." if message else ""
    if 300 <= status < 400:
        target = urlsplit(failure.headers.get("location", "")).netloc or "another address"
        return EndpointError, f"The server redirects to {target}; keys are not sent along."
    if looks_like_html(failure.body) and status < 500 and status not in (408, 429):
        return EndpointError, "The server answered with a web page instead of JSON."
    if status in (400, 422) or (status == 500 and "invalid_request" in code.split()):
        # CometAPI reports some bad requests as 500 with this very code. (DeepSeek writes
        # "invalid_request_error" under every failure, also under those that pass.)
        return _bad_request(f"{message} {code}"), said or "The server refused the request."
    if _BALANCE.search(message) and status in (402, 403, 429):
        return InsufficientBalanceError, said
    if status == 404 and _MODEL.search(message):
        return ModelNotFoundError, said
    kind, words = _BY_STATUS.get(status, (ServerError if status >= 500 else BadRequestError, ""))
    return kind, said or words or f"The server answered HTTP {status} without saying why."


_BY_STATUS: Mapping[int, tuple[type[APIError], str]] = {
    401: (AuthenticationError, "The API key was not accepted."),
    402: (InsufficientBalanceError, "The account's balance is used up."),
    403: (PermissionDeniedError, "This key may not do that."),
    404: (EndpointError, "There is nothing at this address."),
    405: (EndpointError, "This address does not take such requests."),
    408: (ServerError, "The server gave up waiting for the request."),
    413: (BadRequestError, "The request is too large for the server."),
    415: (BadRequestError, "The server does not take this content type."),
    429: (RateLimitError, "Too many requests at once."),
    500: (ServerError, "The server failed."),
    502: (ServerError, "A gateway before the server failed."),
    503: (OverloadedError, "The server is overloaded."),
    504: (ServerError, "A gateway before the server timed out."),
    524: (ServerError, "A gateway before the server timed out."),
    529: (OverloadedError, "The server is overloaded."),
}


def _bad_request(message: str) -> type[APIError]:
    if _RISK.search(message):
        return ContentRiskError
    if _CONTEXT.search(message):
        return ContextLengthError
    if _BALANCE.search(message):
        return InsufficientBalanceError
    return ModelNotFoundError if _MODEL.search(message) else BadRequestError


def _hint(failure: Failure, kind: type[APIError]) -> str:
    if kind is InsufficientBalanceError and failure.provider == "deepseek":
        return "Top up at platform.deepseek.com; %deepseek balance shows what is left."
    return ""
