"""Base URLs in every form that pages print, as the one form that paths are joined to. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

# What a URL copied from a curl line has behind its base.
_ENDPOINTS = re.compile(
    r"(?:/(?:chat/completions|completions|messages|responses|embeddings|models|user/balance))/*$"
)
_ROUND = " \t\r\n\"'`<>(),;.“”‘’（）《》，；。"
# Written without a scheme: a machine near by, or one without a name, has no certificate.
_IN_CLEAR = re.compile(r"localhost\b|\[[\da-f:]+\]|[\d.]+(?:[:/]|$)|[\w-]+:\d", re.IGNORECASE)

# `apis`: host of an API -> its base; `pages`: host of web pages -> the API that they are about.
_TABLE: Any = json.loads(Path(__file__).with_name("addresses.json").read_text("utf-8"))
_KNOWN: Mapping[str, str] = _TABLE["apis"]
_PAGES: Mapping[str, str] = _TABLE["pages"]
_SET_BY = "DeepSeek.base_url, DeepSeek.providers or DEEPSEEK_BASE_URL sets it"
# What an address ends with that is for another wire than chat.
_WIRES = {
    "messages": re.compile(r"(?:/messages|/anthropic(?:/v1)?)/*$"),
    "responses": re.compile(r"/responses/*$"),
}


def base_of(url: str) -> str:
    """`url` without what is no base: blanks, quotes, the path of an endpoint, a slash at the end.

    A known host's is completed to its API's base, a missing scheme added; a query stays where it
    is. What is wrong beyond that stays as it is, see `wrong_address`.
    """
    url = re.sub(r"^(?:POST|GET)\s+", "", url.strip(_ROUND)).partition("#")[0]
    if "://" not in url:
        named = "." in re.split(r"[/:?]", url, maxsplit=1)[0]
        url = f"http://{url}" if _IN_CLEAR.match(url) else f"https://{url}" if named else url
    address, mark, query = url.partition("?")
    address = re.sub(r"(?<!:)//+", "/", address.rstrip("/"))
    address = re.sub(r"^\w+://[^/@]+", lambda begin: begin[0].lower(), address)
    while (shorter := _ENDPOINTS.sub("", address).rstrip("/")) != address:
        address = shorter
    address = re.sub(r"/anthropic$", "/anthropic/v1", address)
    known = _KNOWN.get(_host(address))
    if known:
        path, whole = parts(address).path, urlsplit(known).path
        if f"{whole}/".startswith(f"{path.lower()}/"):
            address = known
        address = re.sub(r"^http://", "https://", address)
    return address + mark + query


def wire_of(url: str) -> str:
    """The wire that an address names, "" for one that may be chat's."""
    address = re.split(r"[?#]", url.strip(_ROUND), maxsplit=1)[0]
    return next((wire for wire, end in _WIRES.items() if end.search(address)), "")


def wrong_address(url: str) -> tuple[str, str] | None:
    """What is wrong with a base URL, and what to do; None where it may be right."""
    try:
        fine = parts(url).scheme in ("http", "https") and bool(parts(url).hostname)
        fine = fine and parts(url).port != 0
    except ValueError:  # of a port that is no number
        fine = False
    if not fine:
        return f"{url!r} is not a web address.", "%deepseek provider shows where it is set."
    host = _host(url)
    api = _KNOWN.get(_PAGES.get(host, host), "")
    hint = f"The base URL for chat is {api}; {_SET_BY}."
    page = host in _KNOWN and not url.startswith(api) and not wire_of(url)
    if host in _PAGES or page:
        return f"{url} is a web page and not the API.", hint
    return None


def address_hint(url: str, target: str = "") -> str:
    """Which base URL is meant where no API is at `url`, "" where nobody can say.

    `target` is where the server redirects to. Most OpenAI-compatible addresses end in /v1.
    """
    base = base_of(url)
    moved = base_of(target) if _ENDPOINTS.search(target.partition("?")[0]) else ""
    if not moved or moved == base:
        address, mark, query = base.partition("?")
        if re.search(r"/v\d+\w*$", address) or not _host(base) or _host(base) in _KNOWN:
            return ""
        moved = f"{address}/v1{mark}{query}"
    return f"The base URL may have to be {moved}; {_SET_BY}."


def parts(url: str) -> SplitResult:
    """The parts of a URL; empty ones where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _host(url: str) -> str:
    return (parts(url).hostname or "").removeprefix("www.")
