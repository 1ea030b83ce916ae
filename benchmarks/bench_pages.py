"""Beside other packages in a page: JupyterLab in Chromium, a kernel of each one's environment.

One JupyterLab for all, with our extension in it; the kernels are those of the peers' environments.
600 deltas at 100 a second, 8 kB. What does not stream gets the whole text when the stream would
have ended.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beside import RUNS, side_by_side
from peers import OURS, PEERS, Peer, environment_of, python_of
from rows import Row, alone, skipped
from serving import Reply, chunk, event, events, fast, paced, pause
from serving import Server as Scripted
from texts import tokens

from tests.browser.chromium import ARGS, find_chromium
from tests.browser.jupyter import Server
from tests.browser.notebook import Notebook
from tests.support.scripted import Request, whole

TITLE = "Beside other packages, in the page"
EVERYONE = (OURS, *PEERS)
DELTAS, RATE = 600, 100
WATCH = Path(__file__).with_name("watch_output.js").read_text("utf-8")

_WARM_UP = "A few words first."
_FIRST = "The sky"  # of the answer, whether its Markdown is rendered or not
# Tells when the kernel had the end of a cell.
_TELL = """
import time as _time
_tell = lambda *_: open("ended", "w").write(str(_time.time())) and None
get_ipython().events.register("post_run_cell", _tell)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer. Seconds; `first` from the start of the cell, `behind` after the kernel's end."""

    first: float
    behind: float
    long_frames: int
    blank: int


def rows() -> list[Row]:
    """In turns, a fresh notebook and kernel for each answer."""
    try:
        find_chromium()
    except RuntimeError as error:
        return [skipped(TITLE, str(error))]
    for peer in EVERYONE:
        python_of(peer)
    seen: dict[str, list[Seen]] = defaultdict(list)
    broken: dict[str, str] = {}
    with Scripted(validate=False, fallback=_reply) as server, _lab(server) as open_book:
        for _ in range(RUNS):
            for peer in EVERYONE:
                if peer.name in broken:
                    continue
                try:
                    seen[peer.name].append(_watched(open_book(peer)))
                except Exception as error:
                    broken[peer.name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return _rows(seen, broken)


def _rows(seen: dict[str, list[Seen]], broken: dict[str, str]) -> list[Row]:
    titles = {peer.name: peer.title for peer in EVERYONE}
    found = [skipped(f"in the page: {titles[name]}", why) for name, why in broken.items()]
    whole_ones = tuple(p for p in EVERYONE if p.name not in broken)
    first = {name: [s.first for s in answers] for name, answers in seen.items()}
    found += side_by_side(
        "first words on the page after",
        first,
        "s",
        whole_ones,
        chart="until the first words stand on the page, seconds",
        streamed=True,
    )
    for peer in whole_ones:
        answers = seen[peer.name]
        bounds = (1.0, 3, 0) if peer is OURS else (None, None, None)
        behind, long, blank = bounds
        title = peer.title
        found += [
            Row(
                f"page behind kernel: {title}",
                [s.behind for s in answers],
                "s",
                behind,
                chart="page still changes after the kernel's end, seconds",
            ),
            Row(f"frames over 50 ms: {title}", [s.long_frames for s in answers], "", long),
            Row(f"frames that lost half the text: {title}", [s.blank for s in answers], "", blank),
        ]
    return found


def _pieces() -> list[str]:
    text = "".join(tokens("mixed", 6_000))[:8_000]
    size = len(text) // DELTAS + 1
    return [text[at : at + size] for at in range(0, len(text), size)]


def _reply(request: Request) -> Reply:
    pieces = _pieces()
    if _WARM_UP in str(request.json["messages"][-1]["content"]):
        few = events("mixed", 150)  # brings MathJax and the languages of code
        text = "".join(tokens("mixed", 150))
        return fast(few) if request.json.get("stream") else whole(text)
    if request.json.get("stream"):
        return paced([event(chunk({"content": piece})) for piece in pieces], RATE)
    end = whole("".join(pieces))
    return Reply(pause(DELTAS / RATE), end.steps, content_type="application/json")


def _watched(opened: Any) -> Seen:
    with opened as (book, work):
        page = book.page
        for index in (0, 1, 2):
            book.run(index)
            book.until_done()
        page.evaluate(WATCH, {"cell": 3, "words": _FIRST})
        book.run(3)
        book.until_done()
        page.wait_for_timeout(1500)
        raw = page.evaluate("() => window.__output")
        ended = float((work / "ended").read_text())
    frames = raw["frames"]
    return Seen(
        raw["first"] / 1000,
        max(0.0, raw["last"] / 1000 - ended),
        sum(frame > 50 for frame in frames),
        raw["blank"],
    )


@contextmanager
def _lab(server: Scripted) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    url = server.base_url()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Server("lab", Path(folder) / "lab")
        for peer in EVERYONE:
            _kernelspec(peer, url, Path(lab.environment["JUPYTER_DATA_DIR"]))
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)

        @contextmanager
        def opened(peer: Peer) -> Iterator[tuple[Notebook, Path]]:
            context = chromium.new_context(viewport={"width": 1100, "height": 900})
            ready = peer.ready.format(url=url) + _TELL
            cells = [
                peer.load.format(url=url),
                ready,
                peer.asking(_WARM_UP),
                peer.asking("Go on."),
            ]
            book = _PeersNotebook(lab, context.new_page(), cells, peer.name)
            try:
                yield book, lab.work
            finally:
                book.close()

        try:
            yield opened
        finally:
            chromium.close()
            lab.stop()


class _PeersNotebook(Notebook):
    """A notebook whose kernel is that of a peer's environment."""

    def __init__(self, server: Server, page: Any, cells: list[str], peer: str) -> None:
        self._kernel_name = peer
        super().__init__(server, page, cells, load=False)

    def write(self, cells: Any, outputs: Any, *, kernel: bool) -> None:
        super().write(cells, outputs, kernel=kernel)
        path = self.server.work / self.name
        notebook = json.loads(path.read_text())
        notebook["metadata"]["kernelspec"]["name"] = self._kernel_name
        path.write_text(json.dumps(notebook))


def _kernelspec(peer: Peer, url: str, data: Path) -> None:
    folder = data / "kernels" / peer.name
    folder.mkdir(parents=True)
    ours = {"DEEPSEEK_BASE_URL": url, "DEEPSEEK_API_KEY": "sk-bench", "PYTHONPATH": ""}
    spec = {
        "argv": [str(python_of(peer)), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": peer.title,
        "language": "python",
        "env": {**environment_of(peer, url), **ours},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))


if __name__ == "__main__":
    alone(TITLE, rows)
