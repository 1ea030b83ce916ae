"""What ``@`` may name: the notebook's frames and variables, never a value, and its cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.notebook_cells import take_document
from deepseek_jupyter.display.frontend import shell

from .fields import whole

if TYPE_CHECKING:
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session


# Whose shape can be asked without computing anything.
_SHAPED = {"pandas", "polars", "numpy", "pyarrow", "xarray", "torch", "scipy", "cudf", "modin"}
_SIZED = (str, bytes, list, tuple, dict, set, frozenset)
_LEFT_OUT = (ModuleType, FunctionType, BuiltinFunctionType, type)


def names(session: Session, request: Request) -> dict[str, Any]:
    """``{limit?}``: ``[name, type, shape]``, frames first, then by name."""
    limit = whole(request.body, "limit", 1, 2000, 500)
    running = shell()
    if running is None:
        return {"names": []}
    hidden = set(running.user_ns_hidden)
    found = describe(dict(running.user_ns), hidden)
    return {"names": found[:limit]}


def document(session: Session, request: Request) -> None:
    """``{cells, …}``: the notebook as the page has it; questions that send cells read it."""
    take_document(request.body)


def describe(namespace: Mapping[str, Any], hidden: Collection[str]) -> list[list[str]]:
    """``[name, type, shape]`` of what a user would call a variable. `shape` may be empty."""
    found = []
    for name, value in namespace.items():
        if name.startswith("_") or name in hidden or isinstance(value, _LEFT_OUT):
            continue
        kind = type(value).__name__
        package = type(value).__module__.partition(".")[0]
        shape = _shape(value, package)
        found.append((package not in _SHAPED, name.lower(), [name, kind, shape]))
    return [row for _, _, row in sorted(found)]


def _shape(value: Any, package: str) -> str:
    """``20 × 3`` for a frame, the length of a container, else nothing. Runs no user code."""
    if package in _SHAPED:
        try:
            shape = tuple(value.shape)
        except Exception:  # a lazy frame has none; nothing is worth a failure here
            return ""
        return " × ".join(str(n) for n in shape if isinstance(n, int))
    if type(value) in _SIZED:
        return str(len(value))
    return ""
