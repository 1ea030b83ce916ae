"""How the kinds other than frames make an `Attachment` of their text."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from .attachment import Attachment
from .cutting import guarded
from .gate import Gate
from .policy import NONE, Policy
from .tokens import count_tokens

__all__ = ["IMAGE_TOKENS", "digest", "made", "type_name"]

IMAGE_TOKENS = 1_000  # at most, whatever its size (api-docs.deepseek.com/guides/vision)


def made(
    name: str,
    kind: str,
    head: str,
    body: str,
    policy: Policy,
    gate: Gate,
    *,
    hash: str,
    images: tuple[str, ...] = (),
) -> Attachment:
    """An attachment whose text is `head` (one line: what it is) and `body`, masked and in budget.

    Where the policy is ``none`` only the name leaves.
    """
    if policy.whole == NONE:
        text = gate.text(f"{name}: kept back by the data policy.")
        images = ()
    else:
        text = "\n".join(filter(None, (f"{name}: {head}", body)))
        text = guarded(text, gate.text, policy.budget)
    return Attachment(
        name=name,
        kind=kind,
        text=text,
        images=images,
        hash=hash,
        policy=str(policy),
        tokens=count_tokens(text) + IMAGE_TOKENS * len(images),
        masked=gate.count(text),
    )


def digest(*parts: str | bytes) -> str:
    """The `hash` of an attachment: 16 hexadecimal digits of what `parts` say."""
    found = sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()[:16]


def type_name(value: Any) -> str:
    """``dict``, ``numpy.ndarray``, ``sklearn.linear_model.LogisticRegression``: as users say it."""
    kind = type(value)
    module = kind.__module__
    if module in ("builtins", "__main__"):
        return kind.__qualname__
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*public, kind.__qualname__])
