"""What a cell does to names, read from its syntax tree without running anything.

A cell *binds* a name (assignment, import, def), *changes* what it stands for (``df["x"] = …``,
``rows.append(…)``, ``df.drop(…, inplace=True)``), *deletes* it, or only *reads* it. Two names that
were assigned from each other are *aliases*: a change through one shows in the other. The names in
a function's body are read when it is called, which may be much later: they are `later`.

Where syntax cannot tell, the answer errs on the side of an effect: a cell too many in a prompt
costs tokens, one too few hides the cause.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .magic_calls import blanked, magic_of
from .scan import Scan

__all__ = ["EVERYTHING", "Effects", "effects"]

EVERYTHING = "*"  # stands for every name: ``%reset``, ``from x import *``, ``%run``
_NAME = re.compile(r"(?<![\w.'\"])[^\W\d]\w*")
_NOT_A_NAME = frozenset(keyword.kwlist) | frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Effects:
    """What one cell does. `binds` surely happens, `may_bind` on some path.

    `later`: function or class → the global names its body reads. `writes`: function → the globals
    it assigns. `passes`: function → the names handed to it. `mutators`: functions that change an
    argument of theirs. `strings`: the literals in the cell, `modules`:
    the names of imported modules.
    """

    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    aliases: frozenset[tuple[str, str]] = frozenset()
    strings: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    mutators: frozenset[str] = frozenset()
    later: Mapping[str, frozenset[str]] = field(default_factory=dict)
    writes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    passes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Every name that the cell gives a value to."""
        return self.binds | self.may_bind


def effects(python: str) -> Effects:
    """The effects of a cell's Python, as IPython's transform left it.

    Code that does not parse (the failing cell of a SyntaxError) reads every name that stands in it.
    """
    tree = parsed(python)
    if tree is None:
        return Effects(reads=frozenset(_NAME.findall(python)) - _NOT_A_NAME)
    scan = Scan(magic_of)
    scan.visit(tree)
    return Effects(
        reads=frozenset(scan.reads),
        binds=frozenset(scan.binds),
        may_bind=frozenset(scan.may_bind - scan.binds),
        changes=frozenset(scan.changes),
        deletes=frozenset(scan.deletes),
        aliases=frozenset(scan.aliases),
        strings=frozenset(scan.strings),
        modules=frozenset(scan.modules),
        mutators=frozenset(scan.mutators),
        later={name: frozenset(names) for name, names in scan.later.items()},
        writes={name: frozenset(names) for name, names in scan.writes.items()},
        passes={name: frozenset(names) for name, names in scan.passes.items()},
    )


def parsed(python: str) -> ast.Module | None:
    """The tree, also of code in which lines of IPython's own are left; None if it has none."""
    for text in (python, blanked(python)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None
