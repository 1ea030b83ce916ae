"""From what a server or the network did to the one error class that names its cause. Pure.

Servers disagree about everything. DeepSeek sends 400 as application/octet-stream and calls 401 and
402 ``invalid_request_error``, SiliconFlow has no ``error`` key, gateways wrap what another server
said, answer with HTTP 200 or with 503 for a model that they do not have, proxies answer in HTML.
So the body is read whatever its type, all levels of it, and the class follows from what it says:
codes and words first (English and Chinese), then the status, as ``failures.json`` has them.
Sources: the error pages of each provider, one-api's and new-api's sources, recorded bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from deepseek_jupyter import errors
from deepseek_jupyter.errors import APIError, shortened

from .addresses import address_hint, parts
from .retry import retry_after

_MAX_SHOWN = 400  # characters of a server's own words

_COMET_ID = re.compile(r"request id: ?([0-9A-Za-z-]{8,})", re.IGNORECASE)
_TABLE: Any = json.loads(Path(__file__).with_name("failures.json").read_text("utf-8"))
# Class, the codes (folded) and the words that mean it, `unless` other words stand there, and
# whether they mean it whatever the status is.
_CAUSES: list[tuple[type[APIError], frozenset[str], re.Pattern[str], re.Pattern[str], bool]] = [
    (
        getattr(errors, row["kind"]),
        frozenset(row["codes"].split()),
        re.compile(row["words"], re.IGNORECASE),
        re.compile(row.get("unless", "(?!)"), re.IGNORECASE),
        row.get("always", True),
    )
    for row in _TABLE["causes"]
]
# Statuses that hosts put on anything, so that what the body says comes first.
_VAGUE = frozenset({200, 400, 403, 422, 500})
_BY_STATUS: Mapping[int, tuple[type[APIError], str]] = {
    int(status): (getattr(errors, kind), words)
    for status, (kind, words) in _TABLE["statuses"].items()
}
_STATUSES = frozenset(map(str, range(400, 600)))
_TITLE = re.compile(r"<title[^>]*>\s*(.{1,120}?)\s*</title>", re.IGNORECASE | re.DOTALL)
_LIMIT = re.compile(r"limit of (\d+)", re.IGNORECASE)
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
    said = _said(refusal)
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
    given = next(filter(None, map(headers.get, _TABLE["request_ids"].split())), "")
    found = _COMET_ID.search(message)
    return _short(given) if given else found[1] if found else ""


def concurrency_limit(message: str) -> int | None:
    """The account's own limit, where a 429 names it ("exceeds your concurrency limit of 39")."""
    found = _LIMIT.search(message)
    return int(found[1]) if found else None


def looks_like_html(body: str) -> bool:
    """Whether `body` is a web page."""
    return body.lstrip()[:15].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))


_MESSAGES, _CODES, _INNER = (
    frozenset(_TABLE[f"{kind}_keys"].split()) for kind in ("message", "code", "inner")
)
_DEEPEST = 8


class _Said(NamedTuple):
    """What a body says: all messages as one line, the codes of all levels, a web page's title."""

    message: str = ""
    codes: tuple[str, ...] = ()
    title: str = ""


def _said(refusal: Refusal) -> _Said:
    text = refusal.body.strip()
    if looks_like_html(text):
        found = _TITLE.search(text)
        return _Said(title=refusal.short(found[1]) if found else "")
    told = list(_told(text))
    if not told and text not in ("", "{}", '{"error": null}'):
        told = [("message", text)]
    shown = [refusal.short(words) for kind, words in told if kind == "message"]
    kept = [t for i, t in enumerate(shown) if t and not any(t in o for o in shown[:i])]
    message = shortened(": ".join(one.rstrip(":. ") for one in kept), _MAX_SHOWN)
    return _Said(message, tuple(code.casefold() for kind, code in told if kind == "code"))


def _told(value: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Each message and code in a body, on all its levels, the outer ones first."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        inner = None
        with suppress(ValueError, RecursionError):
            inner = json.loads(value) if value.lstrip()[:1] in ("{", "[", '"') else None
        yield from [("message", value)] if inner is None else _told(inner, depth + 1)
    elif isinstance(value, list):
        for item in value[:3]:
            yield from _told(item, depth + 1)
    elif isinstance(value, Mapping):
        folded = {str(name).lower(): item for name, item in value.items()}
        for name, item in folded.items():
            if name in _CODES and isinstance(item, str | int) and not isinstance(item, bool):
                yield "code", str(item)
        at = folded.get("loc")  # FastAPI: which field is meant
        where = ".".join(map(str, at)) if isinstance(at, list) else ""
        for name, item in folded.items():
            if name in _MESSAGES and isinstance(item, str) and where:
                yield "message", f"{where}: {item}"
            elif name in _MESSAGES or name in _INNER:
                if name == "error" and isinstance(item, str) and " " not in item:
                    yield "code", item  # {"error": "invalid_token", …}
                yield from _told(item, depth + 1)


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
    if looks_like_html(refusal.body) and status < 500 and status not in (408, 413, 429):
        return errors.EndpointError, f"The server answered with a web page instead of JSON{titled}"
    codes = set(said.codes)
    inner = next((int(c) for c in said.codes if c in _STATUSES), None)
    if status in (200, 500) and inner:
        status = inner
    elif status == 200 and "invalid_request_error" in codes:
        status = 400  # (with HTTP 500 it says nothing: DeepSeek writes it under every failure)
    told = " ".join((said.message, *said.codes))
    for kind, named, worded, unless, always in _CAUSES:
        meant = codes & named or (worded.search(told) and not unless.search(told))
        if meant and (always or status in _VAGUE):
            return kind, words or f"The server refused it: {', '.join(said.codes)}."
    kind, own = _BY_STATUS.get(
        status, (errors.BadRequestError if 400 <= status < 500 else errors.ServerError, "")
    )
    own = own or f"The server answered HTTP {status} without saying why."
    return kind, words or own.removesuffix(".") + titled


def _host(url: str) -> str:
    return unquote(parts(url).netloc)


def _hint(refusal: Refusal, kind: type[APIError]) -> str:
    if kind is errors.InsufficientBalanceError:
        where = _TABLE["top_up"].get(refusal.provider) or f"the provider of {_host(refusal.url)}"
        tells = " %deepseek balance shows what is left." if refusal.provider == "deepseek" else ""
        return f"Top up the account at {where}. -p asks another provider.{tells}"
    if kind is errors.ModelNotFoundError and refusal.provider:
        return f"%deepseek models {refusal.provider} lists the ids it offers; -m takes one."
    if kind is errors.EndpointError:
        return refusal.redact(address_hint(refusal.url, refusal.headers.get("location", "")))
    return ""
