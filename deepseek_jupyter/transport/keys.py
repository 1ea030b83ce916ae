"""API keys: where they are found, and how they stay out of sight.

Looked up in this order: the provider's environment variables, the operating system's keyring
(if the ``keyring`` package is installed), ``keys.json`` in the state directory (mode 0600, written
by ``%deepseek login``). A key travels through the program as a `Secret`, whose text shows in no
repr, log or traceback.
"""

from __future__ import annotations

import html
import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deepseek_jupyter.errors import ConfigurationError, MissingKeyError
from deepseek_jupyter.home import home, private_directory, replace_file

from .addresses import parts
from .providers import KEYLESS, Provider

_SERVICE = "deepseek-jupyter"
_MASK = "••••"
_LOOPBACK = re.compile(r"127(?:\.\d{1,3}){3}|::1|(?:.+\.)?localhost")
_USER = re.compile(r"(?<=//)[^/@\s]{1,200}@")  # of an address: a name and a password
_ESCAPED = re.compile(r"\\{1,3}(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)

# What pages and terminals leave out of a text: escape sequences, controls, marks of no width.
_LONGEST_ESCAPE = 160
_HIDDEN = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]{0,32}[ -/]{0,8}[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,128}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]{0,8}[0-~]"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_OPEN_ESCAPE = re.compile(
    "(?:(?:\x1b\\[|\x9b)[0-?]{0,32}[ -/]{0,8}"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,128}\x1b?"
    "|\x1b[ -/]{0,8})\\Z"
)
_KEY_SHAPED = re.compile(r"\b(?:sk|gsk|xai|hf)[-_][A-Za-z0-9_-]{12,}")


class Secret:
    """A text that does not show itself. `source` says where it was found."""

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str = "") -> None:
        self._text = text.strip()
        self.source = source

    def reveal(self) -> str:
        """The text itself, for the one header that carries it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return f"Secret({_MASK}, from {self.source})" if self._text else "Secret(none)"

    def __reduce__(self) -> str:
        raise TypeError("a key is never pickled")


def find_key(provider: Provider) -> Secret:
    """The provider's key, or an empty `Secret` where the host needs none.

    Raises `MissingKeyError` when the host needs one and none is found.
    """
    for wanted in provider.key_variables:
        for variable in _spellings(wanted):
            if os.environ.get(variable, "").strip():
                return Secret(os.environ[variable], f"environment variable {variable}")
    key = _from_keyring(provider.name) or _from_file(provider.name)
    if key or provider.name in KEYLESS or not provider.key_variables:
        return key or Secret("")
    raise MissingKeyError(
        f"There is no API key for {provider.title}.",
        f"%deepseek login stores one, or set {provider.key_variables[0]}. "
        "Without a key: -p local asks the embedded model.",
    )


def needed_key(provider: Provider) -> Secret:
    """`find_key`; a server on this machine needs none."""
    try:
        return find_key(provider)
    except MissingKeyError:
        if not on_this_machine(provider.base_url):
            raise
        return Secret("")


def _spellings(variable: str) -> Iterator[str]:
    """A variable, then in other cases, as pages print it: ``cometapi_API_KEY``."""
    yield variable
    yield from sorted(v for v in os.environ if v != variable and v.upper() == variable.upper())


def travels_in_clear(url: str) -> bool:
    """Whether what is sent to `url` can be read on its way: plain http to another machine."""
    return parts(url.strip()).scheme == "http" and not on_this_machine(url)


def on_this_machine(url: str) -> bool:
    """Whether `url` leads to the loopback interface; False for what is no address."""
    return _LOOPBACK.fullmatch(parts(url.strip()).hostname or "") is not None


def store_key(provider: Provider, key: str) -> str:
    """Keep `key` for later sessions; returns where. The keyring if there is one, else a file."""
    name, key = provider.name, key.strip()
    _in_keyring(lambda ring: ring.set_password(_SERVICE, name, key))
    if _in_keyring(lambda ring: ring.get_password(_SERVICE, name)) == key:
        return "the system keyring"
    _write({**_read(), name: key})
    return str(_file())


def forget_key(provider: Provider) -> bool:
    """Remove the stored key; False when none was stored. The environment is left alone."""
    name = provider.name
    found = _from_keyring(name) is not None
    if found:
        _in_keyring(lambda ring: ring.delete_password(_SERVICE, name))
        found = _from_keyring(name) is None
    keys = _read()
    if keys.pop(name, None) is not None:
        _write(keys)
        found = True
    return found


class KeyFilter:
    """Takes a key out of text that arrives in pieces.

    A key may be cut in two by the pieces, or have characters in it that no reader sees. The end of
    a piece waits for the next one while it is a beginning of the key, but for a few characters.
    """

    def __init__(self, key: Secret) -> None:
        self._key = _maskable(key)
        self._starts = tuple(self._key[:n] for n in range(1, len(self._key)))
        self._shown = min(3, len(self._key) // 4)  # of a beginning: "sk-" ends many a piece
        self._tail = ""  # what was read last and is a beginning of the key
        self._told = 0  # how much of it has been passed on
        self._escape = ""  # an escape sequence that has not ended

    def passes(self, text: str) -> bool:
        """Whether `text` may be passed on as it is, pieces and all."""
        return not self._key or not (
            self._tail
            or self._escape
            or self._key in text
            or text.endswith(self._starts)
            or _HIDDEN.search(text)
        )

    def feed(self, text: str) -> str:
        """What can be passed on once `text` has arrived."""
        if self.passes(text):
            return text
        text, self._escape = _without_open_escape(self._escape + text)
        return self._take(text)

    def _take(self, text: str) -> str:
        seen = self._tail + _HIDDEN.sub("", text)
        *masked, rest = seen.split(self._key)
        tail = next((start for start in reversed(self._starts) if rest.endswith(start)), "")
        waited, told = self._tail[self._told :], self._told
        self._tail, self._told = tail, min(len(tail), self._shown)
        if not masked and len(tail) <= self._shown:
            return waited + text
        end = len(rest) - len(tail) + self._told
        return _MASK.join([*masked, rest[:end]])[told:]

    def close(self) -> str:
        """What had to wait, when no more will come."""
        if not (self._tail or self._escape):
            return ""
        text = self._take(self._escape)
        half = len(self._tail) >= max(6, len(self._key) // 2)
        text += _MASK if half else self._tail[self._told :]
        self._tail, self._told, self._escape = "", 0, ""
        return text

    def whole(self, value: Any) -> Any:
        """`value`, with the key taken out of every text in it: of dataclasses, lists and dicts.

        For a filter that is between texts.
        """
        if not self._key or value is None or isinstance(value, int | float):
            return value
        if isinstance(value, str):
            return value if self.passes(value) else self.feed(value) + self.close()
        if isinstance(value, Mapping):
            return {self.whole(k): self.whole(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.whole(item) for item in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{f.name: self.whole(getattr(value, f.name)) for f in fields(value)}
            )
        return value


def scrub(text: str, *secrets: Secret) -> str:
    """Words about a failure, without what no reader sees and without keys.

    Neither any of `secrets`, however it is escaped, nor anything else that is shaped like a key.
    """
    text = _HIDDEN.sub("", text)
    for secret in secrets:
        key = _maskable(secret)
        if not key:
            continue
        any_case = re.compile(re.escape(key), re.IGNORECASE)
        read = text
        for decode in (str, _unescaped, unquote, unquote, html.unescape):
            read = _HIDDEN.sub("", decode(read))
            if any_case.search(read):
                text = read = any_case.sub(_MASK, read)
        encoded = re.compile("|".join(_encoded(key)))
        runs = re.split(r"([\w+/=-]+)", text) if encoded.search(text) else [text]
        text = "".join(_MASK if encoded.search(run) else run for run in runs)
    return _USER.sub("", _KEY_SHAPED.sub(_MASK, text))


def _encoded(key: str) -> Iterator[str]:
    """The patterns of a key in Base64, alone or in a longer text, and in hexadecimal."""
    for shift in range(3):
        whole = b64encode(bytes(shift) + key.encode()).decode()
        part = whole[-(-shift * 8 // 6) : (shift + len(key.encode())) * 8 // 6]
        yield re.escape(part).replace(r"\+", "[+-]").replace("/", "[/_]")
    yield f"(?i:{key.encode().hex()})"


def _maskable(secret: Secret) -> str:
    """The key, or "" for one so short that masking it would blank ordinary words."""
    return secret.reveal() if len(secret.reveal()) >= 6 else ""


def _unescaped(text: str) -> str:
    """`text` as JSON would read it, though it may not be JSON."""
    return _ESCAPED.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[3], text)


def _without_open_escape(text: str) -> tuple[str, str]:
    """`text` up to an escape sequence that has not ended, and that sequence."""
    found = _OPEN_ESCAPE.search(text[-_LONGEST_ESCAPE:])
    if not found:
        return text, ""
    at = max(len(text) - _LONGEST_ESCAPE, 0) + found.start()
    return text[:at], text[at:]


def _in_keyring(work: Callable[[Any], Any]) -> Any:
    """What `work` makes of the keyring; None where there is none, or it is locked."""
    try:
        import keyring

        return work(keyring)
    except Exception:  # any backend's own: the file is next
        return None


def _from_keyring(name: str) -> Secret | None:
    text = _in_keyring(lambda ring: ring.get_password(_SERVICE, name))
    return Secret(text, "the system keyring") if text else None


def _file() -> Path:
    return home() / "keys.json"


def _read() -> dict[str, str]:
    try:
        keys = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return keys if isinstance(keys, dict) else {}


def _from_file(name: str) -> Secret | None:
    key = _read().get(name)
    return Secret(key, str(_file())) if key else None


def _write(keys: dict[str, str]) -> None:
    """Replace the file by a new one, so that no other process has it open or has linked it."""
    try:
        private_directory()
        replace_file(_file(), json.dumps(keys))
    except OSError as error:
        raise ConfigurationError(
            f"The key cannot be kept in {home()}: {error.strerror or error}.",
            "Correct the directory, or set the key's environment variable instead.",
        ) from None
