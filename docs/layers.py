"""The layers as a drawing: who may import whom, from the table that the test of layers holds."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["drawing", "ranks"]

_WIDTH, _BOX, _ROW, _GAP = 860, 34, 58, 10
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2933;text-anchor:middle}"
    ".box{fill:#eef3fb;stroke:#5a7bb5}.side{font-size:12px;fill:#52606d;text-anchor:start}"
    ".band{fill:#f8fafc}"
)


def ranks(ladder: Mapping[str, set[str]], leaves: set[str]) -> list[list[str]]:
    """Rows from the bottom up: each part is in the lowest row above all that it may import."""
    height: dict[str, int] = {}

    def rank(part: str) -> int:
        if part not in height:
            uses = ladder[part] & ladder.keys() - leaves
            lowest = 0 if part in leaves else 1
            height[part] = max((rank(use) + 1 for use in uses), default=lowest)
        return height[part]

    rows: list[list[str]] = [[] for _ in range(max(map(rank, ladder)) + 1)]
    for part, at in sorted(height.items()):
        rows[at].append(part)
    return rows


def drawing(ladder: Mapping[str, set[str]], leaves: set[str]) -> str:
    """An SVG: rows of boxes, the highest part on top."""
    rows = ranks(ladder, leaves)[::-1]
    height = _ROW * len(rows) + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>Layers of deepseek_jupyter: each part imports only parts in rows below it</title>",
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
        f'<text class="side" x="10" y="{bottom}">Every import leads to a lower row; '
        "who may import whom is in tests/test_layering.py.</text>"
    )
    return "\n".join([*out, "</svg>", ""])


def _boxes(row: list[str], y: int) -> list[str]:
    widths = [max(64, 9 * len(part) + 22) for part in row]
    scale = min(1.0, (_WIDTH - 24 - _GAP * (len(row) - 1)) / sum(widths))
    widths = [round(width * scale) for width in widths]
    x = (_WIDTH - sum(widths) - _GAP * (len(row) - 1)) // 2
    out = []
    for part, width in zip(row, widths, strict=True):
        out.append(f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{_BOX}" rx="5"/>')
        out.append(f'<text x="{x + width // 2}" y="{y + 22}">{part}</text>')
        x += width + _GAP
    return out
