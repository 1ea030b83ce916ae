"""Any other object: its own description, else what its library says. The last of the kinds.

An object describes itself by the method ``_deepseek_context_(self)``: it returns a text, or a dict
with ``text`` and ``images``: a list of PNG or JPEG bytes, PIL images, or ``data:`` and https URLs.
What it returns passes the redactor.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.errors import ParameterError, counted
from deepseek_jupyter.privacy.levels import SAMPLE, Policy
from deepseek_jupyter.privacy.redaction import Redactor

from .attachment import Attachment, digest, excerpt, made, settled, type_name
from .images import encoded, opened
from .images import fits as is_image

METHOD = "_deepseek_context_"
_MOST_NAMES = 40
_ABOUT = 400  # characters
_BARE = re.compile(r"<[\w.<>]+(?: object)?(?: at 0x[0-9a-fA-F]+)?>")


def fits(value: Any) -> bool:
    return True


def leaves_whole(value: Any) -> bool:
    return offers(value)


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """What the object offers; else type and documentation, and its repr; where that says nothing,
    its attributes by type.

    Below ``sample`` offer and repr stay here: they may show values. Raises `ParameterError` for an
    offer that fails.
    """
    kind, hash, shown = type_name(value), fingerprint(value), policy.whole >= SAMPLE
    if offers(value):
        text, images = _offer(name, value) if shown else ("", ())
        return made(name, "object", kind, text, policy, redactor, hash=hash, images=images)
    about = redactor.redact((inspect.getdoc(type(value)) or "").partition("\n\n")[0])
    said, cut = (_said(value) if shown else ""), ""
    if not said:
        said, cut = _attributes(value)
    if len(about) > _ABOUT:
        cut = cut or f"{_ABOUT} of {counted(len(about), 'character')} of its description"
    body = "\n".join(filter(None, (excerpt(about, _ABOUT), said)))
    return made(name, "object", kind, body, policy, redactor, hash=hash, cut=cut)


def fingerprint(value: Any) -> str:
    """Of type and repr, or of what it offers; "" where that says nothing or fails."""
    if offers(value):
        try:
            text, images = _offer("", value)
        except ParameterError:
            return ""
        return digest(type_name(value), text, *images)
    said = _said(value)
    return digest(type_name(value), said) if said else ""


def _said(value: Any) -> str:
    """Its repr, "" where that is only Python's own or fails."""
    try:
        said = repr(value)
    except Exception:  # a foreign object's own bug is no reason not to ask
        return ""
    return "" if _BARE.fullmatch(said) else settled(said)


def _attributes(value: Any) -> tuple[str, str]:
    """Names and types of what it holds, and how many of them; no property is run."""
    own = getattr(value, "__dict__", None)
    if not isinstance(own, dict):
        return "", ""
    public = [(str(name), held) for name, held in own.items() if not str(name).startswith("_")]
    lines = [f"  {name}: {type_name(held)}" for name, held in public[:_MOST_NAMES]]
    cut = ""
    if len(public) > _MOST_NAMES:
        lines.append(f"  … {len(public) - _MOST_NAMES:,} more")
        cut = f"{_MOST_NAMES} of {counted(len(public), 'attribute')}"
    return "\n".join(["attributes:", *lines]) if lines else "", cut


def offers(value: Any) -> bool:
    """Whether its class has the method. (An object with any attribute you ask for has it not.)"""
    return not isinstance(value, type) and callable(getattr(type(value), METHOD, None))


def _offer(name: str, value: Any) -> tuple[str, tuple[str, ...]]:
    try:
        said = getattr(value, METHOD)()
    except Exception as error:
        raise ParameterError(
            f"{name}: {type_name(value)}.{METHOD} raised {type(error).__name__}: {error}",
            "Correct the method, or attach something else.",
        ) from error
    if isinstance(said, str):
        return said, ()
    if isinstance(said, Mapping) and set(said) <= {"text", "images"}:
        images = said.get("images") or ()
        if isinstance(said.get("text", ""), str) and isinstance(images, list | tuple):
            return said.get("text", ""), tuple(_url(name, image) for image in images)
    raise ParameterError(
        f"{name}: {type_name(value)}.{METHOD} returned {type_name(said)}.",
        "It returns a text, or a dict with text and images.",
    )


def _url(name: str, image: Any) -> str:
    if isinstance(image, str) and image.startswith(("data:image/", "https://")):
        return image
    if isinstance(image, bytes):
        return encoded(opened(image, name))[0]
    if is_image(image) and hasattr(image, "width"):
        return encoded(image)[0]
    raise ParameterError(
        f"{name}: an image of {METHOD} is {type_name(image)}.",
        "It is bytes of a PNG or JPEG file, a PIL image, or a data: or https URL.",
    )
