"""`ds.panel()`: the conversation as an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import requests

if TYPE_CHECKING:
    from .panel_widget import PanelWidget

MIME_TYPE = "application/vnd.deepseek.panel+json"

PLAIN = (
    "The panel is shown where deepseek_jupyter is installed together with JupyterLab 4 or "
    "Notebook 7; elsewhere it needs anywidget and a running kernel."
)


class Panel:
    """The panel where anywidget is not installed: JupyterLab's extension shows it."""

    def __init__(self, height: int) -> None:
        self.height = height

    def __repr__(self) -> str:
        return f"panel(height={self.height})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {MIME_TYPE: {"height": self.height}, "text/plain": PLAIN}


def panel(height: int = 480) -> PanelWidget | Panel:
    """A panel with the notebook's conversation, `height` pixels high, as the output of a cell.

    Like the side bar, it shows what cells ask, and asks between them. Turns that are asked in it
    are kept in the journal; the notebook file holds those of cells only. It is an
    `anywidget.AnyWidget`; where anywidget is not installed, only JupyterLab's extension can show
    it.

    >>> import deepseek_jupyter as ds
    >>> ds.panel(height=600)
    panel(height=600)
    """
    shown = Panel(height)
    try:
        from .panel_widget import BUILT, PanelWidget
    except ImportError:
        return shown
    if not BUILT:
        return shown
    requests.register()
    return PanelWidget(height, shown._repr_mimebundle_())
