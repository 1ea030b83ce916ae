"""A notebook open in a page: run its cells, read its cards."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

import nbformat

from . import pages
from .jupyter import Server

LOAD = "import stream_script, sample  # deepseek\nstream_script.channel.register()"
CARD = ".jp-DeepSeek-card"
LABS_OWN = re.compile(
    r"/(?:api/|static/|custom/|favicon|lab/(?:api|extensions)/|lab/workspaces/\w+/tree/\w+|"
    r"notebooks/n\d+\.ipynb|lsp/|kernelspecs/)"
)


class Notebook:
    """A page with one notebook."""

    def __init__(
        self,
        server: Server,
        page: Any,
        cells: Sequence[str],
        *,
        outputs: dict[int, dict[str, Any]] | None = None,
        kernel: bool = True,
        load: bool = True,
        content: dict[str, Any] | None = None,
        name: str = "",
    ) -> None:
        self.server = server
        self.page = page
        self.first = int(load)  # the index of the first of the given cells
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.console: list[str] = []  # errors alone
        self._heard = {
            "pageerror": lambda error: self.errors.append(error.stack or str(error)),
            "console": lambda m: self.console.append(m.text) if m.type == "error" else None,
            "request": self._guard,
        }
        for event, hear in self._heard.items():
            page.on(event, hear)
        self.name = name or f"n{time.time_ns()}.ipynb"
        if content is None:
            self.write([*([LOAD] if load else []), *cells], outputs or {}, kernel=kernel)
        else:
            (server.work / self.name).write_text(json.dumps(content))
        if page.url == "about:blank":
            page.goto(server.page(self.name))
            page.wait_for_function("() => window.jupyterapp !== undefined")
            pages.mark(page)
        else:
            pages.show(page, self.name)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        if kernel:
            self.until_idle()
        if load:
            self.run(0)
            self.until_done()

    def close(self) -> None:
        """End the kernels, and leave the page to the next test or close it."""
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)
        pages.leave(self.page, self.server)

    def write(
        self, cells: Sequence[str], outputs: dict[int, dict[str, Any]], *, kernel: bool
    ) -> None:
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {
            "name": "python3" if kernel else "there-is-none",
            "display_name": "Python 3",
            "language": "python",
        }
        for index, source in enumerate(cells):
            cell = nbformat.v4.new_code_cell(source)
            if index in outputs:
                cell.execution_count = 1
                cell.outputs = [nbformat.v4.new_output("display_data", outputs[index])]
            notebook.cells.append(cell)
        # Not nbformat.write: an attack may hold what is no text.
        (self.server.work / self.name).write_text(json.dumps(notebook))

    def run(self, index: int) -> None:
        """Start a cell."""
        self.page.evaluate(
            """async index => {
                const app = window.jupyterapp;
                const panel = app.shell.currentWidget;
                panel.content.activeCellIndex = index;
                panel.content.deselectAll();
                window.__ran = app.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def until_done(self) -> None:
        """Wait until the cell that was started has run, and the page is at rest."""
        self.page.evaluate("async () => { await window.__ran; }")
        pages.at_rest(self.page)

    def until_idle(self, timeout: float = 60) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            """() => {
                const session = window.jupyterapp.shell.currentWidget?.sessionContext;
                const kernel = session?.session?.kernel;
                return session?.isReady && kernel?.status === 'idle';
            }""",
            timeout=timeout * 1000,
        )

    def result(self, index: int) -> str:
        """The plain text of a cell's result."""
        return self.page.evaluate(
            """index => {
                const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
                const outputs = cell.model.outputs.toJSON();
                const last = outputs.filter(item => item.output_type === 'execute_result').pop();
                return last ? last.data['text/plain'] : JSON.stringify(outputs);
            }""",
            index,
        )

    def sources(self) -> list[str]:
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .map(cell => cell.model.sharedModel.getSource())"""
        )

    @property
    def card(self) -> Any:
        return self.page.locator(CARD).last

    @property
    def text(self) -> str:
        return self.card.locator(".jp-DeepSeek-typed > .jp-DeepSeek-flow").inner_text()

    @property
    def own_errors(self) -> list[str]:
        """The errors of scripts in which the extension had a part."""
        return [error for error in self.errors if "deepseek-jupyter" in error]

    def _guard(self, request: Any) -> None:
        """Note what JupyterLab itself does not ask of its server. (`chromium.ARGS` let no request
        leave the machine; to stop each and ask here whether it may go on takes a test's second.)
        """
        url = request.url
        path = url.removeprefix(self.server.url)
        if not (url.startswith(("data:", "blob:")) or (path != url and LABS_OWN.match(path))):
            self.requests.append(url)
