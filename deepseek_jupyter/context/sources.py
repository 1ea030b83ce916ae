"""Functions and classes by their source, modules by their public names, as an attachment.

Sources of a notebook's own cells are found as well: IPython keeps the cells in `linecache`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.levels import SAMPLE, Policy
from deepseek_jupyter.privacy.redaction import Redactor

from .attachment import Attachment, digest, fitting, made, settled

_SOURCES = (type, types.ModuleType, functools.partial, property, staticmethod, classmethod)


def fits(value: Any) -> bool:
    """Whether it is a class, a module or something defined with ``def``."""
    inner = inspect.unwrap(value) if hasattr(value, "__wrapped__") else value
    return isinstance(value, _SOURCES) or inspect.isroutine(inner)


def leaves_whole(value: Any) -> bool:
    """Whether it is the source of one thing, not a list of names."""
    return not isinstance(value, types.ModuleType)


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """The source; below ``sample``, or where there is none, signature and documentation."""
    if isinstance(value, types.ModuleType):
        return _module(name, value, policy, redactor)
    source = source_of(value)
    body = source if source is not None and policy.whole >= SAMPLE else _described(value)
    word = "class" if isinstance(value, type) else "function"
    head = word if source is not None else f"{word} without Python source"
    return made(name, "source", head, body, policy, redactor, hash=fingerprint(value))


def fingerprint(value: Any) -> str:
    """Of the source, or of what is sent in its place."""
    if isinstance(value, types.ModuleType):
        return digest("module", value.__name__, str(getattr(value, "__version__", "")))
    return digest("source", source_of(value) or _described(value))


def source_of(value: Any) -> str | None:
    """The source as it was written, dedented; None where there is none."""
    value = _inner(value)
    if isinstance(value, type) and value.__module__ == "__main__":
        return _class_source(value)
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError):
        return None


def _inner(value: Any) -> Any:
    while isinstance(value, functools.partial):
        value = value.func
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return inspect.unwrap(value)


def _class_source(kind: type) -> str | None:
    """`inspect` knows no classes of a notebook before Python 3.13, and some not even then."""
    for file in _files(kind):
        lines = linecache.getlines(file)
        with suppress(SyntaxError):
            nodes = ast.walk(ast.parse("".join(lines)))
            classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
            if named := [node for node in classes if node.name == kind.__name__]:
                last = named[-1]
                first = min([last.lineno, *(item.lineno for item in last.decorator_list)])
                return textwrap.dedent("".join(lines[first - 1 : last.end_lineno])).rstrip()
    return None


def _files(kind: type) -> Iterator[str]:
    """Where the class may be written: where its methods are, then the cells, newest first."""
    for member in vars(kind).values():
        code = getattr(_inner(member) if callable(member) else member, "__code__", None)
        if isinstance(code, types.CodeType):
            yield code.co_filename
    cells = [name for name in list(linecache.cache) if "ipykernel_" in name or "<ipython-" in name]
    yield from reversed(cells)


def _described(value: Any) -> str:
    documentation = inspect.getdoc(value) or ""
    return "\n\n".join(filter(None, (_signature(value), documentation)))


def _signature(value: Any) -> str:
    name = getattr(_inner(value), "__name__", type(value).__name__)
    try:
        return settled(f"{name}{inspect.signature(value)}")
    except (ValueError, TypeError):
        return f"{name}(…)"


def _module(name: str, module: types.ModuleType, policy: Policy, redactor: Redactor) -> Attachment:
    version = getattr(module, "__version__", None)
    head = f"module {module.__name__}" + (f" {version}" if isinstance(version, str) else "")
    documentation = (inspect.getdoc(module) or "").partition("\n\n")[0]
    names = _public(module)
    entries = [_entry(module, public) for public in names]

    def summary(most: int) -> str:
        left = [f"… {counted(len(names) - most, 'more name')}"] if len(names) > most else []
        return "\n".join(filter(None, (documentation, *entries[:most], *left)))

    ladder = [len(names), 200, 100, 60, 40, 25, 15, 8, 4, 1]
    body, most = fitting(lambda most: redactor.redact(summary(most)), ladder, policy.budget - 40)
    cut = f"{most} of {counted(len(names), 'name')}" if most < len(names) else ""
    return made(name, "module", head, body, policy, redactor, hash=fingerprint(module), cut=cut)


def _public(module: types.ModuleType) -> list[str]:
    """The names in ``__all__``, else those without underscore that are its own; sorted, for some
    modules make the list from a set.
    """
    listed = getattr(module, "__all__", None)
    if isinstance(listed, list | tuple | set):
        return sorted(map(str, listed))
    own = []
    for name, member in sorted(vars(module).items()):
        if name.startswith("_") or isinstance(member, types.ModuleType):
            continue
        if getattr(member, "__module__", module.__name__) == module.__name__:
            own.append(name)
    return own


def _entry(module: types.ModuleType, name: str) -> str:
    """One line: signature and what it is for; values of variables do not leave."""
    member = vars(module).get(name)
    if member is None:  # loaded when asked for, or not there: not by us
        return name
    if not callable(member):
        return f"{name}: {type(member).__name__}"
    word = "class " if isinstance(member, type) else ""
    first = (inspect.getdoc(member) or "").partition("\n")[0]
    first = "" if first.startswith(f"{name}(") else first
    return f"{word}{_signature(member)}" + (f": {first}" if first else "")
