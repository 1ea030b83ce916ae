"""`panel`: the conversation as an output."""

from __future__ import annotations

from typing import Any

__all__ = ["MIME_TYPE", "Panel", "panel"]

MIME_TYPE = "application/vnd.deepseek.panel+json"

_PLAIN = "The panel is shown by JupyterLab 4 and Notebook 7 where deepseek_jupyter is installed."


class Panel:
    """The conversation of the notebook it is shown in. Ending a cell with it shows it."""

    def __init__(self, height: int) -> None:
        self.height = height

    def __repr__(self) -> str:
        return f"panel(height={self.height})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {MIME_TYPE: {"height": self.height}, "text/plain": _PLAIN}


def panel(height: int = 480) -> Panel:
    """A panel with the notebook's conversation, `height` pixels high, as the output of a cell.

    The same as the side bar: it shows what cells ask, and asks beside them. Turns that are asked in
    it live in the journal; the notebook file holds those of cells only.

    >>> import deepseek_jupyter as ds
    >>> ds.panel(height=600)
    panel(height=600)
    """
    return Panel(height)
