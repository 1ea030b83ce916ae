"""What the names after ``--schema`` and ``--tools`` mean in the cell's namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deepseek_jupyter.asking.toolset import BUILTIN, function_named
from deepseek_jupyter.errors import SchemaError

__all__ = ["resolve_schema", "resolve_tools"]


def resolve_schema(expression: str, names: Mapping[str, Any]) -> Any:
    """The value of ``--schema EXPR``, an expression of the user's own cell.

    Raises `SchemaError` where it has none.
    """
    try:
        return eval(expression, {**_typing(), **names})
    except Exception as error:
        raise SchemaError(
            f"--schema {expression}: {type(error).__name__}: {error}.",
            "Name a type or a JSON schema that this notebook has.",
        ) from error


def resolve_tools(
    tools: Sequence[str | Callable[..., Any]], names: Mapping[str, Any]
) -> tuple[str | Callable[..., Any], ...]:
    """The functions of ``--tools``; built-in names stay names. Raises `ToolError`."""
    return tuple(
        tool if not isinstance(tool, str) or tool in BUILTIN else function_named(tool, names)
        for tool in tools
    )


def _typing() -> dict[str, Any]:
    """So that ``--schema Literal[...]`` needs no import."""
    import typing

    return {name: getattr(typing, name) for name in ("Annotated", "Any", "Literal", "Optional")}
