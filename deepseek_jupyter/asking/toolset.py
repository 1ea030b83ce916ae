"""The tools of one question, and what the session gives to them: names, a place to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import ToolError

if TYPE_CHECKING:
    from deepseek_jupyter.context.gate import Gate
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.tool import Tool

    from .question import Question

__all__ = ["BUILTIN", "keep", "tools_of"]

# These names always mean the built-in tools; a function of the same name can be passed itself.
BUILTIN = ("sql", "inspect", "run_python")


def tools_of(session: Session, question: Question, gate: Gate) -> dict[str, Tool]:
    """The tools of a resolved question by name. Raises `ToolError` for what cannot be one."""
    if not question.tools:
        return {}
    from deepseek_jupyter.tools.loop import toolbox

    return toolbox(_resolved(session, question, gate, tool) for tool in question.tools)


def _resolved(session: Session, question: Question, gate: Gate, tool: Any) -> Any:
    if not isinstance(tool, str):
        return tool
    name = tool.strip()
    if name in BUILTIN:
        from .builtin import builtin_tool

        return builtin_tool(name, session, question, gate, keep)
    found = user_namespace().get(name)
    if not callable(found):
        known = ", ".join(BUILTIN)
        raise ToolError(
            f"There is no function {name!r} in this notebook.",
            f"Define it in a cell first; built in are {known}.",
        )
    return found


def keep(value: Any) -> str:
    """Keep a large result in the notebook; the name under which it is, "" outside IPython."""
    names = user_namespace()
    if "get_ipython" not in names:
        return ""
    number = 1
    while f"_tool_{number}" in names:
        number += 1
    name = f"_tool_{number}"
    names[name] = value
    return name
