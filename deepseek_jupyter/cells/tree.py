"""Questions to a piece of a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["called", "in_place", "parameters", "roots", "shared", "stored"]


def parameters(arguments: ast.arguments) -> set[str]:
    """The names of a function's parameters."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return {a.arg for a in every}


def stored(target: ast.AST) -> Iterator[str]:
    """The names that an assignment to `target` binds."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def roots(node: ast.AST) -> Iterator[str]:
    """The name under ``a``, ``a.b``, ``a[0].c`` and, in displays, of each element."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from roots(element)


def shared(value: ast.expr) -> Iterator[str]:
    """The names whose objects `value` may be, or hold: not those that a call works on."""
    if isinstance(value, ast.Dict):
        for item in value.values:
            yield from shared(item)
    elif isinstance(value, ast.IfExp):
        yield from shared(value.body)
        yield from shared(value.orelse)
    else:
        yield from roots(value)


def called(call: ast.Call) -> str:
    """The last word of what is called."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def in_place(call: ast.Call) -> bool:
    """Whether a call says ``inplace=`` anything but False."""
    return any(
        k.arg == "inplace" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
        for k in call.keywords
    )
