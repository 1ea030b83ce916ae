"""The picture of the figures that are told beside other packages': bars, an SVG of our own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median

from rows import Row

__all__ = ["Bar", "draw", "svg"]

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "bench.svg"

_WIDTH, _BAR, _LABEL, _FIGURE = 880, 21, 224, 200
_ROOM = _WIDTH - _LABEL - _FIGURE
_FAR = 10  # times the shortest, from which on lengths are logarithmic
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.head{font-weight:600;font-size:14px}"
    ".side{fill:#52606d;font-size:12px}.tick{fill:#7b8794;font-size:10px;text-anchor:middle}"
    ".grid{stroke:#e4e7eb}.ours{fill:#2f6bd8}.behind{fill:#c3ccd8}.ahead{fill:#e0a63f}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a block; `note` is what one must know to compare it."""

    label: str
    value: float
    note: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is the one the others are held against."""
        return self.label.startswith("deepseek_jupyter")


def draw(rows: Iterable[Row]) -> None:
    """Write the picture of all rows that name a chart; nothing where there are none."""
    charts: dict[str, list[Bar]] = {}
    for row in rows:
        if row.chart and row.values:
            label = row.claim.split(": ", 1)[-1]
            charts.setdefault(row.chart, []).append(Bar(label, median(row.values), row.note))
    if charts:
        PICTURE.write_text(svg(charts), "utf-8")


def svg(charts: dict[str, list[Bar]]) -> str:
    """One block of bars for each chart, shorter is better; ours in blue, a shorter one in amber.

    Where the longest is more than `_FAR` times the shortest, lengths are logarithmic; a line stands
    at each power of ten.
    """
    out: list[str] = []
    y = 52
    for title, bars in charts.items():
        out.append(f'<text class="head" x="10" y="{y}">{escape(title)}</text>')
        y = _block(bars, y + 10, out) + 26
    height = y - 6
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        "<title>deepseek_jupyter beside other packages; shorter is better</title>"
        f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    )
    return "\n".join([head, *_legend(), *out, "</svg>", ""])


def _legend() -> list[str]:
    words = {"ours": "deepseek_jupyter", "ahead": "better than it", "behind": "worse"}
    out, x = ['<text class="head" x="10" y="22">Shorter is better</text>'], _LABEL
    for kind, label in words.items():
        out.append(f'<rect class="{kind}" x="{x}" y="12" width="14" height="12" rx="2"/>')
        out.append(f'<text class="side" x="{x + 20}" y="22">{label}</text>')
        x += 44 + 7 * len(label)
    where = "figures, spread and machine: benchmarks/results.md"
    return [*out, f'<text class="side" x="{x}" y="22">{where}</text>']


def _block(bars: Sequence[Bar], y: int, out: list[str]) -> int:
    values = [bar.value for bar in bars]
    positive = [value for value in values if value > 0]
    longest, least = max(values), min(positive, default=1.0)
    bottom = y + _BAR * len(bars)
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(max(longest, least)))
    logarithmic = longest > _FAR * least
    if logarithmic:
        for power in range(low, high + 1):
            x = _LABEL + round(_ROOM * (power - low) / (high - low))
            out.append(f'<line class="grid" x1="{x}" y1="{y}" x2="{x}" y2="{bottom}"/>')
            out.append(f'<text class="tick" x="{x}" y="{bottom + 9}">{_told(10.0**power)}</text>')
    ours = next((bar.value for bar in bars if bar.is_ours), math.inf)
    for bar in bars:
        share = bar.value / longest if longest else 0.0
        if logarithmic:
            share = max(0.0, math.log10(max(bar.value, least)) - low) / (high - low)
        kind = "ours" if bar.is_ours else "ahead" if bar.value < 0.95 * ours else "behind"
        out += _bar(bar, kind, max(4, round(_ROOM * share)), y)
        y += _BAR
    return bottom + (8 if logarithmic else 0)


def _bar(bar: Bar, kind: str, width: int, y: int) -> list[str]:
    size = f'width="{width}" height="{_BAR - 7}"'
    told = " · ".join(filter(None, (_told(bar.value), bar.note)))
    return [
        f'<text x="10" y="{y + 15}">{escape(bar.label)}</text>',
        f'<rect class="{kind}" x="{_LABEL}" y="{y + 4}" {size} rx="2"/>',
        f'<text class="side" x="{_LABEL + width + 6}" y="{y + 15}">{escape(told)}</text>',
    ]


def _told(value: float) -> str:
    """Three figures, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.6f}".rstrip("0")
