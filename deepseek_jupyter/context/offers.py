"""Objects that say themselves what stands for them: the ``_deepseek_context_`` protocol.

A method ``_deepseek_context_(self)`` returns a text, or a dict with ``text`` and ``images``: a list
of PNG or JPEG bytes, PIL images, or ``data:`` and https URLs. What it returns passes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .attachment import Attachment
from .gate import Gate
from .images import encoded, opened
from .images import fits as is_image
from .making import digest, made, type_name
from .policy import SAMPLE, Policy

__all__ = ["attach", "fingerprint", "fits"]

METHOD = "_deepseek_context_"


def fits(value: Any) -> bool:
    """Whether its class has the method. (An object with any attribute you ask for has it not.)"""
    return not isinstance(value, type) and callable(getattr(type(value), METHOD, None))


def attach(name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
    """What the object says; below ``sample`` only its type. Raises `ParameterError`."""
    text, images = _said(name, value) if policy.whole >= SAMPLE else ("", ())
    head, hash = type_name(value), fingerprint(value)
    return made(name, "object", head, text, policy, gate, hash=hash, images=images)


def fingerprint(value: Any) -> str:
    """Of what it says; "" where it fails."""
    try:
        text, images = _said("", value)
    except ParameterError:
        return ""
    return digest(type_name(value), text, *images)


def _said(name: str, value: Any) -> tuple[str, tuple[str, ...]]:
    try:
        said = getattr(value, METHOD)()
    except Exception as error:
        raise ParameterError(
            f"{name}: {type_name(value)}.{METHOD} raised {type(error).__name__}: {error}",
            "Mend the method, or attach something else.",
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
