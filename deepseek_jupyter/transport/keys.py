"""API keys: where they are found, and how they stay out of sight.

Looked up in this order: the provider's environment variables, the operating system's keyring
(if the ``keyring`` package is installed), ``keys.json`` in the state directory (mode 0600, written
by ``%deepseek login``). A key travels through the program as a `Secret`, whose text shows in no
repr, log or traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

from deepseek_jupyter.errors import MissingKeyError
from deepseek_jupyter.home import home, private_directory

from .providers import KEYLESS, Provider

__all__ = ["Secret", "find_key", "forget_key", "scrub", "store_key"]

_SERVICE = "deepseek-jupyter"
_MASK = "••••"
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
    for variable in provider.key_variables:
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


def store_key(provider: Provider, key: str) -> str:
    """Keep `key` for later sessions; returns where. The keyring if there is one, else a file."""
    if _to_keyring(provider.name, key.strip()):
        return "the system keyring"
    path = _file()
    keys = _read(path)
    keys[provider.name] = key.strip()
    _write(path, keys)
    return str(path)


def forget_key(provider: Provider) -> bool:
    """Remove the stored key; False when none was stored. The environment is left alone."""
    found = False
    with contextlib.suppress(Exception):  # no keyring, a locked one: then there is nothing in it
        import keyring

        if keyring.get_password(_SERVICE, provider.name):
            keyring.delete_password(_SERVICE, provider.name)
            found = True
    keys = _read(_file())
    if keys.pop(provider.name, None) is not None:
        _write(_file(), keys)
        found = True
    return found


def scrub(text: str, *secrets: Secret) -> str:
    """`text` without any of `secrets`, and without anything else shaped like a key."""
    for secret in secrets:
        if len(secret.reveal()) >= 6:  # a shorter one would blank ordinary words
            text = text.replace(secret.reveal(), _MASK)
    return _KEY_SHAPED.sub(_MASK, text)


def _from_keyring(name: str) -> Secret | None:
    try:
        import keyring

        text = keyring.get_password(_SERVICE, name)
    except Exception:  # not installed, no backend, locked: the file is next
        return None
    return Secret(text, "the system keyring") if text else None


def _to_keyring(name: str, key: str) -> bool:
    try:
        import keyring

        keyring.set_password(_SERVICE, name, key)
        return bool(keyring.get_password(_SERVICE, name) == key)
    except Exception:  # see _from_keyring
        return False


def _file() -> Path:
    return home() / "keys.json"


def _read(path: Path) -> dict[str, str]:
    try:
        keys = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return keys if isinstance(keys, dict) else {}


def _from_file(name: str) -> Secret | None:
    key = _read(_file()).get(name)
    return Secret(key, str(_file())) if key else None


def _owner_only(path: str, flags: int) -> int:
    """An opener: the file is its owner's alone from the first byte on."""
    return os.open(path, flags, 0o600)


def _write(path: Path, keys: dict[str, str]) -> None:
    private_directory()
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8", opener=_owner_only) as file:
        json.dump(keys, file)
    partial.chmod(0o600)
    partial.replace(path)
