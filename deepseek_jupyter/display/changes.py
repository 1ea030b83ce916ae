"""A change to cells as it is shown before anyone accepts it. Nothing in it is hidden or acts."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.sanitizer.text import plain

_COLOURS = {
    "+": "var(--jp-success-color1, #188038)",
    "-": "var(--jp-error-color1, #c5221f)",
    "@": "var(--jp-ui-font-color2, #777)",
}


@dataclass(frozen=True, slots=True)
class Changes:
    """Each part is a heading and its lines, (mark, text) with ``+``, ``-``, ``@`` or a space.

    The marks are there for those who see no colours.
    """

    parts: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    remark: str = ""

    def __str__(self) -> str:
        lines: list[str] = []
        for heading, part in self.parts:
            lines += [heading, *(f"{mark} {text}".rstrip() for mark, text in part), ""]
        return plain("\n".join([*lines, self.remark]))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        parts = [
            f'<p><b>{html.escape(plain(heading))}</b></p><pre class="ds-diff" '
            f'style="line-height:1.35">{chr(10).join(map(_line, part))}</pre>'
            for heading, part in self.parts
        ]
        remark = html.escape(plain(self.remark)).replace("\n", "<br>")
        return f'<div class="mathjax_ignore tex2jax_ignore">{"".join(parts)}<p>{remark}</p></div>'


def _line(line: tuple[str, str]) -> str:
    mark, text = line
    shown = html.escape(plain(f"{mark} {text}"))
    colour = _COLOURS.get(mark)
    return f'<span style="color:{colour}">{shown}</span>' if colour else shown
