"""How an answer of a shape is asked for, in the way the provider offers, and read back.

The ways, by the dialect's `schema`:

    strict function      a function that the model must call, its parameters the strict schema
    strict json_schema   response_format with the strict schema
    json_schema          response_format with the schema as it is; llama.cpp makes a grammar of it
    json mode            response_format json_object; schema and example stand in the prompt

Only the first two tell the model the schema; for the others the prompt does. A schema that strict
mode cannot say falls back to JSON mode. With tools in the same question the schema stands in the
prompt while they run; it is enforced in the repair round.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from deepseek_jupyter.errors import SchemaError, SchemaMismatchError
from deepseek_jupyter.protocol.dialect import SchemaStyle
from deepseek_jupyter.protocol.messages import ToolCall

from .examples import example
from .schemas import Shape
from .strict import strict

__all__ = ["Asked", "ask_for", "pretty", "repair_request"]

_FENCED = re.compile(r"```[\w+-]*\n(.*?)\n?```", re.DOTALL)
_WRAPPER = "value"
_LOOKED_AT = 200  # brackets at which a value may begin


@dataclass(frozen=True, slots=True)
class Asked:
    """A shape as one provider is asked for it.

    `parameters` go into the request, `words` to the end of the user message. `function` is the
    name of the function whose arguments are the answer, "" where the answer is text. `notice` is
    for the user.
    """

    shape: Shape
    parameters: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    function: str = ""
    notice: str = ""
    _restore: Callable[[Any], Any] = lambda value: value

    def read(self, text: str, calls: tuple[ToolCall, ...] = ()) -> tuple[Any, Any]:
        """The answer as plain JSON and as the typed value.

        Raises `SchemaMismatchError` in words that help the model to repair it.
        """
        own = [call for call in calls if self.function and call.name == self.function]
        value = _parsed(own[-1].arguments if own else text)
        problems = []
        for candidate in self._candidates(value):
            try:
                return candidate, self.shape.validate(candidate)
            except SchemaMismatchError as error:
                problems.append(error)
        if isinstance(value, str) and not own:
            raise SchemaMismatchError("The answer is not JSON that fits the schema.")
        raise problems[0]

    def _candidates(self, value: Any) -> list[Any]:
        """The value as it is meant: restored from the strict form, unwrapped, or as it is."""
        found = [self._restore(value)]
        if isinstance(value, dict) and value.keys() == {_WRAPPER}:
            found.append(value[_WRAPPER])
        found.append(value)
        return [one for place, one in enumerate(found) if one not in found[:place]]


def ask_for(shape: Shape, style: SchemaStyle, *, tools: bool = False) -> Asked:
    """`shape` in the way `style`; `tools` says that the question has functions of its own."""
    if tools:
        return Asked(shape, words=_in_words(shape))
    if style == "json mode":
        return _json_mode(shape)
    if style == "json_schema":
        schema = _as_object(shape.schema)
        return Asked(shape, _response_format(shape.name, schema), _in_words(shape))
    try:
        made = strict(shape.schema)
    except SchemaError as error:
        return _json_mode(shape, f"Strict mode cannot say this schema: {error.what}")
    if style == "strict json_schema":
        parameters = _response_format(shape.name, made.schema, strict=True)
        return Asked(shape, parameters, _restore=made.restore)
    name = shape.name
    function = {
        "name": name,
        "description": shape.description or "Give the answer to the user's question.",
        "strict": True,
        "parameters": made.schema,
    }
    parameters = {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": name}},
    }
    return Asked(shape, parameters, function=name, _restore=made.restore)


def repair_request(error: SchemaMismatchError) -> str:
    """What the model is told after an answer that does not fit."""
    return f"{error.what} Give the whole answer again, corrected."


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _json_mode(shape: Shape, notice: str = "") -> Asked:
    parameters = {"response_format": {"type": "json_object"}}
    schema = _as_object(shape.schema)
    given = json.dumps(example(schema), ensure_ascii=False)
    return Asked(shape, parameters, f"{_in_words(shape)}\nIn form like: {given}", notice=notice)


def _in_words(shape: Shape) -> str:
    schema = json.dumps(_as_object(shape.schema), ensure_ascii=False)
    return f"Answer with JSON alone that fits this JSON schema:\n{schema}"


def _response_format(
    name: str, schema: Mapping[str, Any], *, strict: bool = False
) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "schema": dict(schema)}
    if strict:
        told["strict"] = True
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def _as_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` where it is an object's, else an object's with the value in it: JSON mode gives
    objects alone, and hosts differ on anything else.
    """
    plain = {word: value for word, value in schema.items() if word != "$defs"}
    top: Any = plain
    while isinstance(top, Mapping) and str(top.get("$ref", "")).startswith("#/$defs/"):
        top = schema["$defs"][top["$ref"].removeprefix("#/$defs/")]
    if isinstance(top, Mapping) and (top.get("type") == "object" or "properties" in top):
        return dict(schema)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {_WRAPPER: plain},
        "required": [_WRAPPER],
    }
    return {**wrapped, "$defs": schema["$defs"]} if "$defs" in schema else wrapped


def _parsed(text: str) -> Any:
    """The JSON value in a text: all of it, its fenced block, or what begins with a bracket.

    A text without any is itself the value: for an enum or a plain string it may be right.
    """
    text = text.strip()
    for found in (text, *_FENCED.findall(text)[:1]):
        try:
            return json.loads(found)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder()
    for begun in islice(re.finditer(r"[{\[]", text), _LOOKED_AT):
        try:
            return decoder.raw_decode(text, begun.start())[0]
        except (ValueError, RecursionError):
            continue
    return text
