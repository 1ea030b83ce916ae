"""`make docs`: Sphinx with Markdown pages, built into .make/site; any warning fails it.

Pages that lie elsewhere in the checkout have a line here that leads readers of the repository to
them; the site shows their text in its place, with links made to fit.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "changes": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "figures": "benchmarks/results.md",
}

project = "deepseek_jupyter"
extensions = ["myst_parser"]
exclude_patterns = ["*.py"]
html_theme = "furo"
html_title = project
html_show_sphinx = False
myst_heading_anchors = 3
# A cell that begins with a magic is no Python; it is coloured as far as that goes.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _put_in_place)  # type: ignore[attr-defined]


def _put_in_place(app: object, page: str, source: list[str]) -> None:
    if page in ELSEWHERE:
        path = ROOT / ELSEWHERE[page]
        text = path.read_text("utf-8")
        source[0] = _LINK.sub(lambda link: f"]({fitted(link[1], path.parent)}", text)


def fitted(target: str, folder: Path) -> str:
    """A link in a file of `folder`, as it reads from docs/."""
    path = (folder / target).resolve()
    for page, name in ELSEWHERE.items():
        if path == ROOT / name:
            return f"{page}.md"
    here = ROOT / "docs"
    return str(path.relative_to(here)) if path.is_relative_to(here) else target
