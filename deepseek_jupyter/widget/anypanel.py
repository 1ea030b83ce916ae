"""`ds.panel()` as a widget, for every front end that shows widgets: the module of its page and us.

Imported only where anywidget is installed and the module was built (``labextension/widget.mjs``).
"""

from __future__ import annotations

from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from deepseek_jupyter.display.pages import pages

from . import register
from .shown import MIME_TYPE, PLAIN

__all__ = ["BUILT", "PanelWidget"]

_STATIC = Path(__file__).with_name("static")
BUILT = (_STATIC / "panel.js").exists()


class PanelWidget(anywidget.AnyWidget):
    """A panel in an output, `height` pixels high.

    The output carries the form that JupyterLab's extension shows, too: it is preferred there, and
    outlives the kernel, whose widgets do not.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    height = traitlets.Int(480).tag(sync=True)

    def __init__(self, height: int = 480) -> None:
        super().__init__(height=height)
        self._asking: Context | None = None
        register()
        self.on_msg(self._asked)

    def __repr__(self) -> str:
        return f"panel(height={self.height})"

    def close(self) -> None:
        """Take it down in every page."""
        pages.leave(self.model_id)
        super().close()

    def tell(self, message: Any) -> None:
        """Send a message to its page, from any thread.

        It goes out as if in answer to the page's last request: ipykernel 7.4 serves a comm where
        it was last sent from, and were that the thread of the cells, the panel would be deaf while
        one runs.
        """
        if self._asking is None:
            self.send(message)
        else:
            self._asking.copy().run(self.send, message)

    def _asked(self, widget: Any, content: Any, buffers: Any) -> None:
        self._asking = copy_context()
        pages.join(self.model_id, self.tell)
        pages.asked(content, self.tell)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:  # closed
            return None
        data, metadata = shown
        return {**data, MIME_TYPE: {"height": self.height}, "text/plain": PLAIN}, metadata
