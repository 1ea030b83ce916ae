"""Browser tests: a real Chromium, a real JupyterLab or Notebook, real kernels.

Nothing but loopback is reached, and a test fails if the page tries.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asking import KEY
from tests.support.scripted import Server as Scripted

from .chromium import ARGS, find_chromium
from .jupyter import BUILT, Server
from .notebook import Notebook
from .pages import take

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(str(HERE)):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need Playwright")
    try:
        executable = find_chromium()
    except RuntimeError as error:
        pytest.fail(str(error))
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def servers(browser: object) -> Iterator[dict[str, Server]]:
    """By kind; ended before the browser, whose pages they keep."""
    if not (BUILT / "package.json").exists():
        pytest.fail(
            "The labextension is not built: run 'npm ci && npm run build' in labextension/."
        )
    running: dict[str, Server] = {}
    yield running
    for server in running.values():
        server.stop()


@pytest.fixture(scope="session")
def server_of(servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory):
    """Give the server of a kind, started when first asked for."""

    def give(kind: str) -> Server:
        if kind not in servers:
            server = Server(kind, tmp_path_factory.mktemp(kind))
            for module in ("stream_script.py", "sample.py"):
                shutil.copy(HERE / module, server.work)
            servers[kind] = server
        return servers[kind]

    return give


@pytest.fixture(scope="session")
def asking_endpoint() -> Iterator[Scripted]:
    """The DeepSeek that the kernels of `asking_server` ask."""
    with Scripted(validate=False) as running:
        yield running


@pytest.fixture(scope="session")
def asking_server(servers, asking_endpoint, tmp_path_factory: pytest.TempPathFactory):
    """Give a server whose kernels ask a scripted DeepSeek, started when first asked for."""

    def give(kind: str = "lab", *, extension: bool = True) -> Server:
        name = f"asking {kind}" + ("" if extension else ", no extension")
        if name not in servers:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("DEEPSEEK_BASE_URL", asking_endpoint.base_url("deepseek"))
                patch.setenv("DEEPSEEK_API_KEY", KEY)
                patch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path_factory.mktemp("home")))
                folder = tmp_path_factory.mktemp(kind)
                servers[name] = Server(kind, folder, extension=extension)
        return servers[name]

    return give


@pytest.fixture
def open_notebook(browser, server_of):
    """Open a notebook with the given cells in a page of its own; `fresh`: one just loaded."""
    books: list[Notebook] = []

    def give(*cells: str, kind: str = "lab", fresh: bool = False, **options) -> Notebook:
        fresh = fresh or not options.get("kernel", True)  # JupyterLab asks for one, in a dialog
        page = take(browser, server_of(kind), fresh=fresh)
        book = Notebook(server_of(kind), page, cells, **options)
        books.append(book)
        return book

    yield give
    for book in books:
        book.close()
