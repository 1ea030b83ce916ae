"""The tools of one question: functions of the notebook and built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import ToolError

from .builtin import BUILTIN, builtin_tool

if TYPE_CHECKING:
    from deepseek_jupyter.privacy.policy_file import PolicyFiles
    from deepseek_jupyter.privacy.redaction import Gate
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.tool import Tool

    from .question import Question

__all__ = ["function_named", "tools_of"]


def tools_of(
    session: Session, question: Question, gate: Gate, files: PolicyFiles
) -> dict[str, Tool]:
    """The tools of a resolved question by name. Raises `ToolError` for what cannot be one."""
    if not question.tools:
        return {}
    from deepseek_jupyter.tools.loop import toolbox

    return toolbox(_resolved(session, question, gate, files, tool) for tool in question.tools)


def _resolved(
    session: Session, question: Question, gate: Gate, files: PolicyFiles, tool: Any
) -> Any:
    if not isinstance(tool, str):
        return tool
    name = tool.strip()
    if name in BUILTIN:
        return builtin_tool(name, session, question, gate, files)
    return function_named(name, user_namespace())


def function_named(name: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that `name` means, also ``object.method``. Raises `ToolError` for none."""
    first, *rest = name.split(".")
    found = names.get(first)
    for part in rest:
        found = getattr(found, part, None)
    if not callable(found):
        raise ToolError(
            f"There is no function {name!r} in this notebook.",
            f"Define it in a cell first; built in are {', '.join(BUILTIN)}.",
        )
    return found  # type: ignore[no-any-return]
