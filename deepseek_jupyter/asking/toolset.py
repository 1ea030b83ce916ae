"""The tools of one question: functions of the notebook, and the built-in `sql`, `inspect` and
`run_python` with what the conversation attaches.

`sql` is offered without being asked for where the conversation has a frame. Its description stays
the same from turn to turn: it begins every request, and providers cache by the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import count
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.attachment import Attachment
from deepseek_jupyter.context.table import is_frame, is_lazy
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.errors import ParameterError, ToolError
from deepseek_jupyter.privacy.levels import FULL, asked_of
from deepseek_jupyter.privacy.policy_file import PolicyFiles
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.rules import unit_of
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.providers import Provider

from .attachments import Wanted, policy_of
from .question import Question

if TYPE_CHECKING:
    from deepseek_jupyter.tools.functions import Tool

# These names always mean the built-in tools; a function of the same name can be passed itself.
BUILTIN = ("sql", "inspect", "run_python")
NO_TOOLS = "none"  # in place of names: nothing is offered


def tools_of(
    session: Session,
    question: Question,
    redactor: Redactor,
    files: PolicyFiles,
    path: Iterable[Turn],
    offering: bool,
) -> dict[str, Tool]:
    """The tools of a resolved question behind the turns of `path`, by name; `offering`: the model
    is one that `sql` is offered to unasked. Raises `ToolError` for what cannot be a tool.
    """
    wanted = [tool for tool in question.tools if tool != NO_TOOLS]
    offering = offering and len(wanted) == len(question.tools) and _may_offer(session, question)
    items = _items(session, question, path)
    offering = offering and any(is_frame(item.value) for item in items.values())
    if not wanted and not offering:
        return {}
    from deepseek_jupyter.tools.loop import toolbox

    attached = _Attached(session, items, redactor, files)
    tools = toolbox(_tool(tool, attached) for tool in wanted)
    forbidden = (pattern for rules in files.teaching for pattern in rules.forbid_tools)
    if offering and "sql" not in tools and not any(fnmatchcase("sql", p) for p in forbidden):
        try:
            tools = {"sql": attached.sql(), **tools}
        except ToolError:  # none that may be queried, or no DuckDB
            return tools
    return tools


def offers_tools(provider: Provider, model: str) -> bool:
    """Whether `model` is known to call tools. Of models on the user's own servers, and of other
    makers, it is not known, and a host that cannot refuses the whole question.
    """
    if provider.name == "local":
        from deepseek_jupyter.local import MODELS

        return model in MODELS and MODELS[model].tools
    known = provider.facts(model).tools
    if known is not None:
        return known
    folded, dialect = model.casefold(), provider.dialect
    own_server = dialect.schema == "json_schema"  # also one that is like vllm under another name
    known = "deepseek" in folded and "r1" not in folded
    return known and "tools" in dialect.rows and not own_server


def _may_offer(session: Session, question: Question) -> bool:
    """Whether `sql` may be offered unasked: not with a schema, nor to change code or continue."""
    own = "tools" in {**session.config.parameters, **question.parameters}
    formed = question.schema is not None or question.format == "json"
    return session.config.offer_sql and not (own or formed or question.material or question.go_on)


def _items(session: Session, question: Question, path: Iterable[Turn]) -> dict[str, Wanted]:
    """What the conversation attaches, in the order of its turns, under its newest rules."""
    names, items = user_namespace(), dict[str, Wanted]()
    for turn in path:
        for record in turn.attachments:
            name, rules = str(record.get("name")), asked_of(str(record.get("policy") or ""))
            kept = session.attached.get((turn.conversation, name))
            if name in names or kept is not None:
                items[name] = Wanted(name, names.get(name, kept), rules, names=names)
    own: tuple[Wanted, ...] = question.attach
    return items | {item.name: item for item in own}


def remember(session: Session, question: Question, conversation: str) -> None:
    """Keep what `question` attaches and the notebook has no name for."""
    names = user_namespace()
    for item in question.attach:
        if names.get(item.name) is not item.value:
            session.attached[conversation, item.name] = item.value


def _tool(tool: Any, attached: _Attached) -> Any:
    """The built-in tool that a text names; a function or a tool as it is."""
    if tool == "run_python":
        from deepseek_jupyter.tools.python import python_tool

        shell = user_namespace().get("get_ipython", lambda: None)()
        return python_tool(shell, attached.protected)
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
    """Store a large result in the notebook; returns its name, "" outside IPython."""
    names = user_namespace()
    if "get_ipython" not in names:
        return ""
    name = next(name for n in count(1) if (name := f"_tool_{n}") not in names)
    names[name] = value
    return name


class _Attached:
    """What a conversation attaches, each under the policy that holds for it."""

    def __init__(
        self,
        session: Session,
        items: Mapping[str, Wanted],
        redactor: Redactor,
        files: PolicyFiles,
    ) -> None:
        self._session, self._items, self._redactor = session, items, redactor
        self._files = files.data
        self._policies = {n: policy_of(session, item, files.data) for n, item in items.items()}

    def names(self) -> dict[str, str]:
        """What is attached, with a word on each."""
        return {name: type(self._now(name)).__name__ for name in self._items}

    def describe(self, name: str) -> Attachment:
        """The card of what the notebook has under this name now."""
        from deepseek_jupyter.context.attach import attach

        return attach(name, self._now(name), self._policies[name], self._redactor)

    def protected(self) -> dict[str, Any]:
        """The frames of the notebook and of the conversation that are not all at `full`."""
        names = user_namespace()
        found = {n: Wanted(n, v, names=names) for n, v in names.items() if n[:1] != "_"} | {
            name: Wanted(name, self._now(name), item.rules, names=item.names)
            for name, item in self._items.items()
        }
        free = [id(found[n].value) for n in self._items if self._policies[n].least == FULL]
        return {
            name: item.value
            for name, item in found.items()
            if is_frame(item.value) and not is_lazy(item.value) and id(item.value) not in free
            if policy_of(self._session, item, self._files).least < FULL
        }

    def sql(self) -> Tool:
        from deepseek_jupyter.tools.arrow import frame_like
        from deepseek_jupyter.tools.sandbox import Limits
        from deepseek_jupyter.tools.sql import sql_tool

        frames = {name: self._now(name) for name in self._items}
        first = next(iter(frames.values()), None)
        config, files = self._session.config, self._files
        units = {n: unit_of(i.known_as, files, i.shared) for n, i in self._items.items()}
        return sql_tool(
            frames,
            self._policies,
            redactor=self._redactor,
            keep=lambda table: keep(frame_like(first, table)),
            limits=Limits(seconds=config.sql_seconds, memory=config.sql_memory),
            rows=config.tool_rows,
            tokens=config.tool_tokens,
            least=max(config.min_group, *(rules.min_group or 0 for rules in files), 0),
            units=units,
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
