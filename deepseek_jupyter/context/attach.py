"""`attach`: any object of the notebook as an attachment, by the first kind that knows it.

Each kind is a module: `fits` says whether an object is of it, cheaply; `attach` makes the
attachment, every text in it redacted; `fingerprint` is the `hash` of that, without the rest. A kind
recognises its library by the object's own module, so that nothing is imported that the notebook has
not imported. An object whose class has a ``_deepseek_context_`` method describes itself, whatever
else it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import Policy
from deepseek_jupyter.privacy.redaction import Redactor

from . import arrays, cell_text, containers, figures, files, frames, images, objects, sources
from .attachment import Attachment

_KINDS: tuple[Any, ...] = (
    *(frames, arrays, figures, images, files, cell_text, sources, containers),
    objects,
)


def kind_of(value: Any) -> Any:
    """The module that knows `value`; `objects` knows anything."""
    return objects if objects.offers(value) else next(kind for kind in _KINDS if kind.fits(value))


def leaves_whole(value: Any) -> bool:
    """Whether it is a text, or consists of texts, which no card's budget shortens."""
    kind = kind_of(value)
    return bool(getattr(kind, "leaves_whole", lambda _: kind in (files, cell_text))(value))


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """`value` as an attachment called `name`, within ``policy.budget`` tokens.

    Raises `ParameterError` for what cannot be sent: a binary file, a picture that cannot be read.
    """
    kind = kind_of(value)
    attachment: Attachment = kind.attach(name, value, policy, redactor)
    if kind not in (containers, objects, arrays):
        return attachment
    # A rule for a name holds for texts that show it as a key or heading, too.
    told = policy.level_of_text(attachment.text.partition("\n")[2], attachment.labels)
    if told >= policy.whole:
        return attachment
    attachment = kind.attach(name, value, policy.tightened([("*", told)]), redactor)
    notice = f"`{name}` goes at {told}: the strictest level of what it is made of."
    return replace(attachment, notices=(*attachment.notices, notice))


def fingerprint(value: Any) -> str:
    """The hash of `value` as its attachment has it; "" where there is none."""
    try:
        return str(kind_of(value).fingerprint(value))
    except ParameterError:
        return ""
