"""What hosts taught: refusals that a change of the request cured, and what ``/models`` reported.

Kept for a week per base URL, model and version of this package in ``hosts.json`` of the state
directory, so that one odd 400 cripples no host for good, and a cure is not paid for each time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from deepseek_jupyter._version import __version__
from deepseek_jupyter.errors import ConfigurationError
from deepseek_jupyter.home import home, private_directory, replace_file
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.model_facts import ModelFacts, told_by_host

from .providers import Provider

_WEEK = 7 * 24 * 3600.0
_MOST = 500  # rows; the oldest go first

# The fields of a dialect that a host may teach, and what they mean to a reader.
LESSONS: Mapping[str, str] = {
    "replay": "earlier thinking goes back as",
    "blank_content": "an empty message is sent as",
    "stream_usage": "usage is asked for",
    "json_needs_word": "JSON mode needs the word",
    "think_implied": "answers begin with thinking",
    "refused": "refuses",
}
_TOLD = (
    *("context_window", "context_length", "max_model_len", "max_output_tokens", "meta"),
    *("top_provider", "architecture", "pricing", "input_modalities", "supported_parameters"),
)


def remember(provider: Provider, model: str, dialect: Dialect) -> None:
    """Keep what `dialect`, which the host took, has other than the provider's."""
    before = provider.dialect
    lesson = {n: v for n in LESSONS if (v := getattr(dialect, n)) != getattr(before, n)}
    if lesson:
        row = _read().get(_key(provider, model)) or {}
        _write({_key(provider, model): {**row, "taught": {**row.get("taught", {}), **lesson}}})


def remember_models(provider: Provider, listed: list[dict[str, Any]]) -> None:
    """Keep what a host's list says of its models."""
    rows, known = {}, _read()
    for entry in listed[:_MOST]:
        told = {name: entry[name] for name in _TOLD if name in entry}
        if told_by_host(told) != ModelFacts():
            key = _key(provider, str(entry["id"]))
            rows[key] = {**(known.get(key) or {}), "told": told}
    if rows:
        _write(rows)


def apply(provider: Provider, model: str) -> Provider:
    """`provider` with what its host taught, and told, of `model`."""
    row = _read().get(_key(provider, model))
    if row is None:
        return provider
    kinds = {f.name: type(getattr(provider.dialect, f.name)) for f in fields(Dialect)}
    taught = {
        name: value
        for name, kept in row.get("taught", {}).items()
        if name in LESSONS
        and isinstance(value := tuple(kept) if isinstance(kept, list) else kept, kinds[name])
    }
    told = {model: told_by_host(row.get("told") or {})}
    return replace(provider, told=told, dialect=replace(provider.dialect, **taught))


def lessons() -> list[tuple[str, str, str]]:
    """Host, model and what was taught, in words."""
    found = []
    for key, row in sorted(_read().items()):
        base, model, _ = json.loads(key)
        said = [f"{LESSONS[n]}: {_word(v)}" for n, v in row.get("taught", {}).items()]
        if said:
            found.append((base, model, "; ".join(said)))
    return found


def forget() -> int:
    """Forget everything; returns how much there was."""
    many = len(_read())
    with suppress(OSError):
        _path().unlink(missing_ok=True)
    return many


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return ("yes" if value else "no") if isinstance(value, bool) else repr(value)


def _key(provider: Provider, model: str) -> str:
    return json.dumps([provider.base_url, model, __version__])


def _path() -> Path:
    return home() / "hosts.json"


def _read() -> dict[str, dict[str, Any]]:
    """The rows of this version that are no older than a week."""
    try:
        rows = json.loads(_path().read_text("utf-8"))
        young = time.time() - _WEEK
        return {
            key: row
            for key, row in rows.items()
            if json.loads(key)[2] == __version__ and young < row["when"] <= time.time() + 60
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError):
        return {}  # RuntimeError: nested too deep


def _write(new: Mapping[str, dict[str, Any]]) -> None:
    """Add rows. What cannot be kept is learned again."""
    now = time.time()
    rows = {**_read(), **{key: {**row, "when": now} for key, row in new.items()}}
    kept = sorted(rows.items(), key=lambda item: item[1]["when"])[-_MOST:]
    with suppress(OSError, ConfigurationError):
        private_directory()
        replace_file(_path(), json.dumps(dict(kept)))
