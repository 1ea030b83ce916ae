"""The tools of one question: functions of the notebook, and the built-in `sql`, `inspect` and
`run_python` with what the question attaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import ParameterError, ToolError
from deepseek_jupyter.privacy.levels import Policy

from .attachments import Wanted, policy_of

if TYPE_CHECKING:
    from deepseek_jupyter.privacy.policy_file import PolicyFiles
    from deepseek_jupyter.privacy.redaction import Redactor
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.functions import Tool

    from .question import Question

# These names always mean the built-in tools; a function of the same name can be passed itself.
BUILTIN = ("sql", "inspect", "run_python")


def tools_of(
    session: Session, question: Question, redactor: Redactor, files: PolicyFiles
) -> dict[str, Tool]:
    """The tools of a resolved question by name. Raises `ToolError` for what cannot be one."""
    if not question.tools:
        return {}
    from deepseek_jupyter.tools.loop import toolbox

    attached = _Attached(session, question, redactor, files)
    return toolbox(_tool(tool, attached) for tool in question.tools)


def _tool(tool: Any, attached: _Attached) -> Any:
    """The built-in tool that a text names; a function or a tool as it is."""
    if tool == "run_python":
        from deepseek_jupyter.tools.python import python_tool

        return python_tool(user_namespace().get("get_ipython", lambda: None)())
    if tool == "inspect":
        from deepseek_jupyter.tools.inspect_variables import inspect_tool

        return inspect_tool(attached.names, attached.describe)
    return attached.sql() if tool == "sql" else tool


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


class _Attached:
    """What a question attaches, each under the policy that holds for it."""

    def __init__(
        self, session: Session, question: Question, redactor: Redactor, files: PolicyFiles
    ) -> None:
        items: tuple[Wanted, ...] = question.attach
        self._items: dict[str, Wanted] = {item.name: item for item in items}
        self._policies: Mapping[str, Policy] = {
            name: policy_of(session, item, files.data) for name, item in self._items.items()
        }
        self._redactor = redactor
        self._config = session.config

    def names(self) -> dict[str, str]:
        """What is attached, with a word on each."""
        return {name: type(self._now(name)).__name__ for name in self._items}

    def describe(self, name: str) -> str:
        """The card of what the notebook has under this name now."""
        from deepseek_jupyter.context.attach import attach

        return attach(name, self._now(name), self._policies[name], self._redactor).text

    def sql(self) -> Tool:
        """The `sql` tool over the frames."""
        from deepseek_jupyter.tools.arrow import frame_like
        from deepseek_jupyter.tools.sandbox import Limits
        from deepseek_jupyter.tools.sql import sql_tool

        frames = {name: item.value for name, item in self._items.items()}
        first = next(iter(frames.values()), None)
        config = self._config
        return sql_tool(
            frames,
            self._policies,
            redactor=self._redactor,
            keep=lambda table: keep(frame_like(first, table)),
            limits=Limits(seconds=config.sql_seconds, memory=config.sql_memory),
            rows=config.tool_rows,
            tokens=config.tool_tokens,
            least=config.min_group,
        )

    def _now(self, name: str) -> Any:
        """The object; the newer one where a cell has bound the name to another of its kind."""
        from deepseek_jupyter.context.attach import kind_of

        value = self._items[name].value
        newer = user_namespace().get(name, value)
        try:
            return newer if kind_of(newer) is kind_of(value) else value
        except ParameterError:
            return value
