"""What line commands show: tables, drawings, changes to cells before they are accepted, progress.

Nothing in them is hidden or acts: hosts' and models' own words may be part of them.
"""

from __future__ import annotations

import html
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from unicodedata import east_asian_width

from deepseek_jupyter.sanitizer.text import plain
from deepseek_jupyter.words import keep, said

from .frontend import Output, has_frontend, publish, reads_plain_text

_CELL = "vertical-align:top;padding:.15em 1em .15em 0"
_NUMBER = re.compile(r"[~$¥€]?[\d,.]*\d[\d,.]*(?: (?:%|ms|s|tokens?))?|")
_COLOURS = {
    "+": "var(--jp-success-color1, #188038)",
    "-": "var(--jp-error-color1, #c5221f)",
    "@": "var(--jp-ui-font-color2, #777)",
}
_INTERVAL = 0.2  # seconds between updates of a progress bar
_WIDTH = 30  # its characters in a terminal
INERT = "mathjax_ignore tex2jax_ignore"


class _Shown:
    """A value that shows as `_text`, without controls, and as `_repr_html_`.

    It is English where it is a text. A person reads it in a terminal, and the HTML in a notebook,
    whose text is for models.
    """

    __slots__ = ()

    def _text(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return plain(self._text())

    def said(self) -> _Shown:
        return self

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(for_reader(str(self), str(self.said())))


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Report(_Shown):
    """A title, rows of text cells, optional column heads and a closing remark.

    Shown as an HTML table in notebooks and as aligned columns elsewhere. `quoted` columns from the
    left are not our words but names, and with -1 nothing is: such texts are not translated.
    """

    title: str
    rows: Sequence[Sequence[str]] = ()
    heads: Sequence[str] = ()
    remark: str = ""
    quoted: int = 0

    def said(self) -> Report:
        if self.quoted < 0:
            return self
        at = self.quoted
        rows = [[*row[:at], *map(said, row[at:])] for row in self.rows]
        heads = tuple(map(said, self.heads))
        return replace(
            self, title=said(self.title), rows=rows, heads=heads, remark=said(self.remark)
        )

    def _text(self) -> str:
        lines = [self.title] if self.title else []
        table = [*([self.heads] if self.heads else []), *self.rows]
        widths = [max(map(columns, column)) for column in zip(*table, strict=True)] if table else []
        numbers = self._numbers()
        for row in table:
            cells = zip(row, widths, numbers, strict=True)
            line = [_padded(cell, width, number) for cell, width, number in cells]
            lines.append(("  " + "  ".join(line)).rstrip())
        return "\n".join([*lines, self.remark] if self.remark else lines)

    def _numbers(self) -> list[bool]:
        """Which columns hold only numbers, amounts or durations, and are right-aligned."""
        found = [all(map(_NUMBER.fullmatch, column)) for column in zip(*self.rows, strict=True)]
        return found or [False] * len(self.heads)

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, *, fold: bool = False) -> str:
        """As a page shows it; with `fold` the title is the line of a closed fold."""
        shown, numbers = self.said(), self._numbers()
        title = inert(shown.title)
        parts = [f'<p style="margin:.6em 0 .2em"><b>{title}</b></p>'] if title and not fold else []
        if self.rows:
            parts.append('<table style="margin:0 0 .4em">')
            if self.heads:
                parts.append(_row(shown.heads, "th", numbers))
            parts += [_row(row, "td", numbers) for row in shown.rows]
            parts.append("</table>")
        if self.remark:
            remark = inert(shown.remark).replace("\n", "<br>")
            parts.append(f'<p style="white-space:pre-wrap">{remark}</p>')
        inner = "".join(parts)
        if fold and inner:
            inner = f"<details><summary>{title}</summary>{inner}</details>"
        elif fold:
            inner = f"<p>{title}</p>"
        return f'<div class="{INERT}">{inner}</div>'


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Drawing(_Shown):
    """Lines whose columns matter: a tree, a diff."""

    text: str

    def _text(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<pre class="{INERT}">{inert(self.text)}</pre>'


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Folds(_Shown):
    """Texts, not ours, each in a fold that shows its first line."""

    texts: Sequence[str]

    def _text(self) -> str:
        return "\n\n".join(f"{at}. {text}" for at, text in enumerate(self.texts, 1))

    def _repr_html_(self) -> str:
        firsts = (re.sub(r"^[#>\s]+|[*`]", "", text.split("\n", 1)[0]) for text in self.texts)
        folds = zip(firsts, self.texts, strict=True)
        return "".join(Report(f, remark=t, quoted=-1).html(fold=True) for f, t in folds)


@dataclass(frozen=True, slots=True, repr=False)  # IPython would prefer it to `_repr_pretty_`
class Changes(_Shown):
    """Each part is a heading and its lines, (mark, text) with ``+``, ``-``, ``@`` or a space.

    The marks are there for those who see no colours.
    """

    parts: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    remark: str = ""

    def said(self) -> Changes:
        return Changes([(said(name), part) for name, part in self.parts], said(self.remark))

    def _text(self) -> str:
        lines: list[str] = []
        for heading, part in self.parts:
            lines += [heading, *(f"{mark} {text}".rstrip() for mark, text in part), ""]
        return "\n".join([*lines, self.remark])

    def _repr_html_(self) -> str:
        parts = [
            f'<p><b>{inert(heading)}</b></p><pre class="ds-diff" '
            f'style="line-height:1.35">{chr(10).join(map(_line, part))}</pre>'
            for heading, part in self.said().parts
        ]
        remark = inert(said(self.remark)).replace("\n", "<br>")
        return f'<div class="{INERT}">{"".join(parts)}<p>{remark}</p></div>'


class Progress:
    """A bar; call it with bytes done, bytes in all (0 if unknown) and what is being done."""

    def __init__(self) -> None:
        self._output = Output()
        self._begun = False
        self._last = 0.0
        self._phase = ""

    def __call__(self, done: int, total: int, phase: str) -> None:
        """Show it, at most five times a second and at every change of phase."""
        now = time.monotonic()
        if phase == self._phase and now - self._last < _INTERVAL and done < total:
            return
        self._last = now
        changed, self._phase = phase != self._phase, phase
        text = f"{phase} {done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else phase
        shown = said(text)
        if has_frontend():
            bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
            bundle = {"text/html": f"<div>{bar}{inert(shown)}</div>", "text/plain": text}
            self._output.show(bundle)
            self._begun = True
        elif sys.stderr.isatty():
            filled = _WIDTH * done // total if total else 0
            bar = f"[{'█' * filled}{' ' * (_WIDTH - filled)}] " if total else ""
            print(f"\r\x1b[2K{bar}{shown}", end="", file=sys.stderr, flush=True)
            self._begun = True
        elif changed:
            print(shown, file=sys.stderr)

    def close(self) -> None:
        if self._begun and not has_frontend():
            print(file=sys.stderr)


def for_reader(text: str, shown: str) -> str:
    """What a value shows as plain text: `shown` where people read it, else the English `text`."""
    return keep(plain(shown), text) if reads_plain_text() else text


def sentence(text: str) -> dict[str, str]:
    """An output that says `text`: in the user's language, and for models."""
    shown = inert(said(text)).replace("\n", "<br>")
    return (
        {"text/plain": text}
        if said(text) == text
        else {"text/html": f"<p>{shown}</p>", "text/plain": text}
    )


def tell(text: str) -> None:
    """Say `text` under the running cell."""
    if reads_plain_text() or said(text) == text:
        print(said(text), flush=True)
    else:
        publish(sentence(text))


def columns(text: str) -> int:
    """How wide `text` is in a terminal, where a Chinese character is two columns."""
    return len(text) + sum(east_asian_width(char) in "WF" for char in text)


def _padded(cell: str, width: int, number: bool) -> str:
    gap = " " * (width - columns(cell))
    return gap + cell if number else cell + gap


def inert(text: str) -> str:
    """An element's content, without controls that hide or reorder it."""
    return html.escape(plain(text))


def _row(cells: Sequence[str], tag: str, numbers: Sequence[bool]) -> str:
    inner = "".join(
        f'<{tag} style="text-align:{"right" if number else "left"};{_CELL}">{inert(cell)}</{tag}>'
        for cell, number in zip(cells, numbers, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _line(line: tuple[str, str]) -> str:
    mark, text = line
    shown = inert(f"{mark} {text}")
    colour = _COLOURS.get(mark)
    return f'<span style="color:{colour}">{shown}</span>' if colour else shown
