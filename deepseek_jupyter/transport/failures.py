"""From what a server or the network did to the one error class that names its cause. Pure.

Servers disagree about everything but the status: DeepSeek sends 400 as application/octet-stream
and calls 401 and 402 ``invalid_request_error``, SiliconFlow has no ``error`` key, proxies answer in
HTML. So the body is read whatever its type, and the class follows from status and message.
Sources: the error pages of each provider and recorded 400 and 401 bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
_BY_WORDS: tuple[tuple[re.Pattern[str], type[APIError]], ...] = (
    (_RISK, errors.ContentRiskError),
    (_CONTEXT, errors.ContextLengthError),
    (_BALANCE, errors.InsufficientBalanceError),
    (_MODEL, errors.ModelNotFoundError),
)
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
    message, code = _words(refusal)
    kind, said = _classify(refusal, message, code)
    return kind(
        said,
        _hint(refusal, kind),
        status=refusal.status,
        provider=refusal.provider,
        url=refusal.url,
        request_id=request_id(refusal.headers, message),
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


def _words(refusal: Refusal) -> tuple[str, str]:
    """Message, and code and type, of an error body in any of its known forms."""
    text, short = refusal.body.strip(), refusal.short
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ("" if looks_like_html(text) else short(text)), ""
    if not isinstance(parsed, Mapping):
        return short(text), ""
    error = parsed.get("error", parsed)
    if isinstance(error, str):
        return short(error), ""
    if not isinstance(error, Mapping):
        return short(text), ""
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    codes = " ".join(str(error[name]) for name in ("code", "type") if error.get(name))
    return short(message if isinstance(message, str) else json.dumps(message)), codes


def _short(text: str, redact: Callable[[str], str] = str) -> str:
    """`text` as one line; redacted as it will be read, and before a cut could halve a key."""
    return shortened(redact(_PROSE.sub(" ", _CONTROL.sub("", text)).strip()), _MAX_SHOWN)


def _classify(refusal: Refusal, message: str, code: str) -> tuple[type[APIError], str]:
    status = refusal.status
    said = message.rstrip(".") + "." if message else ""
    if 300 <= status < 400:
        target = refusal.short(_host(refusal.headers.get("location", ""))) or "another address"
        return errors.EndpointError, f"The server redirects to {target}; keys are not sent along."
    if looks_like_html(refusal.body) and status < 500 and status not in (408, 429):
        return errors.EndpointError, "The server answered with a web page instead of JSON."
    if status in (400, 422) or (status == 500 and "invalid_request" in code.split()):
        # CometAPI reports some bad requests as 500 with this very code. (DeepSeek writes
        # "invalid_request_error" under every failure, also under those that pass.)
        told = f"{message} {code}"
        kind = next((k for pattern, k in _BY_WORDS if pattern.search(told)), errors.BadRequestError)
        return kind, said or "The server refused the request."
    if _BALANCE.search(message) and status in (402, 403, 429):
        return errors.InsufficientBalanceError, said
    if status == 404 and _MODEL.search(message):
        return errors.ModelNotFoundError, said
    kind, words = _BY_STATUS.get(
        status, (errors.ServerError if status >= 500 else errors.BadRequestError, "")
    )
    return kind, said or words or f"The server answered HTTP {status} without saying why."


def _host(url: str) -> str:
    try:
        return unquote(urlsplit(url).netloc)
    except ValueError:
        return ""


def _hint(refusal: Refusal, kind: type[APIError]) -> str:
    if kind is errors.InsufficientBalanceError and refusal.provider == "deepseek":
        return "Top up at platform.deepseek.com; %deepseek balance shows what is left."
    if kind is errors.EndpointError:
        return refusal.redact(address_hint(refusal.url, refusal.headers.get("location", "")))
    return ""


# Which failures are tried again, and after how long; the client sleeps. Backoff is exponential with
# full jitter (the wait is drawn from zero to the bound), so that many kernels do not come back in
# step. Nothing is ever tried again after output was seen or a tool ran.


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; the n-th wait is at most `base` * 2**(n-1) seconds, and `cap`.

    A server's own Retry-After is honoured up to `patience` seconds; a longer one ends the tries.
    """

    attempts: int = 4
    base: float = 0.5
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
        bound: float = min(self.cap, self.base * 2 ** (attempt - 1))
        return bound * draw


def retryable(error: DeepSeekError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, errors.OverloadedError | errors.UnreachableError):
        return True
    if not isinstance(error, errors.ServerError | errors.RateLimitError):
        return False
    return error.status is None or error.status in _RETRIED  # None: said inside a stream


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
