"""The layers as a drawing: who may import whom, from the table that the test of layers holds."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["drawing", "ranks"]

_WIDTH, _BOX, _ROW, _GAP = 860, 34, 58, 10
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2933;text-anchor:middle}"
    ".box{fill:#eef3fb;stroke:#5a7bb5}.side{font-size:12px;fill:#52606d;text-anchor:start}"
    ".band{fill:#f8fafc}"
)


def ranks(ladder: Mapping[str, set[str]], leaves: set[str]) -> list[list[list[str]]]:
    """Rows from the bottom up; each holds groups, and a group more than one part where those know
    each other. Every part may import only what stands in rows below its own.
    """
    parts = {part: uses & ladder.keys() - leaves for part, uses in ladder.items()}
    reach = {part: _reachable(part, parts) for part in parts}
    group = {p: tuple(sorted({p} | {q for q in reach[p] if p in reach[q]})) for p in parts}
    rank: dict[tuple[str, ...], int] = {}

    def height(of: tuple[str, ...]) -> int:
        if of not in rank:
            below = {group[use] for part in of for use in parts[part]} - {of}
            base = 0 if of[0] in leaves else 1
            rank[of] = max((height(b) + 1 for b in below), default=base)
        return rank[of]

    for of in group.values():
        height(of)
    rows: list[list[list[str]]] = [[] for _ in range(max(rank.values()) + 1)]
    for of, at in sorted(rank.items()):
        rows[at].append(list(of))
    return [row for row in rows if row]


def _reachable(part: str, parts: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [part]
    while waiting:
        for use in parts[waiting.pop()]:
            if use not in seen:
                seen.add(use)
                waiting.append(use)
    return seen


def drawing(ladder: Mapping[str, set[str]], leaves: set[str]) -> str:
    """An SVG: rows of boxes, the highest part on top."""
    rows = ranks(ladder, leaves)[::-1]
    height = _ROW * len(rows) + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>Layers of deepseek_jupyter: each part imports only what stands below it</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, row in enumerate(rows):
        y = 10 + number * _ROW
        out.append(
            f'<rect class="band" x="6" y="{y - 4}" width="{_WIDTH - 12}" height="{_BOX + 8}"/>'
        )
        out += _boxes(row, y)
    bottom = height - 12
    out.append(
        f'<text class="side" x="10" y="{bottom}">A part may import what stands below it; '
        "the exact rows are in tests/test_layering.py.</text>"
    )
    return "\n".join([*out, "</svg>", ""])


def _boxes(row: list[list[str]], y: int) -> list[str]:
    labels = [" ⇄ ".join(group) for group in row]
    widths = [max(64, 9 * len(label) + 22) for label in labels]
    scale = min(1.0, (_WIDTH - 24 - _GAP * (len(row) - 1)) / sum(widths))
    widths = [round(width * scale) for width in widths]
    x = (_WIDTH - sum(widths) - _GAP * (len(row) - 1)) // 2
    out = []
    for label, width in zip(labels, widths, strict=True):
        out.append(f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{_BOX}" rx="5"/>')
        out.append(f'<text x="{x + width // 2}" y="{y + 22}">{escape(label)}</text>')
        x += width + _GAP
    return out
