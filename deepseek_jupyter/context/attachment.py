"""`attach`: any object of the notebook as text and images for a prompt.

Each kind of object is a module with the functions of `Kind`, listed in `_kinds`, first fit first.
A kind asks its library by the object's own module, so that nothing is imported that the user has
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from deepseek_jupyter.errors import ParameterError

from .policy import Policy

if TYPE_CHECKING:
    from .gate import Gate

__all__ = ["Attachment", "ColumnUse", "Kind", "attach", "fingerprint", "kind_of"]


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What of one column leaves: `name` as the card says it, `level`, and `leaves` in words."""

    name: str
    level: str
    leaves: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An object as it goes into a prompt.

    `source` is what the object is in its library's words (``pandas DataFrame``); `text` is what
    leaves besides, the same for the same content in any library; `images` are ``data:`` or https
    URLs. `hash` tells whether the object has changed. `rows` is how many rows have values in the
    text. `masked` counts what was taken out, by reason; `protected` are texts that the policy keeps
    here and that must not leave by other ways either, each with the word of its pseudonym.
    """

    name: str
    kind: str
    text: str
    source: str = ""
    images: tuple[str, ...] = ()
    hash: str = ""
    policy: str = ""
    tokens: int = 0
    columns: tuple[ColumnUse, ...] = ()
    rows: int = 0
    masked: Mapping[str, int] = field(default_factory=dict)
    protected: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """What a turn remembers of it; the text itself stays in `Turn.sent`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "hash": self.hash,
            "policy": self.policy,
            "tokens": self.tokens,
        }


class Kind(Protocol):
    """A module that knows one kind of object."""

    def fits(self, value: Any) -> bool:
        """Whether `value` is of this kind; cheap, and imports nothing."""

    def attach(self, name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
        """The attachment. Every text of `value` in it has gone through `gate`."""

    def fingerprint(self, value: Any) -> str:
        """The attachment's `hash`, without the rest."""


def _kinds() -> tuple[Kind, ...]:
    from . import (
        arrays,
        cells,
        containers,
        figures,
        files,
        frames,
        images,
        objects,
        offers,
        sources,
    )

    kinds: list[Any] = [offers, frames, arrays, figures, images, files, cells]
    return (*kinds, sources, containers, objects)


def kind_of(value: Any) -> Kind:
    """The kind that knows `value`."""
    return next(kind for kind in _kinds() if kind.fits(value))  # `objects` takes anything


def attach(name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
    """`value` as an attachment called `name`, within ``policy.budget`` tokens.

    Raises `ParameterError` for what cannot be sent: a binary file, a picture that cannot be read.
    """
    return kind_of(value).attach(name, value, policy, gate)


def fingerprint(value: Any) -> str:
    """The hash of `value` as its attachment has it; "" where there is none."""
    try:
        return kind_of(value).fingerprint(value)
    except ParameterError:
        return ""
