"""The statements of a long cell that matter."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .effects import effects, parsed

__all__ = ["excerpt", "names_on_line"]


def excerpt(python: str, names: Iterable[str]) -> str:
    """The top-level statements that bind, change or delete one of `names`; "" if there are none.

    What lies between two of them is one line of dots.
    """
    tree, wanted = parsed(python), set(names)
    if tree is None:
        return ""
    lines = python.splitlines()
    pieces: list[str] = []
    end = 0
    for statement in tree.body:
        begin = min([statement.lineno, *(d.lineno for d in _decorators(statement))])
        piece = "\n".join(lines[begin - 1 : statement.end_lineno])
        done = effects(piece)
        if wanted & (done.names | done.changes | done.deletes):
            if begin > end + 1:
                pieces.append("# …")
            pieces.append(piece)
            end = statement.end_lineno or begin
    if pieces and end < len(lines):
        pieces.append("# …")
    return "\n".join(pieces)


def names_on_line(python: str, line: int) -> frozenset[str]:
    """The names in the innermost statement that stands on `line` (from 1)."""
    tree = parsed(python)
    if tree is None:
        return frozenset()
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not around:
        return frozenset()
    inner = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno)
    return frozenset(node.id for node in ast.walk(inner) if isinstance(node, ast.Name))


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    return list(getattr(statement, "decorator_list", ()))
