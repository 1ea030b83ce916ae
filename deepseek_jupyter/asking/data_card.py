"""`DataCard`: what a model would see of an object, to look at before it is asked anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.attachment import Attachment, attach
from deepseek_jupyter.context.gate import Gate
from deepseek_jupyter.context.rules import check_kind
from deepseek_jupyter.display.report import Drawing, Report

from .attaching import Wanted, policy_of

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

__all__ = ["DataCard", "data_card"]


class DataCard:
    """``str(card)`` is the text; `attachment` has what leaves, by column and row."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment

    @property
    def text(self) -> str:
        """What leaves."""
        return self.attachment.text

    @property
    def tokens(self) -> int:
        """Of the text, about."""
        return self.attachment.tokens

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<DataCard of {self.attachment.name}, about {self.tokens:,} tokens>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)

    def _repr_html_(self) -> str:
        rows = [(use.name, use.level, use.leaves) for use in self.attachment.columns]
        report = Report("", rows, ("column", "level", "leaves"), f"About {self.tokens:,} tokens.")
        return Drawing(self.text)._repr_html_() + report._repr_html_()


def data_card(session: Session, value: Any, name: str, rules: str) -> DataCard:
    """The card of `value` under the settings, `rules` and the policy files."""
    files = session.policy_files().data
    wanted = Wanted(name, value, rules)
    gate = Gate(session.config.detectors)
    attachment = attach(name, value, policy_of(session, wanted, files), gate)
    check_kind(attachment, files)
    return DataCard(attachment)
