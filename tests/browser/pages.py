"""Pages with JupyterLab loaded, kept for the next test: loading it costs more than most tests do.

A page goes back only as it was: with nothing open, and untouched by scripts of a test. One that was
reloaded, instrumented, or that shows a dialog is closed instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .jupyter import Server

__all__ = ["at_rest", "leave", "mark", "show", "take", "until"]

SIZE = {"width": 1100, "height": 900}
_KEPT = 2  # pages of a server

# What belongs to the page itself. Scripts of tests keep what they find in other names.
_MARK = "() => { window.testsFound = new Set(Object.keys(window)); }"

_CLEAR = """async mayStay => {
    if (!window.jupyterapp) {
        return false; // it is being loaded again
    }
    const { shell, serviceManager } = window.jupyterapp;
    await serviceManager.sessions.refreshRunning();
    const ended = [...serviceManager.sessions.running()].map(({ id }) =>
        serviceManager.sessions.shutdown(id).catch(() => undefined)
    );
    const own = ['testsFound', '__ran'];
    const found = window.testsFound;
    const others = Object.keys(window).filter(key => !found?.has(key) && !own.includes(key));
    const touched = !found || others.some(key => key.startsWith('__'));
    if (!mayStay || touched || document.querySelector('.jp-Dialog')) {
        await Promise.all(ended);
        return false;
    }
    for (const widget of [...shell.widgets('main')]) {
        widget.dispose();
    }
    shell.collapseRight();
    return true;
}"""

_SHOW = """async name => {
    const { commands, shell } = window.jupyterapp;
    const opened = await commands.execute('docmanager:open', { path: name });
    await opened.context.ready;
    for (const widget of [...shell.widgets('main')]) {
        if (widget !== opened) {
            widget.dispose(); // the launcher that an empty window shows
        }
    }
    shell.activateById(opened.id);
}"""

# Frames, not a time: on a busy machine they take longer, and so does what is waited for.
_AT_REST = """async () => {
    let still = 0;
    const observer = new MutationObserver(() => { still = 0; });
    const changes = { attributes: true, characterData: true, childList: true, subtree: true };
    observer.observe(document.body, changes);
    for (let frames = 0; still < 8 && frames < 300; frames += 1) {
        still += 1;
        await new Promise(resolve => requestAnimationFrame(resolve));
    }
    observer.disconnect();
}"""


def take(browser: Any, server: Server, size: dict[str, int] = SIZE, *, fresh: bool = False) -> Any:
    """A page for a notebook of the server: one that is loaded, or a blank one."""
    if fresh or not server.pages:
        page = browser.new_context(viewport=size).new_page()
        page.set_default_timeout(60_000)
        return page
    page = server.pages.pop()
    page.set_viewport_size(size)
    return page


def mark(page: Any) -> None:
    """The page is loaded and nothing was done to it yet."""
    page.evaluate(_MARK)


def show(page: Any, name: str) -> None:
    """Open a notebook in a page that is loaded."""
    page.evaluate(_SHOW, name)


def leave(page: Any, server: Server) -> None:
    """End the kernels, and keep the page if it is as it was and few are kept: each asks its server
    for kernels again and again.
    """
    if page.evaluate(_CLEAR, server.kind == "lab" and len(server.pages) < _KEPT):
        page.unroute_all()
        page.context.clear_permissions()
        server.pages.append(page)
    else:
        page.context.close()


def at_rest(page: Any) -> None:
    """Wait until the page has shown several frames without a change."""
    page.evaluate(_AT_REST)


def until(page: Any, holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds, asking again and again; AssertionError when it does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not so after {seconds} s"
        page.wait_for_timeout(20)
