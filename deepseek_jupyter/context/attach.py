"""`attach`: any object of the notebook as an attachment, by the first kind that knows it.

Each kind is a module with the functions of `Kind`. A kind recognises its library by the object's
own module, so that nothing is imported that the notebook has not imported. An object whose class
has a ``_deepseek_context_`` method describes itself, whatever else it is.
"""

from __future__ import annotations

from typing import Any, Protocol

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import Policy
from deepseek_jupyter.privacy.redaction import Redactor

from . import arrays, cell_text, containers, figures, files, frames, images, objects, sources
from .attachment import Attachment


class Kind(Protocol):
    """A module that knows one kind of object."""

    def fits(self, value: Any) -> bool:
        """Whether `value` is of this kind; cheap, and imports nothing."""

    def attach(self, name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
        """The attachment. Every text of `value` in it has gone through `redactor`."""

    def fingerprint(self, value: Any) -> str:
        """The attachment's `hash`, without the rest."""


_KINDS: tuple[Any, ...] = (
    *(frames, arrays, figures, images, files, cell_text, sources, containers),
    objects,
)


def kind_of(value: Any) -> Kind:
    if objects.offers(value):
        return objects
    kind: Kind = next(kind for kind in _KINDS if kind.fits(value))  # `objects` fits anything
    return kind


def leaves_whole(value: Any) -> bool:
    """Whether it is a text, or consists of texts: it is cut for no card's budget."""
    kind = kind_of(value)
    return bool(getattr(kind, "leaves_whole", lambda _: kind in (files, cell_text))(value))


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """`value` as an attachment called `name`, within ``policy.budget`` tokens.

    Raises `ParameterError` for what cannot be sent: a binary file, a picture that cannot be read.
    """
    return kind_of(value).attach(name, value, policy, redactor)


def fingerprint(value: Any) -> str:
    """The hash of `value` as its attachment has it; "" where there is none."""
    try:
        return kind_of(value).fingerprint(value)
    except ParameterError:
        return ""
