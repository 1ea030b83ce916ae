"""Code as it is shown to the person who decides whether it runs: numbered, nothing out of sight.

The characters that are written as code points, and the gaps that are counted instead of shown, are
data, ``listing.json``, which ``labextension/src/card/listing.ts`` reads too.
"""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

_RULES: Any = json.loads(Path(__file__).with_name("listing.json").read_text("utf-8"))
_INVISIBLE = re.compile(
    "[{}]".format(
        "".join(
            "-".join(f"\\U{end:0>8}" for end in span.split("-")) for span in _RULES["invisible"]
        )
    )
)
_GAP = re.compile(rf"[ \t]{{{_RULES['longest_gap'] + 1},}}")


class Row(NamedTuple):
    """A line of the code and its number; or, without text, how many blank lines begin there."""

    number: int
    text: str
    blanks: int = 0


def visible(text: str) -> str:
    """`text` with every invisible character written as its code point."""
    return _INVISIBLE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def rows(text: str) -> list[Row]:
    """The lines of `text`; long gaps within and between them are counted instead of shown."""
    shown = visible(text).rstrip(" \t\n")
    lines = _GAP.sub(lambda match: f"⟨{len(match[0])} blanks⟩", shown).split("\n")
    found: list[Row] = []
    for is_blank, group in groupby(enumerate(lines, 1), key=lambda line: not line[1].strip(" \t")):
        run = [Row(*line) for line in group]
        if is_blank and len(run) > _RULES["most_blank_lines"]:
            run = [Row(run[0].number, "", len(run))]
        found += run
    return found


def framed(text: str, width: int) -> tuple[str, int]:
    """`text` for a terminal of that width, every line of the screen behind a bar; its line count.

    No line of it can be taken for the program's own words.
    """
    found = rows(text)
    count = found[-1].number
    digits = len(str(count))
    lines = []
    for number, line, blanks in found:
        said = f"({blanks} blank lines)" if blanks else line.expandtabs(4)
        for at, part in enumerate(_wrapped(said, max(20, width - digits - 4))):
            lines.append(f"│ {'' if at else number:>{digits}} {part}")
    return "\n".join(lines), count


def _wrapped(line: str, width: int) -> list[str]:
    parts, used = [""], 0
    for char in line:
        size = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used + size > width:
            parts.append("")
            used = 0
        parts[-1] += char
        used += size
    return parts
