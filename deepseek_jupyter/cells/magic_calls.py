"""IPython's magics in a cell: what they mean for names. Pure, and no IPython is needed.

IPython turns ``%%time`` and its like into calls of ``get_ipython().run_cell_magic(name, line,
body)``; the body of those that run Python here is read like any other code.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

__all__ = ["Magic", "blanked", "magic_of"]

# They run their Python in the user's namespace.
_CELL = frozenset({"time", "capture", "prun", "memit", "mprun", "pyinstrument", "scalene"})
_LINE = frozenset({"time", "prun", "memit", "lprun"})
# They run it in one of their own: it is read, and binds nothing.
_ASIDE = frozenset({"timeit"})
_OUT = re.compile(r"(?:^|\s)(?:-o|--out)[ =](\w+)")
_IPYTHONS = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\s*=\s*[%!].*|.*\?{1,2}\s*)$")


@dataclass(frozen=True, slots=True)
class Magic:
    """`code` is run here (`aside`: its names do not come back), `binds` and `deletes` are names."""

    code: str = ""
    aside: bool = False
    binds: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()


def magic_of(call: ast.Call) -> Magic | None:
    """What ``get_ipython().run_…_magic(…)`` means; None for any other call."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in (
        "run_cell_magic",
        "run_line_magic",
    ):
        return None
    words = [str(a.value) for a in call.args if isinstance(a, ast.Constant)]
    if len(words) != len(call.args) or len(words) < 2:
        return Magic()
    if function.attr == "run_cell_magic":
        return _cell_magic(words[0], words[1], words[2] if len(words) > 2 else "")
    return _line_magic(words[0], words[1])


def _cell_magic(name: str, line: str, body: str) -> Magic:
    if name in ("deepseek", "ds"):
        return Magic(binds=tuple(_OUT.findall(line)))
    binds = tuple(w for w in line.split()[:1] if w.isidentifier()) if name == "capture" else ()
    if name in _CELL:
        return Magic(code=body, binds=binds)
    return Magic(code=body, aside=True) if name in _ASIDE else Magic()


def _line_magic(name: str, line: str) -> Magic:
    if name in ("deepseek", "ds"):
        return Magic(binds=tuple(_OUT.findall(line)))
    if name in ("reset", "reset_selective"):
        return Magic(deletes=("*",))
    if name in ("xdel", "del"):
        return Magic(deletes=tuple(w for w in line.split() if w.isidentifier()))
    if name in ("run", "load", "pylab", "store"):
        return Magic(binds=("*",))
    if name in _LINE | _ASIDE:
        return Magic(code=line, aside=name in _ASIDE)
    return Magic()


def blanked(source: str) -> str:
    """`source` with the lines that only IPython understands replaced by ``pass``.

    A cell magic's own line goes; what stands below it is kept, and parses if it is Python.
    """
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        lines = ["", *textwrap.dedent("\n".join(lines[1:])).splitlines()]
    return "\n".join(_IPYTHONS.sub(r"\1pass", line) for line in lines)
