"""What line commands show: small tables, drawings, and changes to cells before they are accepted.

Nothing in them is hidden or acts: hosts' and models' own words may be part of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.sanitizer.text import plain

_CELL = "vertical-align:top;padding:.15em 1em .15em 0"
_NUMBER = re.compile(r"[~$¥€]?[\d,.]*\d[\d,.]*(?: (?:%|ms|s|tokens))?|")
_COLOURS = {
    "+": "var(--jp-success-color1, #188038)",
    "-": "var(--jp-error-color1, #c5221f)",
    "@": "var(--jp-ui-font-color2, #777)",
}
_INERT = "mathjax_ignore tex2jax_ignore"


class _Shown:
    """A value that shows as `_text`, without controls, and as `_repr_html_`."""

    __slots__ = ()

    def _text(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return plain(self._text())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Report(_Shown):
    """A title, rows of text cells, optional column heads and a closing remark.

    Shown as an HTML table in notebooks and as aligned columns elsewhere.
    """

    title: str
    rows: Sequence[Sequence[str]] = ()
    heads: Sequence[str] = ()
    remark: str = ""

    def _text(self) -> str:
        lines = [self.title] if self.title else []
        table = [*([self.heads] if self.heads else []), *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
        numbers = self._numbers()
        for row in table:
            cells = zip(row, widths, numbers, strict=True)
            line = [c.rjust(width) if number else c.ljust(width) for c, width, number in cells]
            lines.append(("  " + "  ".join(line)).rstrip())
        return "\n".join([*lines, self.remark] if self.remark else lines)

    def _numbers(self) -> list[bool]:
        """Which columns hold numbers, amounts or durations alone: those stand at the right."""
        found = [all(map(_NUMBER.fullmatch, column)) for column in zip(*self.rows, strict=True)]
        return found or [False] * len(self.heads)

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, *, fold: bool = False) -> str:
        """As a page shows it; with `fold` the title is the line of a closed fold."""
        parts = [f"<p><b>{_inert(self.title)}</b></p>"] if self.title and not fold else []
        if self.rows:
            numbers = self._numbers()
            parts.append('<table style="margin:0">')
            if self.heads:
                parts.append(_row(self.heads, "th", numbers))
            parts += [_row(row, "td", numbers) for row in self.rows]
            parts.append("</table>")
        if self.remark:
            remark = _inert(self.remark).replace("\n", "<br>")
            parts.append(f'<p style="white-space:pre-wrap">{remark}</p>')
        inner = "".join(parts)
        if fold and inner:
            inner = f"<details><summary>{_inert(self.title)}</summary>{inner}</details>"
        elif fold:
            inner = f"<p>{_inert(self.title)}</p>"
        return f'<div class="{_INERT}">{inner}</div>'


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Drawing(_Shown):
    """Lines whose columns matter: a tree, a diff."""

    text: str

    def _text(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<pre class="{_INERT}">{_inert(self.text)}</pre>'


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Changes(_Shown):
    """Each part is a heading and its lines, (mark, text) with ``+``, ``-``, ``@`` or a space.

    The marks are there for those who see no colours.
    """

    parts: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    remark: str = ""

    def _text(self) -> str:
        lines: list[str] = []
        for heading, part in self.parts:
            lines += [heading, *(f"{mark} {text}".rstrip() for mark, text in part), ""]
        return "\n".join([*lines, self.remark])

    def _repr_html_(self) -> str:
        parts = [
            f'<p><b>{_inert(heading)}</b></p><pre class="ds-diff" '
            f'style="line-height:1.35">{chr(10).join(map(_line, part))}</pre>'
            for heading, part in self.parts
        ]
        remark = _inert(self.remark).replace("\n", "<br>")
        return f'<div class="{_INERT}">{"".join(parts)}<p>{remark}</p></div>'


def _inert(text: str) -> str:
    """An element's content, without controls that hide or reorder it."""
    return html.escape(plain(text))


def _row(cells: Sequence[str], tag: str, numbers: Sequence[bool]) -> str:
    inner = "".join(
        f'<{tag} style="text-align:{"right" if number else "left"};{_CELL}">{_inert(cell)}</{tag}>'
        for cell, number in zip(cells, numbers, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _line(line: tuple[str, str]) -> str:
    mark, text = line
    shown = _inert(f"{mark} {text}")
    colour = _COLOURS.get(mark)
    return f'<span style="color:{colour}">{shown}</span>' if colour else shown
