"""`PanelWidget`: the panel for every front end that shows widgets.

Imported only where anywidget is installed; ``labextension/widget.mjs`` builds the page's side.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from deepseek_jupyter.display.pages import pages

_STATIC = Path(__file__).with_name("static")
BUILT = (_STATIC / "panel.js").exists()


class PanelWidget(anywidget.AnyWidget):
    """A panel in an output, `height` pixels high.

    The output also carries `bundle`, the form that JupyterLab's extension shows: it is preferred
    there, and outlives the kernel, whose widgets do not.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    height = traitlets.Int(480).tag(sync=True)

    def __init__(self, height: int, bundle: dict[str, Any]) -> None:
        super().__init__(height=height)
        self._bundle = bundle
        self._asking: Context | None = None
        self.on_msg(self._asked)

    def __repr__(self) -> str:
        return f"panel(height={self.height})"

    def close(self) -> None:
        pages.leave(self.model_id)
        super().close()

    def tell(self, message: Any) -> None:
        """Send a message to its page, from any thread.

        It goes out as if in answer to the page's last request: ipykernel 7.4 serves a comm on the
        thread that last sent on it; if that were the cells' thread, the panel could not be heard
        while a cell runs.
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
        return {**data, **self._bundle}, metadata
