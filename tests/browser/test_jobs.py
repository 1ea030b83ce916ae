"""The progress of a job over rows, where the page shows it, and Stop there."""

from __future__ import annotations

import pytest

from tests.support.asking import KEY
from tests.support.counting import CountingServer

from .pages import until
from .panel import Panel
from .test_look import ARTEFACTS
from .test_stop import is_idle

_ROWS = """\
%load_ext deepseek_jupyter
import os, pandas as pd
os.environ["DEEPSEEK_BASE_URL"], os.environ["DEEPSEEK_API_KEY"] = {url!r}, {key!r}
rows = pd.DataFrame({{"text": [f"review {{n}}" for n in range(4_000)]}})"""
_MAP = """\
import deepseek_jupyter as ds
ds.map(rows, "{word}: {{{{ text }}}}", rows="all", budget="none", concurrency=4)"""


@pytest.mark.parametrize("place", ["status bar", "panel", "command"])
def test_a_job_is_shown_and_stopped(open_notebook, place):
    with CountingServer(latency=0.2) as server:
        rows = _ROWS.format(url=server.url, key=KEY)
        book = open_notebook(rows, _MAP.format(word=place.split()[0]), load=False)
        book.run(0)
        book.until_idle()
        root = "#jp-main-statusbar"
        if place == "panel":
            Panel.open(book)
            root = ".jp-DeepSeek-sidebar"
        bar = book.page.locator(f"{root} .jp-DeepSeek-job")
        book.run(1)
        bar.wait_for()
        until(book.page, lambda: int(bar.locator("progress").evaluate("bar => bar.value")) > 8)
        assert "of 4,000 rows" in bar.inner_text()
        ARTEFACTS.mkdir(exist_ok=True)
        book.page.screenshot(path=ARTEFACTS / f"job-{place.replace(' ', '-')}.png")
        if place == "command":
            book.page.evaluate("() => jupyterapp.commands.execute('deepseek:stop')")
        else:
            bar.get_by_role("button", name="Stop").click()
        until(book.page, lambda: is_idle(book))
        bar.wait_for(state="hidden")
        assert "KeyboardInterrupt" not in book.page.locator(".jp-Notebook").inner_text()
        assert 0 < server.answered < 4_000
        assert "what was answered is kept" in book.page.locator(".jp-Notebook").inner_text()
