"""`Tool`: one function that the model may ask for, and how a plain Python function becomes one.

The function's signature and hints become the schema, its docstring the description.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deepseek_jupyter.errors import SchemaError, ToolArgumentsError, ToolError, shortened

from .schemas import adapter_of, modern, problems_of, schema_of, typed_dict

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_DESCRIPTION = 1024

# "ask": each call waits for the user's yes. "never needed": it can only read what the user has
# handed over, so a call runs without asking (unless `--approve ask` or `never` says otherwise).
Consent = Literal["ask", "never needed"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call by `name`.

    `description` and `parameters_schema` (a JSON schema of type object) are what the model reads.
    `call` takes the arguments as keywords and returns any value, or an awaitable of one; what it
    raises goes back to the model as text. `consent` says whether a call waits for the user.

    `text` turns the value into what the model reads, and `cut` says how much of the value that is,
    "" for all; None leaves both to the loop. `check` turns
    the parsed arguments into the keywords of `call`, and raises `ToolArgumentsError` with words
    for the model; None passes them as they are. `preview` is what the user is shown before
    consenting: all of what would run; None shows the arguments as JSON. `on_caller_thread` False
    lets synchronous calls of one round run side by side in threads; such a call may not display.
    `masked` gives `call` the arguments as the model wrote them, pseudonyms and all: its data has
    the same ones. `close` is called once the question is answered. `notice` is a sentence for the
    user, shown under the answer. `kept` names what a result, as it would leave, holds rows of, so
    that it waits for a yes; None never waits. `facts` are what the turn's record says of a value:
    ``rows`` of a table, ``failed``; None knows tables.
    """

    name: str
    description: str
    parameters_schema: Mapping[str, Any]
    call: Callable[..., Any]
    consent: Consent = "ask"
    text: Callable[[Any], str] | None = None
    cut: Callable[[Any], str] | None = None
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    preview: Callable[[Mapping[str, Any]], str] | None = None
    on_caller_thread: bool = True
    masked: bool = False
    close: Callable[[], None] | None = None
    notice: str = ""
    kept: Callable[[str], str] | None = None
    facts: Callable[[Any], Mapping[str, Any]] | None = None

    def to_wire(self) -> dict[str, Any]:
        described = {"name": self.name, "description": self.description}
        parameters = dict(self.parameters_schema)
        return {"type": "function", "function": {**described, "parameters": parameters}}

    def shown(self, arguments: Mapping[str, Any]) -> str:
        """Everything that a call with these arguments would run, for the user's eyes."""
        if self.preview is not None:
            return self.preview(arguments)
        return json.dumps(arguments, ensure_ascii=False, indent=2, default=str)


def tool_of(function: Callable[..., Any] | Tool) -> Tool:
    """`function` as a tool: a function, method, partial or callable object, async or not.

    The user hands it over by passing it, so its calls need no further yes. Arguments are coerced
    to their hints before the call; those with a default may be left out. Raises `ToolError` for
    what the model could not call by name: ``*args``, ``**kwargs``, positional-only parameters,
    hints without a JSON form.
    """
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise ToolError(f"{function!r} is not a function.", "Pass functions, or names of tools.")
    name = _name(function)
    parameters = _parameters(function, name)
    summary, told = _documented(function)
    short = shortened(summary, _LONGEST_DESCRIPTION)
    part = f"Of the docstring of {name} the model reads {_LONGEST_DESCRIPTION:,} characters."
    try:
        adapter = adapter_of(_arguments(function, name, parameters, told))
        schema = _plain(schema_of(adapter, name, empty=True))
    except SchemaError as error:
        raise ToolError(f"{name} cannot be described: {error.what}", error.hint) from error
    call = function
    if inspect.isgeneratorfunction(unwrapped(function)):  # its work happens within the call
        call = lambda **arguments: list(function(**arguments))  # noqa: E731
    return Tool(
        name,
        short or f"Call the function {name}.",
        schema,
        call,
        consent="never needed",
        check=_checker(name, adapter),
        notice="" if short == summary else part,
    )


def _name(function: Callable[..., Any]) -> str:
    inner = unwrapped(function)
    name = str(getattr(inner, "__name__", "") or type(inner).__name__)
    if name == "<lambda>":
        raise ToolError("A lambda has no name to call it by.", "Use def.")
    if not _NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot be the name of a tool.",
            "Use letters, digits, _ and -, at most 64 of them.",
        )
    return name


def unwrapped(function: Any) -> Any:
    """What a partial is of, and any other function itself."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise ToolError(
            f"The signature of {name} cannot be read.", "Wrap it in a function with hints."
        ) from error
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            bare = parameter.replace(annotation=parameter.empty)
            raise ToolError(
                f"{name} takes {bare}, which cannot be given by name, as models do.",
                "Wrap it in a function that names its parameters.",
            )
    return parameters


def _documented(function: Callable[..., Any]) -> tuple[str, Mapping[str, str]]:
    """What the docstring says of the function, and of each parameter."""
    from docstring_parser import ParseError, parse

    inner = unwrapped(function)
    own = inspect.isroutine(inner) or inspect.isclass(inner)
    text = inspect.getdoc(inner if own else type(inner).__call__)
    if not text:
        return "", {}
    try:
        parsed = parse(text)
    except ParseError:
        return text, {}
    words = [parsed.short_description or "", parsed.long_description or ""]
    if parsed.returns and parsed.returns.description:
        words.append(f"Returns: {parsed.returns.description}")
    told = {p.arg_name.lstrip("*"): " ".join((p.description or "").split()) for p in parsed.params}
    return "\n".join(filter(None, words)), told


def _arguments(
    function: Callable[..., Any],
    name: str,
    parameters: list[inspect.Parameter],
    told: Mapping[str, str],
) -> Any:
    """The type of the arguments: a TypedDict, since it takes any parameter name."""
    from pydantic import ConfigDict, Field

    hints = _hints(function)
    fields: dict[str, tuple[Any, bool]] = {}
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        how: dict[str, Any] = {}
        if words := told.get(parameter.name):
            how["description"] = words
        required = parameter.default is inspect.Parameter.empty
        if not required and _is_json(parameter.default):
            how["json_schema_extra"] = {"default": parameter.default}
        annotated = typing.Annotated[modern(hint), Field(**how)] if how else modern(hint)
        fields[parameter.name] = (annotated, required)
    arguments = typed_dict(name, fields)
    arguments.__pydantic_config__ = ConfigDict(extra="forbid")
    return arguments


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    inner = unwrapped(function)
    if inspect.isclass(inner):
        inner = inner.__init__
    elif not inspect.isroutine(inner):
        inner = type(inner).__call__
    try:
        return typing.get_type_hints(inner, include_extras=True)
    except (NameError, TypeError) as error:
        name = getattr(inner, "__name__", "the function")
        raise ToolError(
            f"The type hints of {name} cannot be read: {error}.", "Import what they name."
        ) from error


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return value is not None


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that only repeat the names: they would be paid for with every request."""
    properties = {
        name: {word: value for word, value in part.items() if word != "title"}
        for name, part in schema.get("properties", {}).items()
    }
    kept = {word: value for word, value in schema.items() if word not in ("title", "description")}
    return {**kept, "type": "object", "properties": properties}


def _checker(name: str, adapter: Any) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    def check(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        from pydantic import ValidationError

        try:
            checked: Mapping[str, Any] = adapter.validate_json(json.dumps(arguments))
        except ValidationError as error:
            problems = "; ".join(f"{at or 'arguments'}: {what}" for at, what in problems_of(error))
            raise ToolArgumentsError(
                f"The arguments of {name} are wrong: {problems}.", "Call it again, corrected."
            ) from error
        return checked

    return check
