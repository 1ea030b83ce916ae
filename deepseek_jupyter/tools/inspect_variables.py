"""The `inspect` tool: what the user attached, described within its policy.

It knows the attached variables alone. The others of the notebook are not named either: names like
``patients_hiv`` say something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deepseek_jupyter.context.attachment import Attachment
from deepseek_jupyter.errors import ToolArgumentsError

from .functions import Tool

_DESCRIPTION = (
    "Describe a variable that the user attached: columns, types, figures and sample rows, as far "
    "as the user's data policy lets them out. Without a name: list the attached variables."
)
_PARAMETERS = {
    "type": "object",
    "properties": {"name": {"type": "string", "description": "The variable's name."}},
    "additionalProperties": False,
}


def inspect_tool(
    names: Callable[[], Mapping[str, str]], describe: Callable[[str], Attachment]
) -> Tool:
    """The tool over the attached variables.

    `names` gives them with a few words on each (kind, shape); `describe` says what the policy lets
    out of one of them, as it is now.
    """

    def call(name: str = "") -> str | Attachment:
        known = names()
        if name in known:
            return describe(name)
        if name:
            raise ToolArgumentsError(_unknown(name, known))
        lines = [f"{known_name}: {words}" for known_name, words in known.items()]
        return "\n".join(lines) or "Nothing is attached."

    return Tool(
        name="inspect",
        description=_DESCRIPTION,
        parameters_schema=_PARAMETERS,
        call=call,
        consent="never needed",
        text=lambda found: getattr(found, "text", found),
        cut=lambda found: getattr(found, "cut", ""),
        check=_checked,
    )


def _checked(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    name = arguments.get("name") or ""
    if not isinstance(name, str):
        raise ToolArgumentsError("name must be a string: the name of an attached variable.")
    return {"name": name.strip().removeprefix("@")}


def _unknown(name: str, known: Mapping[str, str]) -> str:
    if not known:
        return f"{name!r} is not attached; nothing is. The user can attach it: --attach {name}"
    return f"{name!r} is not attached. Attached: {', '.join(known)}."
