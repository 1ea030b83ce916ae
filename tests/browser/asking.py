"""Notebooks that ask: the real extension in a real kernel, its DeepSeek a scripted server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.asking import KEY
from tests.support.scripted import Server

from .notebook import Notebook
from .pages import at_rest

PLUGIN = "deepseek-jupyter:ghost-text"


def loading(server: Server, home: Path) -> str:
    """The cell that loads the extension, with a state directory and a provider of the test's."""
    settings = {
        "DEEPSEEK_BASE_URL": server.base_url(),
        "DEEPSEEK_API_KEY": KEY,
        "DEEPSEEK_JUPYTER_HOME": str(home),
    }
    return f"import os; os.environ.update({settings!r})\n%load_ext deepseek_jupyter"


def run(book: Notebook, index: int) -> None:
    """Run a cell and wait for the page to be at rest."""
    book.run(index)
    book.until_done()


def execute(book: Notebook, command: str, **arguments: Any) -> None:
    """Carry out a command of JupyterLab."""
    book.page.evaluate(
        "([command, args]) => jupyterapp.commands.execute(command, args)", [command, arguments]
    )
    at_rest(book.page)


def metadata(book: Notebook) -> dict[str, Any]:
    """The notebook's metadata, as the page has it."""
    return book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.model.sharedModel.metadata"
    )


def saved(book: Notebook) -> dict[str, Any]:
    """The notebook's file, after saving."""
    execute(book, "docmanager:save")
    return json.loads((book.server.work / book.name).read_text())


def ghost_settings(server: Any, **values: Any) -> Path:
    """Write the settings of ghost text for pages that are opened from now on."""
    file = server.folder / "settings" / "deepseek-jupyter" / "ghost-text.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))
    return file
