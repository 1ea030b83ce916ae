"""The picture of the figures that are told beside other packages': bars, an SVG of our own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from statistics import median

from rows import Row

__all__ = ["draw", "svg"]

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "bench.svg"

_WIDTH, _BAR, _LABEL, _FIGURE = 860, 20, 230, 90
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.head{font-weight:600;font-size:14px}"
    ".side{fill:#52606d;font-size:12px}.ours{fill:#3b6fd4}.theirs{fill:#b6c2d2}"
)


def draw(rows: Iterable[Row]) -> None:
    """Write the picture of all rows that name a chart; nothing where there are none."""
    charts: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        if row.chart and row.values:
            label = row.claim.split(": ", 1)[-1]
            charts.setdefault(row.chart, []).append((label, median(row.values)))
    if charts:
        PICTURE.write_text(svg(charts), "utf-8")


def svg(charts: dict[str, list[tuple[str, float]]]) -> str:
    """One block of bars for each chart, shorter is better; ours first and in colour.

    Where the longest is more than 30 times the shortest, lengths are logarithmic, and it says so.
    """
    out: list[str] = []
    y = 24
    for title, bars in charts.items():
        scaled = max(v for _, v in bars) > 30 * max(min(v for _, v in bars), 1e-9)
        note = "logarithmic" if scaled else ""
        out.append(f'<text class="head" x="10" y="{y}">{escape(title)}</text>')
        out.append(f'<text class="side" x="{_WIDTH - 90}" y="{y}">{note}</text>')
        y = _bars(bars, y + 8, scaled, out) + 22
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 10}" role="img">'
        "<title>deepseek_jupyter beside other packages; shorter is better</title>"
        f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{y + 10}" fill="#ffffff"/>'
    )
    foot = f'<text class="side" x="10" y="{y}">Shorter is better. Figures and machine: '
    return "\n".join([head, *out, f"{foot}benchmarks/results.md</text>", "</svg>", ""])


def _bars(bars: Sequence[tuple[str, float]], y: int, scaled: bool, out: list[str]) -> int:
    room = _WIDTH - _LABEL - _FIGURE - 20
    longest = max(value for _, value in bars)
    least = min((value for _, value in bars if value > 0), default=1.0)
    for label, value in bars:
        share = value / longest if longest else 0.0
        if scaled:
            share = math.log(max(value, least) / least * 2) / math.log(longest / least * 2)
        kind = "ours" if label.startswith("deepseek_jupyter") else "theirs"
        width = max(2, round(room * share))
        out.append(f'<text x="10" y="{y + 14}">{escape(label)}</text>')
        size = f'width="{width}" height="{_BAR - 6}"'
        out.append(f'<rect class="{kind}" x="{_LABEL}" y="{y + 3}" {size} rx="2"/>')
        out.append(f'<text class="side" x="{_LABEL + width + 6}" y="{y + 14}">{value:,.3g}</text>')
        y += _BAR
    return y
