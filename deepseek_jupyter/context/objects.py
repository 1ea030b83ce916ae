"""Any other object: what its library says it is. The last of the kinds."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .attachment import Attachment
from .cutting import settled, shortened
from .gate import Gate
from .making import digest, made, type_name
from .policy import SAMPLE, Policy

__all__ = ["attach", "fingerprint", "fits"]

_MOST_NAMES = 40
_BARE = re.compile(r"<[\w.<>]+(?: object)?(?: at 0x[0-9a-fA-F]+)?>")


def fits(value: Any) -> bool:
    """Whether it is anything at all."""
    return True


def attach(name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
    """Type and documentation, and its repr; where that says nothing, its attributes by type.

    Below ``sample`` the repr stays here: it may show values.
    """
    about = (inspect.getdoc(type(value)) or "").partition("\n\n")[0]
    parts = [shortened(gate.text(about), 400)]
    said = _said(value) if policy.whole >= SAMPLE else ""
    parts.append(said or _attributes(value))
    body = "\n".join(filter(None, parts))
    return made(name, "object", type_name(value), body, policy, gate, hash=fingerprint(value))


def fingerprint(value: Any) -> str:
    """Of type and repr; "" where the repr says nothing."""
    said = _said(value)
    return digest(type_name(value), said) if said else ""


def _said(value: Any) -> str:
    """Its repr, "" where that is only Python's own or fails."""
    try:
        said = repr(value)
    except Exception:  # a foreign object's own bug is no reason not to ask
        return ""
    return "" if _BARE.fullmatch(said) else settled(said)


def _attributes(value: Any) -> str:
    """Names and types of what it holds; no property is run."""
    own = getattr(value, "__dict__", None)
    if not isinstance(own, dict):
        return ""
    public = [(str(name), held) for name, held in own.items() if not str(name).startswith("_")]
    lines = [f"  {name}: {type_name(held)}" for name, held in public[:_MOST_NAMES]]
    if len(public) > _MOST_NAMES:
        lines.append(f"  … {len(public) - _MOST_NAMES:,} more")
    return "\n".join(["attributes:", *lines]) if lines else ""
